"""``orderly hl7 send`` and ``orderly hl7 listen``: the first day's tools of an integrator."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click
import structlog

from connectors.hl7.codec import Answer, Batch, Message, answer, read
from connectors.mllp.answers import asks_for_both, asks_for_success, silence_is_success
from connectors.mllp.framing import frame
from connectors.mllp.listener import Listener
from connectors.mllp.settings import MllpSettings
from connectors.mllp.tls import Tls
from connectors.mllp.transport import Sender
from connectors.sdk import Arrival, ConnectorError, Receipt

_LONGEST = 1_000_000_000
_certificate = click.option(
    "--certificate", type=click.Path(exists=True), help="our certificate with its private key (PEM)"
)
_authorities = click.option(
    "--authorities", type=click.Path(exists=True), help="authorities the peer's certificate must be from (PEM)"
)
_charset = click.option("--charset", help="character set; goes before MSH-18")


@click.command("send")
@click.argument("peer", metavar="HOST:PORT")
@click.argument("file", type=click.File("rb"))
@click.option("--tls", is_flag=True, help="speak TLS")
@_certificate
@_authorities
@_charset
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(min=0.1), help="in seconds")
def send_command(
    peer: str, file: BinaryIO, tls: bool, certificate: str | None, authorities: str | None,
    charset: str | None, timeout: float,
) -> None:  # fmt: skip
    """Send each message of FILE to HOST:PORT over one connection and print what is answered.

    Exit 1 where a message is not answered AA or CA; none is sent after it. Where MSH-15 and MSH-16 ask for no
    answer, or a message is itself an acknowledgement, none is waited for; where they ask for both, both are.
    """
    host, port = _peer(peer)
    try:
        settings = MllpSettings(host=host, port=port, tls=tls, certificate=certificate, authorities=authorities)
        context = Tls(settings, "client").context() if tls else None
        with Sender(host, port, timeout, context) as sender:
            sent = _send_all(sender, Batch(file, charset, longest=_LONGEST), timeout)
    except ConnectorError as error:
        raise _failed(error) from error
    if not sent:
        raise SystemExit(_say("there is no message in this file"))


def _peer(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.UsageError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _send_all(sender: Sender, batch: Batch, timeout: float) -> int:
    """How many were sent. Batch headers stay here: MLLP carries messages."""
    sent = 0
    for part in batch:
        if part.fault is not None:
            raise part.fault
        if part.kind == "MSH" and part.message is not None:
            _exchange(sender, part.message, _bare(part.raw), timeout)
            sent += 1
    return sent


def _exchange(sender: Sender, message: Message, raw: bytes, timeout: float) -> None:
    """Prints what is answered. Exit 1 where that is not positive."""
    if not asks_for_success(message):
        sender.write(frame(raw))
        click.echo(f"-- {message.control_id}: sent; it asks for no answer")
        return
    said = _printed(message, sender.exchange(raw))
    if said.code == "CA" and asks_for_both(message):
        _application(sender, message, raw, timeout)


def _application(sender: Sender, message: Message, raw: bytes, timeout: float) -> None:
    """Where MSH-16 asks for an application acknowledgement as well."""
    reply = sender.application_answer(raw, timeout)
    if reply is not None:
        _printed(message, reply)
    elif not silence_is_success(message):
        told = (
            f"no application acknowledgement of {message.control_id} came on this connection within {timeout:g} s"
        )
        raise SystemExit(_say(f"{told}\nMSH-16 asks for one; see whether it comes on a connection of its own"))


def _printed(message: Message, reply: bytes) -> Answer:
    said = answer(read(reply))
    reasons = dict.fromkeys(reason for reason in (said.text, said.diagnostic) if reason)
    click.echo(": ".join((f"{said.code} {said.control_id or message.control_id}", *reasons)))
    if not said.positive:
        raise SystemExit(1)
    return said


def _bare(raw: bytes) -> bytes:
    """Without the MLLP bytes that a dump has around it: they would end the frame."""
    return raw.removeprefix(b"\x0b").rstrip(b"\x1c\r\n\x00") + b"\r"


@click.command("listen")
@click.argument("port", type=click.IntRange(0, 65535))
@click.option("--print", "as_text", is_flag=True, help="print each message with a line per segment")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="keep each message as a file here")
@click.option("--host", default="127.0.0.1", show_default=True, help="address to listen on")
@click.option("--tls", is_flag=True, help="speak TLS")
@_certificate
@_authorities
@_charset
@click.option("--count", type=click.IntRange(min=1), help="stop after so many messages")
def listen_command(
    port: int, as_text: bool, into: Path | None, host: str, tls: bool, certificate: str | None,
    authorities: str | None, charset: str | None, count: int | None,
) -> None:  # fmt: skip
    """Listen on PORT and answer each message AA until interrupted. Nothing is kept without --into."""
    log = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    inbox = _Inbox(as_text, into, count, charset)
    try:
        settings = MllpSettings(
            host=host, port=port, tls=tls, certificate=certificate, authorities=authorities, charset=charset
        )
        listener = Listener(settings, inbox, log, lambda: datetime.now(UTC))
    except ConnectorError as error:
        raise _failed(error) from error
    click.echo(f"listening on {listener.address}", err=True)
    try:
        inbox.full.wait()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        listener.close()


class _Inbox:
    """Takes messages from any number of connections; ``full`` after ``count`` of them."""

    def __init__(self, as_text: bool, into: Path | None, count: int | None, charset: str | None) -> None:
        self._charset = charset
        self._as_text, self._into, self._left = as_text, into, count
        self._lock = threading.Lock()
        self._taken = 0
        self.full = threading.Event()
        if into is not None:
            into.mkdir(mode=0o700, parents=True, exist_ok=True)

    def __call__(self, arrival: Arrival) -> Receipt:
        with self._lock:
            self._taken += 1
            if self._into is not None:
                self._keep(arrival.raw)
            click.echo(
                f"{arrival.headers['peer']} {arrival.headers['message_type']} {arrival.headers['control_id']}"
            )
            if self._as_text:
                click.echo("\n".join(segment.text for segment in read(arrival.raw, self._charset).segments) + "\n")
            if self._left == self._taken:
                self.full.set()
        return Receipt("accepted")

    def _keep(self, raw: bytes) -> None:
        assert self._into is not None
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        path = self._into / f"{stamp}-{self._taken}.hl7"
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(raw)


def _failed(error: ConnectorError) -> SystemExit:
    return SystemExit(_say(f"{error.message}\n{error.next_action}"))


def _say(text: str) -> int:
    click.echo(f"error: {text}", err=True)
    return 1
