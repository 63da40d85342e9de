"""An HTTP/1.1 server on a free loopback port that answers JSON, for simulators of web APIs."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

LARGEST_REQUEST = 1024 * 1024


@dataclass(frozen=True)
class Asked:
    """A request; names of ``headers`` are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """``body`` is sent as JSON."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class JsonEndpoint:
    """Hands each request to ``answer``, on a thread per connection."""

    def __init__(self, name: str, answer: Callable[[Asked], Answer]) -> None:
        self._name = name
        self._answer = answer
        self._server: _Server | None = None

    def open(self) -> str:
        """Binds a free port; returns ``http://127.0.0.1:PORT``."""
        self._server = _Server(self._answer)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name=self._name, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Frees the port, breaks kept-alive connections and waits for their threads."""
        if self._server is not None:
            self._server.shutdown()
            self._server.hang_up()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends reading only, so that an answer in hand still goes out."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:  # the peer was faster
                    continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._take()

    def do_POST(self) -> None:
        self._take()

    def _take(self) -> None:
        parts = urlsplit(self.path)
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > LARGEST_REQUEST:
            self.close_connection = True
            self._send(Answer(413, {"error": "too_large"}))
            return
        self._send(
            self.server.answer(
                Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(int(length)),
                )
            )
        )

    def _send(self, answer: Answer) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: the simulator's journal is the log."""
