"""The HTTP server: waitress, in this process, so that the thread that takes a message shares the store's writer."""

from __future__ import annotations

import threading
from typing import Any, Final

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.wasyncore import dispatcher

from runtime.intake.problem import problem, too_large

_LARGEST: Final = 2**31
_SLACK: Final = 64 * 1024


class _Refusal(ErrorTask):  # type: ignore[misc]
    """What the server itself refuses is told as everything else is."""

    def execute(self) -> None:
        error = self.request.error
        if error.code == 413:
            told = too_large(self.channel.adj.max_request_body_size - _SLACK)
        else:
            told = problem(error.code, error.reason, error.body, error.reason.lower().replace(" ", "_"))
        body = told.get_data()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", told.content_type))
        self.content_length = len(body)
        self.set_close_on_finish()
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    error_task_class = _Refusal


class Server:
    """Listening from the start. ``where`` is ``host`` and ``port``, or ``unix_socket`` and its permissions.

    A body that is clearly larger than ``largest`` bytes is not even read: it is refused by its header, or where it
    goes beyond. What is a little larger is the application's to refuse.
    """

    def __init__(self, app: Flask, name: str, threads: int, *, largest: int = _LARGEST, **where: Any) -> None:
        self._server: Any = create_server(
            app, threads=threads, ident=None, max_request_body_size=largest + _SLACK, channel_timeout=60,
            asyncore_use_poll=True, **where,
        )  # fmt: skip
        self._server.channel_class = _Channel
        self._thread = threading.Thread(target=self._server.run, name=name, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.effective_port)

    def close(self, seconds: float = 10.0) -> None:
        """Takes no new connection, lets requests that are under way be answered, then hangs up."""
        in_the_loop = self._server.trigger.pull_trigger
        in_the_loop(lambda: dispatcher.close(self._server))
        self._server.task_dispatcher.shutdown(cancel_pending=False, timeout=seconds)
        if self._server.task_dispatcher.threads:
            # A thread that still answers will wake the loop when it is done: what it writes to must stay ours.
            return
        woken = threading.Event()
        in_the_loop(lambda: self._hang_up(woken))
        woken.set()
        self._thread.join(seconds)

    def _hang_up(self, woken: threading.Event) -> None:
        """Closes everything, also what the loop is woken by: who wakes it must be done with that first, for the
        same descriptor may be another file a moment later."""
        woken.wait()
        for channel in list(self._server._map.values()):
            channel.close()
