"""An in-memory ``Context`` for running one connector operation without the runtime."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeVar

import structlog

from connectors.sdk import BlobRef, Connection, Content, Misconfigured, Settings
from tests.ledger import MemoryExchange

T = TypeVar("T")


class MemoryBlobs:
    def __init__(self) -> None:
        self._bytes: dict[str, bytes] = {}

    @property
    def empty(self) -> bool:
        return not self._bytes

    def put(self, data: bytes | Iterable[bytes], type: str = "application/octet-stream") -> BlobRef:
        whole = data if isinstance(data, bytes) else b"".join(data)
        key = "sha256:" + hashlib.sha256(whole).hexdigest()
        self._bytes[key] = whole
        return BlobRef(blob=key, size=len(whole), type=type)

    def read(self, ref: BlobRef) -> bytes:
        if ref.blob not in self._bytes:
            raise Misconfigured(f"blob {ref.blob} is not stored")
        return self._bytes[ref.blob]

    def open(self, ref: BlobRef) -> BinaryIO:
        return io.BytesIO(self.read(ref))


class MemoryContext:
    """``partners`` and ``masterdata`` (kind -> code -> record) are passed in; everything else starts empty."""

    client, flow, run, node, iteration = "mercy", "flow", "run1", "node", ""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        type: str = "",
        partners: Mapping[str, Mapping[str, Any]] | None = None,
        masterdata: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        effect_key: str = "k1",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = Connection("peer", type, "1", settings) if settings is not None else None
        self._partners = partners or {}
        self._masterdata = masterdata or {}
        self._resources: dict[str, Any] = {}
        self._closers: list[Callable[[], None]] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self.effect_key = effect_key
        self.blobs = MemoryBlobs()
        self.log = structlog.get_logger()
        self._clock = clock
        self.come_to: Any = None
        self.published: list[tuple[str, str, Any]] = []
        self.exchange = MemoryExchange(lambda: self.effect_key, clock)

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            raise Misconfigured("the node names no connection")
        return self._connection

    def resource(self, key: str, build: Callable[[], T], close: Callable[[T], None] | None = None) -> T:
        if key not in self._resources:
            made = self._resources[key] = build()
            if close is not None:
                self._closers.append(lambda: close(made))
        return self._resources[key]  # type: ignore[no-any-return]

    def close(self) -> None:
        for closer in reversed(self._closers):
            closer()

    def now(self) -> datetime:
        return self._clock()

    def allocate(self, series: str, last: int = 999_999_999) -> int:
        used = self._numbers
        return used.setdefault((series, self.effect_key), sum(s == series for s, _ in used) % last + 1)

    def partner(self, name: str) -> Mapping[str, Any]:
        if name not in self._partners:
            raise Misconfigured(f"no partner called {name!r}")
        return self._partners[name]

    def partners(self) -> Mapping[str, Mapping[str, Any]]:
        return self._partners

    def resolve(self, kind: str, code: str, scheme: str = "") -> Mapping[str, Any] | None:
        return self._masterdata.get(kind, {}).get(code)

    def cursor(self) -> Any:
        return self.come_to

    def publish(self, event: str, key: str, data: Any) -> None:
        self.published.append((event, key, data))

    def content(self, content: Content) -> bytes:
        return content.encode() if isinstance(content, str) else self.blobs.read(content)
