"""The application acknowledgement decides what became of a message that was committed elsewhere: the flows of the README
of mllp, over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from connectors.mllp.framing import frame
from connectors.mllp.transport import Sender
from runtime.model.run import RunState
from tests.connectors.mllp.flows import hearing, sending
from tests.connectors.mllp.test_enhanced import Receiver, ack, both, receiver
from tests.runtime.console.house import until
from tests.workshop import Workshop

Open = Callable[..., Workshop]
OVERDUE = 4 * 3600 + 1


@contextmanager
def hospital(workshop: Open) -> Iterator[tuple[Workshop, Receiver, str, Callable[[bytes], bytes]]]:
    """A run that was told CA and waits; with its receiver, and a way to answer over the return channel."""
    with receiver(C1=[ack("CA", "C1")]) as (peer, context):
        there = {"port": context.connection.settings.port, "direction": "send", "application_within": "100ms"}  # type: ignore[attr-defined]
        shop = workshop(
            sending(),
            hearing(),
            connections={
                "lab": {"type": "mllp", "settings": there},
                "lab_answers": {"type": "mllp", "settings": {"port": 0, "acknowledgements": True}},
            },
        )
        run = shop.take("out", {"message": both("C1").decode(), "control_id": "C1"})
        shop.drain()
        (source,) = shop.services.sources.all
        parameters, context_of_source = source.prepared()
        listening = source.operation()().listen(parameters, context_of_source, source.accept)  # type: ignore[attr-defined]

        def answer(raw: bytes) -> bytes:
            host, _, port = listening.address.rpartition(":")
            with Sender(host, int(port), 30) as sender:
                sender.write(frame(raw))
                return sender.receive()

        try:
            yield shop, peer, run, answer
        finally:
            listening.close()
            shop.services.stop()


def test_a_committed_message_waits_for_its_application_and_is_not_sent_again(workshop: Open) -> None:
    with hospital(workshop) as (shop, peer, run, _):
        shop.pass_time(seconds=600)
        shop.drain()

        assert shop.store.run(run).state is RunState.WAITING
        assert peer.came == [(1, "C1")]


@pytest.mark.parametrize(("code", "state"), [("AA", RunState.DONE), ("AE", RunState.EXCEPTION)])
def test_an_answer_over_the_return_channel_decides(workshop: Open, code: str, state: RunState) -> None:
    """It is matched by MSA-2; one that is about another message decides nothing."""
    with hospital(workshop) as (shop, peer, run, answer):
        assert b"MSA|CA|AC0" in answer(ack("AE", "C0", accept="AL"))
        shop.drain()
        before = shop.store.run(run).state
        assert b"MSA|CA|AC1" in answer(ack(code, "C1", accept="AL"))
        shop.drain()

        assert (before, shop.store.run(run).state) == (RunState.WAITING, state)
        assert [row.kind for row in shop.store.exceptions().rows] == ["hl7_not_processed"] * (code == "AE")
        assert peer.came == [(1, "C1")]


def test_an_answer_over_the_same_connection_is_found_by_the_waiting_run(workshop: Open) -> None:
    with hospital(workshop) as (shop, peer, run, _):
        peer.say(ack("AA", "C1"))
        until(lambda: bool(shop.store.events_after(0, ["hl7.acknowledged"])), "the answer to be an event")
        shop.drain()

        assert shop.store.run(run).state is RunState.DONE


def test_an_answer_that_does_not_come_is_an_exception_in_the_end(workshop: Open) -> None:
    """And the message is not sent again for that."""
    with hospital(workshop) as (shop, peer, run, _):
        shop.pass_time(seconds=OVERDUE)
        shop.drain()

        assert shop.store.run(run).state is RunState.EXCEPTION
        assert [row.kind for row in shop.store.exceptions().rows] == ["hl7_acknowledgement_overdue"]
        assert peer.came == [(1, "C1")]


def test_without_a_branch_for_it_a_message_without_its_answer_is_an_exception(workshop: Open) -> None:
    """Nobody takes CA for the end by mistake."""
    nodes = sending()
    del nodes["nodes"][0]["on"]
    with receiver(C1=[ack("CA", "C1")]) as (_, context):
        there = {"port": context.connection.settings.port, "direction": "send", "application_within": "100ms"}  # type: ignore[attr-defined]
        shop = workshop(nodes, connections={"lab": {"type": "mllp", "settings": there}})
        run = shop.run("out", {"message": both("C1").decode(), "control_id": "C1"})
        (exception,) = shop.store.exceptions().rows
        shop.services.stop()

    assert run.state is RunState.EXCEPTION
    assert exception.kind == "accepted"
