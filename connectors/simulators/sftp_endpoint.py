"""An SFTP server on a loopback port, chrooted to one folder, which can also behave as badly as real ones do.

SFTP version 3 (draft-ietf-secsh-filexfer-02) with ``posix-rename@openssh.com``, served by paramiko.
"""

from __future__ import annotations

import errno
import hmac
import logging
import os
import posixpath
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.server import InteractiveQuery
from paramiko.sftp import SFTP_FAILURE, SFTP_OK, SFTP_OP_UNSUPPORTED, SFTP_PERMISSION_DENIED

_LOG = "orderly.simulators.sftp"
logging.getLogger(_LOG).addHandler(logging.NullHandler())


@dataclass
class Misbehaviour:
    """What is wrong with the server just now; each hang-up happens once."""

    hang_up_after_bytes: int | None = None
    hang_up_before_rename: bool = False
    hang_up_after_rename: bool = False
    disk_full: bool = False
    read_only: bool = False
    no_posix_rename: bool = False
    asks_interactively: bool = False
    answers_no_more_after_reads: int | None = None
    lists_also: list[str] = field(default_factory=list)


def new_key() -> paramiko.Ed25519Key:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return paramiko.Ed25519Key.from_private_key(StringIO(pem.decode()))


class SftpEndpoint:
    """``arrived`` is called with the path (``/in/1.edi``) of every file that was closed after writing or
    renamed, on the session's thread."""

    def __init__(self, root: Path, user: str, password: str, arrived: Callable[[str], None]) -> None:
        self.root = root.resolve()
        self.user = user
        self.password = password
        self.arrived = arrived
        self.wrong = Misbehaviour()
        self.key = new_key()
        self._listener: socket.socket | None = None
        self._transports: list[paramiko.Transport] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @property
    def host_key(self) -> str:
        """The line to pin."""
        return f"{self.key.get_name()} {self.key.get_base64()}"

    def open(self, port: int = 0) -> int:
        """Binds and serves; returns the port."""
        self._listener = socket.create_server(("127.0.0.1", port))
        self._acceptor = threading.Thread(target=self._serve, args=(self._listener,), name="sftp-simulator")
        self._acceptor.start()
        return self.port

    @property
    def port(self) -> int:
        """As bound."""
        assert self._listener is not None
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Frees the port, cuts every connection and waits for all threads."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
            self._acceptor.join()
        self.hang_up()
        for thread in self._threads:
            thread.join(10)

    def hang_up(self) -> None:
        """Cuts every connection."""
        with self._lock:
            transports, self._transports = self._transports, []
        for transport in transports:
            transport.close()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet(connected)

    def _greet(self, connected: socket.socket) -> None:
        transport = paramiko.Transport(connected)
        transport.set_log_channel(_LOG)
        transport.add_server_key(self.key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self, transport)
        with self._lock:
            self._transports.append(transport)
            self._threads.append(transport)
        transport.start_server(threading.Event(), _Door(self))

    def joined(self) -> None:
        """The current thread serves a session and is waited for."""
        with self._lock:
            self._threads.append(threading.current_thread())


class _Door(paramiko.ServerInterface):
    def __init__(self, endpoint: SftpEndpoint) -> None:
        self._endpoint = endpoint

    def get_allowed_auths(self, username: str) -> str:
        return "keyboard-interactive" if self._endpoint.wrong.asks_interactively else "password"

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        self._user = username
        if not self._endpoint.wrong.asks_interactively:
            return AUTH_FAILED
        return InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self.check_auth_password(self._user, responses[0] if responses else "")

    def check_auth_password(self, username: str, password: str) -> int:
        expected = f"{self._endpoint.user}\0{self._endpoint.password}".encode()
        return AUTH_SUCCESSFUL if hmac.compare_digest(f"{username}\0{password}".encode(), expected) else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class _Handle(paramiko.SFTPHandle):
    def __init__(self, files: _Files, path: str, descriptor: int, flags: int) -> None:
        super().__init__(flags)
        self._files = files
        self._path = path
        self._writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        self._written = 0
        self._descriptor = descriptor
        self.readfile = self.writefile = os.fdopen(descriptor, "rb+" if self._writes else "rb", buffering=0)

    def write(self, offset: int, data: bytes) -> int:  # type: ignore[override]
        wrong = self._files.endpoint.wrong
        if wrong.disk_full:
            return SFTP_FAILURE
        answer = super().write(offset, data)
        self._written += len(data)
        if wrong.hang_up_after_bytes is not None and self._written >= wrong.hang_up_after_bytes:
            wrong.hang_up_after_bytes = None
            self._writes = False
            self._files.hang_up()
        return answer

    def read(self, offset: int, length: int) -> bytes | int:
        wrong = self._files.endpoint.wrong
        if wrong.answers_no_more_after_reads is not None:
            if wrong.answers_no_more_after_reads == 0:
                self._files.hung_up()
            wrong.answers_no_more_after_reads -= 1
        return super().read(offset, length)

    def stat(self) -> paramiko.SFTPAttributes:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self._descriptor))

    def close(self) -> None:
        super().close()
        if self._writes:
            self._files.endpoint.arrived(self._path)


