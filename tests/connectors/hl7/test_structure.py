"""hl7apy's validation as a second opinion, on a copy."""

from __future__ import annotations

from connectors.hl7.codec import read
from connectors.hl7.structure import violations
from tests.connectors.hl7.corpus import sample


def test_a_sound_message_has_no_errors_in_spite_of_its_z_segment() -> None:
    """The message itself is not touched, CRLF or not."""
    message = read(sample("oms_o05_many_lines.hl7").replace(b"\r", b"\r\n"))
    before = message.text

    found = violations(message)

    assert [finding for finding in found if finding.severity == "error"] == []
    assert message.text == before


def test_what_the_structure_lacks_is_an_error() -> None:
    """An order without its detail."""
    message = read(sample("oms_o05_one_line.hl7").split(b"RQD")[0])

    found = violations(message)

    assert any(finding.severity == "error" and "RQD" in finding.message for finding in found)


def test_values_are_not_repeated() -> None:
    """They could be a patient's."""
    found = violations(read(sample("oms_o05_one_line.hl7").replace(b"ORC|NW", b"ORC|Zebrowskaya")))

    assert found
    assert not any("Zebrowskaya" in finding.message for finding in found)


def test_a_version_that_hl7apy_does_not_know_is_said() -> None:
    """Instead of a guess."""
    found = violations(read(sample("oms_o05_one_line.hl7").replace(b"|2.5.1|", b"|9.9|")))

    assert [finding.where for finding in found] == ["MSH-12"]
