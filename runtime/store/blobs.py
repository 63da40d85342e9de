"""Bytes under the name of their SHA-256, in a folder per client."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from sqlalchemy import bindparam, select

from connectors.sdk import BlobRef, Misconfigured
from runtime.store import tables
from runtime.store.private import new_file
from runtime.store.statements import Backend, Statement
from runtime.store.store import Unavailable

#: Bytes of at most this length are kept in the database, in the commit that needs them.
SMALL = 32 * 1024

_small = tables.small_blob
_SMALL_BYTES = Statement(
    select(_small.c.bytes).where(_small.c.client == bindparam("client"), _small.c.blob == bindparam("blob"))
)
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class FolderBlobs:
    """``<root>/<client>/<two digits>/<rest>``. A blob is complete or absent: it is written aside, flushed to the
    disk, renamed, and the folder flushed too, before ``put`` returns.

    A file's time is when it was last put. Whoever puts shares the lock of the folder, whoever removes has it alone:
    what was put again a moment ago is young, and stays until the row that needs it is stored.
    """

    def __init__(self, root: Path, client: str) -> None:
        if not _CLIENT.fullmatch(client):
            raise Misconfigured(
                f"client {client!r} cannot name a folder", next_action="use letters, digits, dot, dash, underscore"
            )
        self._folder = root / client

    def put(self, data: bytes | Iterable[bytes], type: str = "application/octet-stream") -> BlobRef:
        """Raises ``Unavailable`` where the disk does not take it."""
        try:
            return self._put([data] if isinstance(data, bytes) else data, type)
        except OSError as error:
            raise Unavailable(
                f"blob not stored in {self._folder}: {error}; free some space and try again"
            ) from error

    def open(self, ref: BlobRef) -> BinaryIO:
        return self.stream(ref.blob)

    def stream(self, blob: str) -> BinaryIO:
        """Raises ``Misconfigured`` where it is not stored."""
        try:
            return self._path(blob).open("rb")
        except FileNotFoundError as error:
            raise Misconfigured(
                f"blob {blob} is not stored for this client",
                next_action="restore the blob folder from the backup that goes with the database",
            ) from error

    def read(self, ref: BlobRef) -> bytes:
        with self.open(ref) as stream:
            return stream.read()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """As long as this lasts, nothing is removed here, by no process."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self._folder, fcntl.LOCK_SH):
            yield

    def exists(self) -> bool:
        return self._folder.is_dir()

    def take(self, other: FolderBlobs, blob: str) -> bool:
        """Copies a blob from another folder; false, and no copy, where its bytes are not those of its name."""
        with other.stream(blob) as stream:
            copy = self._put(iter(lambda: stream.read(1 << 20), b""), "")
        if copy.blob != blob:
            self._path(copy.blob).unlink()
        return copy.blob == blob

    def names(self) -> Iterator[str]:
        """Blobs that lie here, in no order."""
        for part in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
            for path in part.iterdir():
                yield f"sha256:{part.name}{path.name}"

    def remove(
        self, blobs: Iterable[str], before: float, needed: Callable[[Collection[str]], Collection[str]]
    ) -> int | None:
        """Removes those that were last put before ``before`` (seconds since 1970 UTC) and that nobody needs, and
        says how many. ``None`` where a blob is being put, or a backup made: nothing was removed, try later."""
        try:
            with _locked(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
                old = [blob for blob in blobs if self.put_at(blob) < before]
                unneeded = set(old) - set(needed(old))
                for blob in unneeded:
                    self._path(blob).unlink(missing_ok=True)
                return len(unneeded)
        except BlockingIOError:
            return None

    def old(self, before: float) -> Iterator[str]:
        """Those last put before then."""
        return (blob for blob in self.names() if self.put_at(blob) < before)

    def holds(self, blob: str) -> bool:
        return self._path(blob).is_file()

    def now(self) -> float:
        return time.time()

    def put_at(self, blob: str) -> float:
        """When it was last put, in seconds since 1970 UTC; 0 where it is not stored."""
        try:
            return self._path(blob).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def tidy(self, before: float) -> int:
        """Removes what processes that died left half written before then."""
        left = [path for path in (self._folder / "aside").glob("*") if path.stat().st_mtime < before]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def _put(self, parts: Iterable[bytes], type: str) -> BlobRef:
        aside = self._folder / "aside"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside.mkdir(exist_ok=True)
        digest, size = hashlib.sha256(), 0
        temporary = aside / secrets.token_hex(16)
        try:
            with new_file(temporary) as stream:
                for part in parts:
                    digest.update(part)
                    size += stream.write(part)
                stream.flush()
                os.fsync(stream.fileno())
            with self.kept():
                self._keep(temporary, digest.hexdigest())
        finally:
            temporary.unlink(missing_ok=True)
        return BlobRef(blob=f"sha256:{digest.hexdigest()}", size=size, type=type)

    def _keep(self, temporary: Path, name: str) -> None:
        path = self._path(f"sha256:{name}")
        if path.exists():
            os.utime(path)
            return
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            _flush(self._folder)
        temporary.replace(path)
        _flush(path.parent)

    def _path(self, blob: str) -> Path:
        name = blob.removeprefix("sha256:")
        return self._folder / name[:2] / name[2:]


class Place(Protocol):
    """Where large bytes lie, and from where retention removes them. Instants are seconds since 1970 UTC."""

    def put(self, data: bytes | Iterable[bytes], type: str = ...) -> BlobRef: ...

    def open(self, ref: BlobRef) -> BinaryIO: ...

    def holds(self, blob: str) -> bool: ...

    def now(self) -> float: ...

    def old(self, before: float) -> Iterator[str]: ...

    def remove(
        self, blobs: Iterable[str], before: float, needed: Callable[[Collection[str]], Collection[str]]
    ) -> int | None: ...

    def tidy(self, before: float) -> int: ...


class ClientBlobs:
    """What is small lies beside the runs. The rest is put into the first of the ``places``, and looked for in all:
    a store that was moved, or is of an earlier version, has older ones elsewhere."""

    def __init__(self, backend: Backend, client: str, *places: Place) -> None:
        self._backend = backend
        self._client = client
        self.places = places

    def put(self, data: bytes | Iterable[bytes], type: str = "application/octet-stream") -> BlobRef:
        """Raises ``Unavailable`` where there is no room for it."""
        return self.places[0].put(data, type)

    def open(self, ref: BlobRef) -> BinaryIO:
        """Raises ``Misconfigured`` where it is not stored."""
        key = {"client": self._client, "blob": ref.blob}
        row = self._backend.read(lambda tx: tx.one(_SMALL_BYTES, key))
        if row is not None:
            return io.BytesIO(row[0])
        older = (place for place in self.places[1:] if place.holds(ref.blob))
        return next(older, self.places[0]).open(ref)

    def read(self, ref: BlobRef) -> bytes:
        with self.open(ref) as stream:
            return stream.read()


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """The folder itself is what is locked; the kernel lets go however the process ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
