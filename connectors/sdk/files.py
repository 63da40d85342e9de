"""The one contract of collecting and delivering files, whatever carries them.

A connector brings a ``Folders`` (SFTP session, local folder) that speaks in plain ``OSError``s; what they mean
for the message, stage by stage, is decided here once.
"""

from __future__ import annotations

import errno
import hashlib
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal, Protocol, Self

from pydantic import Field, model_validator

from connectors.sdk.context import Accept, Arrival, Log
from connectors.sdk.errors import ConnectorError, Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.sdk.model import Content, Duration, Output, Parameters

#: Names of files that are still being written by us: ``.orderly-<effect key>.part``.
_TEMPORARY = ".orderly-"

_TYPES = {
    ".csv": "text/csv",
    ".edi": "application/EDI-X12",
    ".hl7": "x-application/hl7-v2+er7",
    ".json": "application/json",
    ".txt": "text/plain",
    ".x12": "application/EDI-X12",
    ".xml": "application/xml",
}


@dataclass(frozen=True)
class Entry:
    """One name in a folder: ``size`` in bytes, ``modified`` in nanoseconds since 1970 as the peer tells it."""

    name: str
    size: int
    modified: int
    regular: bool = True


class Folders(Protocol):
    """Files below a root; every path is ``folder/name`` relative to it, as ``inside`` returns it.

    Raises ``ConnectionError`` where the peer was lost before its answer came, ``FileNotFoundError``,
    ``PermissionError`` and ``FileExistsError`` for what they say, ``OSError`` for any other refusal.
    """

    where: str

    def entries(self, folder: str) -> list[Entry]:
        """All names but ``.`` and ``..``, untrusted; symbolic links are not followed."""

    def entry(self, path: str) -> Entry | None:
        """One file, or None where there is none."""

    def read(self, path: str, limit: int) -> bytes:
        """At most ``limit`` bytes from the start."""

    def write(self, path: str, data: bytes) -> None:
        """Creates or overwrites; the bytes are with the peer when it returns."""

    def replace(self, source: str, target: str) -> None:
        """Renames over an existing target."""

    def place(self, source: str, target: str) -> None:
        """Renames; raises ``FileExistsError`` where the target exists."""

    def remove(self, path: str) -> None: ...

    def make_folder(self, path: str) -> None: ...


class DeliverParameters(Parameters):
    path: str = Field(
        description="folder and final name below the connection's root", examples=["/in/000000001.edi"]
    )
    content: Content = Field(description="what to deliver: a stored blob, or text", examples=["ISA*00*..."])
    collision: Literal["replace", "refuse", "same"] = Field(
        default="replace",
        description="where the final name exists: replace it; refuse unless it holds the same bytes; "
        "or leave it alone if it holds the same bytes and replace it if not",
        examples=["refuse"],
    )


class Delivered(Output):
    path: str = Field(description="path below the connection's root", examples=["/in/000000001.edi"])
    size: int = Field(description="bytes", examples=[512])
    sha256: str = Field(description="SHA-256 of the bytes, hexadecimal", examples=["9f86d081884c7d65..."])


class CollectParameters(Parameters):
    folder: str = Field(description="folder below the connection's root", examples=["/out"])
    glob: str = Field(
        default="*",
        description="which names; a name that begins with a dot only matches a glob that does",
        examples=["*.edi"],
    )
    order: Literal["name", "time"] = Field(default="name", description="what is collected first", examples=["time"])
    maximum: int = Field(default=100, ge=1, le=10_000, description="files per poll", examples=[100])
    stable: Duration = Field(
        default=timedelta(seconds=2),
        description="how long size and time must have stayed the same, by our own clock, between two polls; "
        "0s trusts partners who rename into place",
        examples=["2s"],
    )
    archive: str | None = Field(
        default=None, description="folder a file is moved to once it is stored", examples=["/out/archive"]
    )
    delete: bool = Field(
        default=False, description="delete a file once it is stored, instead of archiving", examples=[False]
    )
    largest: int = Field(
        default=64 * 1024 * 1024, ge=1, description="bytes of the largest file taken", examples=[67108864]
    )
    type: str | None = Field(
        default=None,
        description="media type of the files; by default told by the ending",
        examples=["text/csv"],
    )

    @model_validator(mode="after")
    def _one_way_out(self) -> Self:
        if (self.archive is None) is not self.delete:
            raise ValueError("say what becomes of a stored file: either archive: <folder> or delete: true")
        return self


@dataclass
class Sightings:
    """What earlier polls saw, by name: the size and time, and when they were first seen so."""

    _seen: dict[str, tuple[int, int, datetime]] = field(default_factory=dict)

    def stable(self, entry: Entry, for_: timedelta, now: datetime) -> bool:
        size, modified, since = self._seen.get(entry.name, (-1, -1, now))
        if (size, modified) != (entry.size, entry.modified):
            since = now
            self._seen[entry.name] = (entry.size, entry.modified, now)
        return now - since >= for_

    def keep(self, names: set[str]) -> None:
        """Forgets files that are gone."""
        for name in self._seen.keys() - names:
            del self._seen[name]


