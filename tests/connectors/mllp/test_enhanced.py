"""Both acknowledgements (HL7 v2.5.1, 2.9.3): CA says that it was committed, the application says what became of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from connectors.hl7.codec import read
from connectors.hl7.command import command
from connectors.mllp.framing import Deframer, Frame, frame
from connectors.mllp.sender import SendMessage, SendOutput, SendParameters
from connectors.mllp.settings import MllpSettings
from connectors.mllp.transport import Sender
from connectors.sdk import BusinessError, NotSent, Outcome
from tests.connectors.mllp.peers import Door, listening, message
from tests.harness import MemoryContext
from tests.runtime.console.house import until


def ack(code: str, control_id: str, *, accept: str = "") -> bytes:
    return (
        f"MSH|^~\\&|LAB|MERCY|ORDERLY|MERCY|2026||ACK|A{control_id}|P|2.5.1|||{accept}\rMSA|{code}|{control_id}\r"
    ).encode()


def both(control_id: str, *, application: str = "AL") -> bytes:
    return message(control_id, accept="AL", application=application)


class Receiver:
    """A listener that says what a test wants, when it wants it. ``came``: what MSH-10 came over which connection."""

    def __init__(self, server: socket.socket, said: dict[str, list[bytes]]) -> None:
        self.came: list[tuple[int, str]] = []
        self._server, self._said = server, said
        self._open: list[socket.socket] = []

    def say(self, *replies: bytes) -> None:
        """Unasked, on the newest connection."""
        self._open[-1].sendall(b"".join(map(frame, replies)))

    def serve(self) -> None:
        while True:
            try:
                connected, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connected)
            with connected:
                deframer = Deframer(100_000)
                while data := connected.recv(65536):
                    for event in deframer.feed(data):
                        assert isinstance(event, Frame)
                        control_id = read(event.content).control_id
                        self.came.append((len(self._open), control_id))
                        self.say(*self._said.get(control_id, [ack("AA", control_id)]))


@contextmanager
def receiver(**said: list[bytes]) -> Iterator[tuple[Receiver, MemoryContext]]:
    """``said``: what is answered at once, by MSH-10; with a sender's context."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Receiver(server, said)
        thread = threading.Thread(target=made.serve, daemon=True)
        thread.start()
        settings = MllpSettings(port=server.getsockname()[1], direction="send", application_within="200ms")
        context = MemoryContext(settings, type="mllp")
        try:
            yield made, context
        finally:
            context.close()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(30)


def send(context: MemoryContext, raw: bytes) -> tuple[str, SendOutput]:
    """The outcome's name, and what it gives."""
    result = SendMessage().run(SendParameters(content=context.blobs.put(raw)), context)
    return (result.name, result.output) if isinstance(result, Outcome) else ("done", result)


def test_the_application_decides_after_the_message_was_committed() -> None:
    """CA and AA are two messages; the second one is kept."""
    with receiver(C1=[ack("CA", "C1"), ack("AA", "C1")]) as (peer, context):
        name, output = send(context, both("C1"))

    assert (name, output.code) == ("done", "AA")
    assert b"MSA|AA|C1" in context.blobs.read(output.acknowledgement)
    assert peer.came == [(1, "C1")]


@pytest.mark.parametrize("code", ["AE", "AR"])
def test_what_the_application_will_not_have_is_a_persons_and_never_sent_again(code: str) -> None:
    """CA released us from sending it again (2.9.3.1), so AR is no reason to either."""
    with (
        receiver(C1=[ack("CA", "C1"), ack(code, "C1")]) as (peer, context),
        pytest.raises(BusinessError, match=f"answered {code}") as refused,
    ):
        send(context, both("C1"))

    assert refused.value.kind == "hl7_not_processed"
    assert peer.came == [(1, "C1")]


def test_what_was_not_committed_may_be_sent_again() -> None:
    with receiver(C1=[ack("CR", "C1")]) as (_, context), pytest.raises(NotSent, match="answered CR"):
        send(context, both("C1"))


def test_an_application_that_takes_its_time_leaves_the_message_accepted_and_is_heard_later() -> None:
    """The connection is kept; what comes on it is told under MSA-2, without anything being sent."""
    with receiver(C1=[ack("CA", "C1")]) as (peer, context):
        name, output = send(context, both("C1"))
        peer.say(ack("AE", "C1"))
        until(lambda: bool(context.published), "the late acknowledgement to be told")

    ((event, key, told),) = context.published
    assert (name, output.code) == ("accepted", "CA")
    assert (event, key, told["code"]) == ("hl7.acknowledged", "C1", "AE")


