"""A loopback HTTP peer that does exactly what a test scripts, byte by byte, over plain sockets or TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from connectors.sdk.http import HttpClient, HttpSettings


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


class Line:
    """One connection, as the script sees it: iterating yields its requests until the client closes."""

    def __init__(self, sock: socket.socket, peer: Peer) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")
        self._peer = peer

    def __iter__(self) -> Iterator[Request]:
        while (request := self._read()) is not None:
            self._peer.requests.append(request)
            yield request

    def _read(self) -> Request | None:
        first = self._file.readline().decode().strip()
        if not first:
            return None
        headers = {}
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Request(first, headers, self._file.read(int(headers.get("content-length", 0))))

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def wait(self) -> None:
        """Says nothing until the test is over."""
        self._peer.stopping.wait()

    def drip(self, data: bytes) -> None:
        """A byte every 20 ms until the client has had enough."""
        for place in range(len(data)):
            if self._peer.stopping.wait(0.02):
                return
            self.send(data[place : place + 1])


Script = Callable[[Line], Any]


class Peer:
    """Runs the script for each connection; counts connections, keeps requests."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.stopping = threading.Event()
        self.connections = 0
        self.requests: list[Request] = []
        scheme = "https" if tls else "http"
        self.port = self._listening.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Peer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for sock in (self._listening, *self._sockets):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def wait_until_closed(self) -> None:
        """Until the scripts of all connections so far have ended."""
        for thread in self._threads[1:]:
            thread.join(20)

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            if self._tls is not None:
                try:
                    sock = self._tls.wrap_socket(sock, server_side=True)
                except OSError:
                    continue
            self._sockets.append(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                self._script(Line(sock, self))
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


def reply(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    head = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def always(answer: bytes) -> Script:
    def script(line: Line) -> None:
        for _ in line:
            line.send(answer)

    return script


def client(url: str, **settings: Any) -> HttpClient:
    """A client that may call loopback."""
    return HttpClient(HttpSettings(**{"url": url, "allow": ["127.0.0.0/8"], **settings}), structlog.get_logger())
