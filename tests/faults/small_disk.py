"""A disk that a test can fill and free: a file system of its own where we may mount one, and a limit that the
kernel sets for one process, which works everywhere."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

_SIZE = "48m"
_BLOCK = bytes(1 << 16)


class SmallDisk(Protocol):
    """``folder`` lies on it. ``fill`` makes that the process can write nothing more, until ``free``."""

    folder: Path

    def fill(self, pid: int) -> None: ...

    def free(self, pid: int) -> None: ...


class Mounted:
    """A file system in memory; writing says that no space is left (ENOSPC)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, pid: int) -> None:
        with self._filler.open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(_BLOCK)

    def free(self, pid: int) -> None:
        self._filler.unlink()


class Limited:
    """An ordinary folder, whose files the process may not make longer (EFBIG): SQLite calls that an I/O error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def mounted(folder: Path) -> Iterator[SmallDisk]:
    _mount(folder)
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


@contextmanager
def limited(folder: Path) -> Iterator[SmallDisk]:
    yield Limited(folder)


def may_mount() -> bool:
    """Not in most containers, whoever one is there."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory(prefix="orderly_test_") as name:
        try:
            with mounted(Path(name)):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def _mount(folder: Path) -> None:
    options = f"size={_SIZE},mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
