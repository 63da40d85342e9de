"""Reading as a stream: the same whatever the portions, one transaction set at a time, and bounded."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.x12.codec import Limits, X12Error, check, read, stream, write
from connectors.x12.connector import ReadParameters, ReadX12
from connectors.x12.events import SetRead, document_of, events_of
from tests.connectors.x12.made import interchange
from tests.connectors.x12.samples import CORPUS, SAMPLES, sample
from tests.connectors.x12.test_connector import context

FILES = [path.read_bytes() for path in sorted(SAMPLES.glob("*.edi"))]
EMPTY_HEADER = interchange()[:106]
LONG = interchange(*["855|BAK*00*AD*PO-1*20261120~" + "PO1*1*5*EA~" * 40] * 200, identifier="PR")
ODDITIES = (
    b"~", b"~~", b"\n", b"\r\n", b"~\n~\r\n", b" ", b"*", b">", b"\x1a", b"\xe9", b"ST*855*9~", b"SE*1*9~", b"GE*1*1~",
    b"GS*PR~", b"SEF*1~", b"IEA*1*1~", b"ISA", b"ISA*", b"BIN*3*~~~~", b"BDS*x*2*~~~", b"~BIN*1*~~",
)  # fmt: skip


def portions(raw: bytes, size: int) -> Iterator[bytes]:
    return (raw[at : at + size] for at in range(0, len(raw), size))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FILES), st.integers(1, 300))
def test_portions_of_any_size_give_the_same_tree(raw: bytes, size: int) -> None:
    assert document_of(stream(portions(raw, size))) == read(raw)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_public_files_read_in_portions_are_written_back_byte_for_byte(size: int) -> None:
    if not CORPUS.is_dir():
        pytest.skip("no public X12 files beside the checkout: put them in ../shared/corpus/x12")
    for path in sorted(CORPUS.iterdir()):
        raw = path.read_bytes()
        try:
            document = document_of(stream(portions(raw, size)))
        except X12Error:
            continue
        assert write(document) == raw, path.name


def test_events_of_a_tree_are_those_of_its_bytes() -> None:
    for raw in FILES:
        assert document_of(events_of(read(raw))) == read(raw)


def test_a_set_is_given_as_soon_as_it_is_complete() -> None:
    """The source is not read to its end first."""
    one = "855|BAK*00*AD*PO-1*20261120~" + "PO1*1*5*EA~" * 40
    raw = interchange(*[one] * 2_000, identifier="PR")
    taken = []

    def source() -> Iterator[bytes]:
        for portion in portions(raw, 64 * 1024):
            taken.append(portion)
            yield portion

    first = next(event for event in stream(source()) if isinstance(event, SetRead))

    assert len(first.transaction_set["segments"]) == 43
    assert len(taken) <= 2 < len(raw) // (64 * 1024)


def _peak(work: Iterator[object]) -> int:
    """Bytes at the highest point while it is used up."""
    tracemalloc.start()
    try:
        for _ in work:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _orders(count: int) -> Iterator[bytes]:
    yield EMPTY_HEADER + b"GS*PR*ACMEMED*MERCYHOSP*20261120*0930*7*X*004010~"
    for number in range(1, count + 1):
        lines = b"BAK*00*AD*PO-1*20261120~" + b"PO1*1*5*EA~" * 40
        yield b"ST*855*%09d~%sSE*43*%09d~" % (number, lines, number)
    yield b"GE*%d*7~IEA*1*000000007~" % count


def test_memory_does_not_grow_with_the_number_of_sets() -> None:
    """Ten times the file, read and checked, with and without named views."""
    for named in (False, True):
        small = _peak(check(stream(_orders(300)), named=named))
        large = _peak(check(stream(_orders(3_000)), named=named))

        assert large < small * 1.5


def test_the_operation_needs_little_more_than_what_it_hands_on() -> None:
    peer = context()
    raw = b"".join(_orders(1_000))
    content = peer.blobs.put(raw, "application/edi-x12")
    tracemalloc.start()
    try:
        output = ReadX12().run(ReadParameters(content=content), peer)
        held, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(output.sets) == 1_000
    assert highest < held + 3 * len(raw)


def test_a_gigabyte_of_one_segment_ends_in_an_error_after_a_few_portions() -> None:
    taken = []

    def source() -> Iterator[bytes]:
        yield EMPTY_HEADER + b"GS*"
        for _ in range(16 * 1024):
            taken.append(1)
            yield b"x" * 64 * 1024

    with pytest.raises(X12Error, match="more than 65536 bytes") as refused:
        list(check(stream(source())))

    assert refused.value.code == "segment_too_long"
    assert len(taken) < 10


@pytest.mark.parametrize(
    ("raw", "limits", "says"),
    [
        (EMPTY_HEADER + b"GS*PO~" + b" " * 70_000, Limits(), "blanks follow a segment"),
        (b" " * 70_000 + EMPTY_HEADER, Limits(), "should begin with ISA"),
        (EMPTY_HEADER + b"IEA*0*1~" + b"x" * 1_200_000 + EMPTY_HEADER, Limits(), "belong to no interchange"),
        (EMPTY_HEADER + b"GS*" + b"*" * 1_001 + b"~", Limits(), "1000 elements"),
        (EMPTY_HEADER + b"GS*a~\nGS*" + b"*" * 1_001 + b"~\nGS*a~\n", Limits(), "1000 elements"),
        (EMPTY_HEADER + b"ST*1~" + b"A*1~" * 10 + b"SE*1~", Limits(segments=9), "more than 9 segments"),
        (EMPTY_HEADER + b"ST*1~" + b"A*1~" * 10, Limits(segments=9), "more than 9 segments"),
        (EMPTY_HEADER + b"GS*1~" + b"A*1~" * 10, Limits(segments=9), "stand outside transaction sets"),
        (EMPTY_HEADER + b"ST*1~" + b"A*1~" * 50_000, Limits(set_size=9), "or 9 bytes"),
        (EMPTY_HEADER + b"ST*1~BIN*99*" + b"x" * 99 + b"~", Limits(binary=98), "binary data of 99 bytes"),
    ],
)
def test_past_a_limit_reading_stops_with_the_place(raw: bytes, limits: Limits, says: str) -> None:
    with pytest.raises(X12Error, match=says) as refused:
        list(stream(io.BytesIO(raw), limits))

    assert refused.value.position is not None
    assert refused.value.next_action


def test_a_segment_that_is_not_utf8_keeps_its_bytes_and_says_its_encoding() -> None:
    """In a stream nobody knows yet what will come, so it is told by segment."""
    raw = interchange("850|N1*ST*Müller~").replace("ü".encode(), b"\xfc").replace(b"*MERCYHOSP~", "*ü~".encode())
    raw = raw.replace(b">~", ">¦".encode()).replace(b"~", "¦".encode())

    document = document_of(stream(raw))

    segment = document["interchanges"][0]["groups"][0]["sets"][0]["segments"][1]
    assert segment == {"id": "N1", "elements": ["ST", "Müller"], "encoding": "latin-1"}
    assert write(document) == raw


def test_what_is_irregular_is_kept_beside_what_is_not() -> None:
    """Other line ends, blanks, empty segments, binary data and a cut end, among segments that are all alike."""
    body = "A*1~\nB*2~\nC*3~D*4~\n\n E*5~~\nBIN*5*~\nA*~~\nF*6~\r\nG*7~\n"
    raw = EMPTY_HEADER + b"\nST*1*1~\n" + body.encode() + b"SE*9*1~\nIEA*0*000000007"

    for size in (1, 3, 10, 1_000):
        document = document_of(stream(portions(raw, size)))
        assert write(document) == raw
        ids = [one["id"] for one in document["interchanges"][0]["groups"][0]["sets"][0]["segments"]]
        assert ids == ["ST", "A", "B", "C", "D", "E", "BIN", "F", "G", "SE"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from(ODDITIES)), min_size=1, max_size=6),
    st.sampled_from([b"", b"\n", b"\r\n"]),
    st.integers(200, 70_000),
)
def test_odd_text_in_a_long_file_is_kept_and_cut_as_in_portions(
    edits: list[tuple[float, bytes]], glue: bytes, size: int
) -> None:
    """Long enough that most of it is split a stretch at a time."""
    raw = LONG.replace(b"~", b"~" + glue)
    for share, inserted in edits:
        at = 150 + int(share * (len(raw) - 150))
        raw = raw[:at] + inserted + raw[at:]
    try:
        document = document_of(stream([raw]))
    except X12Error:
        return

    assert write(document) == raw
    assert document_of(stream(portions(raw, size))) == document


@pytest.mark.parametrize("glues", [(b"\n", b"\r\n"), (b"\n", b""), (b"", b"\n"), (b" ", b"~")])
def test_glue_that_changes_with_every_segment_is_kept(glues: tuple[bytes, bytes]) -> None:
    """No stretch is regular; each segment is then looked at by itself, and little else with it."""
    parts = LONG[106:].split(b"~")
    raw = LONG[:106] + b"".join(one + b"~" + glues[at % 2] for at, one in enumerate(parts[:-1]))

    document = read(raw)

    assert write(document) == raw
    assert [len(one["segments"]) for one in document["interchanges"][0]["groups"][0]["sets"]] == [43] * 200


def test_a_file_object_is_read_as_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "one.edi"
    path.write_bytes(sample("850.edi"))

    with path.open("rb") as file:
        assert read(file) == read(sample("850.edi"))
