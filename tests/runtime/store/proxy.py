"""A TCP proxy before PostgreSQL that does to one COMMIT what networks do."""

from __future__ import annotations

import socket
import threading
from enum import Enum
from typing import Self

#: The name under which the store prepares COMMIT, as it stands in the messages Parse and Bind.
_COMMIT = b"commit\0"


class Mishap(Enum):
    REPLY_LOST = "the server commits, and the connection breaks before its answer arrives"
    REQUEST_LOST = "the connection breaks before COMMIT arrives, and the server does not notice"
    SILENCE = "the server commits, and its answer never comes"


class _Link:
    """One connection from the store to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.mishap: Mishap | None = None


class Proxy:
    """Forwards until ``next_commit`` is set; that befalls one COMMIT and is over. ``refuse`` cuts all off."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.next_commit: Mishap | None = None
        self.befell = threading.Event()
        self.refuse = False
        self._links: list[_Link] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join(20)
        for each in (self._listener, *(end for link in self._links for end in (link.client, link.server))):
            each.close()

    def cut(self) -> None:
        for link in self._links:
            _shut(link.client)
            _shut(link.server)

    def _start(self, target: object, *given: object) -> None:
        thread = threading.Thread(target=target, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            link = _Link(client, socket.create_connection(self._target))
            self._links.append(link)
            self._start(self._to_server, link)
            self._start(self._to_client, link)

    def _to_server(self, link: _Link) -> None:
        while data := _receive(link.client):
            if self.next_commit is not None and _COMMIT in data:
                link.mishap, self.next_commit = self.next_commit, None
                self.befell.set()
            if link.mishap is Mishap.REQUEST_LOST:
                _shut(link.client)
                return
            _send(link.server, data)
        _shut(link.server)

    def _to_client(self, link: _Link) -> None:
        while data := _receive(link.server):
            if link.mishap is None:
                _send(link.client, data)
            elif link.mishap is Mishap.REPLY_LOST:
                _shut(link.client)
        _shut(link.client)


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""


def _send(target: socket.socket, data: bytes) -> None:
    try:
        target.sendall(data)
    except OSError:
        _shut(target)


def _shut(either: socket.socket) -> None:
    try:
        either.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
