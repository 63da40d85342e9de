"""TA1 and 997: what is told, to whom, and never twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sdk import BlobRef, Misconfigured
from connectors.x12.answering import AcknowledgeOutput, AcknowledgeParameters, AcknowledgeX12
from connectors.x12.codec import (
    acknowledgements,
    examine,
    faults,
    from_named,
    functional,
    interchange_acknowledgement,
    outcomes,
    read,
)
from connectors.x12.connector import ReadParameters, ReadX12
from tests.connectors.x12.made import interchange
from tests.connectors.x12.samples import ACME, sample
from tests.harness import MemoryContext

ORDER = "850|BEG*00*NE*PO-1**20261120~PO1*1*5*EA~CTT*1~"
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def ta1(raw: bytes) -> list[Any] | None:
    [outcome] = outcomes(read(raw))
    segment = interchange_acknowledgement(outcome)
    return None if segment is None else segment["elements"]


def test_a_good_interchange_is_taken_with_its_number_date_and_time() -> None:
    assert ta1(interchange(ORDER)) == ["000000007", "261120", "0930", "A", "000"]


@pytest.mark.parametrize(
    ("old", "new", "code", "note"),
    [
        (b"IEA*1*000000007~", b"", "R", "023"),
        (b"IEA*1*000000007~", b"IEA*1*000000008~", "R", "001"),
        (b"IEA*1*", b"IEA*2*", "R", "021"),
        (b"*0930*U", b"*0960*U", "E", "015"),
        (b"*0*T*>", b"*2*T*>", "E", "019"),
        (b"GS*PO*ACMEMED*MERCYHOSP*20261120*0930*7*", b"GS*PO*ACMEMED*MERCYHOSP*20261120*0930*X7*", "E", "024"),
        (b"*MERCYHOSP      *", b"*MERCYHOSP*", "E", "022"),
    ],
)
def test_what_is_wrong_with_the_envelope_has_its_note_code(old: bytes, new: bytes, code: str, note: str) -> None:
    elements = ta1(interchange(ORDER).replace(old, new))

    assert elements is not None
    assert elements[3:] == [code, note]


def test_acknowledgements_are_never_acknowledged() -> None:
    only_997 = interchange("997|AK1*PO*1~AK9*A*1*1*1~", identifier="FA")
    only_ta1 = interchange(between="TA1*000000001*261120*0930*A*000~").replace(b"GS*PO", b"GS*FA")

    for raw in (only_997, only_ta1):
        assert ta1(raw) is None
        assert acknowledgements(read(raw)) == []


def test_warnings_are_told_only_where_they_are_wanted() -> None:
    raw = interchange(ORDER.replace("CTT*1~", "CTT*1*99~"))
    [outcome] = outcomes(read(raw))

    [silent], [telling] = functional(outcome), functional(outcome, warnings=True)

    assert silent.document["sets"][0]["result"] == {"code": "A", "errors": []}
    assert telling.document["sets"][0]["result"] == {"code": "E", "errors": [{"code": "5"}]}
    assert (silent.code, telling.code) == ("A", "E")


def test_group_level_errors_have_their_places_in_the_997() -> None:
    raw = interchange(ORDER, ORDER).replace(b"GE*2*7~", b"GE*3*8~")

    [answer] = acknowledgements(read(raw))

    assert [one["elements"] for one in from_named("997", answer.document)][-1] == ["R", "3", "2", "0", "4", "5"]


def test_nothing_of_a_rejected_interchange_is_accepted() -> None:
    [answer] = acknowledgements(read(interchange(ORDER).replace(b"IEA*1*000000007~", b"IEA*1*000000008~")))

    assert answer.code == "R"
    assert answer.document["sets"][0]["result"]["code"] == "R"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ST*850*0001", b"ST*850*1"),
        (b"ST*850*0001", b"ST*8500*0001"),
        (b"ST*850*0001", b"ST**"),
        (b"ST*850*0001", b"ST*850*00>01"),
        (b"PO1*1", b"P*1"),
        (b"PO1*1", b"*1"),
        (b"PO1*1*5", b"PO1*1*f>ve"),
        (b"GE*1*7", b"GE*many*7"),
    ],
)
def test_whatever_is_told_back_can_be_written(old: bytes, new: bytes) -> None:
    """Numbers and ids come from the sender and may be anything."""
    raw = interchange(ORDER)
    assert old in raw

    [answer] = acknowledgements(read(raw.replace(old, new)))

    assert from_named("997", answer.document)[0]["id"] == "AK1"


def profile(**acknowledge: Any) -> dict[str, Any]:
    return ACME | {"x12": ACME["x12"] | {"acknowledge": acknowledge}}  # type: ignore[operator]


def answer(raw: bytes, partner: dict[str, Any] = ACME) -> tuple[AcknowledgeOutput, bytes, MemoryContext]:
    """What x12.read puts out, acknowledged; and the bytes."""
    context = MemoryContext(partners={"acme": partner}, clock=lambda: NOW)
    received = ReadX12().run(ReadParameters(content=raw.decode()), context).model_dump(mode="json", by_alias=True)
    output = AcknowledgeX12().run(AcknowledgeParameters(received=received), context)
    content = output.content
    return output, context.blobs.read(content) if isinstance(content, BlobRef) else b"", context


def test_what_was_read_is_answered_with_a_997_that_is_itself_sound() -> None:
    output, content, _ = answer(sample("one_bad_set.edi"))

    assert [one.model_dump() for one in output.acknowledgements] == [
        {"kind": "997", "acknowledgement_key": "acme/58", "code": "P"}
    ]
    assert (output.interchange_control_number, output.group_control_number) == ("000000001", "1")
    assert faults(read(content), strict=True) == []
    assert b"AK2*855*0002~\nAK3*PO1*3**8~\nAK4*2*330*6*many~\nAK5*R*5~" in content
    assert b"ISA*00*          *00*          *ZZ*MERCYHOSP      *ZZ*ACMEMED " in content


def test_the_997_of_the_operation_is_that_of_the_codec() -> None:
    raw = sample("one_bad_set.edi")

    _, content, _ = answer(raw)

    [told] = acknowledgements(read(raw))
    [checked] = examine(read(content))
    document = checked.groups[0].sets[0].document
    assert document is not None
    assert from_named("997", document) == from_named("997", told.document)


@pytest.mark.parametrize(
    ("policy", "isa14", "is_broken", "kinds"),
    [
        ("requested", "0", False, ["997"]),
        ("requested", "1", False, ["TA1", "997"]),
        ("requested", "1", True, ["TA1"]),
        ("requested", "0", True, ["997"]),
        ("rejected", "0", True, ["TA1"]),
        ("rejected", "0", False, ["997"]),
        ("always", "0", False, ["TA1", "997"]),
        ("never", "1", True, ["997"]),
    ],
)
def test_a_ta1_is_given_by_isa14_or_by_the_profile(
    policy: str, isa14: str, is_broken: bool, kinds: list[str]
) -> None:
    raw = interchange(ORDER, isa14=isa14)
    if is_broken:
        raw = raw.replace(b"IEA*1*", b"IEA*2*")

    output, content, _ = answer(raw, profile(ta1=policy))

    assert [one.kind for one in output.acknowledgements] == kinds
    assert {one.code for one in output.acknowledgements} == {"R" if is_broken else "A"}
    assert (b"TA1*000000007*261120*0930*" in content) == ("TA1" in kinds)
    assert faults(read(content), strict=True) == []


def test_an_acknowledgement_that_was_read_is_not_answered_and_uses_no_number() -> None:
    output, content, context = answer(sample("997_accepted.edi"), profile(ta1="always"))

    assert (output.content, output.acknowledgements, content) == (None, [], b"")
    assert context.allocate("x12/ZZ:MERCYHOSP/ZZ:ACMEMED/T/isa") == 1


def test_a_partner_that_wants_no_997_gets_none() -> None:
    assert answer(interchange(ORDER), profile(functional=False))[0].content is None


def test_a_ta1_that_was_read_says_what_it_acknowledges() -> None:
    raw = interchange(between="TA1*000000042*261120*0930*R*023~", identifier="FA").decode()
    context = MemoryContext(partners={"acme": ACME}, clock=lambda: NOW)

    output = ReadX12().run(ReadParameters(content=raw), context)

    [one] = output.interchanges[0].acknowledgements
    assert (one.acknowledgement_key, one.code, one.note_code) == ("acme/000000042", "R", "023")


@pytest.mark.parametrize(
    "received",
    [
        {},
        {"partner": "acme", "interchanges": [{}], "sets": []},
        {"partner": "acme", "interchanges": 3, "sets": []},
    ],
)
def test_what_x12_read_did_not_put_out_is_refused_by_field(received: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="received") as refused:
        AcknowledgeX12().run(AcknowledgeParameters(received=received), MemoryContext(partners={"acme": ACME}))

    assert refused.value.field.startswith("received")
