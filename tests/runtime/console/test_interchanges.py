"""Interchanges: the list, one with its sets and bytes, and the control numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from connectors.sdk.exchange import Answer, Exchanged, Rules, SetEntry, SetVerdict
from runtime.model.run import EventRow, RunState
from runtime.store.batches import Collected
from runtime.store.store import ClientStore
from tests.runtime.console.house import House, requisition, until
from tests.runtime.console.program import Program


@pytest.fixture
def store(house: House) -> ClientStore:
    return house.services.clients["mercy"].store


def written(house: House, number: str, **more: Any) -> tuple[str, str]:
    """A run, and the interchange that it wrote; the bytes hold what a browser must not obey."""
    run = house.send(requisition(f"REQ-{number}", "9000.00"))
    house.comes_to(run, RunState.WAITING)
    ledger = house.services.clients["mercy"].store
    content = ledger.blobs.put(f"ISA*{number}~<script>{number}</script>~".encode(), "application/edi-x12")
    sets = [SetEntry("850", "0001", str(int(number)), f"PO-{number}"), SetEntry("850", "0002", str(int(number)))]
    ledger.interchanges.at("order", run, "edi", "").written(
        Exchanged("x12", "acme", "T", number, content.blob, content, sets, **more)
    )
    (row,) = ledger.interchanges.listed(run=run).rows
    return run, row["id"]


def answer(store: ClientStore, run: str, number: str) -> None:
    sets = {"0002": SetVerdict("rejected", "R", ["PO103: BOX is no unit"])}
    at = store.interchanges.at("functional_acknowledgement", run, "reconcile", "")
    at.reconcile(Answer("x12", "acme", "T", "group", number, "997", "partly", "P", sets=sets, others="accepted"))


def test_an_interchange_shows_its_sets_what_was_said_its_run_and_its_bytes(
    omar: Program, house: House, store: ClientStore
) -> None:
    run, id = written(house, "000000041")
    answer(store, run, "41")

    told = omar.get(f"/interchanges/{id}").get_json()
    page = omar.page(f"/interchanges/{id}")

    assert (told["state"], [one["state"] for one in told["sets"]]) == ("partly", ["accepted", "rejected"])
    assert [step["state"] for step in told["steps"]] == ["sent", "passed", "partly", "open"]
    assert "PO103: BOX is no unit" in page
    assert f"/runs/{run}" in page
    assert "<script>000000041" not in page
    with omar.http.get(f"/interchanges/{id}/raw") as raw:
        assert raw.data == b"ISA*000000041~<script>000000041</script>~"
        assert raw.content_type == "application/octet-stream"
        assert raw.headers["Content-Disposition"].startswith("attachment")
    assert f"/interchanges?run={run}" in omar.page(f"/runs/{run}")


def test_interchanges_are_found_by_what_people_know(omar: Program, house: House) -> None:
    run, id = written(house, "000000052")

    for search in ("number=52", "key=PO-000000052", f"run={run}", "partner=acme&number=52&direction=out"):
        assert [row["id"] for row in omar.get(f"/interchanges?{search}").get_json()["interchanges"]] == [id], search
    assert omar.get("/interchanges?number=52&standard=edifact").get_json()["interchanges"] == []
    assert "No interchange is like that." in omar.page("/interchanges?key=PO-nothing")
    assert omar.get("/interchanges?state=lost").status_code == 400


def test_what_is_overdue_is_shown_so_with_its_exception(omar: Program, house: House, store: ClientStore) -> None:
    """What a run wrote counts as sent once the run has ended."""
    with house.delivering():
        run, id = written(house, "000000063", within=timedelta(milliseconds=1))
        omar.post(f"/approvals/{omar.approval_of(run)['id']}/approve", {})
        house.comes_to(run, RunState.DONE)

    until(lambda: store.interchanges.one(id)["overdue"], "the interchange to be overdue")

    (alert,) = store.interchanges.one(id)["alerts"]
    assert f"/exceptions/{alert}" in omar.page(f"/interchanges/{id}")
    assert "badge-overdue" in omar.page("/interchanges?overdue=yes&number=63")
    assert "What to do:" in omar.page(f"/exceptions/{alert}")


def test_control_numbers_tell_void_ones_and_gaps(omar: Program, house: House, store: ClientStore) -> None:
    run = house.send(requisition("REQ-VOID", "9000.00"))
    house.comes_to(run, RunState.WAITING)
    store.allocate("x12/ours/theirs/T/isa", 999, run, "edi", "")
    omar.post(f"/runs/{run}/cancel", {"why": "not needed"})
    house.comes_to(run, RunState.CANCELLED)
    for number in ("000000001", "000000004"):
        content = store.blobs.put(number.encode(), "application/edi-x12")
        store.interchanges.at("inbox", run, "read", number).received(
            Exchanged("x12", "acme", "T", number, content.blob, content), Rules()
        )

    until(lambda: bool(store.interchanges.numbers()["void"]), "the number to be void")
    page = omar.page("/interchanges/numbers")

    assert "x12/ours/theirs/T/isa" in page
    assert f"/runs/{run}" in page
    assert "2 between 1 and 4" in page


@pytest.mark.parametrize(
    "path", ["/interchanges", "/interchanges/numbers", "/interchanges/x", "/interchanges/x/raw"]
)
def test_nobody_sees_them_without_signing_in(app: Flask, path: str) -> None:
    answer = app.test_client().get(path, headers={"Accept": "application/json"})

    assert answer.status_code == 401


def test_an_interchange_that_is_not_there_is_not_found(omar: Program) -> None:
    assert omar.get("/interchanges/nothing").status_code == 404
    assert omar.http.get("/interchanges/nothing/raw").status_code == 404


def test_what_is_collected_is_shown_and_sent_by_who_may(omar: Program, app: Flask, house: House) -> None:
    """The clock collects; here it is done as it does it, for a flow that the house does not have: it stays."""
    store = house.services.clients["mercy"].store
    run = house.send(requisition("REQ-HELD", "9000.00"))
    house.comes_to(run, RunState.WAITING)
    store.publish(EventRow("order.collected", "1", {"n": 1}, run=run))
    (event,) = store.events_after(0, ["order.collected"])
    store.batches.collect("flow:gone", "gone", [Collected(event, "acme", 7, urgent=False)], 0, event.position)

    (row,) = omar.get("/interchanges/collected").get_json()["batches"]
    page = omar.page("/interchanges/collected")
    house.add_user("ida.who.may.not", "requester")
    ida = Program.signed_in(app, "ida.who.may.not")
    refused = ida.post("/interchanges/collected/acme/send", {"why": "now"})
    out = omar.post("/interchanges/collected/acme/send", {"why": "now"})

    assert (row["partner"], row["documents"], row["bytes"], row["served"]) == ("acme", 1, 7, False)
    assert "orderly lint" in page
    assert "Send to acme now" in page
    assert "Send to acme now" not in ida.page("/interchanges/collected")
    assert refused.status_code == 403
    assert "there is no flow 'gone'" in out.get_json()["detail"]
    assert omar.post("/interchanges/collected/nobody/send").status_code == 404
    omar.post(f"/runs/{run}/cancel", {"why": "not needed"})
    assert "Nothing is collected" in omar.page("/interchanges/collected")
