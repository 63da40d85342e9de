"""One run put right in the console: corrected, cancelled, given to somebody; refusals come back in plain words."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import pytest

from runtime.model.run import RunState
from tests.runtime.console.house import House, requisition
from tests.runtime.console.program import Program


@pytest.fixture
def excepted(house: House, request: pytest.FixtureRequest) -> str:
    """A run that does not know its cost centre."""
    run = house.send(requisition(f"REQ-{abs(hash(request.node.name)) % 10**9}", cost_center="CC-NOPE"))
    house.comes_to(run, RunState.EXCEPTION)
    return run


def body_of(house: House, run: str, **more: Any) -> dict[str, Any]:
    return {**house.services.clients["mercy"].store.story(run).body, **more}


def test_a_message_is_corrected_in_the_editor_and_the_two_runs_name_each_other(
    omar: Program, house: House, excepted: str
) -> None:
    editor = unescape(omar.page(f"/runs/{excepted}/reprocess"))
    assert '"cost_center": "CC-NOPE"' in editor
    corrected = json.dumps(body_of(house, excepted, cost_center="CC-OR1", total="9000.00"))

    answer = omar.form(f"/runs/{excepted}/reprocess", body=corrected, why="the ward mistyped it")

    assert answer.status_code == 303
    new = answer.headers["Location"].split("/runs/")[1].partition("?")[0]
    house.comes_to(new, RunState.WAITING)
    old = omar.get(f"/runs/{excepted}").get_json()
    assert (old["state"], old["reprocessed_as"], old["body"]["cost_center"]) == ("exception", [new], "CC-NOPE")
    assert sorted(old["repairs"][0]["details"]["edited"]) == ["/cost_center", "/total"]
    page = omar.page(f"/runs/{excepted}")
    assert f"/runs/{new}" in page
    assert "the ward mistyped it" in page
    assert f"/runs/{excepted}/reprocess" not in page, "once is enough"
    assert f"/runs/{excepted}" in omar.page(f"/runs/{new}")


@pytest.mark.parametrize(
    ("body", "why", "status", "told"),
    [
        ('{"a": ', "so", 422, "the message is not JSON"),
        ('{"a": 1}', "so", 422, "gives neither text nor a whole number"),
        (None, "  ", 409, "say why the message is processed anew"),
    ],
)
def test_what_cannot_be_reprocessed_comes_back_as_it_was_written(
    omar: Program, house: House, excepted: str, body: str | None, why: str, status: int, told: str
) -> None:
    written = body if body is not None else json.dumps(body_of(house, excepted))

    answer = omar.form(f"/runs/{excepted}/reprocess", body=written, why=why)

    page = unescape(answer.text)
    assert answer.status_code == status
    assert told in page
    assert f">{written}</textarea>" in page
    assert house.services.clients["mercy"].store.successors(excepted) == []


def test_a_program_reprocesses_with_a_problem_document_where_it_is_refused(
    omar: Program, house: House, excepted: str
) -> None:
    told = omar.get(f"/runs/{excepted}/reprocess").get_json()
    assert (told["body"]["cost_center"], told["once"]) == ("CC-NOPE", [])
    unnamed = omar.post(f"/runs/{excepted}/reprocess", {"why": "so", "body": {"a": 1}})
    assert (unnamed.status_code, unnamed.get_json()["type"]) == (422, "urn:orderly:problem:invalid_document")

    made = omar.post(f"/runs/{excepted}/reprocess", {"why": "as it is"}).get_json()
    again = omar.post(f"/runs/{excepted}/reprocess", {"why": "as it is"})

    assert made["reprocess_of"] == excepted
    assert (again.status_code, again.get_json()["type"]) == (409, "urn:orderly:problem:refused")
    assert made["run"] in again.get_json()["detail"]


def test_a_run_is_cancelled_from_the_page_that_says_what_stays(omar: Program, house: House) -> None:
    run = house.send(requisition("REQ-CANCEL", "9000.00"))
    house.comes_to(run, RunState.WAITING)
    page = omar.page(f"/runs/{run}/cancel")
    assert "Cancel the run" in page
    assert "Cancel and undo" not in page, "nothing is done yet that could be undone"
    assert omar.form(f"/runs/{run}/cancel", why="").status_code == 409

    answer = omar.form(f"/runs/{run}/cancel", why="ordered by phone")

    assert answer.status_code == 303
    assert house.services.clients["mercy"].store.run(run).state is RunState.CANCELLED
    assert "ordered by phone" in omar.page(f"/runs/{run}")
    over = omar.post(f"/runs/{run}/cancel", {"why": "again"})
    assert (over.status_code, over.get_json()["type"]) == (409, "urn:orderly:problem:refused")
    assert "it is over" in unescape(omar.page(f"/runs/{run}/cancel"))


def test_a_run_that_is_not_in_a_line_does_not_step_aside(omar: Program, excepted: str) -> None:
    answer = omar.post(f"/runs/{excepted}/step-aside", {"why": "let them pass"})

    assert (answer.status_code, "not kept in an order" in answer.get_json()["detail"]) == (409, True)
    assert "Step aside" not in omar.page(f"/runs/{excepted}")


def test_a_run_is_given_to_somebody_and_noted(omar: Program, anna: Program, excepted: str) -> None:
    assert omar.post(f"/runs/{excepted}/assign", {"assignee": "lena.fox"}).get_json()["assignee"] == "lena.fox"
    assert anna.post(f"/runs/{excepted}/note", {"note": "the ward was asked"}).status_code == 200
    assert anna.post(f"/runs/{excepted}/assign", {}).get_json()["assignee"] == "anna.berg", "to herself she may"

    nobody = omar.post(f"/runs/{excepted}/assign", {"assignee": "nobody.here"})
    empty = omar.post(f"/runs/{excepted}/note", {"note": " "})

    assert (nobody.status_code, nobody.get_json()["field"]) == (400, "assignee")
    assert empty.status_code == 409
    page = omar.page(f"/runs/{excepted}")
    assert "the ward was asked" in page
    assert "given" not in omar.page(f"/runs/{excepted}?done=nonsense")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("reprocess", {"why": "so"}),
        ("cancel", {"why": "so"}),
        ("cancel", {"why": "so", "undo": True}),
        ("step-aside", {"why": "so"}),
        ("assign", {"assignee": "omar.said"}),
    ],
)
def test_without_a_role_a_run_is_not_put_right(
    anna: Program, house: House, excepted: str, path: str, body: dict[str, Any]
) -> None:
    house.services.access("mercy").users.set_roles("anna.berg", ["requester"])

    answer = anna.post(f"/runs/{excepted}/{path}", body)

    assert (answer.status_code, answer.get_json()["type"]) == (403, "urn:orderly:problem:role_missing")
    actions = [row["action"] for row in house.services.clients["mercy"].store.audit_of(excepted)]
    assert actions == [f"run.{path.replace('-', '_')}.refused"]
    assert anna.get(f"/runs/{excepted}/reprocess").status_code == 403
    assert anna.get(f"/runs/{excepted}/cancel").status_code == 403


def test_an_exception_is_given_by_who_may(omar: Program, anna: Program, house: House, excepted: str) -> None:
    house.services.access("mercy").users.set_roles("anna.berg", ["requester"])
    store = house.services.clients["mercy"].store
    (id,) = [row.id for row in store.exceptions(limit=500).rows if row.run == excepted]

    assert anna.post(f"/exceptions/{id}/assign", {"assignee": "lena.fox"}).status_code == 403
    assert omar.post(f"/exceptions/{id}/assign", {"assignee": "lena.fox"}).get_json()["assignee"] == "lena.fox"
    assert anna.post(f"/exceptions/{id}/assign").get_json()["assignee"] == "anna.berg"
    assert [row["details"].get("assignee") for row in store.audit_of(id) if row["action"] == "exception.assigned"] == [
        "anna.berg", "lena.fox",
    ]  # fmt: skip
    assert "lena.fox" in omar.page(f"/exceptions/{id}")
