"""Bytes around an interchange that belong to none: kept, told with their place, and no reason to refuse it."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.edifact.answering import AcknowledgeEdifact, AcknowledgeParameters
from connectors.edifact.codec import Checks, EdifactError, blocks, examining, faults, read, stream, write
from connectors.edifact.connector import ReadEdifact, ReadParameters
from tests.connectors.edifact.samples import ACME, INTERCHANGE
from tests.connectors.edifact.test_connector import context

ORDER = INTERCHANGE.encode()
THEIRS = INTERCHANGE.replace(
    "UNB+UNOC:3+5412345000013:14+4012345000094:14", "UNB+UNOC:3+4012345000094:14+5412345000013:14"
)
CAME = THEIRS.replace("+REF1'UNH", "+REF1++++++1'UNH").encode()
FOOTER = "\r\n-- \r\nSent from my phone, Müller UNB, UNZ\r\n<html><body>UNA</body></html>\r\n".encode()


def received(raw: bytes, **parameters: Any) -> tuple[Any, Any]:
    peer = context(ACME)
    content = peer.blobs.put(raw, "application/edifact")
    return ReadEdifact().run(ReadParameters(content=content, **parameters), peer), peer


@pytest.mark.parametrize("padding", [b"\n", b"   ", b"\0" * 900, b"\x1a", b"\r\n\x1a\0 \t"])
def test_padding_behind_an_interchange_is_no_fault(padding: bytes) -> None:
    assert write(read(ORDER + padding)) == ORDER + padding
    assert faults(read(ORDER + padding)) == []


def test_a_footer_is_a_warning_that_names_its_offset_and_length() -> None:
    raw = ORDER + FOOTER
    seen = FOOTER.strip()

    [found] = faults(read(raw))

    assert (found.code, found.severity, found.place.path) == ("interchange_text_outside", "warn", "/trailing")
    assert found.message.startswith(
        f"{len(seen)} bytes from byte {raw.index(seen)} on belong to no interchange: '-- "
    )
    assert write(read(raw)) == raw
    streamed = examining(stream(blocks(raw, 70)))
    assert [one.message for each in streamed for one in each.faults] == [found.message]


def test_text_between_two_interchanges_is_told_of_the_second_with_its_place() -> None:
    [found] = faults(read(ORDER + b"\nnext: " + ORDER.replace(b"REF1", b"REF2")))

    assert (found.severity, found.place.interchange) == ("warn", "REF2")
    assert found.message.startswith(f"5 bytes from byte {len(ORDER) + 1} on")


@pytest.mark.parametrize("lost", [b"UNH+1+ORDERS:D:96A:UN'BGM", b"UNZ+1+REF2'", b"ISA*00*          *00*"])
def test_what_may_be_a_damaged_interchange_still_rejects(lost: bytes) -> None:
    """An order that nobody can read must not pass as a footer."""
    [found] = [one for one in faults(read(ORDER + b"\n" + lost)) if one.place.path == "/trailing"]

    assert (found.code, found.severity) == ("interchange_unreadable", "reject")
    assert "ask the sender" in found.message


def test_the_operation_hands_on_the_interchange_with_the_warning_and_its_messages_accepted() -> None:
    output, peer = received(CAME + FOOTER)

    assert output.accepted
    assert [one.accepted for one in output.messages] == [True]
    [found] = output.faults
    assert found["code"] == "interchange_text_outside"
    assert f"from byte {len(CAME) + 2} on" in found["message"]
    assert peer.blobs.read(output.raw).endswith(FOOTER)


def test_strict_makes_a_fault_of_it_that_rejects() -> None:
    output, _ = received(CAME + FOOTER, strict=True)

    assert not output.accepted
    assert not any(one.accepted for one in output.messages)
    assert [one.severity for one in faults(read(ORDER + FOOTER), Checks(strict=True))] == ["reject"]


def test_a_contrl_accepts_it_as_it_would_without_the_footer() -> None:
    codes = []
    for raw in (CAME, CAME + FOOTER):
        output, peer = received(raw)
        given = AcknowledgeEdifact().run(
            AcknowledgeParameters(received=output.model_dump(by_alias=True, mode="json")), peer
        )
        codes.append([(one.code, one.rejected) for one in given.acknowledgements])

    assert codes == [[("7", 0)]] * 2


def test_a_footer_may_be_longer_than_a_segment_but_not_endless() -> None:
    assert [one.severity for one in faults(read(ORDER + b"<p>x</p>" * 20_000))] == ["warn"]
    with pytest.raises(EdifactError, match="stand between two interchanges"):
        read(ORDER + b"<p>x</p>" * 200_000)
