"""``mllp.send`` in a flow: order by key, messages that the receiver will not have, and one that is full for now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sdk import Arrival, NotSent, Receipt
from runtime.model.run import RunState
from tests.connectors.mllp.peers import Door, listening, message
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
SENDS = flow(
    "out",
    {
        "id": "send", "type": "mllp.send", "connection": "lab", "parameters": {"content": "=message"},
        "effect": "idempotent", "retry": {"attempts": 3, "first": "1s", "longest": "1s"},
    },
    order_by="=ward", keys={"control_id": "=control_id"},
)  # fmt: skip


def shop(workshop: Open, host: str, port: int) -> Workshop:
    settings = {"host": host, "port": port, "direction": "send", "answer_within": "10s"}
    return workshop(SENDS, connections={"lab": {"type": "mllp", "settings": settings}})


def body(control_id: str, ward: str) -> dict[str, Any]:
    return {"message": message(control_id).decode(), "control_id": control_id, "ward": ward}


def refusing(*control_ids: str) -> Door:
    def decide(arrival: Arrival) -> Receipt | None:
        poison = arrival.headers["control_id"] in control_ids
        return Receipt("excepted", None, {"title": "No such item"}) if poison else None

    return Door(decide)


def test_a_poison_message_is_parked_with_a_person_and_holds_up_its_own_key_alone(workshop: Open) -> None:
    """AE is never sent again; the message behind it of the same ward waits until a person passes it, in order."""
    door = refusing("POISON")

    with listening(door, acknowledge="mapped") as (host, port):
        made = shop(workshop, host, port)
        poison, behind, other = (
            made.take("out", body(control_id, ward))
            for control_id, ward in (("POISON", "A"), ("NEXT", "A"), ("OTHER", "B"))
        )
        made.drain()
        parked = [made.store.run(run).state for run in (poison, behind, other)]
        (exception,) = made.store.exceptions().rows
        made.repair.step_aside(poison, "anna.berg", "the lab knows")
        made.drain()
        passed = made.store.run(behind).state
        made.close()

    assert parked == [RunState.EXCEPTION, RunState.HELD, RunState.DONE]
    assert exception.kind == "hl7_not_processed"
    assert passed is RunState.DONE
    assert [arrival.headers["control_id"] for arrival in door.arrivals] == ["OTHER", "NEXT"]


@pytest.mark.parametrize(("refusals", "state"), [(2, RunState.DONE), (3, RunState.DEAD)])
def test_what_the_receiver_has_no_room_for_is_sent_again_to_a_limit(
    workshop: Open, refusals: int, state: RunState
) -> None:
    """AR: the same message with the same MSH-10, three times in all; then it is a dead letter for a person."""
    tried: list[str] = []

    def decide(arrival: Arrival) -> None:
        tried.append(arrival.headers["control_id"])
        if len(tried) <= refusals:
            raise NotSent("the disk is full")

    with listening(Door(decide)) as (host, port):
        made = shop(workshop, host, port)
        run = made.take("out", body("C1", "A"))
        for _ in range(4):
            made.drain()
            made.pass_time(seconds=5)
        came_to = made.store.run(run).state
        made.close()

    assert came_to is state
    assert tried == ["C1"] * 3
