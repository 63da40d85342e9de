"""The connection that a sender keeps: one message at a time, and what its receiver says of earlier ones."""

from __future__ import annotations

import threading
from collections.abc import Callable

from connectors.hl7.codec import answer, read
from connectors.mllp.settings import MllpSettings
from connectors.mllp.tls import Tls
from connectors.mllp.transport import Sender, application
from connectors.sdk import Log

#: In seconds: how often a connection on which application acknowledgements are awaited is looked at.
_LOOK = 0.2


class Line:
    """The connection to a listener, shared by threads, connected when it is needed. One that the peer left, or on
    which something unasked for lies (a late acknowledgement), is given up before sending.

    Once a message that asks for both acknowledgements (HL7 v2.5.1, 2.9.3) went over it, application
    acknowledgements may come here at any time: ``tell`` is given them, and the connection is kept.
    """

    def __init__(
        self, settings: MllpSettings, log: Log, tell: Callable[[bytes], None] = lambda reply: None
    ) -> None:
        self._settings, self._log, self._tell = settings, log, tell
        self._tls = Tls(settings, "client", log) if settings.tls else None
        self._one_at_a_time = threading.Lock()
        self._sender: Sender | None = None
        self._watched = False
        self._watcher: threading.Thread | None = None
        self._stopped = threading.Event()

    def exchange(self, message: bytes, both: bool = False) -> tuple[bytes, bytes | None]:
        """The first acknowledgement and, where that is CA and ``both`` are asked for, the application's if it comes
        in time. Raises like ``Sender``."""
        with self._one_at_a_time:
            self._watched = self._watched or both
            self._look()
            if self._sender is None:
                self._sender = connected(self._settings, self._tls)
            first = self._sender.exchange(message, self._aside)
            if not both or answer(read(first)).code != "CA":
                return first, None
            self._watch()
            within = self._settings.application_within.total_seconds()
            return first, self._sender.application_answer(message, within, self._aside)

    def _look(self) -> None:
        """Takes what came meanwhile, and hangs up where the connection can be used no more."""
        sender = self._sender
        if sender is None:
            return
        strange = [reply for reply in sender.unasked() if not self._aside(reply)]
        if sender.closed or strange or (sender.inside and not self._watched):
            self._hang_up()

    def _aside(self, reply: bytes) -> bool:
        said = application(reply) if self._watched else None
        if said is None:
            return False
        try:
            self._tell(reply)
        except Exception as error:  # noqa: BLE001 -- whoever waits for it is told when its time is up
            self._log.error("mllp.answer_lost", control_id=said.control_id, error=type(error).__name__)
        return True

    def _watch(self) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._keep_looking, name="mllp answers", daemon=True)
            self._watcher.start()

    def _keep_looking(self) -> None:
        while not self._stopped.wait(_LOOK):
            with self._one_at_a_time:
                self._look()

    def _hang_up(self) -> None:
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def close(self) -> None:
        """Hangs up; after a message in hand was answered."""
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join()
        with self._one_at_a_time:
            self._hang_up()


def connected(settings: MllpSettings, tls: Tls | None) -> Sender:
    """Raises like ``Sender``."""
    context = tls.context() if tls else None
    return Sender(settings.host, settings.port, settings.answer_within.total_seconds(), context)
