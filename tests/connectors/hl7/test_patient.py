"""What is about a patient is absent from what ``hl7.read`` gives, unless a feed profile names field and reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.hl7.connector import ReadMessage, ReadParameters
from connectors.sdk import Misconfigured
from tests.connectors.hl7.corpus import public_files, sample
from tests.harness import MemoryContext

MSH = "MSH|^~\\&|ADT|MERCY|||20261124||DFT^P03|C1|P|2.5.1\r"
DFT = (
    MSH
    + "EVN|P03|20261124\r"
    + "PID|1||990017^^^MERCY^MR||Sample^Invented||19500101|F|||1 Sample Way^^Springfield|||||||ACC-77\r"
    + "NTE|1||afraid of needles\r"
    + "NK1|1|Sample^Next\r"
    + "PV1|1|I|OR1^1^A^MERCY||||||||||||||||VISIT-4711\r"
    + "NTE|1||room shared with Mrs Sample\r"
    + "FT1|1|T1||20261124|20261124|CG|ITM-1001^Gloves|||2|||OR1||||||C50.9^diagnosis\r"
    + "NTE|1||for Invented Sample\r"
    + "ZPI|Sample|990017\r"
)
PHI = (
    "990017",
    "Sample",
    "Invented",
    "19500101",
    "ACC-77",
    "VISIT-4711",
    "C50.9",
    "needles",
    "Springfield",
    "Next",
)


def read(raw: str | bytes, **partners: Any) -> dict[str, Any]:
    context = MemoryContext(partners=partners)
    text = raw if isinstance(raw, str) else raw.decode()
    return dict(ReadMessage().run(ReadParameters(content=text), context))


def fields(view: Mapping[str, Any], id: str) -> dict[str, str]:
    (segment,) = [one for one in view["segments"] if one["id"] == id]
    return dict(segment["fields"])


def profile(*keep: tuple[str, str], **more: Any) -> dict[str, Any]:
    entries = [{"field": field, "reason": reason} for field, reason in keep]
    return {"partner": "mercy", "name": "Mercy", "hl7": {"facility": "MERCY", "keep": entries, **more}}


def test_nothing_of_a_patient_is_in_what_a_message_reads_as() -> None:
    """Person, family, visit, diagnosis, notes and the sender's own segments; what is charged stays."""
    view = read(DFT)

    assert not [word for word in PHI if word in json.dumps(view)]
    assert fields(view, "FT1")["7.1"] == "ITM-1001"
    assert fields(view, "PV1") == {"1.1": "1", "2.1": "I", "3.1": "OR1", "3.2": "1", "3.3": "A", "3.4": "MERCY"}
    assert [segment["id"] for segment in view["segments"]] == [
        "MSH", "EVN", "PID", "NTE", "NK1", "PV1", "NTE", "FT1", "NTE", "ZPI",
    ]  # fmt: skip
    assert view["withheld"] == ["PID", "NTE", "NK1", "PV1-19", "FT1-19", "ZPI"]


def test_a_feed_profile_lets_named_fields_through_for_a_reason() -> None:
    keep = ("PID-18", "charges are settled by account"), ("ZPI-1", "the ward's stock area")
    view = read(DFT, mercy=profile(*keep))

    assert fields(view, "PID") == {"18.1": "ACC-77"}
    assert fields(view, "ZPI") == {"1.1": "Sample"}
    assert not [word for word in ("990017", "Invented", "VISIT-4711") if word in json.dumps(view)]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (profile(("PID-18", "")), "hl7/keep/0/reason"),
        (profile(("PID18", "charges are settled by account")), "hl7/keep/0/field"),
        (profile(fields={"quantity": "RQD"}), "hl7/fields/quantity"),
    ],
)
def test_a_profile_without_a_reason_or_with_a_place_that_is_none_is_refused(given: Any, place: str) -> None:
    """Nothing is read under it: a mistake must not let anything through."""
    with pytest.raises(Misconfigured, match=r"partners/mercy\.json") as refused:
        read(DFT, mercy=given)

    assert refused.value.field == place


def test_the_profile_that_names_the_sender_most_exactly_is_taken() -> None:
    """By MSH-3 and MSH-4; of another sender none."""
    closer = profile(fields={"quantity": "RQD-3"}, application="ADT")
    other = profile(application="LAB")

    view = read(DFT, mercy=profile(), closer=closer, other=other)

    assert view["feed"] == {"partner": "closer", "fields": {"quantity": "RQD-3.1"}}
    assert "feed" not in read(DFT, other=other)


def test_two_profiles_of_one_sender_are_a_mistake() -> None:
    with pytest.raises(Misconfigured, match="mercy, twice name the same sender"):
        read(DFT, mercy=profile(), twice=profile())


def test_a_requisition_without_a_patient_keeps_its_notes() -> None:
    """They are about what is ordered."""
    view = read(sample("oms_o05_many_lines.hl7"))

    notes = [segment["fields"]["3.1"] for segment in view["segments"] if segment["id"] == "NTE"]
    assert notes == ["Stock count of the morning", "size M & powder free"]
    assert view["withheld"] == ["ZST"]


def test_no_public_message_lets_its_patient_through() -> None:
    """Names and numbers of PID, wherever else they stand but in MSH."""
    tried = 0
    for path in public_files():
        raw = path.read_bytes().decode("latin-1")
        lines = [line for line in raw.replace("\n", "\r").split("\r") if line.startswith("PID|")]
        if len(lines) != 1 or raw.count("MSH|") != 1 or not raw.startswith("MSH"):
            continue
        view = read(raw)
        text = json.dumps([one["fields"] for one in view["segments"] if one["id"] != "MSH"])
        parts = lines[0].split("|")
        names = {piece for part in parts[3:6] for piece in part.replace("~", "^").split("^")[:1] if len(piece) > 5}
        assert not [name for name in names if name in text], path.name
        tried += 1
    assert tried > 5