def test_a_late_acknowledgement_is_never_taken_for_the_next_messages() -> None:
    """It comes between the next message and its own answers, over the same connection."""
    late = [ack("AE", "C1"), ack("CA", "C2"), ack("AA", "C2")]

    with receiver(C1=[ack("CA", "C1")], C2=late) as (peer, context):
        first, _ = send(context, both("C1"))
        second, output = send(context, both("C2"))

    assert (first, second, output.code) == ("accepted", "done", "AA")
    assert [(key, told["code"]) for _, key, told in context.published] == [("C1", "AE")]
    assert peer.came == [(1, "C1"), (1, "C2")]


def test_an_answer_that_names_no_message_decides_nothing() -> None:
    """It may be about any."""
    with receiver(C1=[ack("CA", "C1"), ack("AE", "")]) as (_, context):
        assert send(context, both("C1"))[0] == "accepted"

    assert context.published == []


def test_silence_is_success_where_only_errors_are_told() -> None:
    """MSH-16 ER."""
    with receiver(C1=[ack("CA", "C1")]) as (_, context):
        name, output = send(context, both("C1", application="ER"))

    assert (name, output.code) == ("done", "CA")


def test_an_error_is_heard_where_only_errors_are_told() -> None:
    with (
        receiver(C1=[ack("CA", "C1"), ack("AE", "C1")]) as (_, context),
        pytest.raises(BusinessError, match="answered AE"),
    ):
        send(context, both("C1", application="ER"))


def test_our_own_listener_and_sender_understand_each_other() -> None:
    with listening(Door()) as (host, port):
        settings = MllpSettings(host=host, port=port, direction="send")
        context = MemoryContext(settings, type="mllp")
        name, output = send(context, both("C1"))
        context.close()

    assert (name, output.code) == ("done", "AA")


@pytest.mark.parametrize(("accept", "answered"), [("AL", "MSA|CA|AC1"), ("SU", "MSA|CA|AC1"), ("NE", ""), ("", "")])
def test_an_acknowledgement_on_a_connection_of_its_own_is_stored_and_told_so_where_it_asks(
    accept: str, answered: str
) -> None:
    """The return channel: an acknowledgement of an acknowledgement is never the application's."""
    door = Door()

    with listening(door, acknowledgements=True) as (host, port), Sender(host, port) as sender:
        sender.write(frame(ack("AA", "C1", accept=accept)) + frame(message("C2")))
        replies = [sender.receive().decode() for _ in range(1 + bool(answered))]

    assert [arrival.headers["control_id"] for arrival in door.arrivals] == ["AC1", "C2"]
    assert answered in replies[0]
    assert "MSA|AA|C2" in replies[-1]


@pytest.mark.parametrize("raw", [ack("CA", "C1"), ack("AA", ""), ack("XX", "C1")])
def test_what_is_no_application_acknowledgement_is_passed_over_there_too(raw: bytes) -> None:
    door = Door()

    with listening(door, acknowledgements=True) as (host, port), Sender(host, port) as sender:
        sender.write(frame(raw) + frame(message("C2")))
        assert b"MSA|AA|C2" in sender.receive()

    assert [arrival.headers["control_id"] for arrival in door.arrivals] == ["C2"]


def test_not_stored_it_is_told_cr() -> None:
    """So that it is sent again."""

    def full(arrival: Any) -> None:
        raise NotSent("the disk is full")

    with listening(Door(full), acknowledgements=True) as (host, port), Sender(host, port) as sender:
        sender.write(frame(ack("AA", "C1", accept="AL")))
        assert b"MSA|CR|AC1" in sender.receive()


@pytest.mark.parametrize(
    ("second", "exit_code", "shown"),
    [
        ([ack("AA", "C1")], 0, "CA C1\nAA C1\n"),
        ([ack("AE", "C1")], 1, "CA C1\nAE C1\n"),
        ([], 1, "CA C1\nerror: no application acknowledgement of C1 came on this connection within 0.2 s\n"),
    ],
)
def test_the_command_waits_for_both(tmp_path: Any, second: list[bytes], exit_code: int, shown: str) -> None:
    (tmp_path / "message.hl7").write_bytes(both("C1"))

    with receiver(C1=[ack("CA", "C1"), *second]) as (_, context):
        peer = f"127.0.0.1:{context.connection.settings.port}"  # type: ignore[attr-defined]
        arguments = ["send", peer, str(tmp_path / "message.hl7"), "--timeout", "0.2"]
        result = CliRunner().invoke(command, arguments)

    assert result.exit_code == exit_code
    assert result.output.startswith(shown)
