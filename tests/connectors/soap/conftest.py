"""A peer that answers whatever a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Canned:
    """``pages`` answers GET by path and query, ``reply`` every POST; requests are kept as they came."""

    url: str = ""
    pages: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    reply: tuple[int, str, bytes] = (500, "text/plain", b"no reply was canned")
    posted: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def canned() -> Iterator[Canned]:
    canned = Canned()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, page = canned.pages.get(self.path, (404, b"not here"))
            self._send(status, "text/xml", page)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            canned.posted.append(({name.lower(): value for name, value in self.headers.items()}, content))
            self._send(*canned.reply)

        def _send(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    canned.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield canned
    server.shutdown()
    server.server_close()
    thread.join()
