"""Stored, then acknowledged; over real sockets."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from connectors.hl7.codec import Answer, answer, read
from connectors.mllp.connector import ListenForMessages, ListenParameters, connector
from connectors.mllp.framing import frame
from connectors.mllp.settings import MllpSettings
from connectors.mllp.transport import Sender, send
from connectors.sdk import Arrival, Misconfigured, NotSent, Receipt
from tests.connectors.hl7.corpus import sample
from tests.connectors.mllp.peers import Door, listening, message, started
from tests.harness import MemoryContext
from tests.runtime.console.house import until


def said(raw: bytes) -> Answer:
    return answer(read(raw))


def test_a_stored_message_is_acknowledged_with_aa() -> None:
    """The door gets the exact bytes, the facts of the transport and an identity of MSH-3, MSH-4 and MSH-10."""
    door = Door()

    with listening(door) as (host, port):
        reply = read(send(host, port, sample("oms_o05_latin1.hl7")))

    assert reply.type == "ACK^O05"
    assert (reply.get("MSH-3"), reply.get("MSH-5"), reply.get("MSH-6")) == ("ORDERLY", "WARDSTOCK", "MERCY")
    assert (reply.get("MSA-1"), reply.get("MSA-2")) == ("AA", "WARD0004")
    arrival = door.arrivals[0]
    assert arrival.raw == sample("oms_o05_latin1.hl7")
    assert arrival.content_type == "application/hl7-v2"
    assert arrival.identity == "WARDSTOCK/MERCY/WARD0004"
    assert arrival.headers["message_type"] == "OMS^O05"
    assert arrival.headers["control_id"] == "WARD0004"
    assert arrival.headers["peer"].startswith("127.0.0.1:")


def test_nothing_is_acknowledged_before_the_door_returns() -> None:
    """The order of the two is the promise."""
    stored, asked = threading.Event(), threading.Event()

    def decide(arrival: Arrival) -> None:
        asked.set()
        assert stored.wait(10)

    with listening(Door(decide)) as (host, port), Sender(host, port) as sender:
        sender.write(frame(message()))
        assert asked.wait(10)
        with pytest.raises(TimeoutError):
            Sender.receive(_impatient(sender))
        stored.set()
        assert said(sender.receive()).code == "AA"


def _impatient(sender: Sender) -> Sender:
    """The same connection, for a look at what is there already."""
    other = object.__new__(Sender)
    other.__dict__.update(sender.__dict__, _timeout=0.2)
    return other


def test_a_duplicate_is_acknowledged_again() -> None:
    """The first acknowledgement may have been lost."""
    door = Door()

    with listening(door) as (host, port), Sender(host, port) as sender:
        codes = [said(sender.exchange(message("SAME"))).code for _ in range(2)]

    assert codes == ["AA", "AA"]
    assert len(door.arrivals) == 1


def test_an_exception_is_answered_ae_with_an_err_segment() -> None:
    """It is stored: a person sees it, the sender must not send it again."""
    problem = {
        "title": "The message does not fit",
        "detail": "quantity is missing",
        "field": "RQD-5",
        "code": "101",
    }

    with listening(Door(lambda arrival: Receipt("excepted", None, problem)), acknowledge="mapped") as (host, port):
        reply = read(send(host, port, message()))

    assert (reply.get("MSA-1"), reply.get("MSA-2")) == ("AE", "C1")
    assert (reply.get("ERR-2"), reply.get("ERR-2.3"), reply.get("ERR-3")) == ("RQD", "5", "101")
    assert (reply.get("ERR-7"), reply.get("ERR-8")) == ("quantity is missing", "The message does not fit")


def test_what_was_not_stored_is_answered_ar() -> None:
    """Send it again: AR is what senders repeat."""

    def decide(arrival: Arrival) -> None:
        raise NotSent("the disk is full")

    with listening(Door(decide)) as (host, port):
        reply = read(send(host, port, message()))

    assert (reply.get("MSA-1"), reply.get("MSA-2")) == ("AR", "C1")
    assert "not stored, send again" in (reply.get("MSA-3") or "")


@pytest.mark.parametrize(
    ("accept", "application", "state", "code"),
    [
        ("AL", "", "accepted", "CA"),
        ("AL", "NE", "excepted", "CE"),
        ("SU", "", "accepted", "CA"),
        ("SU", "", "excepted", None),
        ("ER", "", "accepted", None),
        ("ER", "", "excepted", "CE"),
        ("NE", "", "accepted", None),
        ("NE", "AL", "accepted", "AA"),
        ("", "AL", "accepted", "AA"),
    ],
)
def test_enhanced_mode_is_answered_as_msh_15_asks(
    accept: str, application: str, state: Any, code: str | None
) -> None:
    """CA and CE, on success, on error, always or never; a second message proves that none came."""

    def decide(arrival: Arrival) -> Receipt | None:
        return Receipt(state) if arrival.headers["control_id"] == "C1" else None

    with listening(Door(decide), acknowledge="mapped") as (host, port), Sender(host, port) as sender:
        sender.write(frame(message(accept=accept, application=application)) + frame(message("C2")))
        first = said(sender.receive())

    assert (first.code, first.control_id) == ((code, "C1") if code else ("AA", "C2"))


@pytest.mark.parametrize(
    ("accept", "application", "state", "codes"),
    [
        ("AL", "AL", "accepted", ["CA", "AA"]),
        ("AL", "AL", "excepted", ["CA", "AE"]),
        ("AL", "ER", "accepted", ["CA"]),
        ("AL", "ER", "excepted", ["CA", "AE"]),
        ("ER", "SU", "accepted", ["AA"]),
        ("NE", "ER", "excepted", ["AE"]),
        ("NE", "ER", "accepted", []),
    ],
)
def test_who_asks_for_both_is_told_of_storing_and_then_of_processing(
    accept: str, application: str, state: Any, codes: list[str]
) -> None:
    """MSH-15 and MSH-16; each answer is a message of its own, and a second message proves that no more came."""

    def decide(arrival: Arrival) -> Receipt | None:
        return Receipt(state) if arrival.headers["control_id"] == "C1" else None

    with listening(Door(decide), acknowledge="mapped") as (host, port), Sender(host, port) as sender:
        sender.write(frame(message(accept=accept, application=application)) + frame(message("C2")))
        answers = [said(sender.receive()) for _ in range(len(codes) + 1)]

    assert [(one.code, one.control_id) for one in answers] == [*((code, "C1") for code in codes), ("AA", "C2")]


def test_what_is_not_stored_gets_no_application_acknowledgement() -> None:
    """CR alone: it is to be sent again."""

    def decide(arrival: Arrival) -> Receipt | None:
        if arrival.headers["control_id"] == "C1":
            raise NotSent("stopping")
        return None

    with listening(Door(decide)) as (host, port), Sender(host, port) as sender:
        sender.write(frame(message(accept="AL", application="AL")) + frame(message("C2")))
        answers = [said(sender.receive()) for _ in range(2)]

    assert [(one.code, one.control_id) for one in answers] == [("CR", "C1"), ("AA", "C2")]


def test_the_storing_alone_is_acknowledged_unless_the_channel_says_otherwise() -> None:
    """The exception is a person's matter then, and none of the sender's."""
    with listening(Door(lambda arrival: Receipt("excepted"))) as (host, port):
        assert said(send(host, port, message())).code == "AA"


def test_a_message_that_drips_is_hung_up_on_in_time() -> None:
    """Its bytes keep coming, but the limit counts from the first."""
    hung_up = threading.Event()

    def drip() -> None:
        with suppress(OSError):
            while not hung_up.wait(0.01):
                sender.write(b"x")

    with listening(Door(), frame_timeout="300ms") as (host, port), Sender(host, port, 60) as sender:
        sender.write(frame(message())[:-2])
        dripping = threading.Thread(target=drip)
        dripping.start()
        with pytest.raises(ConnectionResetError):
            sender.receive()
        hung_up.set()
        dripping.join(30)

    assert not dripping.is_alive()


def test_not_stored_in_enhanced_mode_is_cr() -> None:
    """The counterpart of AR."""

    def decide(arrival: Arrival) -> None:
        raise NotSent("stopping")

    with listening(Door(decide)) as (host, port):
        assert said(send(host, port, message(accept="AL"))).code == "CR"


def test_an_acknowledgement_is_neither_stored_nor_acknowledged() -> None:
    """Two listeners would otherwise talk for ever."""
    door = Door()
    stray = b"MSH|^~\\&|W|M|||2026||ACK^O05^ACK|9|P|2.5.1\rMSA|AA|1\r"

    with listening(door) as (host, port), Sender(host, port) as sender:
        sender.write(frame(stray) + frame(message("C2")))
        assert said(sender.receive()).control_id == "C2"

    assert [arrival.headers["control_id"] for arrival in door.arrivals] == ["C2"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (sample("without_msh.hl7"), "100"),
        (b"", "100"),
        (b"\x00\xff" * 20, "100"),
        (b"MSH|^^^|no message\r", "102"),
        (b"BHS|^~\\&|W\r" + message(), "200"),
    ],
    ids=["no MSH", "nothing", "noise", "delimiters", "batch"],
)
def test_what_cannot_be_read_is_answered_ar_and_the_connection_goes_on(raw: bytes, code: str) -> None:
    """Nothing is stored; the neighbour is not disturbed."""
    door = Door()

    with listening(door) as (host, port), Sender(host, port) as sender:
        sender.write(frame(raw))
        reply = said(sender.receive())
        after = said(sender.exchange(message("NEXT")))

    assert (reply.code, reply.control_id, reply.error) == ("AR", "", code)
    assert after.code == "AA"
    assert len(door.arrivals) == 1


def test_a_message_without_control_id_is_answered_ar() -> None:
    """Nobody could tell it from its duplicate."""
    door = Door()

    with listening(door) as (host, port):
        reply = said(send(host, port, message("")))

    assert (reply.code, reply.error) == ("AR", "101")
    assert door.arrivals == []


def test_a_message_in_many_packets_is_one_message() -> None:
    """One byte at a time."""
    door = Door()

    with listening(door) as (host, port), Sender(host, port) as sender:
        for byte in frame(message()):
            sender.write(bytes([byte]))
        assert said(sender.receive()).code == "AA"

    assert door.arrivals[0].raw == message()


def test_messages_in_one_packet_are_answered_in_order() -> None:
    """Pipelining, with junk between them and a missing final CR."""
    door = Door()

    with listening(door) as (host, port), Sender(host, port) as sender:
        sender.write(b"\r\nnoise" + b"".join(frame(message(f"C{n}")).rstrip(b"\r") for n in range(20)))
        ids = [said(sender.receive()).control_id for _ in range(20)]

    assert ids == [f"C{n}" for n in range(20)]
    assert [arrival.headers["control_id"] for arrival in door.arrivals] == ids


def test_half_a_message_is_dropped_with_its_connection() -> None:
    """It was not acknowledged; the sender has it still."""
    door = Door()

    with listening(door) as (host, port):
        with Sender(host, port) as sender:
            sender.write(frame(message())[:-10])
        assert said(send(host, port, message("C2"))).code == "AA"

    assert [arrival.headers["control_id"] for arrival in door.arrivals] == ["C2"]


def test_a_message_that_stops_half_way_is_hung_up_on_in_time() -> None:
    """The limit counts from its first byte."""
    with listening(Door(), frame_timeout="200ms") as (host, port), Sender(host, port, 10) as sender:
        sender.write(frame(message())[:20])
        with pytest.raises(ConnectionResetError, match="closed before the answer"):
            sender.receive()


def test_a_peer_that_says_nothing_is_hung_up_on() -> None:
    """After the idle limit."""
    with (
        listening(Door(), idle="200ms") as (host, port),
        Sender(host, port, 10) as sender,
        pytest.raises(ConnectionResetError, match="closed before the answer"),
    ):
        sender.receive()


def test_a_message_over_the_limit_is_answered_ar_then_the_connection_is_closed() -> None:
    """Even while the sender still sends; MSA-2 names it, as its MSH was read."""
    door = Door()
    large = message("LARGE", rest="ZZZ|" + "x" * 2_000_000 + "\r")

    with listening(door, max_message_bytes=10_000) as (host, port), Sender(host, port) as sender:
        sender.write(frame(large))
        reply = said(sender.receive())
        with pytest.raises(ConnectionResetError):
            sender.receive()
        assert said(send(host, port, message())).code == "AA"

    assert (reply.code, reply.control_id) == ("AR", "LARGE")
    assert "larger than 10000 bytes" in reply.text
    assert reply.error == "102"
    assert len(door.arrivals) == 1


def test_a_flood_of_junk_is_hung_up_on() -> None:
    """No message in 64 KB is no sender of messages."""
    with (
        listening(Door()) as (host, port),
        socket.create_connection((host, port), 10) as flood,
        pytest.raises(ConnectionError),
    ):
        for _ in range(1000):
            flood.sendall(b"GET / HTTP/1.1\r\n" * 4096)


def test_only_allowed_peers_are_heard() -> None:
    """Others are hung up on before a byte is read."""
    door = Door()

    with (
        listening(door, allow=["192.0.2.0/24"]) as (host, port),
        Sender(host, port) as sender,
        pytest.raises(ConnectionError),
    ):
        sender.write(frame(message()))
        sender.receive()

    assert door.arrivals == []


@pytest.mark.parametrize(
    ("allow", "address", "allowed"),
    [
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        ("192.0.2.7", "192.0.2.7", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        ([], "127.0.0.1", False),
    ],
)
def test_networks_and_addresses_may_be_allowed(allow: Any, address: str, allowed: bool) -> None:
    """IPv4, IPv6, IPv4 within IPv6, with a zone."""
    assert MllpSettings(port=1, allow=allow).allows(address) is allowed


def test_many_senders_are_served_side_by_side() -> None:
    """Each in its own order, none lost, none doubled."""
    door = Door()

    def sends(sender: int) -> list[str]:
        with Sender(host, port) as connection:
            return [said(connection.exchange(message(f"S{sender}N{n}"))).control_id for n in range(20)]

    with listening(door) as (host, port), ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(sends, range(8)))

    assert answered == [[f"S{sender}N{n}" for n in range(20)] for sender in range(8)]
    assert len(door.arrivals) == 160


def test_a_sender_beyond_the_limit_waits_for_its_turn() -> None:
    """Back-pressure: it is connected by the kernel and not read."""
    with listening(Door(), max_connections=1) as (host, port):
        with Sender(host, port) as first:
            assert said(first.exchange(message("C1"))).code == "AA"
            second = Sender(host, port)
            second.write(frame(message("C2")))
            with pytest.raises(TimeoutError):
                _impatient(second).receive()
        with second:
            assert said(second.receive()).control_id == "C2"


def _refused(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except ConnectionError:
        return True
    return False


def test_close_lets_a_message_in_hand_be_stored_and_answered() -> None:
    """And takes no other: the one sent after it is not answered, its sender keeps it."""
    in_hand, go_on = threading.Event(), threading.Event()

    def decide(arrival: Arrival) -> None:
        in_hand.set()
        assert go_on.wait(10)

    door = Door(decide)
    with started(door) as listener:
        host, _, port = listener.address.rpartition(":")
        with Sender(host, int(port)) as sender:
            sender.write(frame(message("C1")))
            assert in_hand.wait(10)
            closing = threading.Thread(target=listener.close)
            closing.start()
            until(lambda: _refused(host, int(port)), "the listener to close")
            sender.write(frame(message("C2")))
            go_on.set()

            assert said(sender.receive()).control_id == "C1"
            with pytest.raises(ConnectionResetError):
                sender.receive()
            closing.join(10)

    assert not closing.is_alive()
    assert [arrival.headers["control_id"] for arrival in door.arrivals] == ["C1"]


def test_a_closed_listener_takes_no_connection_and_quiet_ones_are_hung_up_on() -> None:
    """A persistent connection without a message does not hold up the end."""
    with started(Door()) as listener:
        host, _, port = listener.address.rpartition(":")
        with Sender(host, int(port)) as quiet:
            quiet.exchange(message())
            listener.close()
            with pytest.raises(ConnectionResetError):
                quiet.receive()
        with pytest.raises(NotSent):
            Sender(host, int(port))


def test_a_door_that_does_not_return_is_left_behind_after_the_limit() -> None:
    """Closing ends; the message is not acknowledged, so its sender has it still."""
    in_hand, go_on = threading.Event(), threading.Event()

    def decide(arrival: Arrival) -> None:
        in_hand.set()
        assert go_on.wait(10)

    with started(Door(decide), drain="100ms") as listener:
        host, _, port = listener.address.rpartition(":")
        with Sender(host, int(port)) as sender:
            sender.write(frame(message()))
            assert in_hand.wait(10)
            listener.close()
            with pytest.raises(ConnectionResetError):
                sender.receive()
            go_on.set()


def test_a_taken_port_is_misconfigured_and_check_says_so() -> None:
    """Before anything is started, in words."""
    assert connector.check is not None
    with socket.create_server(("127.0.0.1", 0)) as taken:
        context = MemoryContext(MllpSettings(port=taken.getsockname()[1]))
        found = connector.check(context)
        with pytest.raises(Misconfigured, match="cannot listen on") as refused:
            ListenForMessages().listen(ListenParameters(), context, Door())

    assert refused.value.next_action
    assert not found.ok
    assert "free port" in found.next_action


def test_check_finds_a_free_port_free_and_our_own_listener_at_work() -> None:
    """A running system is not reported broken."""
    assert connector.check is not None
    free = connector.check(MemoryContext(MllpSettings(port=0)))
    with listening(Door()) as (host, port):
        own = connector.check(MemoryContext(MllpSettings(host=host, port=port)))

    assert free.ok
    assert own.ok
    assert "by this process" in own.message


@pytest.mark.parametrize("mistake", [ValueError("Zebrowskaya"), KeyError("PID"), Misconfigured("the flow is out")])
def test_a_mistake_of_ours_is_answered_and_the_conversation_goes_on(mistake: Exception) -> None:
    """A sender who hears nothing would wait until its time is up, and then send the same again for ever."""
    mistakes = [mistake]

    def decide(arrival: Arrival) -> None:
        if mistakes:
            raise mistakes.pop()

    with listening(Door(decide)) as (host, port), Sender(host, port) as sender:
        sender.write(frame(message("C1")))
        first = said(sender.receive())
        sender.write(frame(message("C1")))
        second = said(sender.receive())

    assert (first.code, first.control_id) == ("AR", "C1")
    assert "Zebrowskaya" not in first.text
    assert (second.code, second.control_id) == ("AA", "C1")