def trusted(name: str) -> bool:
    """Whether a name that a peer listed is one plain component, and no control characters."""
    return name not in ("", ".", "..") and "/" not in name and name.isprintable()


def inside(path: str, field: str) -> str:
    """The path relative to the root, ``""`` for the root itself. Raises ``Misconfigured`` for one that would
    leave the root or has control characters."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not all(trusted(part) for part in parts):
        raise Misconfigured(
            f"{path!r} has a part that is not a plain name",
            next_action="use plain folders and names below the connection's root, without '..'",
            field=field,
        )
    return "/".join(parts)


def deliver(folders: Folders, parameters: DeliverParameters, data: bytes, key: str) -> Delivered:
    """Temporary name in the same folder, size check, rename. Repeated with the same ``key`` after a crash at
    any point it ends in exactly one file, under its final name.

    Raises ``NotSent`` where nothing new is under the final name, ``OutcomeUnknown`` where the peer was lost
    while renaming, ``Rejected`` for a collision or a missing right, ``Misconfigured`` for a missing folder.
    """
    path = inside(parameters.path, "path")
    if not path:
        raise Misconfigured("path names no file", next_action="end it in a file name", field="path")
    done = Delivered(path="/" + path, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    if parameters.collision != "replace" and _settled(folders, path, data, parameters.collision):
        return done
    temporary = posixpath.join(posixpath.dirname(path), f"{_TEMPORARY}{key}.part")
    with _writing(folders, path):
        folders.write(temporary, data)
        written = folders.entry(temporary)
    if written is None or written.size != len(data):
        raise NotSent(
            f"{folders.where} holds {written.size if written else 'none'} of {len(data)} bytes written for "
            f"/{path}; nothing is under the final name",
            next_action="retried by itself; if it stays, look at the peer's disk space and quota",
        )
    _rename(folders, temporary, path, data, parameters.collision)
    return done


def _rename(folders: Folders, temporary: str, path: str, data: bytes, collision: str) -> None:
    with _renaming(folders, path):
        try:
            if collision == "refuse":
                folders.place(temporary, path)
            else:
                folders.replace(temporary, path)
        except (FileExistsError, FileNotFoundError) as error:
            # Somebody took the name, or another attempt with the same key was faster.
            with suppress(FileNotFoundError):
                folders.remove(temporary)
            if not _settled(folders, path, data, collision):
                raise NotSent(f"/{path} on {folders.where} changed while it was delivered: {error}") from error
        except ConnectionError:
            raise
        except OSError:
            with suppress(OSError):
                folders.remove(temporary)
            raise


def _settled(folders: Folders, path: str, data: bytes, collision: str) -> bool:
    """Whether the final name holds these bytes already. Raises ``Rejected`` where it holds others and they
    must stay."""
    with _writing(folders, path):
        if _holds(folders, path, data):
            return True
        if collision == "refuse" and folders.entry(path) is not None:
            raise Rejected(
                f"/{path} exists on {folders.where} with other content",
                next_action="have the peer take the file away, or allow collision: replace",
                code="exists",
            )
    return False


def _holds(folders: Folders, path: str, data: bytes) -> bool:
    found = folders.entry(path)
    return found is not None and found.size == len(data) and folders.read(path, len(data) + 1) == data


def _refusal(error: OSError, folders: Folders, path: str) -> ConnectorError | None:
    """Refusals that mean the same at every stage."""
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Rejected(
            f"{folders.where} denies access to /{path}: {error}",
            next_action="have the peer grant the user the right to read, write and rename there",
            code="permission_denied",
        )
    gone = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR)
    if error.errno in gone:
        return Misconfigured(
            f"{folders.where} has no such place as /{path}: {error}",
            next_action="create the folder there, or correct the path; symbolic links are not followed",
            field="path",
        )
    return None


@contextmanager
def _writing(folders: Folders, path: str) -> Iterator[None]:
    try:
        yield
    except ConnectionError as error:
        raise NotSent(
            f"{folders.where} was lost before /{path} had its final name: {error}",
            next_action="retried by itself; if it stays, look at the network and the peer",
        ) from error
    except OSError as error:
        raise _refusal(error, folders, path) or NotSent(
            f"{folders.where} could not store /{path}: {error}",
            next_action="retried by itself; if it stays, look at the peer's disk space and quota",
        ) from error


@contextmanager
def _renaming(folders: Folders, path: str) -> Iterator[None]:
    try:
        yield
    except ConnectionError as error:
        raise OutcomeUnknown(
            f"{folders.where} was lost while the temporary file was renamed to /{path}: {error}",
            next_action="delivering it again is harmless: it ends in one file",
        ) from error
    except OSError as error:
        raise _refusal(error, folders, path) or NotSent(
            f"{folders.where} did not rename the temporary file to /{path}: {error}",
            next_action="see whether a folder has that name, or the peer locks the file",
        ) from error


def collect(
    folders: Folders,
    parameters: CollectParameters,
    sightings: Sightings,
    now: datetime,
    accept: Accept,
    log: Log,
) -> int:
    """Hands over every stable file that matches, in order; returns how many. A file is archived or deleted
    only after ``accept`` returned for it, whatever the receipt says: its bytes are stored by then.

    A file that cannot be read or put away does not hold up the others; the first such error is raised at
    the end. ``NotSent`` from ``accept`` and a lost peer end the poll at once; what was not accepted stays.
    """
    folder = inside(parameters.folder, "folder")
    archive = None if parameters.archive is None else inside(parameters.archive, "archive")
    if archive == folder:
        raise Misconfigured(
            f"files of /{folder} would be archived where they are collected",
            next_action="name another folder",
            field="archive",
        )
    with _collecting(folders, folder):
        if archive:
            folders.make_folder(archive)
        waiting = _waiting(folders, folder, parameters, sightings, now, log)
    count = 0
    failed: ConnectorError | None = None
    for entry in waiting[: parameters.maximum]:
        path = posixpath.join(folder, entry.name)
        try:
            count += _hand_over(folders, path, entry, parameters, archive, accept, log)
        except (Rejected, Misconfigured) as error:
            log.warning("file_not_collected", path=path, problem=error.message, next_action=error.next_action)
            failed = failed or error
    if failed is not None:
        raise failed
    return count


def _hand_over(
    folders: Folders,
    path: str,
    entry: Entry,
    parameters: CollectParameters,
    archive: str | None,
    accept: Accept,
    log: Log,
) -> bool:
    """Reads, hands over and puts away one file; False where it was still changing."""
    with _collecting(folders, path):
        data = _whole(folders, path, entry, parameters.largest)
    if data is None:
        log.info("file_still_changing", path=path)
        return False
    digest = hashlib.sha256(data).hexdigest()
    receipt = accept(_arrival(path, entry, data, digest, parameters.type))
    log.info("file_collected", path=path, size=entry.size, state=receipt.state, run=receipt.run)
    with _collecting(folders, path):
        _put_away(folders, path, entry, archive, digest)
    return True


def _waiting(
    folders: Folders,
    folder: str,
    parameters: CollectParameters,
    sightings: Sightings,
    now: datetime,
    log: Log,
) -> list[Entry]:
    listed = folders.entries(folder)
    for entry in listed:
        if not trusted(entry.name):
            log.warning("file_name_refused", folder=folder, name=ascii(entry.name))
    found = [entry for entry in listed if entry.regular and _matches(entry.name, parameters.glob)]
    sightings.keep({entry.name for entry in found})
    stable = [entry for entry in found if sightings.stable(entry, parameters.stable, now)]
    return sorted(stable, key=lambda entry: (entry.modified if parameters.order == "time" else 0, entry.name))


def _matches(name: str, glob: str) -> bool:
    if not trusted(name) or name.startswith(_TEMPORARY):
        return False
    return fnmatchcase(name, glob) and (glob.startswith(".") or not name.startswith("."))


def _whole(folders: Folders, path: str, entry: Entry, largest: int) -> bytes | None:
    """The bytes of a file that did not change while it was read, else None."""
    if entry.size > largest:
        raise Rejected(
            f"/{path} on {folders.where} has {entry.size} bytes; at most {largest} are taken",
            next_action="raise 'largest' of the trigger, or have the peer split the file",
            code="too_large",
        )
    try:
        data = folders.read(path, entry.size + 1)
    except FileNotFoundError:
        return None
    return data if len(data) == entry.size and folders.entry(path) == entry else None


def _arrival(path: str, entry: Entry, data: bytes, digest: str, type: str | None) -> Arrival:
    modified = datetime.fromtimestamp(entry.modified // 1_000_000_000, UTC).isoformat()
    return Arrival(
        raw=data,
        content_type=type or _TYPES.get(posixpath.splitext(entry.name)[1].lower(), "application/octet-stream"),
        headers={
            "file_name": entry.name,
            "path": "/" + path,
            "size": str(entry.size),
            "modified": modified,
        },
        identity=f"{entry.name}/{entry.size}/{entry.modified}/sha256:{digest}",
    )


def _put_away(folders: Folders, path: str, entry: Entry, archive: str | None, digest: str) -> None:
    """Archives or deletes, unless another file took the name meanwhile. Nothing in the archive is overwritten
    by other content."""
    if folders.entry(path) != entry:
        return
    if archive is None:
        folders.remove(path)
        return
    target = posixpath.join(archive, entry.name)
    try:
        folders.place(path, target)
    except FileExistsError:
        folders.replace(path, f"{target}.{digest[:16]}")


@contextmanager
def _collecting(folders: Folders, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        lost = NotSent(
            f"{folders.where} could not be read at /{path}: {error}",
            next_action="polled again by itself; what was not stored is still there",
        )
        if isinstance(error, ConnectionError):
            raise lost from error
        raise _refusal(error, folders, path) or lost from error
