"""What a partner would refuse ends as an exception here, before a number is used up."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.edifact.codec import DocumentError, faults, read
from connectors.edifact.connector import ReadEdifact, ReadParameters
from connectors.edifact.writing import WriteEdifact, WriteParameters
from connectors.sdk import Misconfigured
from tests.connectors.edifact.samples import ACME, DOCUMENT, HEAD, INTERCHANGE
from tests.harness import MemoryContext


def partner(edifact: dict[str, Any] | None = None, **shared: Any) -> dict[str, Any]:
    return ACME | {"edifact": ACME["edifact"] | (edifact or {})} | shared


def context(profile: dict[str, Any] = ACME) -> MemoryContext:
    return MemoryContext(partners={"acme": profile}, clock=lambda: datetime(2026, 11, 24, 9, 30, tzinfo=UTC))


def with_line(**change: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document["lines"][0] |= change
    return document


def write(document: dict[str, Any], peer: MemoryContext, type: str = "ORDERS") -> tuple[bytes, Any]:
    output = WriteEdifact().run(WriteParameters(partner="acme", message=type, document=document), peer)
    return peer.blobs.read(output.content), output


def refused(document: dict[str, Any], profile: dict[str, Any] = ACME, type: str = "ORDERS") -> DocumentError:
    peer = context(profile)
    with pytest.raises(DocumentError) as raised:
        write(document, peer, type)
    assert write(DOCUMENT, context(profile))[1].interchange_control_number == "1"
    return raised.value


def codes(error: DocumentError) -> list[str]:
    return [one.code for one in error.faults]


def test_all_keys_of_gs1_are_checked_at_once_and_their_segments_marked() -> None:
    document = with_line(item="4000862141405")
    document["parties"][1]["id"] = "4012345000094"

    error = refused(document)

    assert codes(error) == ["check_digit_wrong"] * 2
    assert error.details["segments"] == [
        {"position": 5, "text": "NAD+SU+4012345000094::9", "elements": [2]},
        {"position": 6, "text": "LIN+1++4000862141405:EN", "elements": [3]},
    ]


def test_a_line_without_the_number_the_partner_needs_is_refused() -> None:
    without = with_line(item="AC-1", item_type="SA")
    peer = context(partner(items={"all_of": ["gtin"]}))

    with pytest.raises(DocumentError) as raised:
        write(without, peer)

    error = raised.value

    assert codes(error) == ["item_identifier_missing"]
    assert "line 1 has no GTIN number" in error.message


def test_amounts_of_lines_must_come_to_the_total() -> None:
    document = with_line(amounts=[{"qualifier": "203", "amount": "72.00"}])
    document["total_amounts"] = [{"qualifier": "79", "amount": "73.00"}]

    assert "said to come to 73.00, they add up to 72.00" in refused(document).message
    document["total_amounts"][0]["amount"] = "72.00"
    assert faults(read(write(document, context())[0])) == []


def test_an_sscc_with_a_wrong_check_digit_is_refused() -> None:
    carton = {
        "count": "1", "package_type": "CT",
        "markings": [{"instruction": "33E", "identities": [{"qualifier": "BJ", "ids": [{"first": "395212346007000010"}]}]}],
    }  # fmt: skip
    advice = {
        "beginning": {"document_type": "351", "document_number": "SHP-1", "function": "9"},
        "dates": [{"qualifier": "137", "value": "20261124", "format": "102"}],
        "packings": [{"number": "1", "packages": [carton]}],
    }

    assert codes(refused(advice, type="DESADV")) == ["check_digit_wrong"]


def test_units_and_codes_go_out_as_theirs_and_come_back_as_ours() -> None:
    profile = partner({"codes": {"4347": {"1": "5"}}}, units={"PCE": "EA"})

    raw, _ = write(DOCUMENT, context(profile))

    assert b"QTY+21:10:EA'" in raw and b"PIA+5+AC-1001:SA'" in raw
    theirs = INTERCHANGE.replace(HEAD, "UNB+UNOC:3+4012345000094:14+5412345000013:14+261124:0930+REF1++++++1'")
    theirs = theirs.replace(":PCE", ":EA").replace("PIA+1", "PIA+5")
    [one] = ReadEdifact().run(ReadParameters(content=theirs), context(profile)).messages
    assert one.document is not None
    assert one.document["lines"][0]["quantities"][0]["unit"] == "PCE"
    assert one.document["lines"][0]["additional_items"][0]["function"] == "1"


def test_free_text_is_made_to_fit_by_the_profile_and_identifiers_are_not() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["parties"][0]["name"] = ["Hôpital Saint-Éloi"]
    fitting = partner({"syntax": "UNOA"}, characters={"outside": "replace"})
    document["lines"][0]["additional_items"][0]["ids"][0]["item"] = "AC-1001"

    assert codes(
        refused(document, partner({"syntax": "UNOA", "preflight": {"character_repertoire": "ignore"}}))
    ) == ["element_character"]
    assert b"HOPITAL SAINT-ELOI" in write(document, context(fitting))[0]
    document["lines"][0]["additional_items"][0]["ids"][0]["item"] = "ac-1001"
    with pytest.raises(DocumentError, match="ac-1001"):
        write(document, context(fitting))


def test_test_and_production_cannot_cross() -> None:
    silent = {key: value for key, value in ACME["edifact"].items() if key != "test"}
    for environment, mark in (("test", b"++++++1'"), ("production", b"+1'")):
        raw, _ = write(DOCUMENT, context(ACME | {"edifact": silent, "environment": environment}))
        assert raw.splitlines()[1].endswith(mark)
    with pytest.raises(Misconfigured, match="runs in production"):
        write(DOCUMENT, context(ACME | {"environment": "production"}))
    with pytest.raises(Misconfigured, match="never let through"):
        write(DOCUMENT, context(partner({"checks": {"test_indicator_mismatch": "warn"}})))
