"""A local folder as ``Folders``: no symbolic link below the root is followed, writes are on disk on return."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from connectors.sdk.files import Entry

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: What file systems without hard links (FAT, some network shares) answer to ``link``.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)


class LocalFolders:
    """Every folder is opened component by component from the root, so that a link swapped in meanwhile
    leads nowhere. Raises ``OSError``s as ``connectors.sdk.files.Folders`` promises."""

    def __init__(self, root: Path) -> None:
        self.where = f"folder {root}"
        self._root = root

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        handle = os.open(self._root, _FOLDER)
        try:
            for part in path.split("/") if path else ():
                inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    @contextmanager
    def _two(self, source: str, target: str) -> Iterator[tuple[int, str, int, str]]:
        """Opened folder and name of both; both folders are on disk afterwards."""
        with (
            self._folder(posixpath.dirname(source)) as here,
            self._folder(posixpath.dirname(target)) as there,
        ):
            yield here, posixpath.basename(source), there, posixpath.basename(target)
            os.fsync(there)
            os.fsync(here)

    def entries(self, folder: str) -> list[Entry]:
        with self._folder(folder) as handle:
            found = [_entry(handle, name) for name in os.listdir(handle)]  # noqa: PTH208 - by handle, not by path
        return [entry for entry in found if entry is not None]

    def entry(self, path: str) -> Entry | None:
        with self._folder(posixpath.dirname(path)) as handle:
            return _entry(handle, posixpath.basename(path))

    def read(self, path: str, limit: int, start: int = 0) -> bytes:
        with self._folder(posixpath.dirname(path)) as folder:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(posixpath.basename(path), flags, dir_fd=folder)
        with os.fdopen(handle, "rb") as file:
            file.seek(start)
            return file.read(limit)

    def write(self, path: str, data: bytes, start: int = 0) -> None:
        with self._folder(posixpath.dirname(path)) as folder:
            flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if start else os.O_CREAT | os.O_TRUNC)
            handle = os.open(posixpath.basename(path), flags, 0o640, dir_fd=folder)
        with os.fdopen(handle, "wb") as file:
            file.seek(start)
            file.write(memoryview(data)[start:])
            file.flush()
            os.fsync(file.fileno())

    def replace(self, source: str, target: str) -> None:
        with self._two(source, target) as (here, name, there, final):
            os.rename(name, final, src_dir_fd=here, dst_dir_fd=there)

    def place(self, source: str, target: str) -> None:
        with self._two(source, target) as (here, name, there, final):
            try:
                os.link(name, final, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                if _entry(there, final) is not None:
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
                os.rename(name, final, src_dir_fd=here, dst_dir_fd=there)
            else:
                os.unlink(name, dir_fd=here)

    def remove(self, path: str) -> None:
        with self._folder(posixpath.dirname(path)) as folder:
            os.unlink(posixpath.basename(path), dir_fd=folder)
            os.fsync(folder)

    def make_folder(self, path: str) -> None:
        with self._folder(posixpath.dirname(path)) as folder, suppress(FileExistsError):
            os.mkdir(posixpath.basename(path), 0o750, dir_fd=folder)
            os.fsync(folder)


def _entry(folder: int, name: str) -> Entry | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Entry(name, found.st_size, found.st_mtime_ns, stat.S_ISREG(found.st_mode), stat.S_ISDIR(found.st_mode))
