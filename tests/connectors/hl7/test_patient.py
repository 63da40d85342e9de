"""What is about a patient is absent from what ``hl7.read`` gives, unless a feed profile names field and reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.hl7.connector import ReadMessage, ReadParameters
from connectors.hl7.names import STANDARD
from connectors.hl7.patient import FIELDS, ONLY, PASSES, about_a_patient, always_withheld
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


REST = "Springfield^IL|US|555-0100|||M|||ACC-77|990017\r"
HIDDEN = {
    "a line feed inside PID-11": "PID|1||990017||Sample^Invented||19500101|F|||1 Sample Way\n" + REST,
    "a line feed before three letters": "PID|1||990017||Sample\nLEE|ACC-77|19500101\r",
    "a blank before PID": " PID|1||990017||Sample^Invented\r",
    "a tab before PID": "\tPID|1||990017||Sample^Invented\r",
    "small letters": "  pid|1||990017||Sample^Invented\r",
    "mixed case": "Pid|1||990017||Sample^Invented\r",
    "a name and no separator": "PID^1^990017^Sample\r",
    "ADD after PID": "PID|1||990017\rADD|Sample^Invented\r",
    "ADD twice": "PID|1||990017\rADD|Sample\rADD|ACC-77\r",
    "ADD after a stay": "PV1|1|I|OR1\rADD|VISIT-4711\r",
    "ADD after a withheld field": "FT1|1|T1||20261124||CG|ITM\rADD|C50.9\r",
    "PIX": "PIX|990017|Sample\r",
    "FAM": "FAM|1|Sample^Next\r",
    "QRD-8": "QRD|20261124|R|I|Q1|||1^RD|990017^Sample^Invented|DEM\r",
    "QPD-3": "QPD|Q22^Find|Q1|@PID.3.1^990017~@PID.5.1^Sample\r",
    "CSR-4": "CSR|ST-1||MERCY|990017^Sample\r",
    "OBR-13 and OBR-31": "OBR|1|||LAB|||||||||Sample has needles" + "|" * 18 + "C50.9\r",
    "PEO": "PEO|1|2|3|4|5|1 Sample Way\r",
    "PCR": "PCR|1||||||Sample\r",
    "PES": "PES|MERCY|Sample\r",
    "TXA": "TXA|1|CN|TX|20261124|||||||||||||||||Sample^Invented\r",
    "a person of a participation": "PRT|1|AD||PAT|990017^Sample^Invented\r",
    "words of an answer": "MSA|AE|C0|Sample is unknown\rERR||PID^1|204^Sample|E||||Sample is unknown\r",
}


@pytest.mark.parametrize("lines", HIDDEN.values(), ids=HIDDEN)
def test_lines_that_no_table_of_persons_foresees_are_withheld_too(lines: str) -> None:
    """Whatever is not known to be needed: values, and what stands where a name should."""
    view = read(MSH + lines + "RQD|1|ITM-1\r")

    assert not [word for word in (*PHI, "LEE") if word in json.dumps(view)]
    assert fields(view, "RQD") == {"1.1": "1", "2.1": "ITM-1"}


def test_a_line_that_is_no_segment_stays_in_its_place_without_a_name() -> None:
    """Its first characters may be a name; two of them are told apart by their occurrence."""
    view = read(MSH + "PID|1\nLEE|Sample\r pid|990017\rEVN|P03\r")

    assert [(one["id"], one["occurrence"]) for one in view["segments"]] == [
        ("MSH", 0), ("PID", 0), ("?", 0), ("?", 1), ("EVN", 0),
    ]  # fmt: skip
    assert view["withheld"] == ["PID", "?"]


@pytest.mark.parametrize("line", [" PID|1\r", "pid|1\r", "PIX|1\r", "QRD|1\r", "MRG|1\r", "PV1|1\r", "Way^Town\r"])
def test_notes_are_withheld_where_a_patient_may_be_named(line: str) -> None:
    """In whatever way, and before the line too; those of an order's details stay."""
    view = read(MSH + "NTE|1||afraid of needles\r" + line + "ORC|NW\rRQD|1\rNTE|1||size M\r")

    notes = [segment["fields"] for segment in view["segments"] if segment["id"] == "NTE"]
    assert notes == [{}, {"1.1": "1", "3.1": "size M"}]


@pytest.mark.parametrize("line", ["SFT|Vendor|1\r", "ZST|PAR\r", "   \r", "ADD|more\r"])
def test_notes_stay_where_nothing_names_a_patient(line: str) -> None:
    view = read(MSH + "NTE|1||deliver before noon\rORC|NW\r" + line + "RQD|1\r")

    assert fields(view, "NTE")["3.1"] == "deliver before noon"


def test_a_continuation_follows_what_it_continues() -> None:
    """Of an order it stays, and so does that of a note which stays."""
    view = read(MSH + "RQD|1\rADD|ITM-1\rNTE|1||size\rADD|M\r")

    assert [one["fields"] for one in view["segments"] if one["id"] == "ADD"] == [{"1.1": "ITM-1"}, {"1.1": "M"}]


@pytest.mark.parametrize("name", sorted((STANDARD - {"MSH", "FHS", "BHS"}) | {"PIX", "FAM", "Q9Q", "ZPI"}))
def test_every_segment_that_is_not_needed_is_withheld_whole(name: str) -> None:
    """Each name of the standard's tables, of no version, and of the sender's own. Kept, it is shown."""
    line = f"{name}|" + "|".join(f"Sample~Next^Invented&990017 {n}" for n in range(60)) + "\r"
    before = "PID|1\r" if name in ("NTE", "ADD") else ""
    view = read(MSH + before + line)
    shown = {int(place.partition(".")[0].partition("[")[0]) for place in view["segments"][-1]["fields"]}

    if name not in PASSES:
        assert shown == ONLY.get(name, set())
        assert about_a_patient([name]) or name in ONLY or name[0] == "Z" or name in (
            "SFT", "UAC", "DSC", "FTS", "BTS", "NTE", "ADD",
        )  # fmt: skip
    else:
        assert shown == set(range(1, 61)) - FIELDS.get(name, set())
    kept = read(MSH + before + line, mercy=profile((f"{name}-60", "agreed with the privacy office")))
    assert kept["segments"][-1]["fields"]["60.1"] == "Sample"
    assert kept["segments"][-1]["id"] == name


def test_the_names_are_those_of_all_tables() -> None:
    """Of every version that hl7apy knows."""
    from hl7apy import SUPPORTED_LIBRARIES, load_library

    names = {name for version in SUPPORTED_LIBRARIES for name in load_library(version).SEGMENTS}

    assert names - {"ANYHL7SEGMENT"} == STANDARD


@pytest.mark.parametrize(
    ("place", "hidden"),
    [("PIX-3", True), ("OBR-13", True), ("PRT-5", True), ("PRT-10", False), ("RQD-3", False), ("NTE-3", False)],
)
def test_what_is_never_shown_is_known_before_a_message_comes(place: str, hidden: bool) -> None:
    assert always_withheld(place, ()) is hidden
    assert always_withheld(place, (place,)) is False
