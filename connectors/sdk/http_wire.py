"""Beneath the HTTP client: connections that go where they may, end in time, and tell whether they sent.

urllib3 opens and pools the connections; the classes here change three things about them. A name is resolved
and every address checked before a connection to that very address is made, so no second resolution can name
another one. Each read and write waits at most until the one deadline of the whole request. The first byte of
a request is noted just before it is sent, which is what tells ``NotSent`` from ``OutcomeUnknown``.
"""

from __future__ import annotations

import http.client
import io
import logging
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from connectors.sdk.errors import ConnectorError, CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown
from connectors.sdk.http_guard import UNGUARDED, Guard

_PIECE = 64 * 1024

# At DEBUG it writes whole URLs, and an API key may stand in the query.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


@dataclass
class Exchange:
    """One request on its way: what it may reach, until when, and how far it came."""

    guard: Guard
    deadline: float
    connect_timeout: float
    sent: bool = False

    def remaining(self) -> float:
        """Seconds left. Raises ``TimeoutError`` when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the total time of the request was used up")
        return left


_EXCHANGE: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def exchanging(exchange: Exchange) -> Iterator[Exchange]:
    """Connections used by this thread inside the block serve that exchange."""
    token = _EXCHANGE.set(exchange)
    try:
        yield exchange
    finally:
        _EXCHANGE.reset(token)


def _connect(host: str, port: int, guard: Guard, options: Sequence[tuple[Any, ...]] | None) -> socket.socket:
    exchange = _EXCHANGE.get()
    failure: OSError | None = None
    for family, target in guard.addresses(host, port):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(min(exchange.connect_timeout, exchange.remaining()))
            sock.connect(target)
            if not guard.lets_through(host, str(sock.getpeername()[0])):
                raise OSError(f"connected to {sock.getpeername()[0]} instead of {target[0]}")
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise NotSent(
        f"no connection to {host}:{port}: {failure}",
        next_action="check that the peer is up and that its host and port in the connection's url are right",
    ) from failure


class _TimedReader(io.RawIOBase):
    """Reads a socket, each time waiting for no longer than the exchange has left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._sock.fileno() != -1:
            self._sock.settimeout(_EXCHANGE.get().remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _Guarded(HTTPConnection):
    response_class = _TimedResponse

    def _new_conn(self) -> socket.socket:
        guard = _EXCHANGE.get().guard if self.proxy is None else UNGUARDED
        return _connect(self._dns_host, self.port, guard, self.socket_options)

    def _tunnel(self) -> None:
        try:
            super()._tunnel()
        finally:
            _EXCHANGE.get().sent = False

    def send(self, data: Any) -> None:
        """Callers hand over bytes only: the client has the whole body in memory."""
        if self.sock is None:
            self.connect()
        exchange = _EXCHANGE.get()
        for start in range(0, len(data), _PIECE):
            self.sock.settimeout(exchange.remaining())
            exchange.sent = True
            self.sock.sendall(data[start : start + _PIECE])


class _GuardedTls(_Guarded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTls


class GuardedAdapter(HTTPAdapter):
    """A requests adapter whose connections obey the ``Exchange`` of the thread; nothing is ever retried."""

    def __init__(self) -> None:
        super().__init__(pool_connections=8, pool_maxsize=16, max_retries=0)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        _use_guarded(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **more)
        _use_guarded(manager)
        return manager


def _use_guarded(pools: PoolManager) -> None:
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all it wraps, outermost first; urllib3 keeps what it wraps in ``reason`` and ``args``."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        one = queue.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            queue += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def failure(error: Exception, exchange: Exchange, request: str) -> tuple[ConnectorError, BaseException | None]:
    """The sdk's error for one of requests, urllib3 or the socket, and the innermost cause to raise it from.

    ``request`` names the request in messages. The wrappers' own texts are not used, because they repeat URLs
    and header values, which may be secret.
    """
    causes = list(_causes(error))
    plain = [one for one in causes if not type(one).__module__.startswith(("requests", "urllib3"))]
    cause = plain[-1] if plain else None
    for one in causes:
        if isinstance(one, ssl.SSLError) and one.reason in _REFUSED_CERTIFICATE:
            return _certificate_refused(one, request), cause
    if not exchange.sent:
        return _unsent(causes, cause, request), cause
    return (
        OutcomeUnknown(
            f"{request} was sent, but {_what(causes, cause)} before a complete answer came",
            next_action="ask the peer whether it acted; raise timeout of the connection if it is just slow",
        ),
        cause,
    )


#: Alerts about our certificate (RFC 8446 6.2). In TLS 1.3 they come after our first bytes, which the peer then has
#: not taken: it did not finish the handshake.
_REFUSED_CERTIFICATE = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED",
        "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    }
)  # fmt: skip


def _certificate_refused(error: ssl.SSLError, request: str) -> ConnectorError:
    return CredentialsRefused(
        f"{request} was not taken: the peer does not accept our certificate ({error.reason})",
        next_action="set certificate of the connection to one the peer trusts, not expired, then resume it",
    )


def _unsent(causes: list[BaseException], cause: BaseException | None, request: str) -> ConnectorError:
    for one in causes:
        if isinstance(one, ssl.SSLCertVerificationError):
            return Misconfigured(
                f"{request} was not sent: the peer's certificate is not trusted: {one.verify_message}",
                next_action="set ca of the connection to the authority that issued it, or correct its url",
                field="ca",
            )
    if any(isinstance(one, ValueError) for one in causes):
        return Misconfigured(
            f"{request} was not sent: its method, URL or a header holds characters that HTTP does not allow",
            next_action="correct the parameters of the node, or the secret in auth (often a line end)",
            field="headers",
        )
    return NotSent(
        f"{request} was not sent: {_what(causes, cause)}",
        next_action="check that the peer is up and that url of the connection is right; it is retried",
    )


def _what(causes: list[BaseException], cause: BaseException | None) -> str:
    if any(isinstance(one, TimeoutError) for one in causes):
        return "the time ran out"
    return f"the connection failed ({cause or type(causes[-1]).__name__})"
