"""What was seen to be changed or lost when hl7apy 1.3.5 read a message: here it is read and kept."""

from __future__ import annotations

import pytest

from connectors.hl7.codec import build, read, view, write
from tests.connectors.hl7.corpus import sample


def header(version: str = "2.5.1", kind: str = "OMS^O05^OMS_O05", rest: str = "") -> str:
    return f"MSH|^~\\&|W|M|||2026||{kind}|1|P|{version}{rest}\r"


def rewritten(raw: bytes) -> bytes:
    """Through the JSON of the exact view."""
    return write(build(view(read(raw), exact=True)))


@pytest.mark.parametrize(
    "line", ["ZST|PAR|6", "IN1|1|plan", "QQQ|unknown", "PV1|1|I|OR1"], ids=["Z", "standard", "unknown", "visit"]
)
def test_a_segment_outside_the_structure_stays_in_its_place(line: str) -> None:
    """Z segments, and standard ones that the structure does not have there."""
    raw = (header() + f"ORC|NW|R1\r{line}\rRQD|1\r").encode()

    message = read(raw)

    assert [segment.text for segment in message.segments][2] == line
    assert view(message)["segments"][2]["fields"]
    assert rewritten(raw) == raw


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_every_segment_is_there_whatever_ends_the_lines(end: str) -> None:
    """CRLF left nothing but MSH."""
    raw = sample("oms_o05_many_lines.hl7").replace(b"\r", end.encode())

    assert len(read(raw).segments) == 11
    assert rewritten(raw) == raw


@pytest.mark.parametrize(
    ("version", "kind", "line", "path", "value"),
    [
        ("2.8", "ADT^A01^ADT_A01", "EVN|A01|20260101|R|S|OP|20260102", "EVN-1", "A01"),
        ("2.8", "ADT^A01^ADT_A01", "EVN|A01|20260101|R|S|OP|20260102", "EVN-6", "20260102"),
        ("2.5", "SIU^S12^SIU_S12", "SCH|P1|F1|||||||20|min^minutes|^^^2026", "SCH-9", "20"),
        ("2.5", "SIU^S12^SIU_S12", "SCH|P1|F1|||||||20|min^minutes|^^^2026", "SCH-11.4", "2026"),
        ("2.5.1", "OMS^O05", "NTE|1|L|text|RE|one|two|three", "NTE-7", "three"),
        ("2.5.1", "OMS^O05", "NTE|1|L|text|RE^a^b^c^d^e^f^g^h|x", "NTE-4.9", "h"),
    ],
)
def test_a_withdrawn_or_surplus_field_moves_nothing(
    version: str, kind: str, line: str, path: str, value: str
) -> None:
    """Numbers are those of the message, not of the version's table."""
    raw = (header(version, kind) + line + "\r").encode()

    assert read(raw).get(path) == value
    assert rewritten(raw) == raw


@pytest.mark.parametrize("text", [r"a\X0D0A\b", r"\H\loud\N\ ", r"one\.br\two", r"\.sp2\x", r"\Zown\ ", r"\E\x"])
def test_an_escape_is_written_as_it_came(text: str) -> None:
    """Not escaped a second time."""
    raw = (header() + f"NTE|1||{text}\r").encode()

    assert write(read(raw)) == raw
    assert rewritten(raw) == raw


def test_the_truncation_character_of_2_7_is_no_letter_l() -> None:
    """It declares a delimiter and may stand at the end of a value."""
    raw = b"MSH|^~\\&#|W|M|||2026||OMS^O05|1|P|2.7\rNTE|1||cut off here#\r"

    assert read(raw).get("NTE-3") == "cut off here#"
    assert b"\\L\\" not in rewritten(raw)
    assert rewritten(raw) == raw


def test_the_truncation_character_before_2_7_is_kept_as_well() -> None:
    """Senders declare it in any version."""
    raw = b"MSH|^~\\&#|W|M|||2026||OMS^O05|1|P|2.5\rNTE|1||a#b\r"

    assert rewritten(raw) == raw


def test_a_byte_order_mark_is_no_reason_to_refuse() -> None:
    """Nor is it part of MSH."""
    raw = b"\xef\xbb\xbf" + header().encode()

    assert read(raw).type == "OMS^O05"
    assert rewritten(raw) == raw


def test_a_batch_is_read_and_kept() -> None:
    """As a whole, and message by message in ``Batch``; each with its own delimiters."""
    raw = b"BHS|^~\\&|W\r" + header().encode() + b"MSH#:*!+#W#M###2026##OMS:O05#2#P#2.5.1\rNTE#1##b:c\rBTS|2\r"

    message = read(raw)

    assert [segment.id for segment in message.segments] == ["BHS", "MSH", "MSH", "NTE", "BTS"]
    assert message.segments[3].get(3, component=2) == "c"
    assert write(message) == raw


@pytest.mark.parametrize(
    ("name", "encoding"), [("8859/1", "latin-1"), ("8859/2", "iso8859-2"), ("GB 18030-2000", "gb18030")]
)
def test_msh_18_is_heeded(name: str, encoding: str) -> None:
    """The same bytes mean other letters in another character set."""
    raw = (header(rest=f"||||||{name}") + "NTE|1||Ú\r").encode(encoding)

    message = read(raw)

    assert message.get("NTE-3") == "Ú"
    assert message.charset_source == "MSH-18"
    assert rewritten(raw) == raw


def test_numbers_and_empty_components_are_not_tidied_up() -> None:
    """0001 is not 1, and a component that is empty keeps its place."""
    raw = (header() + "PV1|0001||a^^b^^|x&&|~y|\r").encode()

    message = read(raw)

    assert message.get("PV1-1") == "0001"
    assert message.get("PV1-3.3") == "b"
    assert message.get("PV1-5[1]") == "y"
    assert rewritten(raw) == raw
