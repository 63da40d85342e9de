"""One signed-in SFTP session as ``Folders``: what paramiko raises becomes the ``OSError`` it means."""

from __future__ import annotations

import errno
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_INIT, CMD_NAME, CMD_OPENDIR, CMD_READDIR, CMD_VERSION

from connectors.sdk.files import Entry

#: Bytes of one request, and read requests under way at once.
_CHUNK = 32_768
_PREFETCH = 256
#: Seconds that the thread of a closed connection is waited for.
_FAREWELL = 2.0
_POSIX_RENAME = b"posix-rename@openssh.com"


class Client(paramiko.SFTPClient):
    """Knows which extensions the server announced, and lists names that are not UTF-8."""

    extensions: frozenset[bytes] = frozenset()
    #: A listing that does not end would fill the memory.
    most_names = 500_000

    def _send_version(self) -> int:
        """INIT and VERSION with its extension pairs (draft-ietf-secsh-filexfer-02, section 4)."""
        hello = paramiko.Message()
        hello.add_int(3)
        self._send_packet(CMD_INIT, hello)  # type: ignore[attr-defined]
        kind, data = self._read_packet()  # type: ignore[attr-defined]
        if kind != CMD_VERSION:
            raise paramiko.SFTPError("incompatible SFTP protocol")
        answer = paramiko.Message(data)
        version = answer.get_int()
        found = set()
        while answer.get_remainder():
            found.add(answer.get_binary())
            answer.get_binary()
        self.extensions = frozenset(found)
        return version

    def listing(self, path: str) -> list[paramiko.SFTPAttributes]:
        """Like ``listdir_attr``, which fails for the whole folder where one name is not UTF-8."""
        kind, answer = self._request(CMD_OPENDIR, path)  # type: ignore[attr-defined]
        if kind != CMD_HANDLE:
            raise paramiko.SFTPError("expected a handle")
        handle = answer.get_binary()
        found: list[paramiko.SFTPAttributes] = []
        while True:
            try:
                kind, answer = self._request(CMD_READDIR, handle)  # type: ignore[attr-defined]
            except EOFError:
                break
            if kind != CMD_NAME:
                raise paramiko.SFTPError("expected names")
            for _ in range(answer.get_int()):
                name, _long = answer.get_binary(), answer.get_binary()
                found.append(
                    paramiko.SFTPAttributes._from_msg(answer, name.decode("utf-8", "surrogateescape"))  # type: ignore[attr-defined]
                )
            if len(found) > self.most_names:
                raise paramiko.SFTPError(f"it lists more than {self.most_names} names in one folder")
        self._request(CMD_CLOSE, handle)  # type: ignore[attr-defined]
        return found


class Session:
    """Belongs to one thread at a time. ``alive`` turns false for good once the connection is lost."""

    def __init__(
        self, where: str, transport: paramiko.Transport, client: Client, root: str, weak: tuple[str, ...] = ()
    ) -> None:
        self.where = where
        self.weak = weak
        self._transport = transport
        self._client = client
        self._root = root
        self._overdue = False

    @property
    def alive(self) -> bool:
        return self._transport.is_active() and not self._client.sock.closed

    def close(self) -> None:
        """Hangs up; its thread has ended on return."""
        self._transport.close()
        self._transport.join(_FAREWELL)

    def cut(self) -> None:
        """Ends work that takes too long; it fails as lost."""
        self._overdue = True
        self.close()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Shortens the wait for each answer."""
        before = self._client.sock.gettimeout()
        self._client.sock.settimeout(seconds)
        try:
            yield
        finally:
            self._client.sock.settimeout(before)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, TimeoutError, UnicodeError, paramiko.SSHException, paramiko.SFTPError) as error:
            raise self._lost(error) from error
        except OSError as error:
            if self.alive:
                raise
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> ConnectionError:
        self.close()
        why = "total_timeout is over" if self._overdue else str(error) or type(error).__name__
        return ConnectionError(f"connection lost: {why}")

    def _at(self, path: str) -> str:
        return posixpath.join(self._root, path) if path else self._root or "."

    def entries(self, folder: str) -> list[Entry]:
        with self._answers():
            listed = self._client.listing(self._at(folder))
        return [_entry(found.filename, found) for found in listed if found.filename not in (".", "..")]

    def entry(self, path: str) -> Entry | None:
        with self._answers():
            try:
                return _entry(posixpath.basename(path), self._client.lstat(self._at(path)))
            except FileNotFoundError:
                return None

    def read(self, path: str, limit: int, start: int = 0) -> bytes:
        with self._answers(), self._client.open(self._at(path), "rb") as file:
            file.seek(start)
            if limit > _CHUNK and not start:
                file.prefetch(limit - 1, _PREFETCH)
            data = bytearray()
            while len(data) < limit and (chunk := file.read(min(_CHUNK, limit - len(data)))):
                data += chunk
            return bytes(data)

    def write(self, path: str, data: bytes, start: int = 0) -> None:
        """Requests are pipelined; the last one is not, which makes paramiko look at every answer."""
        with self._answers(), self._client.open(self._at(path), "r+b" if start else "wb") as file:
            last = max(start, len(data) - _CHUNK)
            file.seek(start)
            file.set_pipelined(True)
            file.write(data[start:last])
            file.set_pipelined(False)
            file.write(data[last:])

    def replace(self, source: str, target: str) -> None:
        """Atomic where the server has ``posix-rename@openssh.com`` (OpenSSH PROTOCOL, section 4.3); elsewhere
        an existing target is removed just before."""
        with self._answers():
            try:
                self._client.posix_rename(self._at(source), self._at(target))
            except OSError as error:
                if error.errno is not None or not self.alive or _POSIX_RENAME in self._client.extensions:
                    raise
                existing = self.entry(target)
                if existing is not None and existing.regular:
                    self.remove(target)
                self._client.rename(self._at(source), self._at(target))

    def place(self, source: str, target: str) -> None:
        with self._answers():
            self._absent(target)
            try:
                self._client.rename(self._at(source), self._at(target))
            except OSError as error:
                if error.errno is None and self.alive:
                    self._absent(target)
                raise

    def _absent(self, path: str) -> None:
        if self.entry(path) is not None:
            raise FileExistsError(errno.EEXIST, "exists", path)

    def remove(self, path: str) -> None:
        with self._answers():
            self._client.remove(self._at(path))

    def make_folder(self, path: str) -> None:
        with self._answers():
            try:
                self._client.mkdir(self._at(path))
            except OSError:
                if not self.alive or self.entry(path) is None:
                    raise


def _entry(name: str, found: paramiko.SFTPAttributes) -> Entry:
    mode = found.st_mode
    regular = mode is None or stat.S_ISREG(mode)
    folder = mode is not None and stat.S_ISDIR(mode)
    return Entry(name, found.st_size or 0, (found.st_mtime or 0) * 1_000_000_000, regular, folder)
