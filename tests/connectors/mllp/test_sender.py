"""``mllp.send``: what the receiver said becomes what the runtime does next."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from connectors.hl7.codec import answer, read
from connectors.mllp.connector import ListenForMessages, ListenParameters, connector
from connectors.mllp.framing import Deframer, Frame, frame
from connectors.mllp.sender import SendMessage, SendOutput, SendParameters
from connectors.mllp.settings import MllpSettings
from connectors.sdk import BlobRef, BusinessError, Misconfigured, NotSent, OutcomeUnknown, Receipt, Rejected
from tests.connectors.mllp.peers import Door, listening, message
from tests.harness import MemoryContext


@contextmanager
def sending(host: str, port: int, within: str = "30s") -> Iterator[MemoryContext]:
    settings = MllpSettings(host=host, port=port, direction="send", answer_within=within)
    context = MemoryContext(settings, type="mllp")
    try:
        yield context
    finally:
        context.close()


def send(context: MemoryContext, raw: bytes) -> str:
    """The code that came back."""
    return SendMessage().run(SendParameters(content=context.blobs.put(raw)), context).code


@contextmanager
def peer(answers: Callable[[int, str], list[bytes]]) -> Iterator[tuple[str, int, list[int]]]:
    """A listener that answers what the test says: given the number of the connection and MSH-10, framed bytes.
    The list holds the number of the connection of each message that came."""
    came: list[int] = []

    def serve() -> None:
        number = 0
        while True:
            try:
                connected, _ = server.accept()
            except OSError:
                return
            number += 1
            with connected:
                deframer = Deframer(100_000)
                while data := connected.recv(65536):
                    for event in deframer.feed(data):
                        assert isinstance(event, Frame)
                        came.append(number)
                        for reply in answers(number, read(event.content).control_id):
                            connected.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "127.0.0.1", server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
    thread.join(30)


def ack(code: str, control_id: str) -> bytes:
    return frame(f"MSH|^~\\&|||||2026||ACK|1|P|2.5.1\rMSA|{code}|{control_id}\r".encode())


def test_a_message_is_sent_and_its_acknowledgement_kept() -> None:
    """One connection for all messages; the receiver gets the exact bytes."""
    door = Door()

    with listening(door) as (host, port), sending(host, port) as context:
        outputs = [
            SendMessage().run(SendParameters(content=context.blobs.put(message(f"C{n}"))), context)
            for n in range(3)
        ]
        kept = answer(read(context.blobs.read(outputs[2].acknowledgement)))

    assert [(output.code, output.control_id) for output in outputs] == [("AA", f"C{n}") for n in range(3)]
    assert (kept.code, kept.control_id) == ("AA", "C2")
    assert [arrival.raw for arrival in door.arrivals] == [message(f"C{n}") for n in range(3)]
    assert len({arrival.headers["peer"] for arrival in door.arrivals}) == 1


def test_ae_is_an_exception_for_a_person() -> None:
    """The same message would be refused again."""
    door = Door(lambda arrival: Receipt("excepted", None, {"title": "No such item", "code": "204"}))

    with (
        listening(door, acknowledge="mapped") as (host, port),
        sending(host, port) as context,
        pytest.raises(BusinessError, match="No such item") as refused,
    ):
        send(context, message())

    assert (refused.value.kind, refused.value.code) == ("hl7_not_processed", "204")
    assert refused.value.next_action


@pytest.mark.parametrize("code", ["AA", "AE", "AR"])
def test_words_about_a_message_with_a_patient_are_told_to_nobody(code: str) -> None:
    """A receiver may repeat the name; errors and outputs have the code alone, the sealed bytes the words."""
    words = frame(
        f"MSH|^~\\&|||||2026||ACK|1|P|2.5.1\rMSA|{code}|C1|Sample^Invented\rERR||PID^1^5|204^x\r".encode()
    )
    told = ""

    with peer(lambda connection, control_id: [words]) as (host, port, _), sending(host, port) as context:
        raw = message("C1", rest="PID|1||990017||Sample^Invented\r")
        try:
            result = SendMessage().run(SendParameters(content=context.blobs.put(raw)), context)
            assert isinstance(result, SendOutput)
            told = result.text
            assert b"Invented" in context.blobs.read(result.acknowledgement)
        except (BusinessError, NotSent) as error:
            told = f"{error.message} {error.details}"
            assert error.code == "204"
            assert b"Invented" in context.blobs.read(BlobRef.model_validate(error.details["acknowledgement"]))

    assert "Invented" not in told
    assert "withheld" in told


def test_ar_may_be_sent_again() -> None:
    """Nothing was taken; the second try goes over the same connection."""

    def decide(arrival: object) -> None:
        if tries:
            tries.pop()
            raise NotSent("the disk is full")

    tries = [1]

    with listening(Door(decide)) as (host, port), sending(host, port) as context:
        with pytest.raises(NotSent, match="answered AR"):
            send(context, message())
        assert send(context, message()) == "AA"


def test_no_answer_in_time_is_unknown_and_the_late_one_is_never_taken_for_the_next() -> None:
    """The connection is closed; the next message has a new one."""

    def answers(connection: int, control_id: str) -> list[bytes]:
        return [] if connection == 1 else [ack("AA", control_id)]

    with peer(answers) as (host, port, came), sending(host, port, "300ms") as context:
        with pytest.raises(OutcomeUnknown, match="did not acknowledge"):
            send(context, message("C1"))
        assert send(context, message("C2")) == "AA"

    assert came == [1, 2]


def test_an_answer_nobody_waits_for_is_not_taken_for_the_next_message() -> None:
    """A second, negative answer to the first, without a name: it would fit any message."""
    second = threading.Event()

    def answers(connection: int, control_id: str) -> list[bytes]:
        if connection == 1:
            second.set()
            return [ack("AA", control_id) + ack("AR", "")]
        return [ack("AA", control_id)]

    with peer(answers) as (host, port, came), sending(host, port) as context:
        assert send(context, message("C1")) == "AA"
        assert second.wait(30)
        assert send(context, message("C2")) == "AA"

    assert came == [1, 2]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (ack("AA", "OTHER"), "'OTHER' instead of 'C1'"),
        (ack("AA", ""), "'' instead of 'C1'"),
        (frame(b"nonsense"), "is no acknowledgement"),
        (frame(b"MSH|^~\\&|||||2026||ORS^O06|1|P|2.5.1\r"), "is no acknowledgement"),
    ],
)
def test_what_does_not_answer_this_message_leaves_the_outcome_unknown(reply: bytes, said: str) -> None:
    """Guessing could lose a requisition."""
    with (
        peer(lambda connection, control_id: [reply]) as (host, port, _),
        sending(host, port) as context,
        pytest.raises(OutcomeUnknown, match=said),
    ):
        send(context, message("C1"))


def test_a_receiver_that_was_restarted_in_between_is_connected_to_anew() -> None:
    """The hang-up is seen before anything is sent, so the outcome is never in doubt."""
    door = Door()
    with listening(door) as (host, port):
        settings = MllpSettings(host=host, port=port, direction="send")
        context = MemoryContext(settings, type="mllp")
        assert send(context, message("C1")) == "AA"

    with pytest.raises(NotSent, match="no connection"):
        send(context, message("C2"))
    with listening(door, port=port):
        assert send(context, message("C2")) == "AA"
    context.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"no message",
        message(""),
        message("C1", accept="NE"),
        message("C1", accept="ER", application="NE"),
        message("C1", rest="MSA|AA|C0\r"),
    ],
)
def test_what_no_answer_could_be_matched_to_is_not_sent(raw: bytes) -> None:
    """Without MSH-10 nobody knows whom an acknowledgement means; where none is asked for, silence tells nothing."""
    with sending("127.0.0.1", 9) as context, pytest.raises(Rejected) as refused:
        send(context, raw)

    assert refused.value.next_action


def test_a_connection_has_one_direction() -> None:
    """A listening one cannot be sent to by mistake, nor the other way round."""
    with pytest.raises(Misconfigured, match="nothing can be sent"):
        send(MemoryContext(MllpSettings(port=0)), message())
    with sending("127.0.0.1", 9) as context, pytest.raises(Misconfigured, match="cannot be listened on"):
        ListenForMessages().listen(ListenParameters(), context, Door())


def test_check_says_whether_somebody_listens_there() -> None:
    """Nothing is sent."""
    assert connector.check is not None
    door = Door()

    with listening(door) as (host, port), sending(host, port) as context:
        there = connector.check(context)
    with sending(host, port) as context:
        gone = connector.check(context)

    assert there.ok
    assert not gone.ok and gone.next_action
    assert door.arrivals == []
