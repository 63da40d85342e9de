"""The structural JSON of a message: what mappings read, and what ``build`` turns back into a message.

    {"type": "OMS^O05", "structure": "OMS_O05", "control_id": "W1", "version": "2.5.1", "charset": "utf-8",
     "charset_source": "MSH-18", "delimiters": "|^~\\&", "warnings": [],
     "segments": [{"id": "RQD", "occurrence": 0, "group": 1,
                   "fields": {"1.1": "1", "2.1": "ITM-1001", "2.2": "Gloves", "5.1": "4"}}]}

``fields`` holds every valued leaf, decoded, by its place: field, component, and where they occur repetition
and subcomponent: ``"3.2"``, ``"3[1].2"``, ``"3.2.2"``. What is absent has no key; HL7's ``""`` is ``null``.
``group`` is 0 in the head of the message and counts from 1 with every segment that opens a group.

The exact view adds what those leave out: blank lines, ``end`` (of the lines, and of one that differs),
``prefix`` and ``suffix`` (bytes around the text, base64) and, on a segment of which the shortest writing would
be other text than stood there (separators behind the last value, unusual escapes), that text as ``exact``.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.hl7 import charsets, escapes
from connectors.hl7.delimiters import HEADERS, Delimiters, declared
from connectors.hl7.errors import Hl7Error
from connectors.hl7.message import NULL, Message, Segment, write

#: Message code (MSH-9.1) -> the segment that opens a group which repeats (HL7 v2.5.1, chapters 4, 6, 8, 10).
OPENS_GROUP = {"SIU": "RGS", "DFT": "FT1", "MFN": "MFE"}
_PLACE = re.compile(r"(\d+)(?:\[(\d+)\])?\.(\d+)(?:\.(\d+))?")


def view(message: Message, opens: str | None = None, *, exact: bool = False) -> dict[str, Any]:
    """``opens`` names the segment that opens a group; without it the message's code decides, and ORC.
    ``exact`` adds what ``build`` needs to give back the same bytes.

    Raises ``Hl7Error`` for what is not exactly one message (a batch, a header alone).
    """
    _one(message)
    end = Counter(end for _, end in message.lines if end).most_common(1)
    usual = end[0][0] if end else "\r"
    opener = opens or OPENS_GROUP.get(message.header.get(9) or "", "ORC")
    whole: dict[str, Any] = {
        "type": message.type,
        "structure": message.header.get(9, 0, 3) or "",
        "control_id": message.control_id,
        "version": message.version,
        "charset": message.charset,
        "charset_source": message.charset_source,
        "delimiters": message.delimiters.field + message.delimiters.encoding_characters,
        "warnings": list(message.remarks),
        "segments": _segments(message, opener, usual if exact else None),
    }
    if exact:
        whole["end"] = usual
        for name, outside in (("prefix", message.prefix), ("suffix", message.suffix)):
            if outside:
                whole[name] = b64encode(outside).decode()
    return whole


def _one(message: Message) -> None:
    messages = sum(segment.id == "MSH" for segment in message.segments)
    if messages != 1 or message.segments[0].id != "MSH":
        raise Hl7Error(
            f"this is not one message: it begins with {message.segments[0].id} and has {messages} MSH segments",
            code="100",
            next_action="take the batch apart and send each message, from MSH to the next one, by itself",
        )


def _segments(message: Message, opener: str, exact_end: str | None) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    found: list[dict[str, Any]] = []
    for segment, end in message.lines:
        if exact_end is None and not segment.text:
            continue
        entry: dict[str, Any] = {"id": segment.id, "occurrence": seen[segment.id]}
        seen[segment.id] += 1
        entry["group"] = seen[opener]
        entry["fields"] = dict(_nulls(segment))
        if exact_end is not None:
            entry |= _exact(segment, entry["fields"], end, exact_end)
        found.append(entry)
    return found


def _exact(segment: Segment, fields: Mapping[str, Any], end: str, usual: str) -> dict[str, str]:
    differs = _plain(segment.id, fields, segment.delimiters, segment.charset) != segment.text
    return ({"exact": segment.text} if differs else {}) | ({"end": end} if end != usual else {})


def build(whole: Mapping[str, Any]) -> Message:
    """The message a view means; of an unchanged view, the very one it was taken from.

    All but ``segments`` may be left out: ``charset`` is then UTF-8, ``delimiters`` ``|^~\\&``, ``end`` CR.
    Raises ``Hl7Error`` naming what is wrong with it.
    """
    segments = whole.get("segments")
    if not isinstance(segments, Sequence) or not segments:
        raise Hl7Error("there are no segments", field="/segments", next_action="give a list of segments")
    charset = charsets.codec_name(str(whole.get("charset", "utf-8")))
    if charset is None:
        raise Hl7Error(
            f"character set {whole['charset']!r} is not known", field="/charset", next_action="use utf-8"
        )
    first = segments[0].get("fields", {}) if isinstance(segments[0], Mapping) else {}
    delimiters = declared("MSH" + str(whole.get("delimiters", first.get("1.1", "|") + first.get("2.1", "^~\\&"))))
    usual = str(whole.get("end", "\r"))
    text = "".join(_line(at, segment, delimiters, charset, usual) for at, segment in enumerate(segments))
    prefix, suffix = (b64decode(str(whole.get(name, ""))) for name in ("prefix", "suffix"))
    message = Message(text, delimiters, charset, str(whole.get("charset_source", "view")), prefix, suffix)
    write(message)
    return message


def _line(at: int, entry: Any, delimiters: Delimiters, charset: str, usual: str) -> str:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("fields"), Mapping) or "id" not in entry:
        raise Hl7Error(
            "a segment is an object with id and fields", field=f"/segments/{at}", next_action="see the README"
        )
    fields, exact = entry["fields"], entry.get("exact")
    end = str(entry.get("end", usual))
    if isinstance(exact, str) and dict(_nulls(Segment(exact, delimiters, charset))) == dict(fields):
        return exact + end
    try:
        return _plain(str(entry["id"]), fields, delimiters, charset) + end
    except ValueError as error:
        raise Hl7Error(str(error), field=f"/segments/{at}/fields", next_action="write places like 3.2") from error


def _nulls(segment: Segment) -> list[tuple[str, str | None]]:
    return [(place, None if leaf == NULL else leaf) for place, leaf in segment.leaves()]


def _plain(id: str, fields: Mapping[str, Any], delimiters: Delimiters, charset: str) -> str:
    """The shortest text with those leaves. Raises ``ValueError`` for a place that is none."""
    tree: dict[int, dict[int, dict[int, dict[int, str]]]] = {}
    for place, value in fields.items():
        match = _PLACE.fullmatch(place)
        if match is None:
            raise ValueError(f"{place!r} is not a place in a segment")
        field, repetition, component, subcomponent = (
            int(match[1]), int(match[2] or 0), int(match[3]), int(match[4] or 1),
        )  # fmt: skip
        if 0 in (field, component, subcomponent):
            raise ValueError(f"{place!r}: fields, components and subcomponents count from 1")
        leaf = NULL if value is None else str(value)
        if not (id in HEADERS and field <= 2):
            leaf = leaf if value is None else escapes.encode(leaf, delimiters, charset)
        tree.setdefault(field, {}).setdefault(repetition, {}).setdefault(component, {})[subcomponent] = leaf
    if id in HEADERS:
        tree.pop(1, None)
        tree.setdefault(2, {0: {1: {1: delimiters.encoding_characters}}})
    start = 2 if id in HEADERS else 1
    written = [
        _join(
            delimiters.repetition,
            0,
            {
                r: _join(
                    delimiters.component,
                    1,
                    {c: _join(delimiters.subcomponent, 1, leaves) for c, leaves in components.items()},
                )
                for r, components in tree[number].items()
            },
        )
        if number in tree
        else ""
        for number in range(start, max(tree, default=start - 1) + 1)
    ]
    return delimiters.field.join([id, *written])


def _join(delimiter: str, first: int, parts: Mapping[int, str]) -> str:
    return delimiter.join(parts.get(index, "") for index in range(first, max(parts) + 1))
