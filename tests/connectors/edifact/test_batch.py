"""What is split fast is split as if it were looked at piece by piece, wherever a file is cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.edifact.batch import cut
from connectors.edifact.codec import Fault, Segment, faults, gathered, read, stream, write
from connectors.edifact.detect import BLANK
from connectors.edifact.fault import AS_USUAL
from connectors.edifact.fields import Fields
from connectors.edifact.schema import message as declared
from connectors.edifact.schema import segment as shape_of
from connectors.edifact.values import ANY, Repertoire
from connectors.sdk.edi import NOWHERE
from tests.connectors.edifact.samples import HEAD, INTERCHANGE, ORDER, enclosed, first_message, many_orders, message

#: Longer than the first two batches, so that what comes behind it is split fast.
LONG = many_orders(30).removesuffix(b"UNZ+30+REF1'")
#: What may break a fast path: released terminators, needless releases, glue of other kinds, what begins or ends.
ODDITIES = (
    b"?'", b"??'", b"???'", b"?", b"??", b"?,", b"'", b"''", b"'\n'", b"\n", b"\r\n", b" ", b"+", b":", b"\x1a", b"\x1f",
    b"\xe9", "é".encode(), b"UNH+7+ORDERS:D:96A:UN'", b"UNT+1+7'", b"U?NZ+1'", b"?UNZ+1'", b"UN?H+8'", b"UNZ+1+REF1'",
    b"UNB", b"UNB+", b"UNA:+.? '", HEAD.encode(), b"UNG+ORDERS'", b"UNE+1'", b"LIN+9'\r\n", b"FTX+AAI+++UNB UNA UNH'",
)  # fmt: skip
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(ODDITIES))


def in_pieces(raw: bytes, size: int) -> list[bytes]:
    return [raw[start : start + size] for start in range(0, len(raw), size)]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["A+b", "?", "??", "?'", "'", "\n", "\r\n", "\n\n", " ", "é", "UNH", "!"]), max_size=30
    ),
    st.sampled_from(["", "\n", "\r\n"]),
    st.sampled_from(["?", ""]),
)
def test_a_batch_is_the_same_by_one_split_and_piece_by_piece(parts: list[str], glue: str, release: str) -> None:
    """Glue that no text begins with sends everything the slow way."""
    text = glue + "".join(parts) + "A'"

    fast, slow = cut(text, "'", release, glue, BLANK), cut(text, "'", release, "\0", BLANK)

    assert fast.bodies == slow.bodies
    assert [fast.lead(index) for index in range(len(fast.bodies))] == slow.leads
    assert fast.rest == slow.rest
    assert [fast.begins(index) for index in range(len(fast.bodies) + 1)] == [
        slow.begins(index) for index in range(len(slow.bodies) + 1)
    ]


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([b"", b"\n", b"\r\n"]),
    st.lists(EDIT, min_size=1, max_size=5),
    st.integers(1, 3_000),
    st.sampled_from([None, "utf-8", "windows-1252"]),
)
def test_odd_text_in_a_long_file_is_kept_and_cut_as_in_pieces(
    glue: bytes, edits: list[tuple[float, int, bytes]], size: int, encoding: str | None
) -> None:
    raw = (LONG + INTERCHANGE.encode()).replace(b"'", b"'" + glue)
    for share, removed, inserted in edits:
        at = 300 + int(share * (len(raw) - 300))
        raw = raw[:at] + inserted + raw[at + removed :]

    document = read(raw, encoding=encoding)

    assert write(document) == raw
    assert gathered(stream(in_pieces(raw, size), encoding=encoding)) == document


@pytest.mark.parametrize("released", ["?'", "??", "???'", "?+?:?'", "????", "?,"])
@pytest.mark.parametrize("boundary", [2_048, 6_144, 65_536])
def test_a_release_character_is_one_with_what_it_releases_wherever_a_read_ends(
    released: str, boundary: int
) -> None:
    """Each place at the end of the first two batches, and of a read of 64 KB."""
    before = HEAD + message("FTX+AAI+++" + "x" * 500 + "'") * (boundary // 560) + "UNH+1+ORDERS:D:96A:UN'FTX+AAI+++"
    meant = first_message(enclosed(message(f"FTX+AAI+++{released}z'")))[1]["elements"][3]
    for shift in range(len(released) + 3):
        padding = "y" * (boundary - len(before) - shift)
        raw = (before + padding + released + "z'UNT+3+1'UNZ+1+REF1'").encode()

        document = gathered(stream(in_pieces(raw, boundary)))

        assert write(document) == raw
        [*_, last] = document["interchanges"][0]["groups"][0]["messages"]
        assert last["segments"][1]["elements"][3] == f"{padding}{meant}"


def test_an_interchange_that_begins_where_a_read_ends_loses_no_line_end() -> None:
    """Looking for its header reads on, and what stood before it is no longer in the window."""
    first = LONG.replace(b"'", b"'\r\n")
    raw = first + b"\r\n" + INTERCHANGE.encode()

    for size in range(len(first) - 20, len(first) + 60):
        document = gathered(stream(in_pieces(raw, size)))

        assert write(document) == raw
        assert len(document["interchanges"]) == 2


def test_a_segment_that_only_looks_like_a_header_does_not_move_the_end_of_the_interchange() -> None:
    """It stands so near the end of a read that looking at it needs the next one."""
    raw = LONG + b"UNB*no header'UNT+3+1'UNZ+31+REF1'\n" + INTERCHANGE.encode()

    for size in range(len(LONG), len(LONG) + 60):
        document = gathered(stream(in_pieces(raw, size)))

        assert write(document) == raw
        assert [one["trailer"] is not None for one in document["interchanges"]] == [True, True]


@pytest.mark.parametrize("trailer", [b"?UNZ+1+REF1'", b"U?NZ+1+REF1'", b"UN?Z+1+REF1'"])
def test_a_trailer_with_a_needless_release_ends_its_interchange(trailer: bytes) -> None:
    raw = (HEAD + ORDER).encode() + trailer + b"+"

    document = read(raw)

    assert write(document) == raw
    assert document["interchanges"][0]["trailer"] is not None
    assert document["trailing"] == "+"


def test_empty_segments_belong_to_what_follows_them() -> None:
    raw = LONG + b"UNH+x+ORDERS:D:96A:UN'\n''\nBGM+220'''UNT+3+x'''UNZ+31+REF1'"

    document = read(raw)

    assert write(document) == raw
    [*_, one] = document["interchanges"][0]["groups"][0]["messages"]
    assert [segment.get("glue") for segment in one["segments"]] == [None, "\n''\n", "''"]
    assert {"empty_segment"} < {found.code for found in faults(document)}


VALUES = st.text(max_size=4) | st.sampled_from((
    "", "1", "12.5", "-3,0", ".5", "1.", "--1", "20261124", "261124", "0930", "time", "AB1", "EUR", "abc def", "x" * 36,
    "9" * 19, "-" + "9" * 18, "9" * 18 + ".5", "é", "\xa0", "\xad", "a\tb", "1\x1f2", "\x1f", "٣", "²", "\ud800",
))  # fmt: skip
ELEMENTS = VALUES | st.lists(VALUES, min_size=2, max_size=7)
MESSAGES = [one for one in map(declared, ("ORDERS", "DESADV", "INVOIC")) if one is not None]
TAGS = sorted({"UNB", "UNG", "UNH", "UNT"}.union(*(one.tags for one in MESSAGES)))


def closely(segment: Segment, repertoire: Repertoire) -> tuple[dict[str, object], list[Fault]]:
    shape = shape_of(segment["id"])
    assert shape is not None
    reading = Fields(NOWHERE, AS_USUAL, repertoire)
    return reading.fields(segment, shape), reading.faults


@settings(max_examples=600, deadline=None)
@example("CAV", [["", ""]])
@example("UNG", ["ORDERS", "A", "B", ["261124", "time"]])
@given(st.sampled_from(TAGS), st.lists(ELEMENTS, max_size=9))
def test_what_passes_at_once_has_no_fault_when_looked_at_closely(tag: str, elements: list[str | list[str]]) -> None:
    """UTF-16 holds the same characters as UTF-8, and another encoding makes every value be looked at."""
    segment: Segment = {"id": tag, "elements": [*elements]}

    assert closely(segment, ANY) == closely(segment, Repertoire("utf-16"))


@pytest.mark.parametrize(
    ("group", "says"),
    [
        ("UNG+ORDERS+A+B+261124:time+7+UN+D:96A'", "'time' is not a number"),
        ("UNG+ORDERS+A+B+261124:093+7+UN+D:96A'", "'093' has 3 characters, at least 4 are needed"),
        ("UNG+ORDERS+A+B+261124:0930+7+UNIT+D:96A'", "'UNIT' has 4 characters, at most 3 are allowed"),
    ],
)
def test_a_group_header_of_wrong_values_is_a_fault(group: str, says: str) -> None:
    raw = (HEAD + group + ORDER + "UNE+1+7'UNZ+1+REF1'").encode()

    told = [found.message for found in faults(read(raw)) if found.code == "group_header_element"]

    assert any(says in one for one in told), told
