"""``orderly edifact``: read, write, check and show interchanges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, NoReturn

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.edifact import codec, schema
from connectors.edifact.events import GroupBegins, GroupEnds, InterchangeBegins, InterchangeEnds, LooseSegment
from connectors.edifact.lossless import Element, Segment, parts_of
from connectors.sdk import ConnectorError
from connectors.sdk.visible import visible

_FILE = click.argument("file", type=click.File("rb"))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@click.group("edifact")
def group() -> None:
    """EDIFACT interchanges: read, write, check, show. FILE may be - for standard input."""


@group.command("read")
@_FILE
@_JSON
@click.option("--named", is_flag=True, help="Messages by readable names instead of the lossless view.")
def read_file(file: BinaryIO, as_json: bool, named: bool) -> None:
    """Print an interchange as JSON. `read FILE --json | write -` gives the same bytes."""
    try:
        document = codec.read(file.read())
        shown: Any = _named(document) if named else document
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
@click.option("--ack", is_flag=True, help="Print the CONTRL that answers it instead of the faults.")
def check_file(file: BinaryIO, as_json: bool, strict: bool, ack: bool) -> None:
    """List every fault. Exit code 1 if there is any that rejects.

    With --json: {"ok": ..., "faults": [...]}, and with --ack "acknowledgements"; a problem document only for
    what cannot be read. The CONTRL is numbered 1, as nobody is sent it.
    """
    try:
        document = codec.read(file.read())
        checked = codec.examine(document, codec.Checks(strict=strict))
        answers = codec.acknowledgements(checked) if ack else []
        at, asked = datetime.now(UTC), document["interchanges"]
        raw = b"".join(codec.write(codec.reply(asked[one.interchange], one, "1", at)) for one in answers)
    except ConnectorError as error:
        _fail(error, as_json)
    found = [one for interchange in checked for one in interchange.all_faults()]
    ok = all(one.severity != "reject" for one in found)
    if as_json:
        told: dict[str, Any] = {"ok": ok, "faults": [one.as_json() for one in found]}
        click.echo(json.dumps(told | ({"acknowledgements": [one.document for one in answers]} if ack else {})))
    elif ack:
        click.echo(raw, nl=False)
    else:
        for one in found:
            click.echo(visible(f"{one.severity:6} {_place(one)}: {one.message} [{one.code}]"))
        if not found:
            click.echo("no faults")
    if not ok:
        raise click.exceptions.Exit(1)


@group.command("show")
@_FILE
@_JSON
def show_file(file: BinaryIO, as_json: bool) -> None:
    """Show an interchange segment by segment with the names of its elements, faults or not."""
    try:
        document = codec.read(file.read())
        found = codec.faults(document)
    except ConnectorError as error:
        _fail(error, as_json)
    segments = list(_segments(document))
    if as_json:
        click.echo(json.dumps({"segments": segments, "faults": len(found)}))
        return
    console = Console(highlight=False)
    for segment in segments:
        _show(console, segment)
    if found:
        many = "1 fault" if len(found) == 1 else f"{len(found)} faults"
        name = getattr(file, "name", "-")
        click.echo(f"{many}: `orderly edifact check {name}` lists them")


def _segments(document: codec.Document) -> Iterator[dict[str, Any]]:
    for event in codec.events_of(document):
        match event:
            case InterchangeBegins(interchange):
                if interchange["header"] is not None:
                    yield _named_segment(interchange["header"], schema.SERVICE)
            case codec.MessageRead(message):
                given, type = codec.directory(message), codec.message_type(message)
                directory = schema.nearest(given, type) or schema.DEFAULT_DIRECTORY
                for segment in message["segments"]:
                    yield _named_segment(segment, directory)
            case GroupBegins(one) | GroupEnds(one) | InterchangeEnds(one) | LooseSegment(one):
                if one is not None:
                    yield _named_segment(one, schema.SERVICE)


def _named_segment(segment: Segment, directory: str) -> dict[str, Any]:
    declared = schema.segment(segment["id"], directory)
    elements = [
        entry
        for number, element in enumerate(segment["elements"], 1)
        for entry in _named_element(element, number, declared)
    ]
    return {"id": segment["id"], "title": declared.title if declared else "not declared", "elements": elements}


def _named_element(
    element: Element, number: int, declared: schema.SegmentSchema | None
) -> Iterator[dict[str, str]]:
    position = declared.positions[number - 1] if declared and number <= len(declared.positions) else None
    repeated = element["repeat"] if isinstance(element, dict) else [element]
    for one in repeated:
        for part, text in enumerate(parts_of(one), 1):
            if not text:
                continue
            slot = position.slots[part - 1] if position and part <= len(position.slots) else None
            path = f"{number}" if position and not position.composite else f"{number}.{part}"
            yield {
                "path": path,
                "reference": slot.reference if slot else "",
                "name": slot.words if slot else "",
                "value": text,
            }


def _show(console: Console, segment: dict[str, Any]) -> None:
    console.print(Text(f"{segment['id']}  {segment['title']}", style="bold"))
    table = Table(show_header=False, box=None, padding=(0, 1))
    for element in segment["elements"]:
        table.add_row(
            f"  {element['path']}", element["reference"], element["name"], Text(visible(element["value"]))
        )
    console.print(table)


def _named(document: codec.Document) -> dict[str, Any]:
    return {
        "interchanges": [
            {
                "interchange_control_number": one.control_reference,
                "messages": [
                    {
                        "type": of.type,
                        "directory": of.directory,
                        "message_reference": of.reference,
                        "group_reference": within.reference,
                        "faults": [found.as_json() for found in of.faults],
                        "document": of.document,
                    }
                    for within in one.groups
                    for of in within.messages
                ],
                "faults": [found.as_json() for found in (*one.faults, *(f for g in one.groups for f in g.faults))],
            }
            for one in codec.examine(document)
        ]
    }


def _view(raw: bytes) -> Any:
    document = _parse(raw)
    if not (isinstance(document, dict) and document.get("interchanges")):
        raise codec.EdifactError(
            "this JSON holds no interchanges",
            code="no_interchanges",
            next_action="give the JSON that `orderly edifact read --json` prints, without --named",
        )
    return document


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise codec.EdifactError(
            f"this is no JSON: {error}",
            code="json_invalid",
            next_action="give the JSON that `orderly edifact read --json` prints",
        ) from None


def _place(one: codec.Fault) -> str:
    place = one.place
    parts = [
        f"{name} {value}"
        for name, value in (
            ("interchange", place.interchange),
            ("group", place.group),
            ("message", place.set),
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
