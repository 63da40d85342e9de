"""Whatever comes in, only the codec's own errors come out, and what was read is written back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.edifact.codec import (
    DocumentError,
    EdifactError,
    acknowledgements,
    examine,
    from_named,
    gathered,
    named,
    read,
    reply,
    stream,
    write,
)
from connectors.sdk import Misconfigured
from tests.connectors.edifact.samples import DOCUMENT, HEAD, INTERCHANGE, ORDER

GROUPED = (
    HEAD.replace("UNOC:3", "UNOW:4") + "UNG+ORDERS+A+B+261124:0930+7+UN+D:01B'" + ORDER + "UNE+1+7'UNZ+1+REF1'"
)
FILES = [
    INTERCHANGE.encode(),
    ("\ufeffUNA:+.? '\r\n" + INTERCHANGE.replace("'", "'\r\n")).encode(),
    INTERCHANGE.encode() + b"UNA:*,! ~" + INTERCHANGE.replace("+", "*").replace("'", "~").encode(),
    GROUPED.replace("96A", "01B").encode(),
]
PIECES = st.sampled_from(
    [
        *(
            b"'",
            b"+",
            b":",
            b"?",
            b"*",
            b"\n",
            b"''",
            b"UNA",
            b"UNB+",
            b"UNH+2'",
            b"UNT+",
            b"UNZ'",
            b"UNG'",
            b"UNE'",
        ),
        *(b"UNA:+.? 'UNB+UNOC:3'", b"\xff", "é".encode(), b"LIN+1'", b"UNS+S'", b"CNT+2:9'", b"\x00"),
    ]
)
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 20), PIECES | st.binary(max_size=6))
AT = datetime(2026, 11, 24, tzinfo=UTC)


def _exercise(raw: bytes) -> None:
    try:
        document = read(raw)
    except EdifactError:
        return
    assert write(document) == raw
    assert gathered(stream(raw[start : start + 5] for start in range(0, len(raw), 5))) == document
    checked = examine(document)
    assert all(found.message for one in checked for found in one.all_faults())
    for answer in acknowledgements(checked):
        assert read(write(reply(document["interchanges"][answer.interchange], answer, "1", AT)))
    for one in checked:
        for message in (message for group in one.groups for message in group.messages):
            _write_back(message.type, message.document)


def _write_back(type: str, document: dict[str, Any] | None) -> None:
    if document is None:
        return
    try:
        from_named(type, document)
    except (DocumentError, Misconfigured) as error:
        assert error.message


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FILES), st.lists(EDIT, max_size=6))
def test_damaged_files_are_read_losslessly_or_refused(raw: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    for share, removed, inserted in edits:
        at = int(share * len(raw))
        raw = raw[:at] + inserted + raw[at + removed :]

    _exercise(raw)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES | st.binary(max_size=8), max_size=25).map(b"".join), st.sampled_from([b"", HEAD.encode()]))
def test_junk_is_refused_or_kept(junk: bytes, start: bytes) -> None:
    _exercise(start + junk)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=6, max_size=6), st.sampled_from(FILES[:1]))
def test_any_service_string_is_refused_or_kept(una: bytes, raw: bytes) -> None:
    _exercise(b"UNA" + una + raw)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(FILES), st.floats(0, 1))
def test_truncated_files_are_read_losslessly_or_refused(raw: bytes, share: float) -> None:
    _exercise(raw[: int(share * len(raw))])


KEYS = [
    *("interchanges", "delimiters", "element", "component", "segment", "release", "decimal", "header", "groups"),
    *("messages", "segments", "id", "elements", "repeat", "trailer", "glue", "raw", "una", "encoding", "before"),
    *("beginning", "lines", "additional_items", "ids", "name", "parties", "unknown_segments", "position", "dates"),
]
TEXTS = st.text(max_size=5) | st.sampled_from(["'", "+", "?", "utf-8", "latin-1", "ascii", ":+.? '", "\ud800"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(ANY_JSON, st.sampled_from(KEYS))
def test_any_json_is_written_or_refused(value: Any, key: str) -> None:
    sound = read(FILES[0])["interchanges"][0]
    for put in (value, {"interchanges": value}, {"interchanges": [sound | {key: value}]}):
        try:
            write(put)  # type: ignore[arg-type]
        except EdifactError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["ORDERS", "INVOIC", "DESADV"]), ANY_JSON, st.sampled_from(KEYS))
def test_any_document_is_made_segments_or_refused(type: str, value: Any, key: str) -> None:
    for document in (value, DOCUMENT | {key: value}):
        try:
            from_named(type, document)
        except DocumentError as error:
            assert error.faults


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_carried_or_refused(text: str) -> None:
    document = DOCUMENT | {"texts": [{"qualifier": "AAI", "text": [text]}]}
    try:
        segments = from_named("ORDERS", document)
    except DocumentError:
        return

    raw = write(
        {
            "interchanges": [
                read(FILES[0])["interchanges"][0]
                | {
                    "encoding": "utf-8",
                    "groups": [
                        {
                            "header": None,
                            "segments": [],
                            "messages": [
                                {"segments": [{"id": "UNH", "elements": ["1", ["ORDERS", "D", "96A"]]}, *segments]}
                            ],
                            "trailer": None,
                        }
                    ],
                }
            ],
            "trailing": "",
        }
    )
    again = read(raw, encoding="utf-8")["interchanges"][0]["groups"][0]["messages"][0]
    expected = [text] if text else None
    assert named(again)["texts"][0].get("text") == expected
