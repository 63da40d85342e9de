"""``orderly hl7``: look at a message, check it, and turn it into JSON and back."""

from __future__ import annotations

import io
import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Any, BinaryIO

import click

from connectors.hl7 import names
from connectors.hl7.check import check as findings_of
from connectors.hl7.codec import NULL, Batch, Finding, Hl7Error, Message, Part, build, read, view, write
from connectors.hl7.structure import violations
from connectors.hl7.unused import unused
from connectors.sdk.visible import visible

_file = click.argument("file", type=click.File("rb"))
_charset = click.option("--charset", help="character set of the file; goes before MSH-18")
_json = click.option("--json", "as_json", is_flag=True, help="one JSON document on standard output")


class _Verbs(click.Group):
    """Also those that other connectors bring: the one that speaks MLLP sends and listens."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *sorted(_brought().names)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _brought().names:
            return own
        return _brought()[cmd_name].load()  # type: ignore[no-any-return]


def _brought() -> EntryPoints:
    return entry_points(group="orderly.commands.hl7")


@click.group(cls=_Verbs)
def command() -> None:
    """HL7 v2 messages: read, write, check, show; send and listen over MLLP."""


@command.command("read")
@_file
@_charset
@_json
def read_command(file: BinaryIO, charset: str | None, as_json: bool) -> None:
    """Print the message in FILE as the JSON that mappings read; of a batch, its parts in order."""
    _print_json(_guarded(lambda: _whole(file.read(), charset), as_json))


def _whole(raw: bytes, charset: str | None) -> dict[str, Any]:
    batch = Batch(io.BytesIO(raw), charset, longest=max(1, len(raw)))
    parts = list(batch)
    if len(parts) < 2 and (not parts or parts[0].kind in ("MSH", "")):
        return view(read(raw, charset), exact=True)
    return {"warnings": list(batch.warnings), "parts": [_part(part) for part in parts]}


def _part(part: Part) -> dict[str, Any]:
    """A message as its view, everything else as its bytes."""
    said: dict[str, Any] = {"kind": part.kind, "offset": part.offset}
    if part.kind == "MSH" and part.message is not None:
        return said | {"message": view(part.message, exact=True)}
    if part.fault is not None:
        said["fault"] = {"field": part.fault.field, "code": part.fault.code, "message": part.fault.message}
    return said | {"raw": b64encode(part.raw).decode()}


@command.command("write")
@_file
@_json
def write_command(file: BinaryIO, as_json: bool) -> None:
    """Print the message that the JSON in FILE means, in the format of `read`."""
    whole = _guarded(lambda: _json_object(file.read()), as_json)
    sys.stdout.buffer.write(_guarded(lambda: _written(whole), as_json))
    sys.stdout.buffer.flush()


def _written(whole: dict[str, Any]) -> bytes:
    if "parts" not in whole:
        return write(build(whole))
    parts = whole["parts"] if isinstance(whole["parts"], list) else [None]
    written = []
    for at, part in enumerate(parts):
        try:
            written.append(
                write(build(part["message"])) if "message" in part else b64decode(part["raw"], validate=True)
            )
        except (TypeError, KeyError, ValueError) as error:
            raise Hl7Error(
                "a part has a message, or its bytes as raw in base64",
                field=f"/parts/{at}",
                next_action="give the JSON that `orderly hl7 read` prints",
            ) from error
    return b"".join(written)


@command.command("check")
@_file
@_charset
@click.option("--structure", is_flag=True, help="also by the standard's structures, on a copy, with hl7apy (slow)")
@_json
def check_command(file: BinaryIO, charset: str | None, structure: bool, as_json: bool) -> None:
    """Say what is wrong or unusual in FILE; exit 1 where something is wrong.

    With --json: {"ok": ..., "findings": [...]}; a problem document only for what cannot be read. Of a batch each
    finding says which message, counted from 1, it is in.
    """
    raw = file.read()
    batch = Batch(io.BytesIO(raw), charset, longest=max(1, len(raw)))
    parts = list(batch)
    if len(parts) < 2:
        message = _guarded(lambda: read(raw, charset), as_json)
        parts = [Part("MSH", raw, 0, message)]
    findings = [
        *_findings(parts, structure),
        *(Finding("warning", "batch", said, "100") for said in batch.warnings),
    ]
    ok = not any(finding.severity == "error" for finding in findings)
    read_as = next(
        ((part.message.charset, part.message.charset_source) for part in parts if part.message), ("", "")
    )
    if as_json:
        whole = {"ok": ok, "charset": read_as[0], "charset_source": read_as[1]}
        _print_json(whole | {"findings": [finding.as_json() for finding in findings]})
    else:
        for finding in findings:
            click.echo(visible(f"{finding.severity}: {finding.where}: {finding.message}"))
        segments = sum(len(part.message.segments) if part.message else 1 for part in parts)
        click.echo(f"{_count(segments, 'segment')}, {_count(len(findings), 'finding')}, read as {read_as[0]}")
    if not ok:
        raise SystemExit(1)


def _findings(parts: list[Part], structure: bool) -> Iterator[Finding]:
    number = 0
    for part in parts:
        number += part.kind == "MSH"
        at = f"message {number}: " if len(parts) > 1 else ""
        if part.fault is not None:
            yield Finding("error", f"{at}{part.fault.field}", part.fault.message, part.fault.code)
        elif part.message is not None and part.kind == "MSH":
            found = [*findings_of(part.message), *(violations(part.message) if structure else ())]
            yield from (replace(finding, where=at + finding.where) for finding in found)


@command.command("unused")
@_file
@click.option(
    "--mapping", "mappings", required=True, multiple=True, type=click.Path(exists=True, path_type=Path),
    help="a mapping's folder or JSONata file; may be given several times",
)  # fmt: skip
@_charset
@_json
def unused_command(file: BinaryIO, mappings: tuple[Path, ...], charset: str | None, as_json: bool) -> None:
    """List the segments and fields of the message in FILE that none of the mappings makes use of.

    The mappings are run: used is what they ask for by place, and what their result would differ without.
    """
    sources = [(path / "mapping.jsonata" if path.is_dir() else path).read_text("utf-8") for path in mappings]
    found = _guarded(lambda: unused(read(file.read(), charset), sources), as_json)
    if as_json:
        _print_json(asdict(found))
        return
    for place in (*found.segments, *found.fields):
        click.echo(place)
    for code in found.stopped:
        click.echo(f"a mapping stopped with {code}: what it reads after that is listed as unused", err=True)
    if found.stand_ins:
        click.echo(f"not there outside a running system: {', '.join(found.stand_ins)}", err=True)


@command.command("show")
@_file
@_charset
@_json
def show_command(file: BinaryIO, charset: str | None, as_json: bool) -> None:
    """Print every value in FILE with its place and the standard's name for the field."""
    message = _guarded(lambda: read(file.read(), charset), as_json)
    rows = _rows(message)
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        click.echo(visible(f"{row['path']:<16} {row['name']:<36} {row['value']}"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _rows(message: Message) -> list[dict[str, Any]]:
    version = (message.get("MSH-12") if message.text.startswith("MSH") else None) or names.USUAL
    seen: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    for segment in message.segments:
        at = seen[segment.id] = seen.get(segment.id, -1) + 1
        for place, value in segment.leaves():
            number = int(place.split(".")[0].split("[")[0])
            name = names.field_name(version, segment.id, number)
            value = "(null)" if value == NULL else value
            rows.append({"path": f"{segment.id}[{at}]-{place}", "name": name, "value": value})
    return rows


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        whole = json.loads(raw)
    except ValueError as error:
        raise Hl7Error(
            f"this is not JSON: {error}", field="", next_action="give the JSON that `orderly hl7 read` prints"
        ) from error
    if not isinstance(whole, dict):
        raise Hl7Error(
            "this JSON is not an object", field="", next_action="give the JSON that `orderly hl7 read` prints"
        )
    return whole


def _guarded(action: Any, as_json: bool) -> Any:
    """The action's result, or exit 1 with a sentence on standard error; where a program reads, with a problem
    document (RFC 9457) on standard output too."""
    try:
        return action()
    except Hl7Error as error:
        if as_json:
            problem = {"type": "about:blank", "title": "Unreadable HL7 message", "detail": error.message}
            _print_json(problem | {"field": error.field, "code": error.code, "next_action": error.next_action})
        place = f"{error.field}: " if error.field else ""
        click.echo(f"error: {place}{error.message}\n{error.next_action}", err=True)
        raise SystemExit(1) from error


def _print_json(whole: Any) -> None:
    click.echo(json.dumps(whole, ensure_ascii=False, indent=2))
