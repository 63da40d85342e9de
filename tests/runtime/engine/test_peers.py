"""What is built from a connection and shared: once each, and nobody waits for somebody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.sdk import Connection
from runtime.engine.peers import Peers
from tests.workshop import Workshop

Open = Callable[..., Workshop]


@pytest.fixture
def peers(workshop: Open, tmp_path: Path) -> Peers:
    file = {"type": "file", "settings": {"root": str(tmp_path)}}
    shop = workshop(connections={"slow": file, "fast": file})
    return shop.services.clients["mercy"].peers


def test_a_peer_that_takes_long_to_set_up_keeps_no_other_peer_waiting(peers: Peers) -> None:
    """A SOAP peer fetches its WSDL then; from a host that is out, until its time is up."""
    begun, released = threading.Event(), threading.Event()

    def slowly() -> str:
        begun.set()
        assert released.wait(20)
        return "slow"

    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(peers.resource, peers.connection("slow"), "peer", slowly, None)
        assert begun.wait(10)

        fast: str = peers.resource(peers.connection("fast"), "peer", lambda: "fast", None)
        other: str = peers.resource(peers.connection("slow"), "other", lambda: "other", None)

        released.set()
        assert (fast, other, slow.result(10)) == ("fast", "other", "slow")


def test_threads_that_want_the_same_thing_get_one(peers: Peers) -> None:
    built, closed = [], []
    connection: Connection = peers.connection("fast")
    together = threading.Barrier(8)

    def build() -> object:
        built.append(1)
        return object()

    def ask(_number: int) -> object:
        together.wait(10)
        return peers.resource(connection, "peer", build, closed.append)

    with ThreadPoolExecutor(8) as threads:
        got = set(threads.map(ask, range(8)))
    peers.close()

    assert (len(got), len(built), closed) == (1, 1, list(got))


def test_one_that_could_not_be_built_is_tried_again(peers: Peers) -> None:
    connection = peers.connection("fast")

    def fail() -> str:
        raise ConnectionError("not now")

    with pytest.raises(ConnectionError):
        peers.resource(connection, "peer", fail, None)

    built: str = peers.resource(connection, "peer", lambda: "built", None)
    assert built == "built"
