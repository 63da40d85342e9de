"""A relay before a server, whose wire a test can cut and mend."""

from __future__ import annotations

import selectors
import socket
import threading
from typing import Any
from urllib.parse import urlsplit


class Relay:
    """Passes bytes on in both directions. ``url`` is that of the server, with the address of the relay."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._open = True
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._server = self._listen(0)
        self.port = self._server.getsockname()[1]

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: Any) -> None:
        self.cut()

    @property
    def url(self) -> str:
        user, _, _ = self._parts.netloc.rpartition("@")
        address = f"127.0.0.1:{self.port}"
        return self._parts._replace(netloc=f"{user}@{address}" if user else address).geturl()

    def cut(self) -> None:
        """Every connection is reset and none is taken."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            for pair in self._pairs:
                for end in pair:
                    _hang_up(end)
            self._pairs.clear()

    def restore(self) -> None:
        with self._lock:
            self._open = True
            self._server = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()
        return server

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            far = socket.create_connection((self._parts.hostname or "", self._parts.port or 0))
            with self._lock:
                if not self._open:
                    near.close()
                    far.close()
                    return
                self._pairs.append((near, far))
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with selectors.DefaultSelector() as selector, near, far:
            try:
                for end in other:
                    selector.register(end, selectors.EVENT_READ)
                while True:
                    for key, _ in selector.select():
                        end: Any = key.fileobj
                        data = end.recv(65536)
                        if not data:
                            return
                        other[end].sendall(data)
            except (OSError, ValueError):
                return


def _hang_up(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
