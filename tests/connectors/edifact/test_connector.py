"""``edifact.read`` and ``edifact.write`` as a flow runs them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.edifact.codec import DocumentError, EdifactError, acknowledgements, examine, faults, read
from connectors.edifact.connector import ReadEdifact, ReadParameters
from connectors.edifact.writing import WriteEdifact, WriteParameters
from connectors.sdk import BlobRef, BusinessError, Misconfigured, load
from tests.connectors.edifact.samples import ACME, DOCUMENT, HEAD, INTERCHANGE, ORDER, enclosed, message
from tests.harness import MemoryContext

#: An order from the partner to us, marked as a test.
RECEIVED = INTERCHANGE.replace(HEAD, "UNB+UNOC:3+4012345000094:14+5412345000013:14+261124:0930+REF1++++++1'")
RESPONSE = RECEIVED.replace("ORDERS", "ORDRSP").replace("BGM+220", "BGM+231")


def context(partner: dict[str, Any] = ACME, effect_key: str = "k1") -> MemoryContext:
    at = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    return MemoryContext(partners={"acme": partner}, effect_key=effect_key, clock=lambda: at)


def profile(**edifact: Any) -> dict[str, Any]:
    return ACME | {"edifact": ACME["edifact"] | edifact}


def write(peer: MemoryContext, document: dict[str, Any] = DOCUMENT, type: str = "ORDERS") -> tuple[bytes, Any]:
    output = WriteEdifact().run(WriteParameters(partner="acme", message=type, document=document), peer)
    return peer.blobs.read(output.content), output


def receive(raw: str, peer: MemoryContext | None = None, **parameters: Any) -> Any:
    return ReadEdifact().run(ReadParameters(content=raw, **parameters), peer or context())


def test_the_connector_is_found_by_its_name() -> None:
    names = [operation.name for operation in load("edifact").operations]

    assert names == ["read", "preflight", "write", "acknowledge", "reconcile"]


def test_an_order_is_written_for_its_partner_with_numbers_of_its_own() -> None:
    raw, output = write(context())

    lines = raw.decode().splitlines()
    assert lines[:3] == [
        "UNA:+.? '",
        "UNB+UNOC:3+5412345000013:14+4012345000094:14+261124:0930+1++++++1'",
        "UNH+1+ORDERS:D:96A:UN:EAN008'",
    ]
    assert lines[5] == "NAD+BY+5412345000013::9++Mercy?'s ?+ Sons?: Hospital??'"
    assert lines[-2:] == ["UNT+12+1'", "UNZ+1+1'"]
    assert output.interchange_control_number == "1"
    assert (output.message_references, output.group_reference) == (["1"], "")
    assert output.acknowledgement_key == "acme/1"


def test_what_was_written_has_no_faults_when_read() -> None:
    signs = {"component": "/", "element": "*", "release": "!", "segment": "~"}
    variants: list[dict[str, Any]] = [
        {},
        {"delimiters": signs, "line_ends": False},
        {"syntax_version": "4", "version": "D:01B:UN:EAN010"},
        {"groups": True},
        {"una": False, "application_reference": "ORDERS", "agreement": "EANCOM", "acknowledgement_requested": True},
        {"syntax": "UNOW"},
        {"character_set": "windows-1252"},
    ]
    for variant in variants:
        raw, _ = write(context(profile(**variant)))

        assert faults(read(raw)) == [], variant


def test_a_retry_gets_the_same_numbers_and_another_node_the_next() -> None:
    peer = context(profile(groups=True))

    first, again = write(peer), write(peer)
    peer.effect_key = "k2"
    _, other = write(peer, DOCUMENT | {"beginning": DOCUMENT["beginning"] | {"document_number": "PO-1002"}})

    assert first == again
    assert (other.acknowledgement_key, other.group_reference) == ("acme/2", "2")


def test_a_document_that_breaks_the_schema_uses_up_no_number() -> None:
    peer = context()

    with pytest.raises(DocumentError, match="segment DTM"):
        write(peer, DOCUMENT | {"dates": []})

    assert write(peer)[1].interchange_control_number == "1"


def test_a_partners_checks_hold_for_what_is_written_to_it() -> None:
    lower = DOCUMENT | {"texts": [{"qualifier": "AAI", "text": ["small letters"]}]}

    with pytest.raises(DocumentError, match="character set of UNB S001"):
        write(context(profile(syntax="UNOA")), lower)
    lenient = context(profile(syntax="UNOA", preflight={"character_repertoire": "ignore"}))
    assert b"small letters" in write(lenient, lower)[0]


@pytest.mark.parametrize(
    ("partner", "field"),
    [
        ({"partner": "acme"}, "edifact"),
        (profile(ours={"qualifier": "14"}), "edifact.ours.id"),
        (profile(test="perhaps"), "edifact.test"),
        (profile(delimiters={"element": ":"}), "edifact.delimiters"),
        (profile(version="96A"), "edifact.version"),
        (profile(checks={"no_such_check": "warn"}), "edifact.checks"),
        (profile(checks={"element_code": "perhaps"}), "edifact.checks.element_code"),
        (profile(checks={"test_indicator_mismatch": "warn"}), "edifact.checks.test_indicator_mismatch"),
        (profile(acknowledge={"contrl": "perhaps"}), "edifact.acknowledge.contrl"),
        (profile(duplicates={"business": "perhaps"}), "edifact.duplicates.business"),
        (profile(delimeters={}), "edifact.delimeters"),
        (profile(character_set="utf-16"), "edifact"),
        (profile(version="D:99Z:UN"), "message"),
    ],
)
def test_a_profile_that_cannot_work_is_refused_by_field(partner: dict[str, Any], field: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        write(context(partner))

    assert refused.value.field == field
    assert refused.value.next_action


def test_a_message_is_read_with_its_partner_found_by_the_sender() -> None:
    output = receive(RESPONSE)

    assert (output.partner, output.test, output.accepted) == ("acme", True, True)
    assert output.interchange_control_number == "REF1"
    [one] = output.messages
    assert (one.type, one.directory, one.message_reference, one.accepted) == ("ORDRSP", "D96A", "1", True)
    assert one.document["beginning"]["document_number"] == "PO-1001"
    assert one.segments is None


def test_the_bytes_are_kept_as_the_record() -> None:
    peer = context()
    stored = peer.blobs.put(RECEIVED.encode())

    from_blob = ReadEdifact().run(ReadParameters(content=stored), peer)
    from_text = receive(RECEIVED, peer)

    assert from_blob.raw == stored
    assert isinstance(from_text.raw, BlobRef)
    assert from_text.raw.blob == stored.blob


def test_one_bad_message_never_stops_the_good_ones() -> None:
    good = "BGM+220+1+9'DTM+137:20261124:102'UNS+S'"
    head = RECEIVED.partition("UNH")[0]
    raw = enclosed(message(good), message("", reference="2"), message(good, reference="3"), head=head)

    output = receive(raw.decode())

    assert [(one.message_reference, one.accepted) for one in output.messages] == [
        ("1", True),
        ("2", False),
        ("3", True),
    ]
    assert output.accepted


def test_faults_of_the_envelope_stand_beside_the_messages_and_accept_none_of_them() -> None:
    output = receive(RECEIVED.replace("UNZ+1", "UNZ+5"))

    assert [one["code"] for one in output.faults] == ["interchange_count"]
    assert (output.accepted, output.messages[0].accepted) == (False, False)


def test_a_partners_checks_hold_for_what_it_sends() -> None:
    lenient = context(profile(checks={"interchange_count": "warn", "receiver_mismatch": "ignore"}))
    raw = RECEIVED.replace("UNZ+1", "UNZ+5").replace("5412345000013:14+261124", "9:14+261124")

    output = receive(raw, lenient)

    assert [(one["code"], one["severity"]) for one in output.faults] == [("interchange_count", "warn")]
    assert output.messages[0].accepted
    assert not receive(raw, lenient, strict=True).accepted


def test_a_message_that_is_not_declared_comes_in_the_lossless_view() -> None:
    [one] = receive(RECEIVED.replace("ORDERS", "QUOTES")).messages

    assert (one.type, one.accepted, one.document) == ("QUOTES", False, None)
    assert one.segments[1]["id"] == "BGM"


def test_test_and_production_never_cross() -> None:
    output = receive(RECEIVED.replace("REF1++++++1'", "REF1'"))

    assert [one["code"] for one in output.faults] == ["test_indicator_mismatch"]
    assert not output.messages[0].accepted


def test_a_named_partner_must_be_the_sender_and_we_the_receiver() -> None:
    output = receive(INTERCHANGE.replace("5412345000013:14", "9", 1), partner="acme")

    codes = [one["code"] for one in output.faults]
    assert codes == ["sender_mismatch", "receiver_mismatch", "test_indicator_mismatch"]


def test_an_unknown_sender_is_a_business_error() -> None:
    with pytest.raises(BusinessError, match="9999") as refused:
        receive(RECEIVED.replace("4012345000094:14", "9999:14", 1))

    assert refused.value.kind == "unknown_trading_partner"


def test_two_interchanges_keep_their_own_numbers() -> None:
    output = receive(RECEIVED + "\n" + RECEIVED.replace("REF1", "REF2"))

    assert [one.interchange_control_number for one in output.messages] == ["REF1", "REF2"]


def test_a_fault_of_the_second_interchange_points_there() -> None:
    output = receive(RECEIVED + RECEIVED.replace("REF1", "REF2").replace("UNZ+1", "UNZ+3"))

    assert [one["path"] for one in output.faults] == ["/interchanges/1/trailer"]
    assert [one.accepted for one in output.messages] == [True, False]


def test_segments_outside_any_message_are_never_accepted() -> None:
    lenient = context(profile(checks={"segment_outside_message": "warn"}))

    output = receive(RECEIVED.replace("UNZ", "FTX+1'UNZ"), lenient)

    assert [(one.type, one.accepted) for one in output.messages] == [("ORDERS", True), ("", False)]
    assert output.messages[1].segments is not None


def test_a_partners_character_set_replaces_the_one_unb_names() -> None:
    peer = context(profile(character_set="windows-1252"))
    stored = peer.blobs.put(RECEIVED.replace("Mercy", "\u20acuro").encode("cp1252"))

    output = ReadEdifact().run(ReadParameters(content=stored), peer)

    assert output.messages[0].document is not None
    assert output.messages[0].document["parties"][0]["name"] == ["€uro Hospital"]


def test_bytes_that_are_no_interchange_are_rejected() -> None:
    with pytest.raises(EdifactError, match="should begin with UNA or UNB"):
        receive("hello")


def test_the_acknowledgement_of_what_was_written_names_its_key() -> None:
    """UCI returns the number that ``acknowledgement_key`` ends in, and the flow writes it like any message."""
    raw, output = write(context())
    [answer] = acknowledgements(examine(read(raw)))

    contrl, sent = write(context(), answer.document, "CONTRL")

    assert f"acme/{answer.document['interchange']['control_reference']}" == output.acknowledgement_key
    assert b"UNH+1+CONTRL:D:3:UN'\nUCI+1+5412345000013:14+4012345000094:14+7'" in contrl
    assert sent.interchange_control_number == "1"


def test_the_sample_order_of_these_tests_is_sound() -> None:
    assert faults(read((HEAD + ORDER + "UNZ+1+REF1'").encode())) == []
