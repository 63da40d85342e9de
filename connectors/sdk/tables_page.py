"""The reference page of declared tables, from the same declaration that reads, checks and writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A segment at its place: where the named view has it, whether it must be given, how often it may be."""

    name: str
    segment: str
    mandatory: bool
    maximum: str
    note: str = ""


@dataclass(frozen=True)
class Described:
    """A document or a segment. ``lines`` are what is said of it beside its rows."""

    name: str
    title: str
    lines: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Edition:
    """A version of a standard. ``base`` is the version that it derives from, or empty."""

    name: str
    base: str
    documents: Mapping[str, Described]
    segments: Mapping[str, Described]


def page(title: str, kind: str, how: str, editions: Sequence[Edition]) -> str:
    """Markdown. Of a version that derives from another only what differs is told."""
    return "\n\n".join(_parts(title, kind, how, editions)) + "\n"


def _parts(title: str, kind: str, how: str, editions: Sequence[Edition]) -> Iterator[str]:
    yield f"# {title}"
    yield f"Written by `make generate` from the tables under `sets/`. {how}"
    yield _overview(kind, editions)
    by_name = {one.name: one for one in editions}
    for edition in editions:
        base = by_name.get(edition.base)
        for name, document in sorted(edition.documents.items()):
            told = base.documents.get(name) if base else None
            yield from _document(edition, document, told)
        yield f"## Segments of {edition.name}"
        if base is not None:
            yield f"Those that are not told here are as in {base.name}."
        for name, segment in sorted(edition.segments.items()):
            if base is None or base.segments.get(name) != segment:
                yield f"**{name}** {segment.title}: " + "; ".join(segment.lines) + "."


def _overview(kind: str, editions: Sequence[Edition]) -> str:
    lines = [
        f"| {kind} | Title | {' | '.join(one.name for one in editions)} |",
        "|---|---|" + "---|" * len(editions),
    ]
    titles = {name: one.title for edition in editions for name, one in edition.documents.items()}
    for name in sorted(titles):
        has = ("yes" if name in edition.documents else "" for edition in editions)
        lines.append(f"| {name} | {titles[name]} | {' | '.join(has)} |")
    return "\n".join(lines)


def _document(edition: Edition, document: Described, base: Described | None) -> Iterator[str]:
    heading = f"## {document.name} {document.title}, {edition.name}"
    if base is None:
        yield heading
        if document.lines:
            yield "\n".join(f"- {line}" for line in document.lines)
        yield _table(document.rows)
        return
    rows, before = set(document.rows), {row.name: row for row in base.rows}
    changed = [row for row in document.rows if before.get(row.name) != row]
    gone = [row.name for row in base.rows if row.name not in {one.name for one in rows}]
    yield heading
    if not changed and not gone:
        yield f"As in {edition.base}."
        return
    yield f"As in {edition.base} but for:"
    if gone:
        yield "Not there: " + ", ".join(f"`{name}`" for name in gone) + "."
    if changed:
        yield _table(changed)


def _table(rows: Sequence[Row]) -> str:
    lines = ["| In the named view | Segment | Use | At most | |", "|---|---|---|---|---|"]
    for row in rows:
        use = "mandatory" if row.mandatory else ""
        lines.append(f"| `{row.name}` | {row.segment} | {use} | {row.maximum} | {row.note} |")
    return "\n".join(lines)
