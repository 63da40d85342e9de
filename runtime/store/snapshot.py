"""Everything that a store holds, as it stood at one moment, for a backup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from runtime.store.blobs import FolderBlobs
from runtime.store.connection import copy
from runtime.store.store import Refused


class Snapshot(Protocol):
    """As long as it is open, nothing that it needs is removed."""

    def rows_to(self, path: Path) -> None:
        """Every row, in a new SQLite file of this version's schema. Raises ``Unavailable``."""

    def blobs_to(self, root: Path, client: str) -> int:
        """Every large blob of that client, in a new folder; how many. Raises ``Refused`` for a damaged one."""


class FileSnapshot:
    """Of an SQLite file and the blob folders beside it."""

    def __init__(self, database: Path, folder: Callable[[str], FolderBlobs]) -> None:
        self._database = database
        self._folder = folder

    def rows_to(self, path: Path) -> None:
        copy(self._database, path)

    def blobs_to(self, root: Path, client: str) -> int:
        return copy_blobs(self._folder(client), root, client)


@contextmanager
def of_file(database: Path, clients: list[str], folder: Callable[[str], FolderBlobs]) -> Iterator[FileSnapshot]:
    """What the clients have in their folders now is kept until the end: what a row of the copy names is there when
    the blobs are copied, also where retention removes that row meanwhile."""
    with ExitStack() as kept:
        for client in clients:
            if folder(client).exists():
                kept.enter_context(folder(client).kept())
        yield FileSnapshot(database, folder)


def copy_blobs(blobs: FolderBlobs, root: Path, client: str) -> int:
    """Each is compared with its name on the way: what does not fit any more is told, not handed on."""
    copies, copied = FolderBlobs(root, client), 0
    if not blobs.exists():
        return 0
    with blobs.kept():
        for name in blobs.names():
            if not copies.take(blobs, name):
                raise damaged(name, client)
            copied += 1
    return copied


def damaged(blob: str, client: str) -> Refused:
    return Refused(
        f"blob {blob} of client {client} is damaged, its bytes are not those of its name:"
        " bring it back from an older backup before this one is used"
    )
