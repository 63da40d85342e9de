"""Repair is for those who hold a role for it; everybody else looks on."""

from __future__ import annotations

import pytest
from flask import Flask

from runtime.model.run import RunState
from tests.runtime.console.house import House, requisition
from tests.runtime.console.program import Program


@pytest.fixture
def dead(house: House) -> str:
    """A run whose delivery failed: nobody made the outbox."""
    run = house.send(requisition("REQ-MAY"))
    house.comes_to(run, RunState.DEAD)
    return run


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/runs/{run}/redrive", {}),
        ("/runs/{run}/settle", {"node": "hand_over", "happened": True, "why": "I say so"}),
        ("/exceptions/{exception}/resolve", {"note": "never mind"}),
    ],
)
def test_without_a_role_it_is_refused_audited_and_changes_nothing(
    anna: Program, house: House, dead: str, path: str, body: dict[str, object]
) -> None:
    house.services.access("mercy").users.set_roles("anna.berg", ["requester"])
    store = house.services.clients["mercy"].store
    excepted = house.send(requisition("REQ-MAY-EXC", cost_center="CC-NOPE"))
    house.comes_to(excepted, RunState.EXCEPTION)
    exception = next(row for row in store.exceptions().rows if row.run == excepted)
    before = store.run(dead).state

    answer = anna.post(path.format(run=dead, exception=exception.id), body)

    assert answer.status_code == 403
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["type"] == "urn:orderly:problem:role_missing"
    assert "operator" in answer.get_json()["detail"]
    assert store.run(dead).state is before
    assert store.exception(exception.id).state == "open"
    assert {"run.redrive.refused", "node.settle.refused", "exception.resolve.refused"} & {
        row["action"] for row in store.audit_trail() if row["actor"] == "anna.berg"
    }


def test_what_is_refused_is_not_offered(anna: Program, omar: Program, house: House, dead: str) -> None:
    house.services.access("mercy").users.set_roles("anna.berg", ["requester"])

    assert f"/runs/{dead}/redrive" in omar.page("/dead-letters")
    assert f"/runs/{dead}/redrive" not in anna.page("/dead-letters")
    assert f"/runs/{dead}/redrive" not in anna.page(f"/runs/{dead}")


def test_the_role_that_owns_an_exception_may_resolve_it(house: House, app: Flask) -> None:
    house.services.access("mercy").users.set_roles("lena.fox", ["finance"])
    try:
        lena = Program.signed_in(app, "lena.fox")
        run = house.send(requisition("REQ-MAY-FIN", cost_center="CC-NOPE"))
        house.comes_to(run, RunState.EXCEPTION)
        store = house.services.clients["mercy"].store
        exception = next(row for row in store.exceptions().rows if row.run == run)

        answer = lena.post(f"/exceptions/{exception.id}/resolve", {"note": "cost centre corrected"})
    finally:
        house.services.access("mercy").users.set_roles("lena.fox", ["finance", "operator"])

    assert exception.owner == "finance"
    assert answer.get_json()["state"] == "resolved"
