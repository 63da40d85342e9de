"""What carries files, whatever it is: a ``Folders`` (SFTP session, local folder) that speaks in plain ``OSError``s.

``sdk.collecting`` and ``sdk.delivering`` are the one contract over it.
"""

from __future__ import annotations

import errno
import posixpath
from dataclasses import dataclass
from typing import Protocol

from connectors.sdk.errors import ConnectorError, Misconfigured, Rejected

#: How names of ours begin: ``.orderly-<effect key>.part`` is being written, ``.orderly-claim-…`` is being taken.
TEMPORARY = ".orderly-"

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
    folder: bool = False


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

    def read(self, path: str, limit: int, start: int = 0) -> bytes:
        """At most ``limit`` bytes, from the one at ``start``."""

    def write(self, path: str, data: bytes, start: int = 0) -> None:
        """Creates or overwrites, or writes ``data[start:]`` behind the ``start`` bytes that are there; the bytes
        are with the peer when it returns."""

    def replace(self, source: str, target: str) -> None:
        """Renames over an existing target."""

    def place(self, source: str, target: str) -> None:
        """Renames; raises ``FileExistsError`` where the target exists."""

    def remove(self, path: str) -> None: ...

    def make_folder(self, path: str) -> None: ...


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


def refusal(error: OSError, folders: Folders, path: str) -> ConnectorError | None:
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


def media_type(name: str) -> str:
    """By the ending, the same on every machine."""
    return _TYPES.get(posixpath.splitext(name)[1].lower(), "application/octet-stream")
