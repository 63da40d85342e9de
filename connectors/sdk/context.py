"""What a connector may ask of the runtime, as protocols: connectors know nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Literal, Protocol, TypeVar

from connectors.sdk.exchange import Exchange
from connectors.sdk.model import BlobRef, Content, Settings

T = TypeVar("T")


class Blobs(Protocol):
    """Content-addressed bytes of one client."""

    def put(self, data: bytes | Iterable[bytes], type: str = "application/octet-stream") -> BlobRef:
        """Stores the bytes durably before it returns; the same bytes give the same reference."""

    def open(self, ref: BlobRef) -> BinaryIO:
        """A readable stream. Raises ``Misconfigured`` for a reference that is not stored."""

    def read(self, ref: BlobRef) -> bytes:
        """All bytes at once."""


class Log(Protocol):
    """Structured, redacting. Keywords are small facts, never payloads."""

    def info(self, event: str, **facts: Any) -> Any: ...
    def warning(self, event: str, **facts: Any) -> Any: ...
    def error(self, event: str, **facts: Any) -> Any: ...


@dataclass(frozen=True)
class Connection:
    """A configured peer of one client. ``version`` changes whenever a setting or secret does."""

    name: str
    type: str
    version: str
    settings: Settings


class ConnectionContext(Protocol):
    """Enough to reach a peer: what ``check()`` gets."""

    client: str
    log: Log

    @property
    def connection(self) -> Connection:
        """Raises ``Misconfigured`` where the node names no connection."""

    def resource(self, key: str, build: Callable[[], T], close: Callable[[T], None] | None = None) -> T:
        """One object per connection version, shared by threads, closed when the version changes."""


class Context(ConnectionContext, Protocol):
    """What one execution of one node gets."""

    flow: str
    run: str
    node: str
    iteration: str
    effect_key: str
    blobs: Blobs
    exchange: Exchange

    def now(self) -> datetime:
        """Aware UTC time; tests pass their own."""

    def allocate(self, series: str, last: int = 999_999_999) -> int:
        """A control number from 1 to ``last``, then round again. The same node of the same run always gets
        the same number for the same series, however often it is retried."""

    def partner(self, name: str) -> Mapping[str, Any]:
        """The trading partner's profile. Raises ``Misconfigured`` where there is none."""

    def partners(self) -> Mapping[str, Mapping[str, Any]]:
        """All profiles of the client, by name."""

    def resolve(self, kind: str, code: str, scheme: str = "") -> Mapping[str, Any] | None:
        """Master data: the record of that kind whose own code, or code in ``scheme``, it is."""

    def cursor(self) -> Any:
        """Of a source: how far the poll has come, by the last message that was stored; ``None`` at first."""

    def publish(self, event: str, key: str, data: Any) -> None:
        """An event of the client's from outside any run, stored before it returns: for what a peer says after the
        node that asked is finished."""

    def content(self, content: Content) -> bytes:
        """The bytes of a content parameter: a stored blob, or text as UTF-8."""


@dataclass(frozen=True)
class Arrival:
    """One message as it came from outside, not yet stored.

    ``identity`` is the source's own notion of sameness (a file's name and time, a message control ID), used
    where the flow declares none. ``headers`` are facts of the transport (file name, peer), JSON strings.
    ``cursor``: what a poll gets from ``Context.cursor`` from then on, any JSON but null; it is stored in the commit
    that stores this message, whatever becomes of it.
    ``reply_within``: for so many seconds the sender waits to hear what became of it; 0 is content with the storing.
    ``on_stored`` is called, and must not raise, once it is on disk and before that wait begins.
    """

    raw: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    identity: str | None = None
    cursor: Any = None
    reply_within: float = 0.0
    on_stored: Callable[[], None] | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of an arrival; whatever it says is on disk already.

    accepted   stored, a run will go on with it
    duplicate  the same was accepted before; ``run`` is the first run
    excepted   stored as an exception that a person will see (unreadable, unmappable, conflicting)

    Whoever asked with ``reply_within`` is told what the run came to, for a duplicate the first one: ``ended`` is
    done, failed (a person sees to it), or open where time was up; ``reply`` what a ``respond`` node said,
    ``{"status", "body"}``. ``problem`` of an exception has its ``kind``, ``field`` and ``code`` (the reader's, the
    flow's or the rule of the schema), of what is excepted ``title`` and ``detail`` too.
    """

    state: Literal["accepted", "duplicate", "excepted"]
    run: str | None = None
    problem: Mapping[str, Any] | None = None
    ended: Literal["", "done", "failed", "open"] = ""
    reply: Mapping[str, Any] | None = None


class Accept(Protocol):
    """The one door. Returns only after the message is durable; raises ``NotSent`` where nothing was stored
    (disk full, stopping): then nothing may be archived or acknowledged."""

    def __call__(self, arrival: Arrival) -> Receipt: ...


class Listening(Protocol):
    """A started listener."""

    @property
    def address(self) -> str:
        """``host:port`` as bound, so that port 0 can be asked for."""

    def close(self) -> None:
        """Stops taking messages, lets those in hand finish."""
