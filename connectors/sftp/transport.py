"""Signing in over SSH with a pinned host key, and the pool of signed-in sessions.

Foreign exceptions of signing in become sdk errors here; those of file work become ``OSError``s in ``session``.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from connectors.sdk import CredentialsRefused, Log, Misconfigured, NotSent
from connectors.sftp.keys import public_key
from connectors.sftp.session import Client, Session
from connectors.sftp.settings import SftpSettings, Waiver

_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")
_MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
_HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_WRONG = "user, password or key is wrong"
_LOG = "orderly.sftp"
logging.getLogger(_LOG).addHandler(logging.NullHandler())


def sign_in(settings: SftpSettings) -> Session:
    """A session of its own connection.

    Raises ``NotSent`` where the server is not reached, ``CredentialsRefused`` for another host key or refused
    credentials, ``Misconfigured`` where no common algorithm or no SFTP is there.
    """
    where = f"{settings.user}@{settings.host}:{settings.port}"
    transport = paramiko.Transport(_connect(settings))
    try:
        _shake_hands(transport, settings, where)
        _authenticate(transport, settings, where)
        return _open(transport, settings, where)
    except BaseException:
        transport.close()
        raise


def _connect(settings: SftpSettings) -> socket.socket:
    try:
        connected = socket.create_connection(
            (settings.host, settings.port), settings.connect_timeout.total_seconds()
        )
    except (OSError, UnicodeError) as error:
        raise NotSent(
            f"no connection to {settings.host}:{settings.port}: {error}",
            next_action="see that host and port are right, the server is up and no firewall is in between",
        ) from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connected


def _shake_hands(transport: paramiko.Transport, settings: SftpSettings, where: str) -> None:
    pinned = public_key(settings.host_key)
    _offer(transport, pinned, settings.waiver)
    limit = settings.connect_timeout.total_seconds()
    transport.banner_timeout = transport.handshake_timeout = limit
    transport.auth_timeout = transport.channel_timeout = limit
    try:
        transport.start_client(timeout=limit)
        shown = _shown_key(transport, limit)
    except IncompatiblePeer as error:
        raise Misconfigured(
            f"{where} has no cipher, key exchange or host key algorithm that we accept: {error}",
            next_action="have the server's owner enable current algorithms (AES-GCM or CTR, SHA-2, Ed25519), or "
            "set waiver with the weak ones and the reason",
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise NotSent(
            f"{where} did not complete the SSH handshake: {error or type(error).__name__}",
            next_action="see that an SSH server answers at that port and does not limit our address",
        ) from error
    if shown.asbytes() != pinned.asbytes():
        raise CredentialsRefused(
            f"{where} shows another host key: pinned is {pinned.get_name()} {pinned.fingerprint}, "
            f"shown was {shown.get_name()} {shown.fingerprint}; nothing was sent",
            next_action="ask the server's owner by another way whether it was changed; only then set host_key",
            code="host_key_changed",
            details={"pinned": pinned.fingerprint, "shown": shown.fingerprint},
        )


def _shown_key(transport: paramiko.Transport, limit: float) -> paramiko.PKey:
    """``start_client`` returns without complaint when its time is over."""
    if not transport.initial_kex_done:
        raise paramiko.SSHException(f"no answer within {limit:g} s")
    return transport.get_remote_server_key()


def _offer(transport: paramiko.Transport, pinned: paramiko.PKey, waiver: Waiver | None) -> None:
    """Nothing weak that is not waived. The pinned kind of host key is asked for first, so that a server with
    several shows that one."""
    weak = waiver.algorithms if waiver else []
    transport.set_log_channel(_LOG)
    options = transport.get_security_options()
    options.ciphers = _CIPHERS + tuple(name for name in weak if not name.startswith("hmac"))
    options.digests = _MACS + tuple(name for name in weak if name.startswith("hmac"))
    options.kex = tuple(name for name in options.kex if not name.endswith("sha1"))
    kind = "rsa-sha2" if pinned.get_name() == "ssh-rsa" else pinned.get_name()
    options.key_types = tuple(sorted(_HOST_KEYS, key=lambda name: not name.startswith(kind)))


def _authenticate(transport: paramiko.Transport, settings: SftpSettings, where: str) -> None:
    key = _private_key(settings, where)
    wanted: list[str] = []
    try:
        if key is not None:
            wanted = transport.auth_publickey(settings.user, key)
        if settings.password is not None and not transport.is_authenticated():
            wanted = transport.auth_password(settings.user, settings.password.get_secret_value())
    except paramiko.BadAuthenticationType as error:
        if settings.password is not None and "keyboard-interactive" in error.allowed_types:
            raise _refused(where, _WRONG) from error  # it asked, and was given the password
        raise _refused(where, f"it takes {', '.join(error.allowed_types)}") from error
    except paramiko.AuthenticationException as error:
        if not transport.is_active() or "timeout" in str(error).lower():
            raise _lost(where, error) from error
        raise _refused(where, _WRONG) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _lost(where, error) from error
    if not transport.is_authenticated():
        raise _refused(where, f"it wants {', '.join(wanted)} as well")


def _private_key(settings: SftpSettings, where: str) -> paramiko.PKey | None:
    try:
        return settings.private_key()
    except ValueError as error:
        raise Misconfigured(
            f"the key for {where} cannot be used: {error}",
            next_action="set key to a whole private key file and passphrase to its passphrase",
            field="key",
        ) from error


def _refused(where: str, why: str) -> CredentialsRefused:
    return CredentialsRefused(
        f"{where} refused to sign us in: {why}",
        next_action="see user, password and key of the connection, and whether the account is locked",
        code="authentication",
    )


def _lost(where: str, error: Exception) -> NotSent:
    return NotSent(
        f"{where} was lost while signing in: {error or type(error).__name__}",
        next_action="retried by itself; if it stays, see whether the server limits our address",
    )


def _open(transport: paramiko.Transport, settings: SftpSettings, where: str) -> Session:
    transport.set_keepalive(int(settings.keepalive.total_seconds()))
    try:
        channel = transport.open_session(timeout=settings.connect_timeout.total_seconds())
        channel.settimeout(settings.total_timeout.total_seconds())
        channel.invoke_subsystem("sftp")
        client = Client(channel)
    except paramiko.ChannelException as error:
        raise NotSent(f"{where} opens no further session: {error}") from error
    except (paramiko.SSHException, paramiko.SFTPError) as error:
        if not transport.is_active():
            raise _lost(where, error) from error
        raise Misconfigured(
            f"{where} signed us in but offers no SFTP: {error}",
            next_action="have the server's owner enable the sftp subsystem for this user",
        ) from error
    except (EOFError, OSError) as error:
        raise _lost(where, error) from error
    return Session(where, transport, client, settings.root, _weak(transport))


def _weak(transport: paramiko.Transport) -> tuple[str, ...]:
    """Algorithms in use, in either direction, that only a waiver lets through. GCM needs no MAC."""
    ciphers = {transport.local_cipher, transport.remote_cipher}  # type: ignore[attr-defined]
    macs = {transport.local_mac, transport.remote_mac}  # type: ignore[attr-defined]
    if all("gcm" in name for name in ciphers):
        macs = set()
    return tuple(sorted((ciphers | macs) - {*_CIPHERS, *_MACS}))


class Pool:
    """Signed-in sessions of one connection; a thread has one for itself. Broken ones are replaced: one that
    was idle for ``fresh`` seconds is asked for a sign of life before it is used again."""

    def __init__(self, settings: SftpSettings, log: Log, fresh: float = 5.0) -> None:
        self._settings = settings
        self._log = log
        self._fresh = fresh
        self._idle: list[tuple[float, Session]] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A live session for at most ``total_timeout``; then it is cut, and what it was doing fails as lost."""
        session = self._take() or self._signed_in()
        cut = threading.Timer(self._settings.total_timeout.total_seconds(), session.cut)
        cut.daemon = True
        cut.start()
        try:
            yield session
        finally:
            cut.cancel()
            self._give_back(session)

    def _signed_in(self) -> Session:
        session = sign_in(self._settings)
        if session.weak and self._settings.waiver:
            self._log.warning(
                "sftp_weak_algorithms",
                server=session.where,
                algorithms=", ".join(session.weak),
                waived_because=self._settings.waiver.reason,
            )
        return session

    def _take(self) -> Session | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                since, session = self._idle.pop()
            if session.alive and (time.monotonic() - since < self._fresh or self._answers(session)):
                return session
            session.close()

    def _answers(self, session: Session) -> bool:
        with suppress(OSError), session.within(self._settings.connect_timeout.total_seconds()):
            session.entry("")
            return True
        return False

    def _give_back(self, session: Session) -> None:
        with self._lock:
            if session.alive and not self._closed:
                self._idle.append((time.monotonic(), session))
                return
        session.close()

    def close(self) -> None:
        """Closes idle sessions; those in use are closed when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, session in idle:
            session.close()
