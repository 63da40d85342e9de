"""The sender's side: one message out, its acknowledgement back."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from connectors.hl7.codec import Answer, Hl7Error, answer, read
from connectors.mllp.answers import answers_an_application
from connectors.mllp.framing import Deframer, Frame, Oversize, frame
from connectors.sdk import CredentialsRefused, NotSent, OutcomeUnknown

_MAX_ANSWER = 1_000_000
#: Alerts of a peer that did not let us in: it has read nothing (RFC 8446, 6.2).
_ABOUT_CERTIFICATES = ("CERT", "UNKNOWN_CA")
#: Takes an answer to another message away and says so.
Aside = Callable[[bytes], bool]


def _nothing_aside(reply: bytes) -> bool:
    return False


class Sender:
    """A persistent connection to an MLLP listener, for one thread.

    After any error but a negative acknowledgement the connection is closed, so that a late acknowledgement is
    never taken for the next message's.
    """

    def __init__(self, host: str, port: int, timeout: float = 10.0, tls: ssl.SSLContext | None = None) -> None:
        """Connects. Raises ``NotSent`` where nobody answers there or the TLS handshake is broken off,
        ``CredentialsRefused`` where one side does not trust the other's certificate; ``timeout`` is in seconds."""
        self._where, self._timeout, self._tls = f"{host}:{port}", timeout, tls is not None
        self._heard = False
        try:
            self._socket = socket.create_connection((host, port), timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self._socket = self._secured(tls, host)
        except ssl.SSLError as error:
            raise _not_trusted(self._where, error) from error
        except OSError as error:
            raise NotSent(
                f"no connection to {self._where}: {error}", next_action="see whether its listener is running"
            ) from error
        self._deframer = Deframer(_MAX_ANSWER)
        self._answers: list[bytes] = []

    def _secured(self, tls: ssl.SSLContext, host: str) -> socket.socket:
        """After the handshake; nothing was sent before it."""
        try:
            return tls.wrap_socket(self._socket, server_hostname=host)
        except (ssl.SSLEOFError, ConnectionError) as error:
            raise NotSent(
                f"{self._where} closed the connection during the TLS handshake, nothing was sent: {error}",
                next_action="ask there whether that port speaks TLS, and whether it wants a client certificate",
            ) from error

    def exchange(self, message: bytes, aside: Aside = _nothing_aside) -> bytes:
        """Sends one message and returns the bytes of its first acknowledgement.

        ``aside`` is asked about what answers another message; what it takes away is passed over. Raises
        ``OutcomeUnknown`` where the answer does not come in time, or is no acknowledgement of this message, and
        ``CredentialsRefused`` where the peer does not trust our certificate after all (TLS 1.3 tells so after the
        handshake).
        """
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(frame(message))
            return self._answer_to(message, self._timeout, aside)
        except OSError as error:
            self.close()
            if isinstance(error, ssl.SSLError) and any(
                word in (error.reason or "") for word in _ABOUT_CERTIFICATES
            ):
                raise _not_trusted(self._where, error) from error
            raise self._unacknowledged(error) from error

    def _unacknowledged(self, error: OSError) -> OutcomeUnknown:
        """A peer that hangs up before it ever said anything may not have understood us at all. It may as well have
        stored the message and died, so the outcome stays unknown."""
        if self._heard or not isinstance(error, ssl.SSLEOFError | ConnectionError):
            return OutcomeUnknown(
                f"{self._where} did not acknowledge the message: {error or 'time is up'}",
                next_action="ask there whether it arrived, or send it again with the same MSH-10",
            )
        when, doubt = "just after it was made", "speaks TLS"
        if self._tls:
            when, doubt = "just after the TLS handshake", "wants a client certificate, or another one"
        return OutcomeUnknown(
            f"{self._where} closed the connection {when}, without any answer: {error}",
            next_action=f"ask there whether that port {doubt}: then nothing arrived; else ask whether the message "
            "arrived, or send it again with the same MSH-10",
        )

    def application_answer(self, message: bytes, within: float, aside: Aside = _nothing_aside) -> bytes | None:
        """The application acknowledgement that follows CA as a message of its own (HL7 v2.5.1, 2.9.3.2), by MSA-2;
        ``None`` where it does not come within so many seconds. The connection stays as long as the peer keeps it:
        the answer may come later, or on another one."""
        sent, deadline = read(message).control_id, time.monotonic() + within
        try:
            while True:
                reply = self._receive(deadline, within)
                said = application(reply)
                if said is not None and said.control_id == sent:
                    return reply
                aside(reply)
        except TimeoutError:
            return None
        except OSError:
            self.close()
            return None

    def _answer_to(self, message: bytes, within: float, aside: Aside) -> bytes:
        deadline = time.monotonic() + within
        while True:
            reply = self._receive(deadline, within)
            why = _foreign(message, reply)
            if not why:
                return reply
            if aside(reply):
                continue
            self.close()
            raise OutcomeUnknown(
                f"{self._where} {why}",
                next_action="ask there whether it arrived, or send it again with the same MSH-10",
            )

    def write(self, data: bytes) -> None:
        """Sends bytes as they are, framed or not."""
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """The next acknowledgement. Raises ``OSError`` where none comes in time."""
        return self._receive(time.monotonic() + self._timeout, self._timeout)

    def _receive(self, deadline: float, within: float) -> bytes:
        while not self._answers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer within {within:g} s")
            self._socket.settimeout(left)
            data = self._socket.recv(65536)
            self._take(data)
        return self._answers.pop(0)

    def _take(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("the connection was closed before the answer")
        self._heard = True
        for event in self._deframer.feed(data):
            if isinstance(event, Oversize):
                raise ConnectionResetError("the answer is larger than 1 MB")
            if isinstance(event, Frame):
                self._answers.append(event.content)

    def unasked(self) -> list[bytes]:
        """Takes what lies here that nobody waits for, without waiting. Closed where the peer hung up."""
        try:
            while True:
                self._socket.settimeout(0.0)
                self._take(self._socket.recv(65536))
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError:
            self.close()
        taken, self._answers = self._answers, []
        return taken

    @property
    def inside(self) -> bool:
        """True in the middle of an answer."""
        return self._deframer.inside

    @property
    def closed(self) -> bool:
        return self._socket.fileno() < 0

    def close(self) -> None:
        """Hangs up; may be called twice."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def application(reply: bytes) -> Answer | None:
    """What an application acknowledgement that names its message says; ``None`` for anything else."""
    try:
        message = read(reply)
        return answer(message) if answers_an_application(message) else None
    except Hl7Error:
        return None


def _foreign(message: bytes, reply: bytes) -> str:
    """Why the reply is no answer to the message, or nothing. A negative answer without MSA-2 is from a peer that
    could not read the message it answers."""
    try:
        sent = read(message).control_id
    except Hl7Error:
        return ""
    try:
        said = answer(read(reply))
    except Hl7Error as error:
        return f"answered with what is no acknowledgement ({error.message})"
    if said.control_id == sent or not (said.control_id or said.positive):
        return ""
    return f"acknowledged {said.control_id!r} instead of {sent!r}"


def _not_trusted(where: str, error: ssl.SSLError) -> CredentialsRefused:
    return CredentialsRefused(
        f"no TLS with {where}: {getattr(error, 'verify_message', '') or error.reason or error}",
        next_action="see whether it speaks TLS, and whose certificates each side trusts",
    )


def send(host: str, port: int, message: bytes, timeout: float = 10.0, tls: ssl.SSLContext | None = None) -> bytes:
    """Connects, sends one message, returns its acknowledgement's bytes. Raises like ``Sender``."""
    with Sender(host, port, timeout, tls) as sender:
        return sender.exchange(message)
