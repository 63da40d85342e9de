"""``x12.read`` and ``x12.write`` as a flow runs them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sdk import BlobRef, BusinessError, Misconfigured, load
from connectors.x12.codec import DocumentError, X12Error, faults, named, read
from connectors.x12.connector import ReadParameters, ReadX12
from connectors.x12.writing import WriteParameters, WriteX12
from tests.connectors.x12.samples import ACME, sample
from tests.harness import MemoryContext


def context(partner: dict[str, Any] = ACME, effect_key: str = "k1") -> MemoryContext:
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    return MemoryContext(partners={"acme": partner}, effect_key=effect_key, clock=lambda: at)


def profile(**x12: Any) -> dict[str, Any]:
    return ACME | {"x12": ACME["x12"] | x12}  # type: ignore[operator]


ORDER = named(read(sample("850.edi"))["interchanges"][0]["groups"][0]["sets"][0])


def test_the_connector_is_found_by_its_name() -> None:
    names = [operation.name for operation in load("x12").operations]

    assert names == ["read", "preflight", "write", "acknowledge", "reconcile"]


def test_an_order_is_written_for_its_partner_exactly_as_the_sample() -> None:
    peer = context()

    output = WriteX12().run(WriteParameters(partner="acme", set="850", document=ORDER), peer)

    assert peer.blobs.read(output.content) == sample("850.edi")
    assert output.interchange_control_number == "000000001"
    assert output.group_control_number == "1"
    assert output.set_control_numbers == ["0001"]
    assert output.acknowledgement_key == "acme/1"


def test_a_retry_gets_the_same_numbers_and_another_node_the_next() -> None:
    peer = context()
    parameters = WriteParameters(partner="acme", set="850", document=ORDER)

    first, again = WriteX12().run(parameters, peer), WriteX12().run(parameters, peer)
    peer.effect_key = "k2"
    next_order = ORDER | {"beginning": ORDER["beginning"] | {"order_number": "PO-2002"}}
    other = WriteX12().run(WriteParameters(partner="acme", set="850", document=next_order), peer)

    assert first == again
    assert other.acknowledgement_key == "acme/2"


def test_a_document_that_breaks_the_schema_uses_up_no_number() -> None:
    peer = context()
    bad = ORDER | {"currency": {"entity": "BY", "currency": "EURO"}}

    with pytest.raises(DocumentError, match=r"CUR02 .*'EURO'"):
        WriteX12().run(WriteParameters(partner="acme", set="850", document=bad), peer)

    assert peer.allocate("x12/ZZ:MERCYHOSP/ZZ:ACMEMED/T/isa") == 1


@pytest.mark.parametrize(
    ("partner", "field"),
    [
        ({"partner": "acme"}, "x12"),
        (profile(ours={"qualifier": "ZZ"}), "x12.ours.id"),
        (profile(usage="X"), "x12.usage"),
        (profile(delimiters={"element": "*", "component": "*"}), "x12.delimiters"),
    ],
)
def test_a_profile_that_cannot_work_is_refused_by_field(partner: dict[str, Any], field: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        WriteX12().run(WriteParameters(partner="acme", set="850", document=ORDER), context(partner))

    assert refused.value.field == field


def test_an_acknowledgement_is_read_with_its_partner_found_by_the_sender() -> None:
    output = ReadX12().run(ReadParameters(content=sample("855_accepted.edi").decode()), context())

    assert (output.partner, output.usage, output.accepted) == ("acme", "T", True)
    assert output.interchange_control_number == "000000101"
    [one] = output.sets
    assert (one.type, one.functional_identifier, one.partner) == ("855", "PR", "acme")
    assert (one.set_control_number, one.group_control_number, one.accepted) == ("0001", "51", True)
    assert one.document is not None
    assert one.document["beginning"]["supplier_order_number"] == "SO-88001"


def test_the_bytes_are_kept_as_the_record() -> None:
    peer = context()
    stored = peer.blobs.put(sample("997_accepted.edi"))

    from_blob = ReadX12().run(ReadParameters(content=stored), peer)
    from_text = ReadX12().run(ReadParameters(content=sample("997_accepted.edi").decode()), peer)

    assert from_blob.raw == stored
    assert isinstance(from_text.raw, BlobRef)
    assert from_text.raw.blob == stored.blob


def test_one_bad_set_never_stops_the_good_ones() -> None:
    output = ReadX12().run(ReadParameters(content=sample("one_bad_set.edi").decode()), context())

    assert [(one.set_control_number, one.accepted, len(one.faults)) for one in output.sets] == [
        ("0001", True, 0),
        ("0002", False, 1),
        ("0003", True, 0),
    ]
    assert output.faults == []
    assert output.accepted


def test_a_set_that_is_not_declared_comes_in_the_lossless_view() -> None:
    raw = sample("855_accepted.edi").replace(b"ST*855", b"ST*816").decode()

    [one] = ReadX12().run(ReadParameters(content=raw), context()).sets

    assert (one.type, one.accepted, one.document) == ("816", False, None)
    assert one.segments is not None
    assert one.segments[1]["id"] == "BAK"


def test_faults_of_the_envelope_stand_beside_the_sets_and_accept_none_of_them() -> None:
    output = ReadX12().run(ReadParameters(content=sample("broken.edi").decode()), context())

    assert len(output.faults) == 4
    assert not output.accepted
    assert [one.accepted for one in output.sets] == [False, False]


def test_an_unknown_sender_is_a_business_error() -> None:
    raw = sample("855_accepted.edi").replace(b"ACMEMED        ", b"STRANGER       ").decode()

    with pytest.raises(BusinessError, match="ZZ/STRANGER") as refused:
        ReadX12().run(ReadParameters(content=raw), context())

    assert refused.value.kind == "unknown_trading_partner"


def test_test_and_production_never_cross() -> None:
    output = ReadX12().run(ReadParameters(content=sample("855_accepted.edi").decode()), context(profile(usage="P")))

    assert [one["code"] for one in output.faults] == ["usage_mismatch"]
    assert not output.sets[0].accepted


def test_a_named_partner_must_be_the_sender_and_we_the_receiver() -> None:
    raw = sample("855_accepted.edi").replace(b"ACMEMED        ", b"STRANGER       ")
    raw = raw.replace(b"*MERCYHOSP      *", b"*SOMEONEELSE    *")

    output = ReadX12().run(ReadParameters(content=raw.decode(), partner="acme"), context())

    assert [one["code"] for one in output.faults] == ["sender_mismatch", "receiver_mismatch"]


def test_bytes_that_are_no_interchange_are_rejected() -> None:
    with pytest.raises(X12Error, match="should begin with ISA"):
        ReadX12().run(ReadParameters(content="hello"), context())


def test_what_was_written_has_no_faults_when_read() -> None:
    peer = context(profile(delimiters={"element": "|", "component": ":", "segment": "'"}))

    output = WriteX12().run(WriteParameters(partner="acme", set="850", document=ORDER), peer)

    assert faults(read(peer.blobs.read(output.content)), strict=True) == []
