"""``orderly x12``: read, write, check and show interchanges."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import BinaryIO

import click

from connectors.sdk.edi import Fault, Policy
from connectors.sdk.edi_commands import FILE, JSON, line_of, listing, print_segments, print_view, refusing, tally
from connectors.x12 import codec, printing
from connectors.x12.answer import Answers
from connectors.x12.showing import showing
from connectors.x12.writer import VIEW


@click.group("x12")
def group() -> None:
    """X12 interchanges: read, write, check, show. FILE may be - for standard input."""


@group.command("read")
@FILE
@JSON
@click.option("--named", is_flag=True, help="Transaction sets by readable names instead of the lossless view.")
def read_file(file: BinaryIO, as_json: bool, named: bool) -> None:
    """Print an interchange as JSON. `read FILE --json | write -` gives the same bytes."""
    view = printing.named if named else printing.lossless
    print_view(lambda spool: view(codec.stream(file), spool), as_json)


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
@click.option("--ack", is_flag=True, help="Print the TA1 and 997 that answer it; faults go to standard error.")
def check_file(file: BinaryIO, as_json: bool, strict: bool, ack: bool) -> None:
    """List every fault. Exit code 1 if there is any that rejects.

    With --json: {"ok": ..., "faults": [...]}, with --ack also "acknowledgement"; a problem document only for
    what cannot be read.
    """
    answers, answer = Answers(), b""

    def tell(found: Fault) -> None:
        if as_json:
            spool.put(found.as_json())
        else:
            click.echo(line_of(found, "set"), err=ack)

    with listing("faults", as_json) as (spool, behind):
        checked = codec.check(answers.headed(codec.stream(file)), Policy(strict=strict))
        count, behind["ok"] = tally(answers.noted(checked), tell)
        if ack:
            answer = answers.written(datetime.now(UTC))
            behind["acknowledgement"] = answer.decode()
    if not as_json:
        if not count:
            click.echo("no faults", err=ack)
        click.echo(answer, nl=False)
    if not behind["ok"]:
        raise click.exceptions.Exit(1)


@group.command("show")
@FILE
@JSON
def show_file(file: BinaryIO, as_json: bool) -> None:
    """Show an interchange segment by segment with the names of its elements, faults or not."""
    print_segments(lambda show: codec.check(showing(codec.stream(file), show)), as_json, "orderly x12 check", file)
