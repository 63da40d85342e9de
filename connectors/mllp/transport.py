"""The sender's side: one message out, its acknowledgement back."""

from __future__ import annotations

import socket
import ssl
import time
from types import TracebackType
from typing import Self

from connectors.hl7.codec import Hl7Error, answer, read
from connectors.mllp.framing import Deframer, Frame, Oversize, frame
from connectors.sdk import CredentialsRefused, NotSent, OutcomeUnknown

_MAX_ANSWER = 1_000_000


class Sender:
    """A persistent connection to an MLLP listener, for one thread.

    After any error but a negative acknowledgement the connection is closed, so that a late acknowledgement is
    never taken for the next message's.
    """

    def __init__(self, host: str, port: int, timeout: float = 10.0, tls: ssl.SSLContext | None = None) -> None:
        """Connects. Raises ``NotSent`` where nobody answers there, ``CredentialsRefused`` where one side does not
        trust the other's certificate; ``timeout`` is in seconds."""
        self._where, self._timeout = f"{host}:{port}", timeout
        try:
            self._socket = socket.create_connection((host, port), timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLError as error:
            raise _not_trusted(self._where, error) from error
        except OSError as error:
            raise NotSent(
                f"no connection to {self._where}: {error}", next_action="see whether its listener is running"
            ) from error
        self._deframer = Deframer(_MAX_ANSWER)
        self._answers: list[bytes] = []

    def exchange(self, message: bytes) -> bytes:
        """Sends one message and returns the bytes of its acknowledgement.

        Raises ``OutcomeUnknown`` where the answer does not come in time, or is no acknowledgement of this
        message, and ``CredentialsRefused`` where the peer does not trust our certificate after all (TLS 1.3 tells
        so after the handshake).
        """
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(frame(message))
            reply = self._receive(time.monotonic() + self._timeout)
        except OSError as error:
            self.close()
            if isinstance(error, ssl.SSLError) and "CERT" in (error.reason or ""):
                raise _not_trusted(self._where, error) from error
            raise OutcomeUnknown(
                f"{self._where} did not acknowledge the message: {error or 'time is up'}",
                next_action="ask there whether it arrived, or send it again with the same MSH-10",
            ) from error
        self._match(message, reply)
        return reply

    def write(self, data: bytes) -> None:
        """Sends bytes as they are, framed or not."""
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """The next acknowledgement. Raises ``OSError`` where none comes in time."""
        return self._receive(time.monotonic() + self._timeout)

    def _receive(self, deadline: float) -> bytes:
        while not self._answers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer within {self._timeout} s")
            self._socket.settimeout(left)
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError("the connection was closed before the answer")
            for event in self._deframer.feed(data):
                if isinstance(event, Oversize):
                    raise ConnectionResetError("the answer is larger than 1 MB")
                if isinstance(event, Frame):
                    self._answers.append(event.content)
        return self._answers.pop(0)

    def _match(self, message: bytes, reply: bytes) -> None:
        """A negative answer without MSA-2 is from a peer that could not read the message it answers."""
        try:
            sent, said = read(message).control_id, None
        except Hl7Error:
            return
        try:
            said = answer(read(reply))
        except Hl7Error as error:
            why = f"answered with what is no acknowledgement ({error.message})"
        else:
            if said.control_id == sent or not (said.control_id or said.positive):
                return
            why = f"acknowledged {said.control_id!r} instead of {sent!r}"
        self.close()
        raise OutcomeUnknown(
            f"{self._where} {why}",
            next_action="ask there whether it arrived, or send it again with the same MSH-10",
        )

    def stale(self) -> bool:
        """Whether the peer hung up, or something lies here that nobody waits for; looks without waiting."""
        if self._answers or self._deframer.inside:
            return True
        try:
            self._socket.settimeout(0.0)
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            pass
        return True

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


def _not_trusted(where: str, error: ssl.SSLError) -> CredentialsRefused:
    return CredentialsRefused(
        f"no TLS with {where}: {getattr(error, 'verify_message', '') or error.reason or error}",
        next_action="see whether it speaks TLS, and whose certificates each side trusts",
    )


def send(host: str, port: int, message: bytes, timeout: float = 10.0, tls: ssl.SSLContext | None = None) -> bytes:
    """Connects, sends one message, returns its acknowledgement's bytes. Raises like ``Sender``."""
    with Sender(host, port, timeout, tls) as sender:
        return sender.exchange(message)
