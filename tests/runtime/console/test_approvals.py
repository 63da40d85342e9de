"""The approvals inbox and the console's API for it."""

from __future__ import annotations

import pytest
from flask import Flask

from runtime.model.run import RunState
from tests.runtime.console.house import House, requisition
from tests.runtime.console.program import Program


def ask(house: House, number: str) -> str:
    run = house.send(requisition(number, "9000.00"))
    house.comes_to(run, RunState.WAITING)
    return run


def test_an_approval_says_what_is_asked_and_why(omar: Program, house: House) -> None:
    run = ask(house, "REQ-WHY")

    row = omar.approval_of(run)
    page = omar.page("/approvals")

    assert row["reason"] == "Total of 9000.00 is 5000 or more"
    assert row["role"] == "procurement_manager"
    assert row["document"]["requisition_number"] == "REQ-WHY"
    assert row["refused"] is None
    assert "Total of 9000.00 is 5000 or more" in page


def test_approving_lets_the_run_go_on(omar: Program, house: House) -> None:
    run = ask(house, "REQ-YES")

    answer = omar.post(f"/approvals/{omar.approval_of(run)['id']}/approve", {"comment": "needed in OR 1"})

    assert answer.get_json() == {"run": run, "state": "approved"}
    house.comes_to(run, RunState.DEAD, RunState.DONE)
    assert "needed in OR 1" in omar.page(f"/runs/{run}")


def test_rejecting_ends_the_run_without_an_order(omar: Program, house: House) -> None:
    run = ask(house, "REQ-NO")

    answer = omar.form(f"/approvals/{omar.approval_of(run)['id']}/reject", comment="over the contract price")
    house.comes_to(run, RunState.DONE)

    assert answer.status_code == 303
    assert "Rejected." in omar.page(answer.location)
    assert house.services.clients["mercy"].store.run(run).outcome == "rejected"


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_nobody_decides_an_own_request(app: Flask, anna: Program, house: House, verdict: str) -> None:
    """Not even with the role; the try is in the audit trail."""
    house.services.access("mercy").users.set_roles("anna.berg", ["requester", "procurement_manager"])
    run = ask(house, f"REQ-OWN-{verdict}")
    row = anna.approval_of(run)

    answer = anna.post(f"/approvals/{row['id']}/{verdict}", {"comment": "mine"})

    assert answer.status_code == 403
    assert answer.get_json()["type"] == "urn:orderly:problem:own_request"
    assert row["refused"] == "own_request"
    assert "You cannot decide this" in anna.page("/approvals")
    assert house.services.clients["mercy"].store.approval(row["id"]).state == "open"
    trail = house.services.clients["mercy"].store.audit_trail()
    assert (row["id"], "approval.refused") in {(entry["subject"], entry["action"]) for entry in trail}


def test_who_lacks_the_role_is_refused(app: Flask, omar: Program, house: House) -> None:
    lena = Program.signed_in(app, "lena.fox")
    run = ask(house, "REQ-ROLE")

    answer = lena.post(f"/approvals/{lena.approval_of(run)['id']}/approve", {"comment": ""})

    assert answer.status_code == 403
    assert answer.get_json()["type"] == "urn:orderly:problem:role_missing"


def test_a_decision_cannot_be_taken_twice(omar: Program, house: House) -> None:
    id = omar.approval_of(ask(house, "REQ-TWICE"))["id"]
    omar.post(f"/approvals/{id}/reject", {"comment": "no"})
    house.add_user("second.manager", "procurement_manager")

    again = Program.signed_in(omar.http.application, "second.manager").post(f"/approvals/{id}/approve", {})

    assert again.status_code == 409
    assert again.get_json()["type"] == "urn:orderly:problem:refused"


def test_another_document_than_the_one_shown_cannot_be_approved(omar: Program, house: House) -> None:
    id = omar.approval_of(ask(house, "REQ-HASH"))["id"]

    answer = omar.post(f"/approvals/{id}/approve", {"comment": "", "document_hash": "0" * 64})

    assert answer.status_code == 409


@pytest.mark.parametrize("comment", [7, None, ["a"], "x" * 4001])
def test_a_comment_that_is_no_text_or_too_long_is_refused(omar: Program, comment: object) -> None:
    answer = omar.post("/approvals/x/approve", {"comment": comment})

    assert answer.status_code == 400
    assert answer.get_json()["field"] == "comment"


def test_an_unknown_approval_is_not_found(omar: Program) -> None:
    answer = omar.post("/approvals/01nosuchapproval/approve", {"comment": ""})

    assert answer.status_code == 404
    assert answer.get_json()["type"] == "urn:orderly:problem:not_found"
