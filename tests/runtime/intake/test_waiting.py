"""An MLLP sender that is answered when its message was delivered: over real sockets, through the running system."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connectors.hl7.codec import Answer, Message, answer, read
from connectors.mllp.transport import Sender
from runtime.model.run import EventRow, RunState
from tests.connectors.mllp.peers import message
from tests.runtime.console.house import until
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
LISTEN = {"type": "mllp.listen", "connection": "ward", "decode": {"type": "hl7.read"}}
SEEN = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "key": "=control_id", "data": None}}
WAITS = {"id": "goods", "type": "wait", "parameters": {"event": "goods", "key": "=control_id", "within": "1d"}}
RAISES = {"id": "no", "type": "raise", "parameters": {"kind": "unknown_item", "message": "no such item: Zebrowski"}}


@contextmanager
def served(
    workshop: Open, *nodes: Any, acknowledge: str = "delivered", within: str = "20s", **more: Any
) -> Iterator[tuple[Workshop, Sender]]:
    """A listener in front of a flow of these nodes, and a sender that is connected to it."""
    settings = {"host": "127.0.0.1", "port": 0, "acknowledge": acknowledge, "deliver_within": within}
    shop = workshop(
        flow("ward", *nodes, trigger={**LISTEN, **more}),
        connections={"ward": {"type": "mllp", "settings": settings}},
        mappings={"refuses": "$error('RQD-4 is missing')"},
    )
    source = shop.services.sources.all[0]
    parameters, context = source.prepared()
    listening = source.operation()().listen(parameters, context, source.accept)  # type: ignore[attr-defined]
    host, _, port = listening.address.rpartition(":")
    try:
        with Sender(host, int(port), 30) as sender:
            yield shop, sender
    finally:
        listening.close()


def said(sender: Sender, control_id: str = "C1", **more: str) -> Answer:
    return answer(read(sender.exchange(message(control_id, **more))))


def test_the_acknowledgement_comes_when_the_run_is_over_and_a_duplicate_is_answered_the_same(
    workshop: Open,
) -> None:
    with served(workshop, SEEN) as (shop, sender):
        codes = [said(sender).code, said(sender).code]

        states = [run.state for run in shop.store.runs().rows]
        seen = shop.store.events_after(0, ["seen"])

    assert codes == ["AA", "AA"]
    assert states == [RunState.DONE]
    assert len(seen) == 1


def test_what_failed_is_answered_ae_and_so_is_its_duplicate_without_a_word_of_the_message(workshop: Open) -> None:
    """Why is a person's to read in the console, and may name what the message holds."""
    with served(workshop, RAISES) as (shop, sender):
        answers = [read(sender.exchange(message())) for _ in range(2)]
        runs = shop.store.runs().rows

    assert [one.get("MSA-1") for one in answers] == ["AE", "AE"]
    assert runs[0].id in (answers[0].get("ERR-7") or "")
    assert "Zebrowski" not in answers[0].text
    assert len(runs) == 1
    assert runs[0].state is RunState.EXCEPTION


def test_what_is_not_over_in_time_is_answered_ar_and_tells_when_it_comes_again(workshop: Open) -> None:
    """AR is what senders repeat; the repeat starts nothing."""
    with served(workshop, WAITS, within="100ms") as (shop, sender):
        early = said(sender)
        shop.store.publish(EventRow(type="goods", key="C1", data=None))
        shop.drain()
        late = said(sender)
        runs = shop.store.runs().rows

    assert (early.code, late.code) == ("AR", "AA")
    assert "send it again" in early.text
    assert len(runs) == 1


def test_who_asks_for_both_hears_that_it_is_stored_before_what_became_of_it(workshop: Open) -> None:
    """CA, because it is on disk; then AR, because it is not delivered."""
    with served(workshop, WAITS, within="100ms") as (_, sender):
        first = said(sender, accept="AL", application="AL")
        second = answer(read(sender.receive()))

    assert [first.code, second.code] == ["CA", "AR"]


def test_that_it_is_stored_is_said_at_once_and_what_became_of_it_when_it_is_over(workshop: Open) -> None:
    """CA comes while the run still waits for the goods; its sender may forget its copy by then."""
    with served(workshop, WAITS) as (shop, sender):
        first = said(sender, accept="AL", application="AL")
        until(lambda: shop.store.runs().rows[0].state is RunState.WAITING, "the run to wait for its goods")
        shop.store.publish(EventRow(type="goods", key="C1", data=None))
        shop.drain()
        second = answer(read(sender.receive()))

    assert first.code == "CA"
    assert second.code == "AA"


def _answering(code: str) -> list[Any]:
    """The nodes of a flow that answers with an ORS of its own."""
    ors = [
        {"id": "MSH", "fields": {"3.1": "ORDERLY", "9.1": "ORS", "9.2": "O06", "9.3": "ORS_O06", "12.1": "2.5.1"}},
        {"id": "MSA", "fields": {"1.1": code, "2.1": "=control_id"}},
        {"id": "ORC", "fields": {"1.1": "OK", "2.1": "R1"}},
    ]
    return [
        {"id": "ors", "type": "hl7.write", "parameters": {"document": {"segments": ors}}, "into": "answer"},
        {"id": "say", "type": "respond", "parameters": {"body": "=answer.content"}},
        SEEN,
    ]


def test_a_flow_may_answer_with_a_message_of_its_own_and_a_duplicate_gets_the_same_bytes(workshop: Open) -> None:
    """ORS^O06 answers OMS^O05 (HL7 v2.5.1, 4.10.2); MSA-1 is what the flow says."""
    with served(workshop, *_answering("AA")) as (shop, sender):
        first, second = sender.exchange(message()), sender.exchange(message())
        runs = shop.store.runs().rows

    reply: Message = read(first)
    assert (reply.type, reply.get("MSA-1"), reply.get("MSA-2")) == ("ORS^O06", "AA", "C1")
    assert reply.get("ORC-2") == "R1"
    assert first == second
    assert len(runs) == 1


def test_a_flows_answer_stands_where_the_application_acknowledgement_is_asked_for(workshop: Open) -> None:
    """MSH-15 gets CA from us, MSH-16 the flow's."""
    with served(workshop, *_answering("AE")) as (_, sender):
        first = said(sender, accept="AL", application="AL")
        second = read(sender.receive())

    assert first.code == "CA"
    assert (second.type, second.get("MSA-1")) == ("ORS^O06", "AE")


def test_a_flow_that_responds_with_an_error_is_answered_ae(workshop: Open) -> None:
    node = {"id": "say", "type": "respond", "parameters": {"status": 422, "body": "=control_id"}}

    with served(workshop, node) as (_, sender):
        assert said(sender).code == "AE"


def test_what_cannot_be_mapped_is_one_exception_however_often_it_comes(workshop: Open) -> None:
    """Its acknowledgement may have been lost: it is acknowledged again, and a person sees it once."""
    with served(workshop, SEEN, acknowledge="mapped", mapping="refuses") as (shop, sender):
        codes = [said(sender).code, said(sender).code, said(sender, "C2").code]
        kept = shop.store.exceptions().rows

    assert codes == ["AE", "AE", "AE"]
    assert [row.details["headers"]["control_id"] for row in kept] == ["C2", "C1"]


def test_by_default_what_is_stored_is_acknowledged_whatever_becomes_of_it(workshop: Open) -> None:
    with served(workshop, RAISES, acknowledge="stored") as (shop, sender):
        assert said(sender).code == "AA"
        shop.drain()

        assert [run.state for run in shop.store.runs().rows] == [RunState.EXCEPTION]
