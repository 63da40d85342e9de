"""Exceptions: an owner, somebody at work, and an end."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sdk import Arrival
from runtime.api.control import Control
from runtime.model.run import RunState
from tests.runtime.console.house import House, requisition
from tests.runtime.console.program import Program


def raised(omar: Program, house: House, number: str) -> dict[str, Any]:
    run = house.send(requisition(number, cost_center="CC-NOPE"))
    house.comes_to(run, RunState.EXCEPTION)
    rows = omar.get("/exceptions").get_json()["exceptions"]
    return next(row for row in rows if row["run"] == run)


def test_an_exception_names_owner_field_and_reason(omar: Program, house: House) -> None:
    row = raised(omar, house, "REQ-EX-1")
    page = omar.page(f"/exceptions/{row['id']}")

    assert (row["kind"], row["owner"], row["field"]) == ("unknown_cost_center", "finance", "cost_center")
    assert "Cost centre CC-NOPE is not known" in page
    assert row["run"] in page


def test_an_exception_is_taken_noted_and_resolved(omar: Program, house: House) -> None:
    id = raised(omar, house, "REQ-EX-2")["id"]

    taken = omar.post(f"/exceptions/{id}/assign").get_json()
    noted = omar.post(f"/exceptions/{id}/note", {"note": "asked finance"}).get_json()
    resolved = omar.form(f"/exceptions/{id}/resolve", note="cost centre corrected")

    row = omar.get(f"/exceptions/{id}").get_json()
    assert taken["assignee"] == "omar.said"
    assert (noted["assignee"], noted["note"]) == ("omar.said", "asked finance")
    assert "The exception is resolved." in omar.page(resolved.location)
    assert (row["state"], row["resolved_by"], row["note"]) == ("resolved", "omar.said", "cost centre corrected")
    assert id not in omar.get("/exceptions").text
    assert id in omar.get("/exceptions?state=resolved").text
    trail = house.services.clients["mercy"].store.audit_trail()
    assert {row["action"] for row in trail if row["subject"] == id} == {
        "exception.assigned", "exception.noted", "exception.resolved",
    }  # fmt: skip


def test_a_resolved_exception_stays_as_it_is(omar: Program, house: House) -> None:
    id = raised(omar, house, "REQ-EX-3")["id"]
    omar.post(f"/exceptions/{id}/resolve", {"note": "done"})

    answers = [omar.post(f"/exceptions/{id}/{verb}", {"note": "again"}) for verb in ("assign", "note", "resolve")]

    assert [answer.status_code for answer in answers] == [409, 409, 409]


@pytest.mark.parametrize("verb", ["note", "resolve"])
def test_words_are_needed(omar: Program, house: House, verb: str) -> None:
    id = raised(omar, house, f"REQ-EX-4-{verb}")["id"]

    answer = omar.post(f"/exceptions/{id}/{verb}", {"note": "  "})

    assert answer.status_code == 400
    assert answer.get_json()["field"] == "note"


def test_a_message_that_could_not_be_taken_is_shown_with_its_bytes(omar: Program, house: House) -> None:
    """Nobody stands at the other end of a file: what cannot be read becomes an exception, with nothing lost."""
    client = house.services.clients["mercy"]
    receipt = house.services.intake(client).take_raw(
        "order", Arrival(b"{not <b>json</b> \xff", "application/json"), "file", sum_of_bytes=True
    )
    assert receipt.problem is not None
    id = receipt.problem["exception"]

    page = omar.page(f"/exceptions/{id}")

    assert "{not &lt;b&gt;json&lt;/b&gt; \ufffd" in page
    with omar.http.get(f"/exceptions/{id}/raw") as raw:
        assert raw.data == b"{not <b>json</b> \xff"


def test_bytes_that_may_be_about_patients_are_on_no_page_and_who_takes_them_away_is_recorded(
    omar: Program, house: House
) -> None:
    """A message with a patient that could not be taken: its page says where it is, the audit who had it."""
    client = house.services.clients["mercy"]
    message = b"MSH|^~\\&|ADT|MERCY|||20261124||ADT^A01|C1|P|2.5.1\rPID|1||990017||Sample^Invented\r"
    receipt = house.services.intake(client).take_raw(
        "order", Arrival(message, "application/hl7-v2"), "mllp.listen", sum_of_bytes=True
    )
    assert receipt.problem is not None
    id = receipt.problem["exception"]

    page = omar.page(f"/exceptions/{id}")
    seen_before = [row["action"] for row in client.store.audit_of(id)]
    with omar.http.get(f"/exceptions/{id}/raw") as raw:
        taken = raw.data

    assert "Invented" not in page
    assert "May be about patients" in page
    assert seen_before == []
    assert taken == message
    (entry,) = client.store.audit_of(id)
    assert (entry["actor"], entry["action"]) == ("omar.said", "raw.viewed")
    assert "viewed" in omar.page(f"/exceptions/{id}")
    (listed,) = Control(house.services).audit_list(action="raw.viewed")["entries"]
    assert (listed["actor"], listed["subject"]) == ("omar.said", id)
