"""Lists that are searched, and many at once: ticked, looked at, done for exactly those."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest

from runtime.model.run import RunState
from tests.runtime.console.house import House, requisition
from tests.runtime.console.program import Program


def _dead(house: House, *numbers: str) -> list[str]:
    runs = [house.send(requisition(number)) for number in numbers]
    for run in runs:
        house.comes_to(run, RunState.DEAD)
    return runs


def _excepted(house: House, *numbers: str) -> list[str]:
    store = house.services.clients["mercy"].store
    runs = [house.send(requisition(number, cost_center="CC-NOPE")) for number in numbers]
    for run in runs:
        house.comes_to(run, RunState.EXCEPTION)
    by_run = {row.run: row.id for row in store.exceptions(limit=1000).rows}
    return [by_run[run] for run in runs]


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return unescape(found[1])


def test_dead_letters_are_searched_by_what_a_person_has_at_hand(omar: Program, house: House) -> None:
    first, second = _dead(house, "REQ-SEEK-1", "REQ-SEEK-2")

    def found(query: str) -> set[str]:
        return {row["id"] for row in omar.get(f"/dead-letters?{query}").get_json()["dead_letters"]}

    assert found("text=REQ-SEEK-1") == {first}
    assert found("text=REQ-SEEK-*") == {first, second}
    assert found("text=REQ-SEEK-*&owner=finance") == set()
    assert found("text=REQ-SEEK-*&kind=Misconfigured&flow=order&since=2020-01-01") == {first, second}
    assert found("text=REQ-SEEK-*&until=2020-01-01") == set()
    assert omar.get("/dead-letters?since=soon").get_json()["type"] == "urn:orderly:problem:bad_search"
    assert "No dead letter is like that." in omar.page("/dead-letters?text=nothing")


def test_exceptions_are_searched_by_owner_kind_and_whom_they_were_given_to(omar: Program, house: House) -> None:
    first, second = _excepted(house, "REQ-LOOK-1", "REQ-LOOK-2")
    omar.post(f"/exceptions/{second}/assign")

    def found(query: str) -> set[str]:
        return {row["id"] for row in omar.get(f"/exceptions?{query}").get_json()["exceptions"]}

    assert found("text=REQ-LOOK-*&kind=unknown_cost_center&owner=finance") == {first, second}
    assert found("text=REQ-LOOK-*&assignee=omar.said") == {second}
    assert found("text=REQ-LOOK-*&state=resolved") == set()


def test_those_that_are_ticked_are_looked_at_and_exactly_those_are_done(omar: Program, house: House) -> None:
    first, second, third = _dead(house, "REQ-TICK-1", "REQ-TICK-2", "REQ-TICK-3")
    store = house.services.clients["mercy"].store
    preview = omar.http.post(
        "/many/preview", data={"csrf": omar.csrf, "subject": "dead_letters", "action": "cancel", "where": "{}",
                               "ids": [first, second]},
    ).text  # fmt: skip
    assert "Cancel 2 runs?" in preview
    assert ("REQ-TICK-1" in preview, "REQ-TICK-3" in preview) == (True, False)
    store.cancel(first, "meanwhile")

    done = omar.form("/many/do", action="cancel", chosen=_hidden(preview, "chosen"), why="not wanted",
                     subject="dead_letters")  # fmt: skip

    assert "1 done, 1 left alone" in done.text
    assert "changed since the preview" in done.text
    assert [store.run(run).state for run in (second, third)] == [RunState.CANCELLED, RunState.DEAD]
    assert store.audit_of(second)[0]["details"]["why"] == "not wanted"
    assert store.audit_of(second)[0]["actor"] == "omar.said"


def test_all_that_were_found_are_meant_on_every_page(omar: Program, house: House) -> None:
    ids = _excepted(house, *(f"REQ-ALL-{n}" for n in range(55)))
    page = omar.page("/exceptions?text=REQ-ALL-*")
    assert "Older" in page

    preview = omar.form(
        "/many/preview", subject="exceptions", action="resolve", where=_hidden(page, "where"), every="yes"
    ).text
    done = omar.form("/many/do", action="resolve", chosen=_hidden(preview, "chosen"), why="old tests")

    assert "Resolve 55 exceptions?" in preview
    assert "55 done" in done.text
    store = house.services.clients["mercy"].store
    assert {store.exception(id).state for id in ids} == {"resolved"}


def test_a_program_asks_for_a_preview_and_hands_it_back(omar: Program, house: House) -> None:
    (run,) = _dead(house, "REQ-PROG-1")
    told = omar.post(
        "/many/preview", {"subject": "dead_letters", "action": "reprocess", "where": {"text": "REQ-PROG-*"}}
    ).get_json()
    assert [(row["id"], row["name"]) for row in told["would"]] == [(run, "REQ-PROG-1")]

    done = omar.post("/many/do", {"action": "reprocess", "chosen": told["would"], "why": "try anew"}).get_json()

    assert (done["done"], done["refused"], done["new"][0]["id"]) == ([run], [], run)
    house.comes_to(done["new"][0]["run"], RunState.DEAD)
    listed = omar.get("/dead-letters?text=REQ-PROG-*").get_json()["dead_letters"]
    assert [row["id"] for row in listed] == [done["new"][0]["run"]], "the old one is put right"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("preview", {"subject": "dead_letters", "action": "explode", "ids": []}, 400),
        ("preview", {"subject": "flowers", "action": "cancel", "ids": []}, 400),
        ("preview", {"subject": "dead_letters", "action": "cancel", "where": {"colour": "red"}}, 400),
        ("preview", {"subject": "dead_letters", "action": "cancel", "ids": ["nosuchrun"]}, 404),
        ("do", {"action": "cancel", "chosen": [{"id": "x", "seen": ""}], "why": " "}, 409),
        ("do", {"action": "cancel", "chosen": ["x"], "why": "so"}, 409),
        ("do", {"action": "cancel", "chosen": "x", "why": "so"}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(omar: Program, path: str, body: dict[str, Any], status: int) -> None:
    answer = omar.post(f"/many/{path}", body)

    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_a_form_where_nothing_is_ticked_says_so(omar: Program) -> None:
    answer = omar.form("/many/preview", subject="dead_letters", action="cancel", where="{}")

    assert (answer.status_code, "nothing is ticked" in answer.text) == (400, True)


def test_without_a_role_nothing_is_done_to_many(anna: Program, omar: Program, house: House) -> None:
    house.services.access("mercy").users.set_roles("anna.berg", ["requester"])
    (run,) = _dead(house, "REQ-ROLE-1")
    (id,) = _excepted(house, "REQ-ROLE-2")
    store = house.services.clients["mercy"].store
    chosen = [{"id": run, "seen": store.run(run).stamp}]

    preview = anna.post("/many/preview", {"subject": "dead_letters", "action": "cancel", "ids": [run]})
    forced = anna.post("/many/do", {"action": "cancel", "chosen": chosen, "why": "so"})
    resolved = anna.post("/many/do", {"action": "resolve", "chosen": [{"id": id, "seen": "open"}], "why": "so"})

    assert (preview.status_code, forced.status_code) == (403, 403)
    assert resolved.get_json()["done"] == []
    assert (store.run(run).state, store.exception(id).state) == (RunState.DEAD, "open")
    assert 'id="many"' not in anna.page("/dead-letters")
    assert 'id="many"' in omar.page("/dead-letters")


def test_runs_of_another_client_are_not_done(omar: Program, house: House) -> None:
    """Ids are looked up among the client's own, whatever was handed in."""
    chosen = json.loads('[{"id": "01aaaaaaaaaaaaaaaaaaaaaaaa", "seen": "dead.1.0"}]')

    told = omar.post("/many/do", {"action": "cancel", "chosen": chosen, "why": "so"}).get_json()

    assert (told["done"], "has no run" in told["refused"][0]["why"]) == ([], True)
