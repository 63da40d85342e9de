"""A TCP proxy that hangs up after so many bytes of the client, or stops passing anything on."""

from __future__ import annotations

import contextlib
import socket
import threading


class CuttingProxy:
    """``cut_after`` counts bytes from the client over one connection; None passes all."""

    def __init__(self, port: int) -> None:
        self.cut_after: int | None = None
        self.connections = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._run(self._serve)

    def _run(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open += [client, server]
            self._run(self._pump, client, server, True)
            self._run(self._pump, server, client, False)

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(16_384):
                passed += len(data)
                if counted and self.cut_after is not None and passed > self.cut_after:
                    break
                sink.sendall(data)
        _hang_up(source, sink)

    def cut(self) -> None:
        """Hangs up every connection."""
        _hang_up(*self._open)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)
        for end in self._open:
            end.close()


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
