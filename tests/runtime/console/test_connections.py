"""The connections page: who paused what and why, what it holds, and letting it go."""

from __future__ import annotations

from html import unescape

import pytest

from runtime.model.run import RunState
from tests.runtime.console.house import House, requisition, until
from tests.runtime.console.program import Program


@pytest.fixture
def lena(app: object, house: House) -> Program:
    """An operator."""
    return Program.signed_in(app, "lena.fox")  # type: ignore[arg-type]


def test_a_paused_connection_says_who_why_and_how_many_wait_and_goes_on_when_resumed(
    lena: Program, house: House
) -> None:
    answer = lena.form("/connections/outbox/pause", why="the disk is changed", until="2h")
    assert answer.status_code == 303
    try:
        run = house.send(requisition("REQ-PAUSED"))
        client = house.services.clients["mercy"]
        until(lambda: client.store.run(run).held_by == "connection:outbox", "the run to wait for the connection")
        (row,) = [
            row for row in lena.get("/connections").get_json()["connections"] if row["connection"] == "outbox"
        ]
        assert (row["state"], row["by"], row["why"], row["holds"]) == (
            "paused", "lena.fox", "the disk is changed", 1,
        )  # fmt: skip
        page = unescape(lena.page("/connections"))
        assert "Paused by <strong>lena.fox</strong>" in page
        assert "<strong>1 run</strong> waits for it." in page
        (waits,) = lena.get(f"/runs/{run}").get_json()["waits_for"]
        assert (waits["connection"], waits["by"]) == ("outbox", "lena.fox")
        assert "connection outbox is paused by lena.fox" in unescape(lena.page(f"/runs/{run}"))
    finally:
        resumed = lena.post("/connections/outbox/resume", {"why": "the disk is there"}).get_json()

    assert (resumed["state"], resumed["released"]) == ("working", 1)
    house.comes_to(run, RunState.DEAD, RunState.DONE)
    trail = house.services.clients["mercy"].store.audit_of("outbox")
    assert [(row["actor"], row["action"]) for row in trail[:2]] == [
        ("lena.fox", "connection.resumed"), ("lena.fox", "connection.paused"),
    ]  # fmt: skip


def test_a_door_for_senders_is_not_among_them(lena: Program) -> None:
    assert [row["connection"] for row in lena.get("/connections").get_json()["connections"]] == ["bank", "outbox"]
    assert lena.post("/connections/portal/pause", {"why": "so"}).status_code == 409


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("outbox", {"why": " "}, 409),
        ("outbox", {"why": "so", "until": "later"}, 400),
        ("outbox", {"why": "so", "until": "2020-01-01"}, 409),
        ("nowhere", {"why": "so"}, 404),
    ],
)
def test_a_pause_that_cannot_be_is_refused(lena: Program, name: str, body: dict[str, str], status: int) -> None:
    answer = lena.post(f"/connections/{name}/pause", body)

    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert {row["state"] for row in lena.get("/connections").get_json()["connections"]} == {"working"}


def test_only_an_operator_pauses_and_resumes(omar: Program) -> None:
    for verb in ("pause", "resume"):
        answer = omar.post(f"/connections/outbox/{verb}", {"why": "so"})
        assert (answer.status_code, answer.get_json()["type"]) == (403, "urn:orderly:problem:role_missing")

    assert "Pause outbox" not in omar.page("/connections")
