"""The application answers of requisitions, as a ward gets them over a real socket (HL7 v2.5.1, 4.4.2, 4.10.2, 4.10.4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.hl7.codec import read
from connectors.hl7.structure import violations
from runtime.model.run import RunState
from tests.connectors.hl7.corpus import sample
from tests.runtime.intake.test_hl7_files import ORDERS, SHIPPED, shipped
from tests.runtime.intake.test_hl7_privacy import SETTINGS, listening, send
from tests.workshop import Workshop

Open = Callable[..., Workshop]
REQUISITIONS = [
    ("oms_o05_one_line", "ORS^O06", "ORS_O06", "WARD0001"),
    ("omn_o07_non_stock", "ORN^O08", "ORN_O08", "WARD0010"),
    ("orm_o01_requisition", "ORR^O02", None, "OLD0001"),
]
OLD = {"application": "OLDSTOCK", "fields": {"quantity": "RQD-3", "unit": "RQD-5", "item": "RQD-2"}}


@pytest.fixture
def hospital(workshop: Open) -> Workshop:
    return workshop(
        shipped("hospital_feed"), ORDERS, *map(shipped, SHIPPED),
        connections={"hospital_mllp": {"type": "mllp", "settings": SETTINGS}},
        partners={"old": {"partner": "old", "name": "Old stock system", "hl7": OLD}},
    )  # fmt: skip


@pytest.mark.parametrize(("name", "type", "structure", "control_id"), REQUISITIONS)
def test_a_requisition_is_answered_by_the_message_of_its_kind(
    hospital: Workshop, name: str, type: str, structure: str | None, control_id: str
) -> None:
    """Sender and receiver swapped, MSA-2 the message, for each line an ORC with OK and its RQD; hl7apy finds nothing
    wrong with their structure (of ORR it knows no choice of details: it asks for OBR, RXO and all others at once)."""
    asked = read(sample(f"{name}.hl7"))

    (answer,) = send(hospital, sample(f"{name}.hl7"))

    said = read(answer.encode())
    assert (said.type, said.get("MSH-9.3"), said.version) == (type, structure, asked.version)
    assert [said.get(f"MSH-{n}") for n in (3, 4, 5, 6)] == [asked.get(f"MSH-{n}") for n in (5, 6, 3, 4)]
    assert (said.get("MSA-1"), said.get("MSA-2"), said.get("ORC-1")) == ("AA", control_id, "OK")
    number = asked.get("ORC-4") or asked.get("ORC-2")
    assert (said.get("ORC-2"), said.get("RQD-1")) == (number, asked.get("RQD-1"))
    assert said.get("RQD-4") and said.get("RQD-5") and said.get("RQD-6")
    assert structure is None or [found for found in violations(said) if found.severity == "error"] == []


def test_each_line_is_answered(hospital: Workshop) -> None:
    """ORC and RQD in the order of the message."""
    asked = read(sample("oms_o05_many_lines.hl7"))

    (answer,) = send(hospital, sample("oms_o05_many_lines.hl7"))

    lines = [segment.text.split("|")[1] for segment in read(answer.encode()).segments if segment.id == "RQD"]
    assert lines == [segment.get(1) for segment in asked.segments if segment.id == "RQD"]
    assert len(lines) > 1


@pytest.mark.parametrize(("name", "type", "structure", "control_id"), REQUISITIONS)
def test_sent_again_it_gets_the_same_answer_and_orders_nothing_twice(
    hospital: Workshop, name: str, type: str, structure: str | None, control_id: str
) -> None:
    first, second = send(hospital, *[sample(f"{name}.hl7")] * 2)

    assert first == second
    assert [run.state for run in hospital.store.runs(flow="hospital_feed").rows] == [RunState.DONE]


def test_who_asks_for_both_gets_ca_and_then_the_ors(hospital: Workshop) -> None:
    """2.9.3: the answer is a message of its own."""
    header, rest = sample("oms_o05_one_line.hl7").split(b"\r", 1)
    fields = header.split(b"|")
    fields[14:16] = [b"AL", b"AL"]

    with listening(hospital) as sender:
        first = sender.exchange(b"|".join(fields) + b"\r" + rest)
        second = read(sender.receive())

    assert b"MSA|CA|WARD0001" in first
    assert (second.type, second.get("MSA-1"), second.get("MSA-2")) == ("ORS^O06", "AA", "WARD0001")


@pytest.mark.parametrize("name", ["oms_o05_one_line", "omn_o07_non_stock", "orm_o01_requisition"])
def test_what_cannot_be_taken_is_answered_ae_with_an_err(hospital: Workshop, name: str) -> None:
    """A cancellation is no requisition: the general acknowledgement says so, no response of orders."""
    (answer,) = send(hospital, sample(f"{name}.hl7").replace(b"ORC|NW", b"ORC|CA", 1))

    said = read(answer.encode())
    assert (said.get("MSH-9"), said.get("MSA-1")) == ("ACK", "AE")
    assert [segment.id for segment in said.segments] == ["MSH", "MSA", "ERR"]


UNREAD = {
    "unit missing": ("orm_o01_requisition", b"", b"", "101"),
    "quantity no number": ("oms_o05_one_line", b"|4|BX", b"|four|BX", "102"),
    "cost centre missing": ("oms_o05_one_line", b"|CC-WARD3", b"|", "101"),
    "no RQD": ("oms_o05_one_line", b"\rRQD|", b"\rZZQ|", "100"),
    "two messages in one frame": ("oms_o05_one_line", b"\rRQD|", b"\rMSH|^~\\&|W\rRQD|", "100"),
    "nobody takes it": ("oms_o05_one_line", b"OMS^O05^OMS_O05", b"RDE^O11^RDE_O11", "200"),
}


@pytest.mark.parametrize(("name", "old", "new", "code"), UNREAD.values(), ids=UNREAD)
def test_what_does_not_meet_its_schema_is_answered_ae_and_no_order_is_said_to_be_ok(
    workshop: Open, name: str, old: bytes, new: bytes, code: str
) -> None:
    """Of a ward without a feed profile too. A person sees an exception; sent again, the answer is the same."""
    hospital = workshop(
        shipped("hospital_feed"), ORDERS, *map(shipped, SHIPPED),
        connections={"hospital_mllp": {"type": "mllp", "settings": SETTINGS}},
    )  # fmt: skip
    raw = sample(f"{name}.hl7")
    assert old in raw

    answers = [read(answer.encode()) for answer in send(hospital, *[raw.replace(old, new)] * 2)]

    hospital.drain()
    for said in answers:
        assert (said.get("MSH-9"), said.get("MSA-1"), said.get("ORC-1")) == ("ACK", "AE", None)
        assert code in (said.get("ERR-3"), said.get("ERR-1.4.1"))
    (exception,) = hospital.store.exceptions().rows
    assert exception.owner == "supply_chain"
    assert hospital.store.runs(flow="hl7_document").rows == []
