"""The HTTP server comes to its end in order: what was asked is answered, nothing is written to a closed file."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse

import pytest
import requests
from flask import Flask

from runtime.intake.server import Server
from tests.runtime.console.house import until


class Slow:
    """Answers ``/`` when it is released."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.released = threading.Event()
        self.app = Flask("slow")
        self.app.get("/")(self._answer)

    def _answer(self) -> str:
        self.asked.set()
        assert self.released.wait(30)
        return "answered"


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.released.set()


def opened(slow: Slow) -> Server:
    return Server(slow.app, "slow", 2, host="127.0.0.1", port=0)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False
    return False


def test_a_request_that_is_under_way_is_answered_while_nobody_new_is_let_in(
    slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    server = opened(slow)
    port = server.port

    with ThreadPoolExecutor(2) as threads:
        asking = threads.submit(requests.get, f"http://127.0.0.1:{port}/", timeout=30)
        assert slow.asked.wait(10)
        closing = threads.submit(server.close)
        until(lambda: refuses(port), "new connections to be refused")
        slow.released.set()
        answer = asking.result(30)
        closing.result(30)

    assert (answer.status_code, answer.text) == (200, "answered")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert not server._thread.is_alive()


def test_one_that_takes_too_long_is_not_waited_for_and_breaks_nothing_later(
    slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread wakes the server's loop at the end, through a file that must not be somebody else's by then."""
    server = opened(slow)

    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(requests.get, f"http://127.0.0.1:{server.port}/", timeout=30)
        assert slow.asked.wait(10)
        server.close(seconds=0.1)
        slow.released.set()
        asking.result(30)
    until(lambda: not server._server.task_dispatcher.threads, "the thread to end")

    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []
    server.close()
    assert not server._thread.is_alive()


def test_an_idle_connection_is_hung_up(slow: Slow) -> None:
    server = opened(slow)
    slow.released.set()
    with requests.Session() as session:
        assert session.get(f"http://127.0.0.1:{server.port}/", timeout=10).text == "answered"

        server.close()

        with pytest.raises(requests.ConnectionError):
            session.get(f"http://127.0.0.1:{server.port}/", timeout=10)


def answered(port: int, *sent: bytes) -> tuple[int, str, dict[str, object]]:
    """Status, content type and body of what comes back, whatever else was to be sent."""
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        for part in sent:
            peer.sendall(part)
        reply = HTTPResponse(peer)
        reply.begin()
        return reply.status, reply.headers["Content-Type"], json.loads(reply.read())


def test_a_body_that_is_far_too_large_is_refused_before_it_is_read(slow: Slow) -> None:
    """By anybody: who sends it is not known yet, and nothing of it goes to the disk."""
    server = Server(slow.app, "slow", 2, largest=100_000, host="127.0.0.1", port=0)
    head = b"POST / HTTP/1.1\r\nHost: x\r\n"

    announced = answered(server.port, head + b"Content-Length: 314572800\r\n\r\n")
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    chunked = answered(server.port, head + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 11)
    malformed = answered(server.port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n")
    server.close()

    for status, content_type, told in (announced, chunked):
        assert (status, content_type) == (413, "application/problem+json")
        assert told["type"] == "urn:orderly:problem:too_large"
        assert "more than 100,000 bytes" in str(told["detail"])
    assert malformed[:2] == (400, "application/problem+json")
    assert not slow.asked.is_set()
