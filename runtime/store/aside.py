"""A folder that is made aside and renamed when it is whole; what a killed process left of one is found again."""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.store.store import Unavailable

_BEING_MADE: set[Path] = set()
_LOCK = threading.Lock()


@contextmanager
def aside(target: Path) -> Iterator[Path]:
    """Readable by this user only; at the end it becomes ``target``. What killed processes left beside it is removed
    first. Raises ``Unavailable``."""
    folder = target.with_name(f".{target.name}.{socket.gethostname()}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in left_behind(target.parent):
            shutil.rmtree(left, ignore_errors=True)
        with _being_made(folder):
            folder.mkdir(mode=0o700)
            try:
                yield folder
                _flush(folder)
                folder.replace(target)
                _flush_one(target.parent)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise Unavailable(
            f"{target} could not be written: {error}; make room there, or name another place"
        ) from error


def left_behind(place: Path) -> list[Path]:
    """Folders in ``place`` that a process of this machine was making when it was killed; none where nobody may look
    into it."""
    ours = re.compile(rf"\..+\.{re.escape(socket.gethostname())}\.([0-9]+)\.partial")
    try:
        folders = [folder for folder in sorted(place.iterdir()) if folder.is_dir() and not folder.is_symlink()]
    except OSError:
        return []
    named = [(folder, ours.fullmatch(folder.name)) for folder in folders]
    return [folder for folder, process in named if process and not _lives(int(process[1]), folder)]


def _lives(process: int, folder: Path) -> bool:
    """Of a number that is ours now, an earlier process may have had it."""
    if process == os.getpid():
        return folder.resolve() in _BEING_MADE
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextmanager
def _being_made(folder: Path) -> Iterator[None]:
    with _LOCK:
        _BEING_MADE.add(folder.resolve())
    try:
        yield
    finally:
        with _LOCK:
            _BEING_MADE.discard(folder.resolve())


def _flush(folder: Path) -> None:
    """Everything in it is on the disk afterwards."""
    for path in [*folder.rglob("*"), folder]:
        _flush_one(path)


def _flush_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
