"""Bytes around an interchange that belong to none: kept, told with their place, and no reason to refuse it."""

from __future__ import annotations

import pytest

from connectors.x12.answering import AcknowledgeParameters, AcknowledgeX12
from connectors.x12.codec import X12Error, check, faults, outcomes, read, stream, write
from connectors.x12.connector import ReadParameters, ReadX12
from connectors.x12.outcome import InterchangeOutcome
from tests.connectors.x12.made import interchange
from tests.connectors.x12.samples import ACME, sample
from tests.connectors.x12.test_connector import context

ORDER = interchange("850|BEG*00*NE*PO-1**20261120~PO1*1*5*EA*7.20**VC*A-1~CTT*1~")
FOOTER = "\r\n-- \r\nSent from my phone, Müller ST. 5\r\n<html><body>ISA, GS & co.</body></html>\r\n".encode()
OURS = {**ACME, "x12": {**ACME["x12"], "acknowledge": {"ta1": "always"}}}  # type: ignore[dict-item]


def outcome(raw: bytes) -> InterchangeOutcome:
    [one] = outcomes(read(raw))
    return one


@pytest.mark.parametrize("padding", [b"\n", b"   ", b"\0" * 900, b"\x1a", b"\r\n\x1a\0 \t", b"\xef\xbb\xbf"])
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
    assert [one.message for each in check(stream([raw[:300], raw[300:]])) for one in each.faults] == [found.message]


def test_text_between_two_interchanges_is_told_of_the_second_with_its_place() -> None:
    second = ORDER.replace(b"000000007", b"000000008")

    [found] = faults(read(ORDER + b"\nnext: " + second))

    assert (found.severity, found.place.interchange) == ("warn", "000000008")
    assert found.message.startswith(f"5 bytes from byte {len(ORDER) + 1} on")


@pytest.mark.parametrize(
    "lost",
    [
        b"GS*PO*A*B*20261120*0930*1*X*004010~ST*850*0001~",
        b"ISA*00*          *00*     ",
        b"UNB+UNOC:3+A+B",
        b"SE*5*0001~",
    ],
)
def test_what_may_be_a_damaged_interchange_still_rejects(lost: bytes) -> None:
    """An order that nobody can read must not pass as a footer."""
    [found] = [one for one in faults(read(ORDER + lost)) if one.place.path == "/trailing"]

    assert (found.code, found.severity) == ("interchange_unreadable", "reject")
    assert "ask the sender" in found.message


def test_the_operation_hands_on_the_interchange_with_the_warning_and_its_sets_accepted() -> None:
    peer = context()

    output = ReadX12().run(ReadParameters(content=(sample("855_accepted.edi") + FOOTER).decode()), peer)

    assert output.accepted
    assert [one.accepted for one in output.sets] == [True]
    assert [one["code"] for one in output.faults] == ["interchange_text_outside"]
    assert peer.blobs.read(output.raw).endswith(FOOTER)


def test_strict_makes_a_fault_of_it_that_rejects() -> None:
    raw = (sample("855_accepted.edi") + FOOTER).decode()

    output = ReadX12().run(ReadParameters(content=raw, strict=True), context())

    assert not output.accepted
    assert not any(one.accepted for one in output.sets)


def test_a_ta1_accepts_it_with_errors_noted_and_the_997_is_as_without() -> None:
    raw = sample("855_accepted.edi")
    answers = {}
    for name, came in {"plain": raw, "footer": raw + FOOTER}.items():
        peer = context(OURS)
        received = ReadX12().run(ReadParameters(content=came.decode()), peer).model_dump(by_alias=True, mode="json")
        given = AcknowledgeX12().run(AcknowledgeParameters(received=received), peer)
        answers[name] = [(one.kind, one.code) for one in given.acknowledgements]

    assert answers == {"plain": [("TA1", "A"), ("997", "A")], "footer": [("TA1", "E"), ("997", "A")]}


def test_a_footer_may_be_longer_than_a_segment_but_not_endless() -> None:
    assert outcome(ORDER + b"<p>x</p>" * 20_000).is_good
    with pytest.raises(X12Error, match="belong to no interchange"):
        read(ORDER + b"<p>x</p>" * 200_000)
