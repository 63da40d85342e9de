"""Peers that connect and say nothing hold up nobody; over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from structlog.testing import capture_logs

from connectors.hl7.codec import answer, read
from connectors.mllp.framing import frame
from connectors.mllp.settings import MllpSettings
from connectors.mllp.tls import Tls
from connectors.mllp.transport import Sender, send
from tests.connectors.mllp.certificates import Authority
from tests.connectors.mllp.peers import Door, listening, message


def code(reply: bytes) -> str:
    return answer(read(reply)).code


@contextmanager
def silent(port: int, count: int, host: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    """Connections from ``host``, an address of this machine, on which nothing is sent."""
    with ExitStack() as open_ones:
        yield [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", port), 30, (host, 0)))
            for _ in range(count)
        ]


def hung_up_on(peer: socket.socket) -> bool:
    """Waits for it."""
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_sender_behind_more_silent_peers_than_there_is_room_for_is_answered() -> None:
    """The oldest silent ones gave way."""
    with listening(Door(), max_connections=3) as (host, port), silent(port, 8) as peers:
        assert code(send(host, port, message(), 30)) == "AA"
        assert all(hung_up_on(peer) for peer in peers[:6])


def test_a_peer_that_never_ends_its_handshake_gives_way_too(tmp_path: Path) -> None:
    """Long before the handshake's own limit."""
    hospital = Authority(tmp_path, "hospital")
    context = Tls(MllpSettings(port=1, tls=True, authorities=hospital.path), "client").context()
    limits = {"max_connections": 2, "frame_timeout": "1h", "first_within": "1h"}

    with (
        listening(Door(), tls=True, certificate=hospital.certificate("orderly"), **limits) as (host, port),
        silent(port, 5),
    ):
        assert code(send(host, port, message(), 30, context)) == "AA"


def test_who_has_begun_to_talk_keeps_its_connection_and_a_neighbour_its_place() -> None:
    """Room is made at the address with most silent connections."""
    with (
        listening(Door(), max_connections=4) as (host, port),
        Sender(host, port, 30) as talker,
        silent(port, 1, "127.0.0.2") as [neighbour],
    ):
        assert code(talker.exchange(message("C1"))) == "AA"
        with silent(port, 9, "127.0.0.3") as peers:
            assert all(hung_up_on(peer) for peer in peers[:7])
            neighbour.sendall(frame(message("C2")))
            assert b"MSA|AA|C2" in neighbour.recv(65536)
        assert code(talker.exchange(message("C3"))) == "AA"


def test_a_full_listener_says_so_once_with_counts() -> None:
    """Not for each connection: at most once a minute."""
    with capture_logs() as log, listening(Door(), max_connections=2) as (host, port), silent(port, 6):
        assert code(send(host, port, message(), 30)) == "AA"

    [told] = [entry for entry in log if entry["event"] == "mllp.full"]
    assert told["log_level"] == "warning"
    assert (told["connections"], told["silent"], told["most"], told["most_from"]) == (2, 2, 2, "127.0.0.1")
    assert told["next_action"]


def test_a_connection_without_a_first_message_is_closed_long_before_an_idle_one() -> None:
    """Once a message was begun, ``idle`` counts."""
    with (
        listening(Door(), first_within="2s", idle="1h") as (host, port),
        Sender(host, port, 30) as talker,
    ):
        assert code(talker.exchange(message("C1"))) == "AA"
        with silent(port, 1) as [peer]:
            assert hung_up_on(peer)
        assert code(talker.exchange(message("C2"))) == "AA"


def test_who_may_not_connect_takes_nobodys_place() -> None:
    """It is hung up on, full or not."""
    with (
        listening(Door(), max_connections=1, allow=["127.0.0.1/32"]) as (_, port),
        silent(port, 1) as [ours],
        silent(port, 3, "127.0.0.9") as strangers,
    ):
        assert all(hung_up_on(stranger) for stranger in strangers)
        ours.sendall(frame(message()))
        assert b"MSA|AA" in ours.recv(65536)