class _Files(paramiko.SFTPServerInterface):
    """The folder as the client sees it: ``/`` is the root, nothing leads out."""

    def __init__(
        self, server: paramiko.ServerInterface, endpoint: SftpEndpoint, transport: paramiko.Transport
    ) -> None:
        super().__init__(server)
        self.endpoint = endpoint
        self._transport = transport

    def session_started(self) -> None:
        self.endpoint.joined()

    def hang_up(self) -> None:
        self._transport.close()

    def hung_up(self) -> None:
        """Waits until the other side has."""
        self._transport.join()

    def _real(self, path: str) -> Path:
        """Raises ``PermissionError`` for a path that a symbolic link leads out of the root."""
        asked = self.endpoint.root / _virtual(path).lstrip("/")
        if asked != self.endpoint.root and not asked.parent.resolve().is_relative_to(self.endpoint.root):
            raise PermissionError(errno.EACCES, "outside", path)
        return asked

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        if self.endpoint.wrong.read_only and flags & (os.O_WRONLY | os.O_RDWR):
            return SFTP_PERMISSION_DENIED
        try:
            descriptor = os.open(self._real(path), flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
            return _Handle(self, _virtual(path), descriptor, flags)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        try:
            entries = list(self._real(path).iterdir())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        found = []
        for entry in entries:
            with suppress(FileNotFoundError):  # renamed or taken away since, as under any SFTP server
                found.append(_listed(entry.lstat(), entry.name))
        like = Path(__file__).stat()
        return found + [_listed(like, name) for name in self.endpoint.wrong.lists_also]

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(self._real(path).lstat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        return self.lstat(path)

    def remove(self, path: str) -> int:
        with _status() as status:
            self._real(path).unlink()
        return status.code

    def rename(self, oldpath: str, newpath: str) -> int:
        return self._rename(oldpath, newpath, over=False)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        if self.endpoint.wrong.no_posix_rename:
            return SFTP_OP_UNSUPPORTED
        return self._rename(oldpath, newpath, over=True)

    def _rename(self, source: str, target: str, *, over: bool) -> int:
        wrong = self.endpoint.wrong
        if wrong.hang_up_before_rename:
            wrong.hang_up_before_rename = False
            self.hang_up()
            return SFTP_FAILURE
        with _status() as status:
            if not over and os.path.lexists(self._real(target)):
                return SFTP_FAILURE
            self._real(source).rename(self._real(target))
        if status.code == SFTP_OK:
            self.endpoint.arrived(posixpath.normpath("/" + target.lstrip("/")))
        if wrong.hang_up_after_rename:
            wrong.hang_up_after_rename = False
            self.hang_up()
        return status.code

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        with _status() as status:
            self._real(path).mkdir(0o750)
        return status.code

    def rmdir(self, path: str) -> int:
        with _status() as status:
            self._real(path).rmdir()
        return status.code


def _virtual(path: str) -> str:
    """The path as seen from the root, with one leading slash and no dots."""
    return "/" + posixpath.normpath("/" + path).lstrip("/")


def _listed(found: os.stat_result, name: str) -> paramiko.SFTPAttributes:
    """The name goes out as the bytes it is, UTF-8 or not."""
    listed = paramiko.SFTPAttributes.from_stat(found)
    listed.filename = os.fsencode(name)  # type: ignore[assignment]
    return listed


@dataclass
class _Status:
    code: int = SFTP_OK


@contextmanager
def _status() -> Iterator[_Status]:
    """An ``OSError`` of the block becomes the SFTP status code."""
    status = _Status()
    try:
        yield status
    except OSError as error:
        status.code = paramiko.SFTPServer.convert_errno(error.errno or 0)
