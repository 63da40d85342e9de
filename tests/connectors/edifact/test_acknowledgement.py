"""CONTRL from what was found wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.edifact.codec import Checks, acknowledgements, examine, faults, named, read, reply, write
from tests.connectors.edifact.samples import HEAD, INTERCHANGE, enclosed, first_message, message

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
GROUP = "UNG+ORDERS+A+B+261124:0930+7+UN+D:96A'"


def answer(raw: bytes | str, **options: bool) -> dict[str, Any]:
    document = read(raw.encode() if isinstance(raw, str) else raw)
    [one] = acknowledgements(examine(document), **options)
    return one.document


def written(raw: bytes | str) -> bytes:
    document = read(raw.encode() if isinstance(raw, str) else raw)
    [one] = acknowledgements(examine(document))
    return write(reply(document["interchanges"][0], one, "77", AT))


def test_a_sound_interchange_is_acknowledged_as_a_whole() -> None:
    assert answer(INTERCHANGE) == {
        "interchange": {
            "control_reference": "REF1",
            "sender": "5412345000013",
            "sender_qualifier": "14",
            "receiver": "4012345000094",
            "receiver_qualifier": "14",
            "action": "7",
        }
    }


def test_receipt_only_says_that_it_arrived() -> None:
    assert answer(INTERCHANGE, receipt_only=True)["interchange"]["action"] == "8"
    assert answer(INTERCHANGE.replace("UNZ+1", "UNZ+2"), receipt_only=True)["interchange"]["action"] == "4"


def test_a_bad_envelope_rejects_everything_and_says_where() -> None:
    told = answer(INTERCHANGE.replace("UNZ+1+", "UNZ+2+"))

    assert list(told) == ["interchange"]
    assert {
        key: told["interchange"][key] for key in ("action", "error", "service_segment", "element_position")
    } == {
        "action": "4",
        "error": "29",
        "service_segment": "UNZ",
        "element_position": "2",
    }


def test_a_bad_message_is_rejected_and_the_others_are_not() -> None:
    good = "BGM+220+1+9'DTM+137:20261124:102'UNS+S'"
    bad = "BGM+220+1+99999'DTM+137:20261324:102'XYZ+1'UNS+S'"
    raw = enclosed(message(good), message(bad, reference="2"))

    told = answer(raw)

    assert told["interchange"]["action"] == "7"
    [rejected] = told["messages"]
    assert (rejected["reference"], rejected["message_type"], rejected["action"]) == ("2", "ORDERS", "4")
    assert rejected["segments"] == [
        {"position": "2", "elements": [{"error": "39", "element": "4"}]},
        {"position": "3", "elements": [{"error": "12", "element": "2", "component": "2"}]},
    ]


def test_segments_that_are_missing_or_too_many_are_named_by_position() -> None:
    told = answer(enclosed(message("BGM+220+1+9'LIN+1'QTY+21:1'PIA+1+x'UNS+S'")))

    assert told["messages"][0]["segments"] == [{"position": "5", "error": "15"}, {"position": "6", "error": "13"}]


def test_segments_outside_any_message_reject_the_interchange_unless_the_partner_says_otherwise() -> None:
    document = read(INTERCHANGE.replace("UNZ", "FTX+1'UNZ").encode())

    [strict] = acknowledgements(examine(document))
    [lenient] = acknowledgements(examine(document, Checks({"segment_outside_message": "warn"})))

    assert (strict.action, strict.document["interchange"]["error"]) == ("4", "33")
    assert (lenient.action, "messages" in lenient.document) == ("7", False)


def test_groups_are_answered_by_group() -> None:
    body = message("BGM+220+1+9'UNS+S'")
    bad_group = HEAD + GROUP + body + "UNE+2+7'UNZ+1+REF1'"
    bad_message = HEAD + GROUP + body + "UNE+1+7'UNZ+1+REF1'"

    [one] = answer(bad_group)["groups"]
    [other] = answer(bad_message)["groups"]

    assert (one["reference"], one["action"], one["error"], "messages" in one) == ("7", "4", "29", False)
    assert (other["action"], other["messages"][0]["action"]) == ("7", "4")


@pytest.mark.parametrize("raw", ["", "UNH+1+", "x"])
def test_what_does_not_say_who_sent_it_under_which_number_is_not_answered(raw: str) -> None:
    text = {"": INTERCHANGE.replace("+REF1'UNH", "'UNH"), "UNH+1+": "UNH+1+ORDERS:D:96A:UN'"}.get(
        raw, INTERCHANGE.replace("5412345000013:14", "", 1)
    )

    assert acknowledgements(examine(read(text.encode()))) == []


@pytest.mark.parametrize(
    ("syntax", "version"),
    [*((syntax, ["D", "3", "UN"]) for syntax in ("1", "2", "3")), ("4", ["4", "1", "UN"])],
)
def test_the_answer_is_a_sound_interchange_in_the_syntax_of_what_it_answers(
    syntax: str, version: list[str]
) -> None:
    asked = INTERCHANGE.replace("UNOC:3", f"UNOC:{syntax}").replace("QTY+21:10:", "QTY+21:ten:")

    raw = written(asked)

    document = read(raw)
    assert faults(document) == []
    header = document["interchanges"][0]["header"]
    assert header is not None
    assert header["elements"][0] == ["UNOC", syntax]
    assert header["elements"][1:3] == [["4012345000094", "14"], ["5412345000013", "14"]]
    [segments] = [one["segments"] for one in document["interchanges"][0]["groups"][0]["messages"]]
    assert segments[0]["elements"][1] == ["CONTRL", *version]
    assert named({"segments": segments})["messages"][0]["segments"][0]["position"] == "14"


def test_an_acknowledgement_is_never_acknowledged() -> None:
    raw = written(INTERCHANGE)

    assert acknowledgements(examine(read(raw))) == []
    assert acknowledgements(examine(read(raw.replace(b"UNZ+1", b"UNZ+9")))) == []


def test_what_is_wrong_with_an_identifier_is_echoed_as_it_was() -> None:
    raw = INTERCHANGE.replace("EAN008", "ASSOCIATION").replace("UNH+1+", "UNH+LONGER-THAN-14-CHARACTERS+")

    [told] = named({"segments": first_message(written(raw))})["messages"]

    assert told["association_code"] == "ASSOCIATION"
    assert told["reference"] == "LONGER-THAN-14-CHARACTERS"


def test_service_characters_and_the_test_indicator_are_those_of_the_sender() -> None:
    asked = "UNA:*.? ~" + INTERCHANGE.replace("+", "*").replace("'", "~").replace("REF1~UNH", "REF1******1~UNH")

    raw = written(asked)

    assert raw.startswith(b"UNA:*.? ~UNB*UNOC:3*4012345000094:14*5412345000013:14*261124:1000*77******1~")


def test_characters_beyond_the_senders_set_are_answered_in_utf8() -> None:
    raw = INTERCHANGE.replace("UNOC", "UNOA").replace("UNH+1+", "UNH+№1+")

    answered = read(written(raw))

    assert answered["interchanges"][0]["encoding"] == "utf-8"
    assert faults(answered) == []
