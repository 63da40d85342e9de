"""The sender knows what it knows, and no more."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from connectors.mllp.framing import frame
from connectors.mllp.transport import Sender, send
from connectors.sdk import NotSent, OutcomeUnknown
from tests.connectors.mllp.peers import message


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def answering(server: socket.socket, reply: bytes) -> threading.Thread:
    """Takes one connection, reads something, sends ``reply`` and hangs up."""

    def serve() -> None:
        connected, _ = server.accept()
        with connected:
            connected.recv(65536)
            connected.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_nobody_there_is_not_sent(server: socket.socket) -> None:
    """Safe to send again."""
    port = server.getsockname()[1]
    server.close()

    with pytest.raises(NotSent, match="no connection"):
        send("127.0.0.1", port, message())


def test_a_hang_up_before_the_answer_is_an_unknown_outcome(server: socket.socket) -> None:
    """The message may have been stored."""
    thread = answering(server, b"")

    with pytest.raises(OutcomeUnknown, match="closed before the answer") as raised:
        send("127.0.0.1", server.getsockname()[1], message())
    thread.join()

    assert "whether that port speaks TLS" in raised.value.next_action


def test_who_hangs_up_after_it_has_answered_speaks_what_we_speak(server: socket.socket) -> None:
    """TLS is no question then."""
    thread = answering(server, frame(b"MSH|^~\\&|||||2026||ACK|1|P|2.5.1\rMSA|AA|C1\r"))

    with Sender("127.0.0.1", server.getsockname()[1]) as sender:
        sender.exchange(message("C1"))
        thread.join()
        with pytest.raises(OutcomeUnknown, match="did not acknowledge") as raised:
            sender.exchange(message("C2"))

    assert "TLS" not in raised.value.next_action


def test_silence_is_an_unknown_outcome_and_closes_the_connection(server: socket.socket) -> None:
    """A late answer must not meet the next message."""
    with Sender("127.0.0.1", server.getsockname()[1], timeout=0.2) as sender:
        with pytest.raises(OutcomeUnknown):
            sender.exchange(message())
        with pytest.raises(OSError):
            sender.write(b"x")


def test_the_answer_to_another_message_is_not_taken(server: socket.socket) -> None:
    """MSA-2 must be the MSH-10 that was sent."""
    thread = answering(server, frame(b"MSH|^~\\&|||||2026||ACK|1|P|2.5.1\rMSA|AA|OTHER\r"))

    with pytest.raises(OutcomeUnknown, match="'OTHER' instead of 'C1'"):
        send("127.0.0.1", server.getsockname()[1], message("C1"))
    thread.join()
