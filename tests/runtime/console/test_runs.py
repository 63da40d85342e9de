"""Runs, dead letters and uncertain nodes, as pages and as JSON."""

from __future__ import annotations

import json

from flask import Flask

from runtime.model.run import RunState
from tests.runtime.console.house import House, requisition
from tests.runtime.console.program import Program

SCRIPT = "<script>alert('x')</script>"


def test_runs_are_found_by_business_key_and_by_id(omar: Program, house: House) -> None:
    run = house.send(requisition("REQ-FOUND", "9000.00"))
    house.comes_to(run, RunState.WAITING)

    by_key = omar.get("/runs?q=REQ-FOUND").get_json()["runs"]
    by_id = omar.get(f"/runs?q={run}").get_json()["runs"]
    by_other = omar.get("/runs?q=REQ-FOUN").get_json()["runs"]

    assert [row["id"] for row in by_key] == [run]
    assert by_key == by_id
    assert by_key[0]["keys"] == {"requisition": "REQ-FOUND"}
    assert by_other == []


def test_runs_are_filtered_by_state_and_flow(omar: Program, house: House) -> None:
    run = house.send(requisition("REQ-FILTER", cost_center="CC-NOPE"))
    house.comes_to(run, RunState.EXCEPTION)

    def ids(query: str) -> list[str]:
        return [row["id"] for row in omar.get(f"/runs?{query}").get_json()["runs"]]

    assert run in ids("state=exception&flow=order")
    assert run not in ids("state=waiting")
    assert run not in ids("flow=transfer")
    assert omar.get("/runs?state=nonsense").status_code == 400


def test_lists_are_paged_without_losing_or_doubling_a_run(omar: Program, house: House) -> None:
    sent = {house.send(requisition(f"REQ-PAGE-{number}", cost_center="CC-NOPE")) for number in range(60)}
    first = omar.get("/runs").get_json()
    seen = [row["id"] for row in first["runs"]]
    after = first["after"]

    while after is not None:
        page = omar.get(f"/runs?before={after}").get_json()
        seen += [row["id"] for row in page["runs"]]
        after = page["after"]

    assert len(first["runs"]) == 50
    assert sent <= set(seen)
    assert seen == sorted(set(seen), reverse=True)
    assert "Older" in omar.page("/runs")


def test_a_run_shows_its_whole_story(omar: Program, house: House) -> None:
    run = house.send(requisition("REQ-STORY"))
    house.comes_to(run, RunState.DEAD, RunState.DONE)

    story = omar.get(f"/runs/{run}").get_json()
    page = omar.page(f"/runs/{run}")

    assert [row["node"] for row in story["attempts"]] == ["hand_over"]
    assert story["attempts"][0]["input"]["path"] == "REQ-STORY.json"
    assert story["expectations"][0]["event_type"] == "order.acknowledged"
    for said in ("hand_over", "file.deliver", "Ask procurement", "1 attempt", "order.acknowledged", "Raw bytes"):
        assert said in page
    assert f"{len(json.dumps(requisition('REQ-STORY')))} bytes" in page


def test_stored_script_is_shown_and_never_run(omar: Program, house: House) -> None:
    """In business keys, bodies, messages, comments: whatever came from outside is text."""
    run = house.send(requisition(SCRIPT, "9000.00", note=SCRIPT))
    raised = house.send(requisition(f"{SCRIPT}2", cost_center="CC-NOPE", note=SCRIPT))
    house.comes_to(run, RunState.WAITING)
    house.comes_to(raised, RunState.EXCEPTION)
    omar.post(f"/approvals/{omar.approval_of(run)['id']}/reject", {"comment": SCRIPT})

    pages = [omar.page(path) for path in ("/runs", f"/runs/{run}", "/exceptions", "/approvals?state=rejected")]
    search = omar.page(f'/runs?q="><script>alert(1)</script>&flow={SCRIPT}')

    for page in [*pages, search]:
        assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in pages[1]
    assert "&lt;script&gt;alert" in search


def test_the_raw_message_comes_back_byte_for_byte_and_is_never_shown_by_a_browser(
    omar: Program, house: House
) -> None:
    document = requisition("REQ-RAW", cost_center="CC-NOPE", note="<b>ünïcode</b>")
    run = house.send(document)

    with omar.http.get(f"/runs/{run}/raw") as answer:
        assert answer.data == json.dumps(document).encode()
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_list_that_is_refreshed_after_the_session_ended_leads_to_the_sign_in(app: Flask) -> None:
    answer = app.test_client().get("/runs", headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login"


def test_a_dead_letter_tells_what_to_do_and_goes_on_when_redriven(omar: Program, house: House) -> None:
    run = house.send(requisition("REQ-DEAD"))
    house.comes_to(run, RunState.DEAD)
    letters = omar.get("/dead-letters").get_json()["dead_letters"]
    letter = next(row for row in letters if row["id"] == run)

    with house.delivering() as outbox:
        answer = omar.post(f"/runs/{run}/redrive")
        house.comes_to(run, RunState.DONE)
        delivered = json.loads((outbox / "REQ-DEAD.json").read_text(encoding="utf-8"))

    assert letter["failed"][0]["node"] == "hand_over"
    assert "create the folder" in letter["failed"][0]["error"]["next_action"]
    assert answer.get_json()["run"] == run
    assert delivered["requisition_number"] == "REQ-DEAD"
    trail = house.services.clients["mercy"].store.audit_trail()
    assert ("omar.said", "run.redriven", run) in {(row["actor"], row["action"], row["subject"]) for row in trail}


def test_a_run_that_is_under_way_is_not_redriven(omar: Program, house: House) -> None:
    run = house.send(requisition("REQ-BUSY", "9000.00"))
    house.comes_to(run, RunState.WAITING)

    answer = omar.post(f"/runs/{run}/redrive")

    assert answer.status_code == 409
    assert answer.get_json()["type"] == "urn:orderly:problem:refused"
    assert "can be redriven" in answer.get_json()["detail"]
