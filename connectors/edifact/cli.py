"""``orderly edifact``: read, write, check and show interchanges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

import click

from connectors.edifact import codec, printing
from connectors.edifact.answer import Answers
from connectors.edifact.shape import VIEW
from connectors.sdk.edi import Fault
from connectors.sdk.edi_commands import FILE, JSON, line_of, listing, print_segments, print_view, refusing, tally


@click.group("edifact")
def group() -> None:
    """EDIFACT interchanges: read, write, check, show. FILE may be - for standard input."""


@group.command("read")
@FILE
@JSON
@click.option("--named", is_flag=True, help="Messages by readable names instead of the lossless view.")
def read_file(file: BinaryIO, as_json: bool, named: bool) -> None:
    """Print an interchange as JSON. `read FILE --json | write -` gives the same bytes."""
    if named:
        print_view(lambda spool: printing.named(codec.examining(_events(file)), spool), as_json)
    else:
        print_view(lambda spool: printing.lossless(_events(file), spool), as_json)


@group.command("write")
@FILE
@JSON
def write_file(file: BinaryIO, as_json: bool) -> None:
    """Turn the lossless JSON view back into bytes on standard output."""
    with refusing(as_json):
        raw = codec.write(VIEW.parsed(file.read()))
    click.echo(raw, nl=False)


@group.command("check")
@FILE
@JSON
@click.option("--strict", is_flag=True, help="Treat warnings as rejections.")
@click.option("--ack", is_flag=True, help="Print the CONTRL that answers it instead of the faults.")
def check_file(file: BinaryIO, as_json: bool, strict: bool, ack: bool) -> None:
    """List every fault. Exit code 1 if there is any that rejects.

    The faults of a message come first, then those of its group, then those of its interchange. With --json:
    {"faults": [...], "ok": ...}, and with --ack "acknowledgements"; a problem document only for what cannot be
    read. The CONTRL is numbered 1, as nobody is sent it.
    """
    answers, raw = Answers(), b""

    def tell(found: Fault) -> None:
        if as_json:
            spool.put(found.as_json())
        elif not ack:
            click.echo(line_of(found, "message"))

    with listing("faults", as_json) as (spool, behind):
        events = answers.headed(_events(file)) if ack else _events(file)
        checked = codec.examining(events, codec.Checks(strict=strict))
        count, behind["ok"] = tally(answers.noted(checked) if ack else checked, tell)
        if ack:
            raw = answers.written(datetime.now(UTC))
            behind["acknowledgements"] = [one.document for one in answers.given()]
    if ack and not as_json:
        click.echo(raw, nl=False)
    elif not as_json and not count:
        click.echo("no faults")
    if not behind["ok"]:
        raise click.exceptions.Exit(1)


@group.command("show")
@FILE
@JSON
def show_file(file: BinaryIO, as_json: bool) -> None:
    """Show an interchange segment by segment with the names of its elements, faults or not."""
    print_segments(
        lambda show: codec.examining(printing.showing(_events(file), show)), as_json, "orderly edifact check", file
    )


def _events(file: BinaryIO) -> Iterator[codec.Event]:
    """The file as it streams: one message of it is in memory."""
    return codec.stream(codec.portions(file))
