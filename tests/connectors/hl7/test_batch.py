"""Files of messages: any envelope may be missing or wrong, no byte is lost, and neighbours are not disturbed."""

from __future__ import annotations

import io
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hl7.codec import Batch, Part
from tests.connectors.hl7.corpus import NOT_ONE_MESSAGE, public_files, sample

ONE = b"MSH|^~\\&|W|M|||2026||OMS^O05|1|P|2.5.1\rNTE|1||a\r"
TWO = b"MSH#:*!+#W#M###2026##OMS:O05#2#P#2.5.1\rNTE#1##b:c\r"


def parts_of(raw: bytes, **options: int) -> tuple[list[Part], tuple[str, ...]]:
    batch = Batch(io.BytesIO(raw), **options)  # type: ignore[arg-type]
    return list(batch), batch.warnings


def kinds(parts: list[Part]) -> list[str]:
    return [part.kind for part in parts]


def test_a_whole_file_is_taken_apart_without_a_warning() -> None:
    """FHS, BHS, messages with delimiters of their own, BTS, FTS."""
    raw = b"FHS|^~\\&|W\rBHS|^~\\&|W\r" + ONE + TWO + b"BTS|2\rFTS|1\r"

    parts, warnings = parts_of(raw)

    assert kinds(parts) == ["FHS", "BHS", "MSH", "MSH", "BTS", "FTS"]
    assert b"".join(part.raw for part in parts) == raw
    assert [raw[part.offset :][: len(part.raw)] for part in parts] == [part.raw for part in parts]
    assert [part.message.get("NTE-3.2") for part in parts if part.kind == "MSH" and part.message] == [None, "c"]
    assert warnings == ()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (ONE + TWO, []),
        (b"BHS|^~\\&|W\r" + ONE, ["BHS has no BTS"]),
        (b"FHS|^~\\&|W\r" + ONE + b"FTS|1\r", []),
        (ONE + b"BTS|1\r", ["no BHS before it"]),
        (ONE + b"FTS|1\r", ["no FHS before it"]),
        (b"FHS|^~\\&|W\rBHS|^~\\&|W\r" + ONE + b"FTS|1\r", ["the BHS before it has no BTS"]),
        (b"BHS|^~\\&|W\r" + ONE + b"BHS|^~\\&|W\r" + TWO + b"BTS|1\r", ["the BHS before it has no BTS"]),
        (b"BHS|^~\\&|W\r" + ONE + b"BTS|7\r", ["does not say 1: so many messages"]),
        (b"BHS|^~\\&|W\r" + ONE + b"BTS|one\r", ["does not say 1: so many messages"]),
        (b"FHS|^~\\&|W\r" + ONE + b"FTS|3\r", ["does not say 1: so many batches"]),
        (b"BHS|^~\\&|W\r" + ONE + b"BTS|0001\r", []),
        (b"BHS|^~\\&|W\r" + ONE + b"BTS\r", []),
        (b"BHS|^~\\&|W\rBTS|0\r", []),
    ],
)
def test_what_is_missing_or_counted_wrongly_is_a_warning(raw: bytes, said: list[str]) -> None:
    """And the messages are there all the same."""
    parts, warnings = parts_of(raw)

    assert len(warnings) == len(said)
    assert all(words in warning for words, warning in zip(said, warnings, strict=True))
    assert kinds(parts).count("MSH") == raw.count(b"MSH")
    assert all(part.fault is None for part in parts)


def test_a_message_that_cannot_be_read_does_not_disturb_its_neighbours() -> None:
    """It has a fault with a place, and counts in the batch."""
    raw = b"BHS|^~\\&|W\r" + ONE + b"MSH|^^^^|broken\rNTE|1\r" + TWO + b"BTS|3\r"

    parts, warnings = parts_of(raw)

    assert [part.message is not None for part in parts if part.kind == "MSH"] == [True, False, True]
    assert parts[2].fault is not None and parts[2].fault.field == "MSH-2"
    assert b"".join(part.raw for part in parts) == raw
    assert warnings == ()


