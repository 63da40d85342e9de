"""Acknowledgements say what became of a message, to the one who sent it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.hl7.codec import Fault, acknowledge, answer, is_acknowledgement, read
from tests.connectors.hl7.corpus import sample

AT = datetime(2026, 11, 24, 8, 15, tzinfo=UTC)


def test_a_positive_one_swaps_sender_and_receiver() -> None:
    """ACK^O05^ACK, MSA-1 and MSA-2, nothing else."""
    message = read(sample("oms_o05_one_line.hl7"))

    raw = acknowledge(message, "AA", at=AT, control_id="A1")

    assert raw == (
        b"MSH|^~\\&|ORDERLY|MERCY|WARDSTOCK|MERCY|20261124081500+0000||ACK^O05^ACK|A1|P|2.5.1||||||UNICODE UTF-8\r"
        b"MSA|AA|WARD0001\r"
    )


def test_a_fault_is_an_err_segment_with_a_code_of_table_0357() -> None:
    """Location, code, severity, technical and plain text."""
    message = read(sample("oms_o05_one_line.hl7"))
    fault = Fault("102", "RQD-5", "quantity is | no number", "line 1")

    raw = acknowledge(message, "AE", "not processed", fault, at=AT, control_id="A1")

    assert raw.split(b"\r")[1:3] == [
        b"MSA|AE|WARD0001|not processed",
        b"ERR||RQD^1^5|102^Data type error^HL70357|E|||line 1|quantity is \\F\\ no number",
    ]
    assert answer(read(raw)).code == "AE"
    assert answer(read(raw)).error == "102"


def test_before_version_2_5_the_fault_is_in_err_1() -> None:
    """Component 4 of ERR-1, as that version knows no more."""
    message = read(sample("oms_o05_one_line.hl7").replace(b"2.5.1", b"2.3.1"))

    raw = acknowledge(message, "AE", "no", Fault("101", "MSH-10"), at=AT, control_id="A1")

    assert raw.split(b"\r")[2] == b"ERR|MSH^1^10^101&Required field missing&HL70357"
    assert answer(read(raw)).error == "101"


def test_version_2_7_has_no_text_in_msa() -> None:
    """MSA-3 was withdrawn; ERR-8 carries it."""
    message = read(sample("oms_o05_one_line.hl7").replace(b"2.5.1", b"2.7"))

    raw = acknowledge(message, "AE", "no", Fault("207", "", "plain words"), at=AT, control_id="A1")

    assert raw.split(b"\r")[1] == b"MSA|AE|WARD0001"
    assert answer(read(raw)).text == "plain words"


def test_it_speaks_with_the_delimiters_and_character_set_of_the_message() -> None:
    """The sender's reader may know no others."""
    message = read(sample("oms_o05_other_delimiters.hl7"))

    raw = acknowledge(message, "AE", "50% # off", at=AT, control_id="A1")

    assert raw.startswith(b"MSH#:*!+#ORDERLY#MERCY#WARDSTOCK#MERCY#")
    assert b"MSA#AE#WARD0006#50% !F! off\r" in raw


def test_a_character_the_sender_cannot_read_is_replaced() -> None:
    """An acknowledgement is always possible."""
    message = read(sample("oms_o05_latin1.hl7"))

    raw = acknowledge(message, "AE", "größer als 5 €", at=AT, control_id="A1")

    assert "MSA|AE|WARD0004|größer als 5 ?\r".encode("latin-1") in raw


def test_a_message_without_escape_character_gets_plain_words() -> None:
    """Nothing can be escaped, so nothing needs to be."""
    message = read(b"MSH|^~|W|M|||2026||OMS^O05|1|P|2.5.1\r")

    raw = acknowledge(message, "AR", "a|b", at=AT, control_id="A1")

    assert b"MSA|AR|1|a b\r" in raw


def test_an_unreadable_message_gets_one_too() -> None:
    """MSA-2 is empty: nobody knows what it was called."""
    raw = acknowledge(None, "AR", "not readable", Fault("100"), at=AT, control_id="A1")

    assert raw == (
        b"MSH|^~\\&|||||20261124081500+0000||ACK|A1|P|2.5.1\r"
        b"MSA|AR||not readable\r"
        b"ERR|||100^Segment sequence error^HL70357|E\r"
    )


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"MSH|^~\\&|W|M|||2026||ACK^O05^ACK|1|P|2.5.1\rMSA|AA|1\r", True),
        (b"MSH|^~\\&|W|M|||2026||ORS^O06|1|P|2.5.1\rMSA|AA|1\r", True),
        (b"MSH|^~\\&|W|M|||2026||OMS^O05|1|P|2.5.1\r", False),
    ],
)
def test_a_response_is_told_from_a_message(raw: bytes, expected: bool) -> None:
    """An acknowledgement is never acknowledged."""
    assert is_acknowledgement(read(raw)) is expected
