"""Large bytes in the database, for stores that several machines share: they have no folder in common.

Bytes come and go in parts of one size, each in a unit of its own, so that neither side ever has the whole in
memory and no transaction waits for a slow sender. What is put has a name of its own until its sum is known; the row
that names it by its sum is the last one written, so that a blob is complete or absent.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, BinaryIO

from sqlalchemy import Integer, Table, bindparam, delete, func, literal_column, select

from connectors.sdk import BlobRef, Misconfigured
from runtime.model.ids import new_id
from runtime.store import tables
from runtime.store.statements import Backend, Statement, Tx, insert
from runtime.store.store import Unavailable

#: What is stored depends on it: not to be changed.
PART = 256 * 1024
_MICROSECONDS = 1_000_000
_blob, _part = tables.large_blob, tables.blob_part
_AT = [_blob.c.client == bindparam("client"), _blob.c.blob == bindparam("blob")]
PUT_PART = insert(_part, otherwise="ignore")


def _put_again(dialect_insert: Callable[[Table], Any]) -> Any:
    """Whoever puts holds the row: what is put again a moment before it is removed is young, and stays."""
    row = dialect_insert(_blob).values({column.name: bindparam(column.name) for column in _blob.c})
    return row.on_conflict_do_update(
        index_elements=["client", "blob"], set_={"put_at": row.excluded.put_at}
    ).returning(_blob.c.content)


PUT_BLOB = Statement(_put_again)
_PARTS = Statement(
    select(func.count()).where(_part.c.client == bindparam("client"), _part.c.content == bindparam("content"))
)
_ONE_BLOB = Statement(select(_blob.c.content, _blob.c.size, _blob.c.put_at).where(*_AT))
_BLOB_TO_REMOVE = Statement(
    select(_blob.c.content).where(*_AT, _blob.c.put_at < bindparam("before", type_=tables.Time())).with_for_update()
)
_REMOVE_BLOB = Statement(delete(_blob).where(*_AT))
_REMOVE_PARTS = Statement(
    delete(_part).where(_part.c.client == bindparam("client"), _part.c.content == bindparam("content"))
)
_ONE_PART = Statement(
    select(_part.c.bytes).where(
        _part.c.client == bindparam("client"), _part.c.content == bindparam("content"),
        _part.c.number == bindparam("number"),
    )
)  # fmt: skip
_most = bindparam("most", type_=Integer)
_OLD = Statement(
    select(_blob.c.blob)
    .where(
        _blob.c.client == bindparam("client"), _blob.c.put_at < bindparam("before", type_=tables.Time()),
        _blob.c.blob > bindparam("after"),
    )
    .order_by(_blob.c.blob)
    .limit(_most)
)  # fmt: skip
_HALF_PUT = Statement(
    select(_part.c.content)
    .where(
        _part.c.client == bindparam("client"), _part.c.number == literal_column("0", Integer),
        _part.c.put_at < bindparam("before", type_=tables.Time()),
        ~select(_blob.c.content).where(_blob.c.content == _part.c.content).exists(),
    )
    .limit(_most)
)  # fmt: skip
_WINDOW = 500


class DatabaseBlobs:
    """One client's. Instants are seconds since 1970 UTC by the clock of the store."""

    def __init__(self, backend: Backend, client: str, *, part: int = PART) -> None:
        self._backend = backend
        self._client = client
        self._part = part

    def put(self, data: bytes | Iterable[bytes], type: str = "application/octet-stream") -> BlobRef:
        """Raises ``Unavailable`` where the database does not take it, or the bytes break off."""
        content, digest, size, number, last = new_id(), hashlib.sha256(), 0, 0, b""
        try:
            for part in parts([data] if isinstance(data, bytes) else data, self._part):
                if size:
                    self._put_part(content, number, last)
                    number += 1
                digest.update(part)
                size += len(part)
                last = part
        except OSError as error:
            self._forget(content)
            raise Unavailable(f"blob not stored: {error}; send it again") from error
        name = f"sha256:{digest.hexdigest()}"
        self._name(name, content, size, number, last)
        return BlobRef(blob=name, size=size, type=type)

    def open(self, ref: BlobRef) -> BinaryIO:
        """Read part by part, each when it is needed. Raises ``Misconfigured`` where it is not stored."""
        row = self._backend.read(lambda tx: tx.one(_ONE_BLOB, self._of(ref.blob)))
        if row is None:
            raise _missing(ref.blob)
        content, size, _ = row
        return io.BufferedReader(_Parts(self, ref.blob, content, size, self._part), self._part)

    def read(self, ref: BlobRef) -> bytes:
        with self.open(ref) as stream:
            return stream.read()

    def holds(self, blob: str) -> bool:
        return self._backend.read(lambda tx: tx.one(_ONE_BLOB, self._of(blob))) is not None

    def now(self) -> float:
        return self._backend.read(lambda tx: tx.now) / _MICROSECONDS

    def old(self, before: float) -> Iterator[str]:
        """Those last put before then, in no order that says anything."""
        after = ""
        while True:
            window = self._window(_OLD, before, after=after)
            yield from window
            if len(window) < _WINDOW:
                return
            after = window[-1]

    def remove(
        self, blobs: Iterable[str], before: float, needed: Callable[[Collection[str]], Collection[str]]
    ) -> int | None:
        """Removes those that were last put before ``before`` and that nobody needs, and says how many."""

        def unit(tx: Tx) -> int:
            held = {}
            for blob in sorted(blobs):
                row = tx.one(_BLOB_TO_REMOVE, {**self._of(blob), "before": int(before * _MICROSECONDS)})
                if row is not None:
                    held[blob] = row[0]
            unneeded = held.keys() - set(needed(list(held)))
            for blob in unneeded:
                tx.run(_REMOVE_BLOB, self._of(blob))
                tx.run(_REMOVE_PARTS, {"client": self._client, "content": held[blob]})
            return len(unneeded)

        return self._backend.transact(unit)

    def tidy(self, before: float) -> int:
        """Removes what processes that died left half put before then."""
        removed = 0
        while left := self._window(_HALF_PUT, before):
            for content in left:
                self._forget(content)
            removed += len(left)
        return removed

    def part(self, blob: str, content: str, number: int) -> bytes:
        """Raises ``Misconfigured`` where it was removed meanwhile."""
        at = {"client": self._client, "content": content, "number": number}
        row = self._backend.read(lambda tx: tx.one(_ONE_PART, at))
        if row is None:
            raise _missing(blob)
        return bytes(row[0])

    def _put_part(self, content: str, number: int, part: bytes) -> None:
        """What names the content is committed later and flushed: these are on the disk by then."""
        row: dict[str, Any] = {"client": self._client, "content": content, "number": number, "bytes": part}
        self._backend.transact(lambda tx: tx.run(PUT_PART, {**row, "put_at": tx.now}), durable=False)

    def _name(self, blob: str, content: str, size: int, number: int, last: bytes) -> None:
        """The last part, and the row that makes a blob of them all."""
        mine: dict[str, Any] = {"client": self._client, "content": content}

        def unit(tx: Tx) -> None:
            stored = tx.one(_PARTS, mine) if number else (0,)
            if stored is None or stored[0] != number:
                raise Unavailable(
                    f"blob {blob} took so long to come that its first parts were removed: send it again"
                )
            kept = tx.one(PUT_BLOB, {**mine, "blob": blob, "size": size, "put_at": tx.now})
            if kept is not None and kept[0] != content:
                tx.run(_REMOVE_PARTS, mine)
            else:
                tx.run(PUT_PART, {**mine, "number": number, "bytes": last, "put_at": tx.now})

        self._backend.transact(unit)

    def _forget(self, content: str) -> None:
        mine = {"client": self._client, "content": content}
        self._backend.transact(lambda tx: tx.run(_REMOVE_PARTS, mine))

    def _window(self, statement: Statement, before: float, **more: Any) -> list[str]:
        given = {"client": self._client, "before": int(before * _MICROSECONDS), "most": _WINDOW, **more}
        return [row[0] for row in self._backend.read(lambda tx: tx.all(statement, given))]

    def _of(self, blob: str) -> dict[str, Any]:
        return {"client": self._client, "blob": blob}


class _Parts(io.RawIOBase):
    """A blob as a file: it can be read from anywhere."""

    def __init__(self, blobs: DatabaseBlobs, blob: str, content: str, size: int, part: int) -> None:
        self._blobs = blobs
        self._blob = blob
        self._content = content
        self._size = size
        self._part = part
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"there is nothing before the beginning of blob {self._blob}")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        number, begin = divmod(self._at, self._part)
        found = self._blobs.part(self._blob, self._content, number)[begin : begin + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def parts(given: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in parts of one size, the last one shorter."""
    waiting = bytearray()
    for piece in given:
        view = memoryview(piece)
        while len(waiting) + len(view) >= size:
            room = size - len(waiting)
            yield bytes(waiting) + bytes(view[:room])
            waiting.clear()
            view = view[room:]
        waiting += view
    if waiting:
        yield bytes(waiting)


def _missing(blob: str) -> Misconfigured:
    return Misconfigured(
        f"blob {blob} is not stored for this client",
        next_action="restore the database from the backup that goes with it",
    )