def test_bytes_that_belong_to_no_message_are_a_part_with_a_fault() -> None:
    """Where a file was cut, for one."""
    parts, _ = parts_of(b"cut|off\r\n" + ONE)

    assert kinds(parts) == ["", "MSH"]
    assert parts[0].fault is not None and parts[0].fault.code == "100"
    assert parts[1].message is not None


def test_a_dump_of_a_line_is_a_file_of_messages() -> None:
    """MLLP's bytes belong to the part they stand at, also where an end block is missing."""
    raw = b"\x0b" + ONE + b"\x1c\r\n\x0b" + TWO + b"\x1c\x0b" + ONE + b"\x0b" + TWO

    parts, _ = parts_of(raw)

    assert kinds(parts) == ["MSH"] * 4
    assert all(part.fault is None for part in parts)
    assert b"".join(part.raw for part in parts) == raw


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_holds_for_the_whole_file(encoding: str) -> None:
    """Later messages have none of their own."""
    raw = ("FHS|^~\\&|W\n" + ONE.decode() * 2 + "ZZZ|é\nFTS|1\n").encode(encoding)

    parts, warnings = parts_of(raw)

    assert kinds(parts) == ["FHS", "MSH", "MSH", "FTS"]
    assert b"".join(part.raw for part in parts) == raw
    assert parts[2].message is not None
    assert parts[2].message.charset_source == "BOM"
    assert parts[2].message.get("ZZZ-1") == "é"
    assert warnings == ()


def test_half_a_character_at_the_end_of_a_wide_file_is_kept() -> None:
    """A file that was cut."""
    raw = ONE.decode().encode("utf-16") + b"M"

    parts, _ = parts_of(raw)

    assert b"".join(part.raw for part in parts) == raw
    assert parts[-1].fault is not None


def test_a_message_beyond_the_limit_comes_in_pieces_and_the_next_is_whole() -> None:
    """Memory is bounded by the limit, not by the file."""
    raw = ONE + b"MSH|^~\\&|LONG" + b"x" * 500_000 + b"\r" + TWO

    parts, _ = parts_of(raw, longest=100_000)

    faults = [part.fault for part in parts if part.fault]
    assert len(faults) > 1
    assert all(len(part.raw) <= 100_000 + 65_536 for part in parts)
    assert kinds(parts)[0] == kinds(parts)[-1] == "MSH"
    assert parts[-1].message is not None and parts[-1].message.control_id == "2"
    assert b"".join(part.raw for part in parts) == raw


class Metered(io.RawIOBase):
    """An endless number of messages; tells how much of it was asked for."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "the whole file was asked for"
        self.given += size
        return (ONE * (size // len(ONE) + 1))[:size]


def test_a_file_is_read_no_further_than_it_is_asked_for() -> None:
    """A stream: the first message is there long before the last was written."""
    file = Metered()
    stream: BinaryIO = file  # type: ignore[assignment]

    first = next(iter(Batch(stream)))

    assert first.message is not None
    assert file.given < 1_000_000


def test_every_public_file_comes_back_whole_from_its_parts() -> None:
    """And those in the table of what is not one message are the only ones with several parts."""
    several = set()
    for path in public_files():
        raw = path.read_bytes()
        parts, _ = parts_of(raw)
        assert b"".join(part.raw for part in parts) == raw, path.name
        assert all(part.fault is None for part in parts), path.name
        if len(parts) > 1:
            several.add(path.name)

    assert several == set(NOT_ONE_MESSAGE)


_pieces = st.sampled_from(
    [ONE, TWO, sample("without_msh.hl7"), b"MSH", b"|^~\\&", b"BHS|^~\\&|\r", b"FHS|", b"BTS|1\r", b"FTS|x",
     b"\r", b"\n", b"\x0b", b"\x1c", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"M\x00S\x00H\x00|\x00"]
)  # fmt: skip


@given(st.lists(st.one_of(_pieces, st.binary(max_size=8)), max_size=12).map(b"".join), st.integers(16, 5_000))
@settings(max_examples=300, deadline=None)
def test_any_bytes_come_back_from_the_parts(raw: bytes, longest: int) -> None:
    """Never an error, and not a byte more or less."""
    parts, _ = parts_of(raw, longest=longest)

    assert b"".join(part.raw for part in parts) == raw
    assert all(part.raw for part in parts)
