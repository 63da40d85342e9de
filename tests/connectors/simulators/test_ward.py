"""The ward speaks real HL7 over real MLLP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import jsonatapy
import pytest

from connectors.hl7.check import check
from connectors.hl7.codec import Hl7Error, read, view
from connectors.sdk import Misconfigured, NotSent, OutcomeUnknown, Receipt, load_simulator
from connectors.simulators.ward import Person, Ward
from connectors.simulators.ward_faults import FAULTS
from tests.connectors.hl7.corpus import ROOT
from tests.connectors.mllp.peers import Door, listening

GLOVES = {"item_number": "ITM-1001", "description": "Nitrile gloves, medium", "quantity": "4", "unit": "BX"}
SYRINGES = {"item_number": "ITM-1002", "description": "Syringes 10 ml", "quantity": "20", "unit": "BX"}
MAPPING = (ROOT / "mappings/hl7_oms_o05_to_requisition/mapping.jsonata").read_text(encoding="utf-8")


def test_it_is_installed_as_a_simulator_without_endpoints() -> None:
    """It is a client: nothing listens. Its folder for files goes with it."""
    ward = load_simulator("ward")()

    assert isinstance(ward, Ward)
    given = ward.start()
    assert [*given] == ["folder"]
    assert sorted(path.name for path in Path(given["folder"]).iterdir()) == ["archive", "in", "out", "reject"]
    ward.stop()
    assert not Path(given["folder"]).exists()


def test_a_requisition_is_a_sound_stock_requisition() -> None:
    """Per line one ORC and one RQD, numbers and places where chapter 4 has them; nothing to complain of."""
    raw = Ward().requisition("WR-1", [GLOVES, SYRINGES], control_id="C1", at=datetime(2026, 11, 24, 8, tzinfo=UTC))

    message = read(raw)

    assert check(message) == []
    assert [segment.id for segment in message.segments] == ["MSH", "ORC", "RQD", "ORC", "RQD"]
    assert (message.type, message.control_id, message.get("MSH-7")) == ("OMS^O05", "C1", "20261124080000")
    assert (message.get("ORC-1"), message.get("ORC[1]-2"), message.get("ORC[1]-4")) == ("NW", "WR-1", "WR-1")
    assert (message.get("RQD[1]-5"), message.get("RQD[1]-6"), message.get("RQD[1]-7")) == ("20", "BX", "CC-WARD3")


def test_what_is_asked_for_arrives_in_the_requisition() -> None:
    """Delimiters, other alphabets, notes of several lines and urgency survive HL7 and the mapping."""
    line = GLOVES | {"description": "A|B^C & D~E \\ Łódź", "note": "cold\nroom"}
    raw = Ward().requisition(
        "WR-2", [line], cost_center="CC-ICU", facility="MERCY-SOUTH", department="ICU & CCU", urgent=True,
        need_by="2026-11-30", note="ring first", requester=Person("LF", "Fox", "Lena", "lena.fox@mercy.example"),
    )  # fmt: skip

    requisition = jsonatapy.evaluate(MAPPING, view(read(raw)))

    assert requisition["lines"] == [{"line_number": "1", **GLOVES, "description": line["description"]}]
    assert requisition["requester"] == {
        "name": "Lena Fox", "email": "lena.fox@mercy.example", "department": "ICU & CCU",
    }  # fmt: skip
    assert requisition["notes"] == "ring first\ncold\nroom"
    assert (requisition["urgency"], requisition["need_by"]) == ("urgent", "2026-11-30")
    assert (requisition["facility"], requisition["cost_center"]) == ("MERCY-SOUTH", "CC-ICU")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"description": "two\nlines"}, "was meant"),
        ({"quantity": "010"}, "was meant"),
        ({"quantity": "some"}, "cannot say this"),
        ({"item_number": "X" * 400}, "cannot say this"),
    ],
)
def test_a_value_that_hl7_would_change_is_refused(changed: dict[str, str], said: str) -> None:
    """A ward that asks for something else than was meant would be worse than one that does not ask."""
    with pytest.raises(Hl7Error, match=said):
        Ward().requisition("WR-3", [GLOVES | changed])


def test_it_sends_and_keeps_a_journal() -> None:
    """One connection for all; a repeated message is acknowledged again."""
    door, ward = Door(), Ward()
    raw = ward.requisition("WR-4", [GLOVES], control_id="C4")

    with listening(door) as (host, port):
        ward.connect(host, port)
        first, again = ward.send(raw), ward.send(raw)
        ward.stop()

    assert first == again == {"code": "AA", "control_id": "C4", "text": "", "error": ""}
    assert [arrival.raw for arrival in door.arrivals] == [raw]
    assert len(ward.journal.entries("sent", control_id="C4")) == 2
    assert len(ward.journal.entries("acknowledged", control_id="C4", code="AA")) == 2


def test_a_negative_acknowledgement_is_an_answer() -> None:
    """Code, words and the code of table 0357."""
    ward = Ward()
    problem = {"title": "Not a requisition", "code": "101"}

    with listening(Door(lambda arrival: Receipt("excepted", None, problem)), acknowledge="mapped") as (host, port):
        ward.connect(host, port)
        said = ward.send(ward.requisition("WR-5", [GLOVES], control_id="C5"))
        ward.stop()

    assert said == {"code": "AE", "control_id": "C5", "text": "Not a requisition", "error": "101"}


def test_bytes_that_are_no_message_are_sent_as_well() -> None:
    """Tests of bad input need a ward that misbehaves."""
    ward = Ward()

    with listening(Door()) as (host, port):
        ward.connect(host, port)
        said = ward.send(b"no message")
        ward.stop()

    assert (said["code"], said["control_id"]) == ("AR", "")


def test_it_connects_anew_after_the_listener_was_restarted() -> None:
    """The message that met the closed connection has an unknown outcome; the next goes through."""
    ward = Ward()
    with listening(Door()) as (host, port):
        ward.connect(host, port)
        ward.send(ward.requisition("WR-6", [GLOVES]))
    with pytest.raises(OutcomeUnknown):
        ward.send(ward.requisition("WR-7", [GLOVES]))
    with listening(Door(), port=port):
        assert ward.send(ward.requisition("WR-7", [GLOVES]))["code"] == "AA"
        ward.stop()


def test_without_a_listener_nothing_is_sent() -> None:
    """Unknown place, or nobody there."""
    ward = Ward()
    with pytest.raises(Misconfigured, match="where to send"):
        ward.send(b"MSH|^~\\&|")
    with listening(Door()) as (host, port):
        ward.connect(host, port)
    with pytest.raises(NotSent):
        ward.send(b"MSH|^~\\&|")

    assert ward.journal.entries("sent") == []


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_each_fault_is_answered_by_the_protocol_and_the_days_messages_come_through_once(fault: str) -> None:
    """Every message of the day has the fault; each is taken once, in order, and acknowledged."""
    ward, door = Ward(), Door()

    with listening(door) as (host, port):
        ward.connect(host, port)
        day = ward.traffic(5, faults={fault: 1.0})
        ward.stop()

    assert [sent.fault for sent in day] == [fault] * 5
    assert {sent.codes[-1] for sent in day} == {"AA"}
    assert [arrival.headers["control_id"] for arrival in door.arrivals] == [sent.control_id for sent in day]
    assert [entry["control_id"] for entry in ward.journal.entries("traffic")] == [sent.control_id for sent in day]


def test_the_same_seed_is_the_same_day_with_some_of_each_fault() -> None:
    """And sound messages between them."""
    probabilities = dict.fromkeys(FAULTS, 0.1)
    days = []
    for _ in range(2):
        ward = Ward()
        with listening(Door()) as (host, port):
            ward.connect(host, port)
            days.append(ward.traffic(60, faults=probabilities, seed=7))
            ward.stop()

    assert days[0] == days[1]
    assert {sent.fault for sent in days[0]} == {"", *FAULTS}


def test_a_fault_that_a_ward_cannot_do_is_refused_by_name() -> None:
    """With those it can do."""
    with pytest.raises(Misconfigured, match="cannot do flood") as refused:
        Ward().traffic(1, faults={"flood": 1.0})

    assert "duplicate" in refused.value.next_action
