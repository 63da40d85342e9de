"""A supplier's REST endpoint on a socket of its own that keeps a journal of what it saw, and can be out."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from connectors.sdk.json import parse_json


@dataclass(frozen=True)
class Call:
    """One request as the peer saw it: when it had come whole, when it was answered (its clock), how many others it
    had in hand then, and the body's ``n``. ``answered`` is ``None`` where it was not taken."""

    came: float
    answered: float | None
    others: int
    n: Any


class Peer:
    """Answers ``POST`` with ``{"taken": n}``, ``delay`` seconds after it came. ``out``: it takes the request and
    hangs up without an answer. ``busy``: it answers 429 with so many seconds of Retry-After. ``hold()``: nobody is
    answered until ``let_go()``. ``meet(count)``: requests are answered once so many are there at one time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.out = False
        self.busy: int | None = None
        self.delay = 0.0
        self.calls: list[Call] = []
        self._clock = clock
        self._meeting: threading.Barrier | None = None
        self._going = threading.Event()
        self._going.set()
        self._in_hand = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._lines: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def meet(self, count: int) -> None:
        self._meeting = threading.Barrier(count)

    def hold(self) -> None:
        self._going.clear()

    def let_go(self) -> None:
        self._going.set()

    @property
    def in_hand(self) -> int:
        return self._in_hand

    @property
    def taken(self) -> list[Any]:
        """What was answered, in the order it came."""
        with self._lock:
            return [call.n for call in sorted(self.calls, key=lambda call: call.came) if call.answered is not None]

    @property
    def most_at_once(self) -> int:
        with self._lock:
            return max((call.others + 1 for call in self.calls), default=0)

    def most_within(self, seconds: float) -> int:
        """The most requests that came within so long, wherever it begins."""
        came = sorted(call.came for call in self.calls)
        first, most = 0, 0
        for last, at in enumerate(came):
            while came[first] <= at - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    # the socket

    def open(self) -> None:
        self._start(self._accept)

    def close(self) -> None:
        self._stopping.set()
        self._going.set()
        for line in (self._listening, *self._lines):
            with_shutdown(line)
        for thread in self._threads:
            thread.join(10)
        self._listening.close()

    def _start(self, work: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True, name="peer")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._lines.append(line)
            self._start(self._serve, line)

    def _serve(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as file:
            try:
                while (body := _request(file)) is not None:
                    if not self._answer(line, body):
                        return
            except OSError:
                return

    def _answer(self, line: socket.socket, body: bytes) -> bool:
        """False where it hangs up."""
        n = parse_json(body)["n"]
        with self._lock:
            came, others = self._clock(), self._in_hand
            self._in_hand += 1
            out, busy = self.out, self.busy
        try:
            self._wait()
            with self._lock:
                self.calls.append(Call(came, None if out or busy else self._clock(), others, n))
        finally:
            # Before the answer: whoever hears it may send the next one at once.
            with self._lock:
                self._in_hand -= 1
        if not out:
            line.sendall(_too_many(busy) if busy else _taken(n))
        return not out

    def _wait(self) -> None:
        self._going.wait(60)
        if self._meeting is not None:
            self._meeting.wait(60)
        if self.delay:
            self._stopping.wait(self.delay)


def _taken(n: Any) -> bytes:
    told = json.dumps({"taken": n}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(told)}\r\n\r\n"
    return head.encode() + told


def _too_many(seconds: int) -> bytes:
    return f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n".encode()


def _request(file: Any) -> bytes | None:
    """The body of the next request; ``None`` where there is none."""
    if not file.readline().strip():
        return None
    length = 0
    while header := file.readline().strip():
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return bytes(file.read(length))


def with_shutdown(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def listening(clock: Callable[[], float] = time.monotonic) -> Iterator[Peer]:
    peer = Peer(clock)
    peer.open()
    try:
        yield peer
    finally:
        peer.close()
