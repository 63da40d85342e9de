"""``orderly x12``: read, write, check and show interchanges."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, BinaryIO, NoReturn

import click
from rich.console import Console

from connectors.sdk import ConnectorError
from connectors.sdk.edi import Policy
from connectors.sdk.visible import visible
from connectors.x12 import codec
from connectors.x12.answer import Answers
from connectors.x12.examine import gather
from connectors.x12.showing import Spool, print_segment, showing

_FILE = click.argument("file", type=click.File("rb"))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@click.group("x12")
def group() -> None:
    """X12 interchanges: read, write, check, show. FILE may be - for standard input."""


@group.command("read")
@_FILE
@_JSON
@click.option("--named", is_flag=True, help="Transaction sets by readable names instead of the lossless view.")
def read_file(file: BinaryIO, as_json: bool, named: bool) -> None:
    """Print an interchange as JSON. `read FILE --json | write -` gives the same bytes."""
    try:
        shown: Any = _named(file) if named else codec.read(file)
    except ConnectorError as error:
        _fail(error, as_json)
    click.echo(json.dumps(shown, indent=None if as_json else 2, ensure_ascii=as_json))


@group.command("write")
@_FILE
@_JSON
def write_file(file: BinaryIO, as_json: bool) -> None:
    """Turn the lossless JSON view back into bytes on standard output."""
    try:
        raw = codec.write(_view(file.read()))
    except ConnectorError as error:
        _fail(error, as_json)
    click.echo(raw, nl=False)


@group.command("check")
@_FILE
@_JSON
@click.option("--strict", is_flag=True, help="Treat warnings as rejections.")
@click.option("--ack", is_flag=True, help="Print the TA1 and 997 that answer it; faults go to standard error.")
def check_file(file: BinaryIO, as_json: bool, strict: bool, ack: bool) -> None:
    """List every fault. Exit code 1 if there is any that rejects.

    With --json: {"ok": ..., "faults": [...]}, with --ack also "acknowledgement"; a problem document only for
    what cannot be read.
    """
    answers = Answers()
    count, ok = 0, True
    with Spool("faults") as spool:
        try:
            for one in answers.noted(codec.check(answers.headed(codec.stream(file)), Policy(strict=strict))):
                for found in one.faults:
                    count, ok = count + 1, ok and found.severity != "reject"
                    if as_json:
                        spool.add(found.as_json())
                    else:
                        click.echo(
                            visible(f"{found.severity:6} {_place(found)}: {found.message} [{found.code}]"), err=ack
                        )
            answer = answers.written(datetime.now(UTC)) if ack else b""
        except ConnectorError as error:
            _fail(error, as_json)
        if as_json:
            spool.print({"ok": ok} | ({"acknowledgement": answer.decode()} if ack else {}))
    if not as_json and not count:
        click.echo("no faults", err=ack)
    if not as_json:
        click.echo(answer, nl=False)
    if not ok:
        raise click.exceptions.Exit(1)


@group.command("show")
@_FILE
@_JSON
def show_file(file: BinaryIO, as_json: bool) -> None:
    """Show an interchange segment by segment with the names of its elements, faults or not."""
    console = Console(highlight=False)
    with Spool("segments") as spool:
        show = spool.add if as_json else lambda segment: print_segment(console, segment)
        try:
            count = sum(len(one.faults) for one in codec.check(showing(codec.stream(file), show)))
        except ConnectorError as error:
            _fail(error, as_json)
        if as_json:
            spool.print({"faults": count})
    if count and not as_json:
        many = "1 fault" if count == 1 else f"{count} faults"
        click.echo(f"{many}: `orderly x12 check {file.name}` lists them")


def _named(file: BinaryIO) -> dict[str, Any]:
    return {
        "interchanges": [
            {
                "interchange_control_number": one.control_number,
                "sets": [
                    {
                        "type": of.type,
                        "set_control_number": of.control_number,
                        "group_control_number": within.control_number,
                        "functional_identifier": within.functional_identifier,
                        "faults": [found.as_json() for found in of.faults],
                        "document": of.document,
                    }
                    for within in one.groups
                    for of in within.sets
                ],
                "faults": [found.as_json() for found in (*one.faults, *(f for g in one.groups for f in g.faults))],
            }
            for one in gather(codec.check(codec.stream(file)))
        ]
    }


def _view(raw: bytes) -> Any:
    document = _parse(raw)
    if not (isinstance(document, dict) and document.get("interchanges")):
        raise codec.X12Error(
            "this JSON holds no interchanges",
            code="no_interchanges",
            next_action="give the JSON that `orderly x12 read --json` prints, without --named",
        )
    return document


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise codec.X12Error(
            f"this is no JSON: {error}",
            code="json_invalid",
            next_action="give the JSON that `orderly x12 read --json` prints",
        ) from None


def _place(one: codec.Fault) -> str:
    place = one.place
    parts = [
        f"{name} {value}"
        for name, value in (
            ("interchange", place.interchange),
            ("group", place.group),
            ("set", place.set),
            ("segment", one.segment),
        )
        if value is not None
    ]
    return ", ".join(parts) or "file"


def _fail(error: ConnectorError, as_json: bool) -> NoReturn:
    problem = {
        "type": "about:blank",
        "title": "the input cannot be processed",
        "detail": error.message,
        "code": error.code or None,
        "next_action": error.next_action,
        **error.details,
    }
    if as_json:
        click.echo(json.dumps({key: value for key, value in problem.items() if value is not None}))
    click.echo(visible(f"error: {error.message}\n{error.next_action}"), err=True)
    raise click.exceptions.Exit(1)
