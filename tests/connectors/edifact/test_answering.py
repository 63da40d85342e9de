"""``edifact.acknowledge``: the CONTRL that the partner's profile wants, and never one of a CONTRL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.edifact.answering import AcknowledgeEdifact, AcknowledgeOutput, AcknowledgeParameters
from connectors.edifact.codec import acknowledgements, examine, faults, named, read
from connectors.edifact.connector import ReadEdifact, ReadParameters
from connectors.sdk import BlobRef, Misconfigured
from tests.connectors.edifact.samples import ACME, HEAD, INTERCHANGE, enclosed, first_message, message
from tests.harness import MemoryContext

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
#: From the partner to us, marked as a test; the second asks for a CONTRL.
FROM_THEM = "UNB+UNOC:3+4012345000094:14+5412345000013:14+261124:0930+REF1++++++1'"
ASKING = FROM_THEM.replace("REF1++++++1", "REF1++++1++1")
GOOD = "BGM+220+PO-1+9'DTM+137:20261124:102'UNS+S'"
BAD = "BGM+220+PO-2+99999'DTM+137:20261324:102'UNS+S'"
MIXED = enclosed(message(GOOD), message(BAD, reference="2"), message(GOOD, reference="3"), head=FROM_THEM)


def profile(**acknowledge: Any) -> dict[str, Any]:
    return ACME | {"edifact": ACME["edifact"] | {"acknowledge": acknowledge}}


def answer(raw: bytes | str, partner: dict[str, Any] = ACME) -> tuple[AcknowledgeOutput, bytes, MemoryContext]:
    """What edifact.read puts out, as JSON, acknowledged; and the bytes."""
    context = MemoryContext(partners={"acme": partner}, clock=lambda: NOW)
    stored = context.blobs.put(raw.encode() if isinstance(raw, str) else raw)
    received = ReadEdifact().run(ReadParameters(content=stored), context).model_dump(mode="json", by_alias=True)
    output = AcknowledgeEdifact().run(AcknowledgeParameters(received=received), context)
    content = output.content
    return output, context.blobs.read(content) if isinstance(content, BlobRef) else b"", context


def contrl(raw: bytes) -> dict[str, Any]:
    return named({"segments": first_message(raw)})


def test_what_was_read_is_answered_with_a_contrl_that_is_itself_sound() -> None:
    output, content, _ = answer(MIXED)

    assert [one.model_dump() for one in output.acknowledgements] == [
        {"kind": "CONTRL", "acknowledgement_key": "acme/REF1", "code": "7", "rejected": 1}
    ]
    assert output.interchange_control_number == "1"
    assert faults(read(content)) == []
    lines = content.decode().splitlines()
    assert lines[1] == "UNB+UNOC:3+5412345000013:14+4012345000094:14+261124:1000+1++++++1'"
    assert lines[2:8] == [
        "UNH+1+CONTRL:D:3:UN'",
        "UCI+REF1+4012345000094:14+5412345000013:14+7'",
        "UCM+2+ORDERS:D:96A:UN+4'",
        "UCS+2'",
        "UCD+39+4'",
        "UCS+3'",
    ]


def test_the_contrl_of_the_operation_is_that_of_the_codec() -> None:
    group = "UNG+ORDERS+4012345000094:14+5412345000013:14+261124:0930+7+UN+D:96A'"
    grouped = f"{FROM_THEM}{group}{message(GOOD)}{message(BAD, reference='2')}UNE+2+7'UNZ+1+REF1'"
    cut = f"{FROM_THEM}{group}{message(GOOD)}UNE+5+7'UNZ+1+REF1'"
    for raw in (MIXED, grouped.encode(), cut.encode(), MIXED.replace(b"UNZ+3", b"UNZ+4")):
        _, content, _ = answer(raw)

        [told] = acknowledgements(examine(read(raw)))
        assert contrl(content) == told.document


def test_the_rules_of_the_partner_are_told_like_other_faults() -> None:
    output, content, _ = answer(FROM_THEM.replace("++++++1", "") + message(GOOD) + "UNZ+1+REF1'")

    assert output.acknowledgements[0].code == "4"
    assert contrl(content)["interchange"]["error"] == "25", "the test indicator is not supported"
    assert content.splitlines()[1].endswith(b"++++++1'"), "and the answer stays on the side that was agreed"


@pytest.mark.parametrize(
    ("policy", "head", "is_broken", "is_answered"),
    [
        ("always", FROM_THEM, False, True),
        ("requested", FROM_THEM, False, False),
        ("requested", FROM_THEM, True, False),
        ("requested", ASKING, False, True),
        ("rejected", FROM_THEM, False, False),
        ("rejected", FROM_THEM, True, True),
        ("rejected", ASKING, False, True),
        ("never", ASKING, True, False),
    ],
)
def test_a_contrl_is_given_by_unb_0031_or_by_the_profile(
    policy: str, head: str, is_broken: bool, is_answered: bool
) -> None:
    raw = enclosed(message(BAD if is_broken else GOOD), head=head)

    output, _, context = answer(raw, profile(contrl=policy))

    assert (output.content is not None) == is_answered
    assert len(context.exchange.sent) == is_answered
    context.effect_key = "another node"
    number = context.allocate("edifact/14:5412345000013/14:4012345000094/test/unb")
    assert number == 1 + is_answered, "no number is used where nothing is sent"


@pytest.mark.parametrize("head", [FROM_THEM, ASKING.replace("REF1++++1", "REF1++++2")])
def test_a_receipt_says_that_it_arrived_and_no_more(head: str) -> None:
    """By the profile, or where UNB 0031 asks for that alone (2)."""
    partner = profile(receipt_only=True) if head == FROM_THEM else ACME

    output, content, _ = answer(enclosed(message(BAD), head=head), partner)

    assert output.acknowledgements[0].code == "8"
    assert "messages" not in contrl(content)


@pytest.mark.parametrize("count", [b"1", b"9"])
def test_a_contrl_that_was_read_good_or_bad_is_not_answered_and_uses_no_number(count: bytes) -> None:
    told = "UCI+1+5412345000013:14+4012345000094:14+7'"
    raw = enclosed(message(told, type="CONTRL:D:3:UN"), head=ASKING)
    output, content, context = answer(raw.replace(b"UNZ+1", b"UNZ+" + count))

    assert (output.content, output.acknowledgements, content) == (None, [], b"")
    assert context.exchange.sent == []


def test_syntax_version_4_is_answered_in_it_whatever_the_profile_writes() -> None:
    raw = INTERCHANGE.replace(HEAD, FROM_THEM.replace("UNOC:3", "UNOC:4").replace("261124:", "20261124:"))

    _, content, _ = answer(raw)

    assert b"CONTRL:4:1:UN" in content
    assert faults(read(content)) == []


@pytest.mark.parametrize(
    ("theirs", "answered"),
    [(["1"], "1"), (["2"], "2"), (["1", "2"], "2"), (["2", "3"], "3"), (["7"], "4"), (["0"], "3")],
)
def test_a_contrl_is_in_the_highest_syntax_version_of_what_it_answers(theirs: list[str], answered: str) -> None:
    """CONTRL D:3 is for versions 1 to 3, and 4:1 for 4; a version that is not known is read as 3."""
    raw = b"".join(
        MIXED.replace(b"UNOC:3", f"UNOC:{version}".encode()).replace(b"REF1", f"REF{number}".encode())
        for number, version in enumerate(theirs)
    )

    _, content, _ = answer(raw)

    assert f"UNB+UNOC:{answered}+".encode() in content
    assert (b"CONTRL:4:1:UN" in content) == (answered == "4")
    assert faults(read(content)) == []


def test_what_does_not_fit_the_partners_character_set_is_repeated_in_utf8() -> None:
    raw = enclosed(message(BAD, reference="№1"), head=FROM_THEM.replace("UNOC", "UNOW"))

    _, content, _ = answer(raw)

    assert contrl(content)["messages"][0]["reference"] == "№1"


def test_two_interchanges_of_a_file_are_answered_in_one() -> None:
    second = MIXED.replace(b"REF1", b"REF2").replace(b"UNZ+3", b"UNZ+9")

    output, content, context = answer(MIXED + second)

    assert [(one.acknowledgement_key, one.code) for one in output.acknowledgements] == [
        ("acme/REF1", "7"),
        ("acme/REF2", "4"),
    ]
    assert [len(one.groups[0].messages) for one in examine(read(content))] == [2]
    assert [entry.answer for entry in context.exchange.came] == [output.content, output.content]
    [sent] = context.exchange.sent
    assert [(one.type, one.number) for one in sent.one.sets] == [("CONTRL", "1"), ("CONTRL", "2")]


def test_an_interchange_that_does_not_say_who_sent_it_is_not_answered() -> None:
    context = MemoryContext(partners={"acme": ACME}, clock=lambda: NOW)
    raw = INTERCHANGE.replace("5412345000013:14", "", 1)
    received = ReadEdifact().run(ReadParameters(content=raw, partner="acme"), context)

    output = AcknowledgeEdifact().run(
        AcknowledgeParameters(received=received.model_dump(mode="json", by_alias=True)), context
    )

    assert output.content is None


@pytest.mark.parametrize(
    "received",
    [
        {},
        {"partner": "acme", "interchanges": [{}]},
        {"partner": "acme", "interchanges": 3},
    ],
)
def test_what_edifact_read_did_not_put_out_is_refused_by_field(received: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="received") as refused:
        AcknowledgeEdifact().run(AcknowledgeParameters(received=received), MemoryContext(partners={"acme": ACME}))

    assert refused.value.field.startswith("received")
    assert "edifact.read" in refused.value.next_action


def test_passwords_of_headers_are_not_handed_on() -> None:
    """UNB S005 and UNG 0058 stay in the bytes, which are the record."""
    group = "UNG+ORDERS+4012345000094:14+5412345000013:14+261124:0930+7+UN+D:96A+SECRET1'"
    head = FROM_THEM.replace("REF1++++++1", "REF1+SECRET2:AA+++++1")
    context = MemoryContext(partners={"acme": ACME}, clock=lambda: NOW)

    output = ReadEdifact().run(ReadParameters(content=f"{head}{group}{message(GOOD)}UNE+1+7'UNZ+1+REF1'"), context)

    assert output.accepted
    assert "SECRET" not in output.model_dump_json()
    assert output.interchanges[0].header is not None
    assert output.interchanges[0].header["elements"][4:6] == ["REF1", ""]
