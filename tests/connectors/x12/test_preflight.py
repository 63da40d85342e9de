"""What a partner would refuse ends as an exception here, before a number is used up."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sdk import Misconfigured
from connectors.x12.codec import DocumentError, faults, named, read
from connectors.x12.connector import ReadParameters, ReadX12
from connectors.x12.writing import WriteParameters, WriteX12
from tests.connectors.x12.samples import ACME, sample
from tests.harness import MemoryContext

ORDER = named(read(sample("850.edi"))["interchanges"][0]["groups"][0]["sets"][0])


def partner(x12: dict[str, Any] | None = None, **shared: Any) -> dict[str, Any]:
    return ACME | {"x12": ACME["x12"] | (x12 or {})} | shared  # type: ignore[operator]


def context(profile: dict[str, Any] = ACME) -> MemoryContext:
    return MemoryContext(partners={"acme": profile}, clock=lambda: datetime(2026, 11, 24, 9, 30, tzinfo=UTC))


def changed(*path: str | int, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(ORDER)
    holder: Any = document
    for part in path[:-1]:
        holder = holder[part]
    holder[path[-1]] = value
    return document


def write(document: dict[str, Any], peer: MemoryContext, type: str = "850") -> Any:
    return WriteX12().run(WriteParameters(partner="acme", set=type, document=document), peer)


def refused(document: dict[str, Any], profile: dict[str, Any] = ACME, type: str = "850") -> DocumentError:
    peer = context(profile)
    with pytest.raises(DocumentError) as raised:
        write(document, peer, type)
    assert peer.allocate("x12/ZZ:MERCYHOSP/ZZ:ACMEMED/T/isa") == 1, "a control number was used up"
    assert peer.exchange.sent == []
    return raised.value


def codes(error: DocumentError) -> list[str]:
    return [one.code for one in error.faults]


def with_gtin(value: str, qualifier: str = "UK") -> dict[str, Any]:
    return changed(
        "lines", 0, "product_ids", value=[{"qualifier": "VN", "id": "A-1"}, {"qualifier": qualifier, "id": value}]
    )


def test_a_gtin_with_a_wrong_check_digit_is_refused_with_its_segment_marked() -> None:
    error = refused(with_gtin("09506000134353"))

    assert codes(error) == ["check_digit_wrong"]
    assert "09506000134353 is no GTIN: its check digit is 3, for the other digits it would be 2" in error.message
    [marked] = error.details["segments"]
    assert marked["text"].startswith("PO1*1*20*BX") and "09506000134353" in marked["text"]
    assert marked["elements"] == [9]
    assert error.details["faults"][0]["segment_id"] == "PO1"


@pytest.mark.parametrize(
    ("qualifier", "value", "why"),
    [
        ("UP", "9506000134352", "13 digits, not 12"),
        ("EN", "95060001343S2", "digits only"),
        ("UK", "9506000134352", "not 14"),
    ],
)
def test_a_gtin_has_the_length_of_its_qualifier(qualifier: str, value: str, why: str) -> None:
    assert why in refused(with_gtin(value, qualifier)).message


def test_all_faults_are_told_at_once() -> None:
    document = with_gtin("09506000134353")
    document["lines"][1]["unit"] = "BOX"
    document["totals"] = {"line_count": "7", "amounts": [{"qualifier": "TT", "amount": "9.99"}]}

    error = refused(document)

    expected = ["check_digit_wrong", "element_too_long", "line_count_unbalanced", "order_total_unbalanced"]
    assert sorted(codes(error)) == expected
    assert error.message.endswith("(and 3 more)")
    assert [one["text"].partition("*")[0] for one in error.details["segments"]] == ["PO1", "PO1", "CTT", "AMT"]


def test_a_gln_of_somebody_else_is_refused_where_the_profile_knows_who_the_partner_is() -> None:
    party = [{"entity": "SU", "name": "Acme", "id_qualifier": "UL", "id": "9521234600022"}]
    sides = {"theirs": {"gln": "9521234600015"}}

    error = refused(changed("parties", value=party), partner(identifiers=sides))

    assert codes(error) == ["party_identifier"]
    assert "the partner is 9521234600015" in error.message
    write(changed("parties", value=party), context())


def test_a_line_without_the_number_the_partner_needs_is_refused() -> None:
    document = changed("lines", 0, "product_ids", value=[{"qualifier": "BP", "id": "ITM-1"}])

    error = refused(document, partner(items={"all_of": ["supplier"], "one_of": ["gtin", "manufacturer"]}))

    assert codes(error)[:2] == ["item_identifier_missing"] * 2
    assert "line 1 has no supplier number" in error.message
    assert "line 1 has no GTIN or manufacturer number" in error.faults[1].message


def test_an_order_number_that_was_sent_before_is_refused_and_by_profile_only_warned_of() -> None:
    peer = context()
    first = write(ORDER, peer)

    peer.effect_key = "k2"
    with pytest.raises(DocumentError, match=r"850 PO-1001 went to partner acme before, in interchange 000000001"):
        write(ORDER, peer)
    assert (
        write(changed("beginning", "order_number", value="PO-1002"), peer).interchange_control_number == "000000002"
    )

    lenient = context(partner({"preflight": {"duplicate_document": "warn"}}))
    write(ORDER, lenient)
    lenient.effect_key = "k2"
    assert [one["code"] for one in write(ORDER, lenient).warnings] == ["duplicate_document"]
    assert first.warnings == []


def test_a_change_in_another_unit_than_the_order_is_refused() -> None:
    peer = context()
    write(ORDER, peer)
    change = {
        "beginning": {"purpose": "04", "order_type": "NE", "order_number": "PO-1001", "order_date": "20261124"},
        "lines": [{"line_number": "1", "change_type": "QI", "quantity": "30", "quantity_left": "30",
                   "composite_unit": {"unit": "EA"}, "unit_price": "7.20"}],
        "totals": {"line_count": "1"},
    }  # fmt: skip

    peer.effect_key = "k2"
    with pytest.raises(DocumentError, match="line 1 says unit EA, order PO-1001 has it in BX"):
        write(change, peer, "860")
    change["lines"][0]["composite_unit"] = {"unit": "BX"}  # type: ignore[index]
    assert write(change, peer, "860").warnings == []


def test_an_invoice_that_does_not_add_up_is_refused_though_it_would_be_read_with_a_warning() -> None:
    invoice = named(read(sample("810.edi"))["interchanges"][0]["groups"][0]["sets"][0])
    invoice["totals"] = {"total": "1"}

    assert codes(refused(invoice, type="810")) == ["invoice_total_unbalanced"]


def test_a_despatch_advice_needs_a_whole_tree_and_whole_sscc() -> None:
    advice = named(read(sample("856.edi"))["interchanges"][0]["groups"][0]["sets"][0])
    broken = copy.deepcopy(advice)
    pack = broken["shipments"][0]["orders"][0]["packs"][0]
    pack["marks"][0]["value"] = pack["marks"][0]["value"][:-1] + "0"
    pack["items"][0]["parent"] = "99"

    found = codes(refused(broken, type="856"))

    assert "check_digit_wrong" in found and "hl_parent_unknown" in found
    write(advice, context(), "856")


def test_units_and_codes_go_out_as_theirs_and_come_back_as_ours() -> None:
    profile = partner({"codes": {"374": {"002": "106"}}}, units={"BX": "CT"})
    peer = context(profile)

    raw = peer.blobs.read(write(ORDER, peer).content)

    assert b"PO1*1*20*CT*" in raw and b"DTM*106*" in raw
    assert faults(read(raw)) == []
    answer = sample("855_accepted.edi").replace(b"*BX", b"*CT").decode()
    [one] = ReadX12().run(ReadParameters(content=answer), context(profile)).sets
    assert {line["unit"] for line in one.document["lines"]} == {"BX"}  # type: ignore[index]
    assert {each["unit"] for line in one.document["lines"] for each in line["acknowledgements"]} == {"BX"}  # type: ignore[index]


def test_what_the_repertoire_has_not_is_refused_or_replaced_in_free_text_by_the_profile() -> None:
    document = changed("parties", 0, "name", value="Hôpital Sacré-Cœur, 5 €")
    characters = {"outside": "replace", "replace": {"€": "EUR", "œ": "oe"}}

    assert codes(refused(document)) == ["element_character"]
    peer = context(partner(characters=characters))
    assert b"Hopital Sacre-Coeur, 5 EUR" in peer.blobs.read(write(document, peer).content)
    capitals = context(partner({"repertoire": "basic"}, characters=characters))
    raw = capitals.blobs.read(write(document, capitals).content)
    assert b"HOPITAL SACRE-C" in raw


def test_an_identifier_is_never_changed_to_fit() -> None:
    document = changed("lines", 0, "product_ids", value=[{"qualifier": "VN", "id": "Ä-100"}])

    error = refused(document, partner(characters={"outside": "replace"}))

    assert codes(error) == ["element_character"]


@pytest.mark.parametrize(
    ("profile", "field", "why"),
    [
        (partner(environment="production"), "x12.usage", "runs in production"),
        (
            partner({"checks": {"usage_mismatch": "ignore"}}),
            "x12.checks.usage_mismatch",
            "never let through",
        ),
        (partner({"preflight": {"usage_mismatch": "warn"}}), "x12.preflight.usage_mismatch", "which no check has"),
        (partner(units={"BX": "CT", "CA": "CT"}), "units", "could not be read back"),
        (partner({"delimeters": {}}), "x12.delimeters", "not permitted"),
    ],
)
def test_a_profile_that_lets_test_and_production_cross_or_cannot_be_read_back_is_refused(
    profile: dict[str, Any], field: str, why: str
) -> None:
    with pytest.raises(Misconfigured, match=why) as raised:
        write(ORDER, context(profile))

    assert raised.value.field == field


def test_isa15_is_the_environments_where_the_profile_says_nothing() -> None:
    silent = {key: value for key, value in ACME["x12"].items() if key != "usage"}  # type: ignore[attr-defined]
    for environment, usage in (("test", "T"), ("production", "P")):
        peer = context(ACME | {"x12": silent, "environment": environment})
        raw = peer.blobs.read(write(ORDER, peer).content)

        assert read(raw)["interchanges"][0]["header"]["elements"][14] == usage
        other = sample("855_accepted.edi").replace(b"*0*T*", b"*0*%s*" % (b"P" if usage == "T" else b"T"))
        output = ReadX12().run(ReadParameters(content=other.decode()), peer)
        assert [one["code"] for one in output.faults] == ["usage_mismatch"]
        assert not output.accepted and not any(one.accepted for one in output.sets)
