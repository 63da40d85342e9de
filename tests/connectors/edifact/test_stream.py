"""One message in memory, whatever the size of the file."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from connectors.edifact.codec import (
    EdifactError,
    Limits,
    MessageRead,
    blocks,
    examining,
    read,
    stream,
    write_stream,
)
from connectors.edifact.connector import ReadEdifact, ReadParameters
from tests.connectors.edifact.samples import ACME, HEAD, INTERCHANGE, ORDER, enclosed, many_orders, message
from tests.connectors.edifact.test_connector import context

CHUNK = 65_536


def peak(work: Iterable[object]) -> int:
    """Bytes at the highest point while the iterable is used up."""
    tracemalloc.start()
    try:
        for _ in work:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def kept(raw: bytes) -> tuple[int, int]:
    """Bytes at the highest point while the operation reads, and those that its output still holds."""
    ours, theirs = ACME["edifact"]["ours"], ACME["edifact"]["theirs"]
    peer = context(ACME | {"edifact": {"ours": theirs, "theirs": ours, "test": False}})
    content = peer.blobs.put(raw, "application/edifact")
    tracemalloc.start()
    try:
        output = ReadEdifact().run(ReadParameters(content=content), peer)
        held, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert output.accepted
    return highest, held


def endless(start: bytes, filler: bytes) -> Iterator[bytes]:
    yield start
    for _ in range(10_000):
        yield filler * (CHUNK // len(filler))


def orders(count: int) -> Iterator[bytes]:
    yield HEAD.encode()
    for _ in range(count // 100):
        yield ORDER.encode() * 100


def test_memory_does_not_grow_with_the_number_of_messages() -> None:
    """Numbers of messages repeat here, so that not even those are many."""
    small = peak(stream(orders(400)))
    large = peak(stream(orders(4_000)))

    assert large < small * 1.5


def test_checking_needs_no_more_memory_than_its_stream() -> None:
    assert peak(one for one in examining(stream(blocks(many_orders(1_000))), messages=False)) < 3_000_000


def test_the_operation_needs_little_more_than_what_it_hands_on() -> None:
    """The messages in the named view; no tree of the file beside them."""
    raw = many_orders(1_000)

    highest, held = kept(raw)

    assert highest < held + 10 * len(raw)  # a tree takes some forty times the bytes


def test_messages_come_before_the_stream_is_read_to_its_end() -> None:
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        for one in orders(10_000):
            taken += 1
            yield one

    next(one for one in stream(chunks()) if isinstance(one, MessageRead))

    assert taken < 5


@pytest.mark.parametrize("filler", [b"A", b"?", b"+", b"?'", b":", b"'"])
def test_a_segment_without_end_is_an_error_and_no_memory(filler: bytes) -> None:
    """Of 650 MB only the beginning is read."""
    events = stream(endless(HEAD.encode() + b"UNH+1'FTX+", filler))

    with pytest.raises(EdifactError) as refused:
        assert peak(events) < 0

    assert refused.value.code == "segment_too_long"


def test_blanks_and_junk_without_end_are_errors() -> None:
    for start, filler in ((INTERCHANGE.encode(), b"x"), (INTERCHANGE.encode(), b" "), (b"", b"\n")):
        with pytest.raises(EdifactError):
            peak(stream(endless(start, filler)))


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(segment=40), "segment_too_long"),
        (Limits(elements=3), "segment_too_long"),
        (Limits(segments=3), "too_many_segments"),
        (Limits(size=100), "file_too_large"),
    ],
)
def test_past_a_limit_reading_stops_with_its_error(limits: Limits, code: str) -> None:
    with pytest.raises(EdifactError) as refused:
        read(INTERCHANGE.encode(), limits=limits)

    assert refused.value.code == code
    assert "byte" in refused.value.message


def test_a_stream_is_written_piece_by_piece() -> None:
    raw = many_orders(300) + b"\n" + enclosed(message("FTX+AAI+++Dr?. No'"))

    assert b"".join(write_stream(stream(blocks(raw)))) == raw
