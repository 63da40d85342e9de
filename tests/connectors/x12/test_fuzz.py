"""Whatever comes in, only the codec's own errors come out, and what was read is written back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sdk import Misconfigured
from connectors.x12.codec import (
    DocumentError,
    X12Error,
    acknowledgements,
    check,
    faults,
    from_named,
    interchange_acknowledgement,
    named,
    outcomes,
    read,
    stream,
    write,
)
from connectors.x12.events import document_of
from tests.connectors.x12.made import interchange
from tests.connectors.x12.samples import SAMPLES
from tests.connectors.x12.test_sets import BODIES

FILES = [
    *(path.read_bytes() for path in sorted(SAMPLES.glob("*.edi"))),
    *(interchange(f"{kind}|{body}", identifier=identifier) for kind, (identifier, body) in BODIES.items()),
    interchange("850|" + BODIES["850"][1], version="005010", isa11="^", isa14="1"),
]
PIECES = st.sampled_from(
    [
        b"~",
        b"*",
        b">",
        b"^",
        b"\n",
        b"\x1d",
        b"HL*1*1*S~",
        b"CTT*x~",
        b"TA1*",
        b"ISA",
        b"GS*",
        b"ST*855*1~",
        b"SE*",
        b"IEA*",
        b"BIN*3*",
        b"\xff",
    ]
)
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 20), PIECES | st.binary(max_size=6))


def _exercise(raw: bytes) -> None:
    try:
        document = read(raw)
    except X12Error:
        return
    assert write(document) == raw
    portions = (raw[at : at + 50] for at in range(0, len(raw), 50))
    assert write(document_of(stream(portions))) == raw
    assert all(one.message for one in faults(document))
    for answer in acknowledgements(document):
        assert from_named("997", answer.document)
    for outcome in outcomes(document):
        interchange_acknowledgement(outcome)
    for whole in document["interchanges"]:
        for one in (one for group in whole["groups"] for one in group["sets"]):
            try:
                view = named(one)
                from_named(str(one["segments"][0]["elements"][0]), view)
            except (DocumentError, Misconfigured):
                continue


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), st.lists(EDIT, max_size=6))
def test_damaged_files_are_read_losslessly_or_refused(raw: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    for share, removed, inserted in edits:
        at = int(share * len(raw))
        raw = raw[:at] + inserted + raw[at + removed :]

    _exercise(raw)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_junk_is_refused_or_kept(junk: bytes, after_header: bool) -> None:
    _exercise(FILES[0][:107] + junk if after_header else junk)


KEYS = [
    *("interchanges", "delimiters", "element", "component", "segment", "repetition", "header", "groups", "sets"),
    *("segments", "id", "elements", "trailer", "glue", "beginning", "lines", "product_ids", "unknown_segments"),
    *("position", "line_number", "parties", "totals", "amounts", "encoding", "repeat", "binary", "unterminated"),
    *("shipments", "orders", "items", "levels", "number", "parent", "level", "other_levels"),
]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(ANY_JSON)
def test_any_json_is_written_or_refused(value: Any) -> None:
    for put in (value, {"interchanges": value}):
        try:
            write(put)
        except X12Error:
            continue


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(BODIES)), ANY_JSON)
def test_any_document_is_made_segments_or_refused(set_type: str, value: Any) -> None:
    try:
        from_named(set_type, value)
    except DocumentError as error:
        assert error.faults


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8), st.booleans())
def test_a_stream_of_junk_ends_in_the_codecs_own_error_or_in_faults(junk: list[bytes], after_header: bool) -> None:
    portions = [FILES[0][:107], *junk] if after_header else junk

    try:
        found = [one for checked in check(stream(portions)) for one in checked.faults]
    except X12Error as error:
        assert error.next_action
    else:
        assert found
