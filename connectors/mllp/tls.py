"""TLS on either side, mutual where authorities are named; certificates that were renewed on disk are taken up."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import Literal

from connectors.mllp.settings import MllpSettings
from connectors.sdk import Log, Misconfigured


class Tls:
    """The context for the next connection of a listener or a sender.

    Files are looked at for each connection; connections that stand go on. New files that cannot be used are told
    in the log, and the old certificate goes on until they can.
    """

    def __init__(self, settings: MllpSettings, side: Literal["server", "client"], log: Log | None = None) -> None:
        """Raises ``Misconfigured`` where the files cannot be used."""
        self._settings, self._side, self._log = settings, side, log
        self._lock = threading.Lock()
        self._seen = self._stamps()
        self._context = _context(settings, side)

    def context(self) -> ssl.SSLContext:
        with self._lock:
            stamps = self._stamps()
            if stamps != self._seen:
                self._seen = stamps
                self._renew()
            return self._context

    def _renew(self) -> None:
        try:
            self._context = _context(self._settings, self._side)
        except Misconfigured as error:
            if self._log:
                self._log.error("mllp.certificate_unusable", error=error.message, next_action=error.next_action)
        else:
            if self._log:
                self._log.info("mllp.certificate_renewed", path=self._settings.certificate)

    def _stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._settings.certificate, self._settings.authorities) if path)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _context(settings: MllpSettings, side: Literal["server", "client"]) -> ssl.SSLContext:
    try:
        if side == "client":
            context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=settings.authorities)
        else:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.authorities)
            context.verify_mode = ssl.CERT_REQUIRED if settings.authorities else ssl.CERT_NONE
    except (OSError, ssl.SSLError) as error:
        raise _unusable("authorities", settings.authorities, error) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if settings.certificate:
            context.load_cert_chain(settings.certificate)
    except (OSError, ssl.SSLError) as error:
        raise _unusable("certificate", settings.certificate, error) from error
    if side == "server" and not settings.certificate:
        raise Misconfigured(
            "a listener that speaks TLS needs a certificate",
            field="certificate",
            next_action="name a PEM file with the certificate, its chain and its private key",
        )
    return context


def _unusable(field: str, path: str | None, error: OSError) -> Misconfigured:
    return Misconfigured(
        f"the {field} in {path} cannot be used: {error.strerror or error}",
        field=field,
        next_action="give a PEM file that this process may read; for a certificate with its private key in it",
    )
