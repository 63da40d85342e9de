"""``hl7.write`` and ``hl7.split`` in a flow, and strict reading."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.hl7.codec import Batch, Hl7Error, answer
from connectors.hl7.connector import ReadMessage, ReadParameters, WriteMessage, WriteParameters
from connectors.hl7.split import SplitFile, SplitOutput, SplitParameters
from tests.connectors.hl7.corpus import sample
from tests.harness import MemoryContext

AT = datetime(2026, 11, 24, 8, 15, tzinfo=UTC)
ANSWER = {"segments": [{"id": "MSH", "fields": {"9.1": "ORS", "9.2": "O06", "12.1": "2.5.1"}}]}
ONE, OTHER = sample("oms_o05_one_line.hl7"), sample("oms_o05_other_delimiters.hl7")
BROKEN = b"MSH|^^^|x\r"


@pytest.fixture
def context() -> MemoryContext:
    return MemoryContext(clock=lambda: AT)


def split(context: MemoryContext, raw: bytes, *, strict: bool = False) -> SplitOutput:
    return SplitFile().run(SplitParameters(content=context.blobs.put(raw), strict=strict), context)


def test_a_message_is_written_with_time_and_control_id(context: MemoryContext) -> None:
    """Those that it has are kept; a retry gives the same number."""
    first, again = (WriteMessage().run(WriteParameters(document=ANSWER), context) for _ in range(2))

    assert context.blobs.read(first.content) == b"MSH|^~\\&|||||20261124081500+0000||ORS^O06|1||2.5.1\r"
    assert (first.control_id, again.control_id) == ("1", "1")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"segments": []}, "/segments"),
        ({"segments": [{"id": "PID", "fields": {}}]}, "MSH"),
        ({"segments": [{"id": "MSH", "fields": {"x": "1"}}]}, "/segments/0/fields"),
    ],
)
def test_what_cannot_be_written_names_its_place(
    document: dict[str, Any], field: str, context: MemoryContext
) -> None:
    """A JSON pointer, or the segment that is missing."""
    with pytest.raises(Hl7Error) as refused:
        WriteMessage().run(WriteParameters(document=document), context)

    assert refused.value.field == field


def test_strict_is_the_channels_choice(context: MemoryContext) -> None:
    """The same bytes, with a warning or refused."""
    content = context.blobs.put(ONE + b"not a segment\r")

    lenient = ReadMessage().run(ReadParameters(content=content), context)

    assert lenient["warnings"] == ["segment 4 does not begin with a segment name"]
    with pytest.raises(Hl7Error):
        ReadMessage().run(ReadParameters(content=content, strict=True), context)


def test_a_file_is_split_into_messages_for_for_each(context: MemoryContext) -> None:
    """Each a blob of its exact bytes; counts that are wrong are warnings."""
    output = split(context, b"BHS|^~\\&|W|M|O|N\r" + ONE + OTHER + b"BTS|9\r")

    assert [(one.type, one.control_id) for one in output.messages] == [
        ("OMS^O05", "WARD0001"),
        ("OMS^O05", "WARD0006"),
    ]
    assert [context.blobs.read(one.content) for one in output.messages] == [ONE, OTHER]
    assert (output.rejected, output.reject_file) == ([], None)
    assert len(output.warnings) == 1 and "BTS-1" in output.warnings[0]


def test_what_is_no_message_is_put_aside_with_its_reason(context: MemoryContext) -> None:
    """The others go on; the bytes are in the reject file."""
    output = split(context, ONE + BROKEN + OTHER + b"BTS|3\rMSH||\r")

    assert [one.control_id for one in output.messages] == ["WARD0001", "WARD0006"]
    first = output.rejected[0]
    assert (first.offset, first.size, first.field) == (len(ONE), len(BROKEN), "MSH-2")
    assert output.reject_file is not None
    assert context.blobs.read(output.reject_file) == BROKEN + b"MSH||\r"


@pytest.fixture(scope="module")
def written() -> Iterator[list[str]]:
    """Every file that is opened for writing; an audit hook of Python stays, so it is told when to look away."""
    found: list[str] = []
    looks = [True]

    def see(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and looks[0] and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            found.append(str(arguments[0]))

    sys.addaudithook(see)
    yield found
    looks[0] = False


def test_what_is_put_aside_is_written_nowhere_but_to_the_store(context: MemoryContext, written: list[str]) -> None:
    """It may be about patients, and only the store seals it: megabytes of it make no temporary file either."""
    junk = BROKEN[:-1] + b"x" * 600_000 + b"\r"

    output = split(context, ONE + junk + OTHER + junk + b"half a message" + junk)

    assert written == []
    assert [one.control_id for one in output.messages] == ["WARD0001", "WARD0006"]
    assert output.reject_file is not None
    assert context.blobs.read(output.reject_file) == junk + junk + b"half a message" + junk


def test_the_file_is_answered_with_a_batch(context: MemoryContext) -> None:
    """Sender and receiver swapped, AA for each message and AR for each put aside, in order and in its delimiters."""
    output = split(context, b"BHS|^~\\&|W|M|O|N|2026||||B7\r" + ONE + BROKEN + OTHER + b"BTS|3\r")

    with context.blobs.open(output.acknowledgement) as file:
        batch = Batch(file)
        parts = list(batch)
    answers = [answer(part.message) for part in parts if part.kind == "MSH" and part.message]
    assert [part.kind for part in parts] == ["BHS", "MSH", "MSH", "MSH", "BTS"]
    assert parts[0].raw == b"BHS|^~\\&|O|N|W|M|20261124081500+0000||||1|B7\r"
    assert [(one.code, one.control_id) for one in answers] == [("AA", "WARD0001"), ("AR", ""), ("AA", "WARD0006")]
    assert batch.warnings == ()


def test_a_strict_split_puts_aside_what_is_unusual(context: MemoryContext) -> None:
    """With the place, and without values."""
    odd = ONE.replace(b"|WARD0001|", b"||")

    output = split(context, odd + OTHER, strict=True)

    assert [one.field for one in output.rejected] == ["MSH[0]-10"]
    assert [one.control_id for one in output.messages] == ["WARD0006"]


def test_an_empty_file_has_no_messages(context: MemoryContext) -> None:
    """And an answer that says so."""
    output = split(context, b"")

    assert (output.messages, output.rejected) == ([], [])
    assert context.blobs.read(output.acknowledgement).endswith(b"BTS|0\r")
