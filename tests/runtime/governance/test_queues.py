"""A queue that grows is told once, to a person and to whoever subscribes, and so is its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtime.model.lint import lint_pack
from runtime.model.pack import Pack
from runtime.model.run import RunState
from tests.connectors.mllp.peers import Door, listening, message
from tests.runtime.intake.test_hl7_privacy import send
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
OUT = flow(
    "out",
    {
        "id": "send", "type": "mllp.send", "connection": "lab", "effect": "idempotent",
        "parameters": {"content": "=message"},
    },
)  # fmt: skip
IN = flow("ward", {"id": "end", "type": "end"}, trigger={"type": "mllp.listen", "connection": "lab"})


def connection(limits: Any, **settings: Any) -> dict[str, Any]:
    return {"lab": {"type": "mllp", "settings": {"port": 0, **settings}, "limits": {"queue": limits}}}


def look(shop: Workshop) -> None:
    shop.services.queues.look(shop.services.clients["mercy"])


def told(shop: Workshop) -> list[tuple[str, int]]:
    """The events, with depth."""
    events = shop.store.events_after(0, ["queue.growing", "queue.drained"])
    return [(event.type, event.data.get("depth", 0)) for event in events]


def hold(shop: Workshop, *control_ids: str) -> None:
    """Messages for a peer that is paused."""
    for control_id in control_ids:
        shop.take("out", {"message": message(control_id).decode()})
    shop.drain()


def test_an_outbound_queue_that_is_too_deep_is_told_once_until_it_is_short_again(workshop: Open) -> None:
    with listening(Door()) as (host, port):
        shop = workshop(OUT, connections=connection({"depth": 2}, host=host, port=port, direction="send"))
        shop.repair.pause("lab", "omar", "the lab moves")
        hold(shop, "C1")
        look(shop)
        before = told(shop)
        hold(shop, "C2")
        look(shop)
        look(shop)
        (exception,) = shop.store.exceptions().rows
        shop.repair.resume("lab", "omar")
        shop.drain()
        look(shop)
        look(shop)
        shop.services.stop()

    assert before == []
    assert (exception.kind, exception.owner, exception.field) == ("queue_growing", "operations", "lab")
    assert "2 runs wait at connection lab" in exception.message
    assert "orderly connection test lab" in (exception.details or {})["next_action"]


def test_its_end_resolves_the_exception_and_is_an_event_too(workshop: Open) -> None:
    """And a queue that grows again is told again."""
    with listening(Door()) as (host, port):
        shop = workshop(OUT, connections=connection({"depth": 2}, host=host, port=port, direction="send"))
        for number in range(2):
            shop.repair.pause("lab", "omar", "the lab moves")
            hold(shop, f"A{number}", f"B{number}")
            look(shop)
            shop.repair.resume("lab", "omar")
            shop.drain()
            look(shop)
        left, all_told = shop.store.exceptions().rows, told(shop)
        shop.services.stop()

    assert list(left) == []
    assert all_told == [("queue.growing", 2), ("queue.drained", 0)] * 2


def test_one_message_that_waits_too_long_is_enough(workshop: Open) -> None:
    """The default is an hour: nobody has to ask for it."""
    with listening(Door()) as (host, port):
        shop = workshop(OUT, connections=connection({}, host=host, port=port, direction="send"))
        shop.repair.pause("lab", "omar", "the lab moves")
        hold(shop, "C1")
        shop.pass_time(seconds=3599)
        look(shop)
        early = told(shop)
        shop.pass_time(seconds=1)
        look(shop)
        late = told(shop)
        shop.services.stop()

    assert (early, late) == ([], [("queue.growing", 1)])


def test_an_inbound_queue_is_told_too(workshop: Open) -> None:
    """Messages that were acknowledged, and no worker goes on with them."""
    shop = workshop(IN, connections=connection({"depth": 3}))

    send(shop, message("C1"), message("C2"))
    look(shop)
    few = told(shop)
    send(shop, message("C3"))
    look(shop)

    assert (few, told(shop)) == ([], [("queue.growing", 3)])
    shop.drain()
    look(shop)
    assert told(shop)[-1] == ("queue.drained", 0)
    assert {run.state for run in shop.store.runs().rows} == {RunState.DONE}


def test_a_process_that_ended_in_the_middle_of_telling_tells_nobody_twice(workshop: Open) -> None:
    """The exception is there, the note that it was told is not."""
    shop = workshop(IN, connections=connection({"depth": 1}))
    send(shop, message("C1"))
    look(shop)
    shop.store.put_cursor("queue:lab", None)

    look(shop)

    assert len(shop.store.exceptions().rows) == 1


def test_what_a_person_resolved_meanwhile_stays_as_it_is(workshop: Open) -> None:
    """It is not told again while the queue is the same."""
    shop = workshop(IN, connections=connection({"depth": 1}))
    send(shop, message("C1"))
    look(shop)
    (exception,) = shop.store.exceptions().rows
    shop.store.resolve_exception(exception.id, "omar", "seen")

    look(shop)
    shop.drain()
    look(shop)

    assert shop.store.exception(exception.id).resolved_by == "omar"
    assert told(shop) == [("queue.growing", 1), ("queue.drained", 0)]


def test_without_an_age_no_age_is_told(workshop: Open) -> None:
    shop = workshop(IN, connections=connection({"age": None}))
    send(shop, message("C1"))
    shop.pass_time(seconds=1_000_000)

    look(shop)

    assert told(shop) == []


@pytest.mark.parametrize("limits", [{"depth": 0}, {"age": "soon"}, {"length": 3}])
def test_limits_that_mean_nothing_are_a_finding(workshop: Open, limits: Any) -> None:
    shop = workshop(connections=connection(limits))

    findings = lint_pack(Pack.read(shop.pack))

    assert any("/limits/queue" in finding.pointer for finding in findings), findings
