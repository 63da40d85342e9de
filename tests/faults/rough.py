"""A TCP proxy that does to chosen messages what networks do."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Self

_LATE = 0.5
_AT_ONCE = struct.pack("ii", 1, 0)


class Mishap(Enum):
    NONE = "it arrives, and so does its answer"
    LATE = "the answer comes half a second late"
    DROPPED = "the connection is reset before the message arrives"
    HALF_CLOSED = "the message arrives, and the way back is closed before the answer"
    SWALLOWED = "the message arrives, and its answer never comes; the connection stays open"
    CUT = "the message arrives, and the connection is reset in the middle of the answer"


class _Link:
    """One connection; ``mishap`` is what befalls the message that is under way."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.mishap = Mishap.NONE

    def end(self) -> None:
        for side in (self.client, self.server):
            _shut(side, socket.SHUT_RDWR)

    def reset(self) -> None:
        """Whoever waits for the client is woken first: until then its descriptor would not be let go."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        _shut(self.client, socket.SHUT_RD)
        self.client.close()
        _shut(self.server, socket.SHUT_RDWR)


class RoughProxy:
    """To each message from a client for which ``chosen`` holds, the next mishap befalls; when they are used up the
    weather is fair. ``befell`` counts them."""

    def __init__(self, host: str, port: int, chosen: Callable[[bytes], bool], mishaps: Iterable[Mishap]) -> None:
        self._target = (host, port)
        self._chosen = chosen
        self._mishaps = iter(mishaps)
        self.befell: Counter[Mishap] = Counter()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._links: list[_Link] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        _shut(self._listener, socket.SHUT_RDWR)
        for link in self._links:
            link.end()
        for thread in self._threads:
            thread.join(20)
        for link in self._links:
            link.client.close()
            link.server.close()
        self._listener.close()

    def _start(self, target: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=target, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=30)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            link = _Link(client, server)
            self._links.append(link)
            self._start(self._forth, link)
            self._start(self._back, link)

    def _next(self) -> Mishap:
        with self._lock:
            mishap = next(self._mishaps, Mishap.NONE)
            self.befell[mishap] += 1
        return mishap

    def _forth(self, link: _Link) -> None:
        for data in _received(link.client):
            if link.mishap is Mishap.NONE and self._chosen(data):
                link.mishap = self._next()
            if link.mishap is Mishap.DROPPED:
                link.reset()
                return
            if not _sent(link.server, data):
                break
            if link.mishap is Mishap.HALF_CLOSED:
                _shut(link.client, socket.SHUT_WR)
        link.end()

    def _back(self, link: _Link) -> None:
        for data in _received(link.server):
            if link.mishap in (Mishap.HALF_CLOSED, Mishap.SWALLOWED):
                continue
            if link.mishap is Mishap.CUT:
                _sent(link.client, data[: len(data) // 2])
                link.reset()
                return
            if link.mishap is Mishap.LATE:
                self._closed.wait(_LATE)
                link.mishap = Mishap.NONE
            if not _sent(link.client, data):
                break
        link.end()


def spread(mishaps: Iterable[Mishap], between: int, times: int) -> list[Mishap]:
    """Those mishaps in turn, so many times, each after ``between`` messages that nothing befalls."""
    return [each for _ in range(times) for mishap in mishaps for each in (*[Mishap.NONE] * between, mishap)]


def _received(source: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            data = source.recv(65536)
        except OSError:
            return
        if not data:
            return
        yield data


def _sent(target: socket.socket, data: bytes) -> bool:
    try:
        target.sendall(data)
    except OSError:
        return False
    return True


def _shut(either: socket.socket, how: int) -> None:
    try:
        either.shutdown(how)
    except OSError:
        return
