"""``orderly interchanges``: what was sent and came, what became of it, and its control numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.x12.made import interchange
from tests.connectors.x12.samples import ACME
from tests.runtime.cli.command import Desk, flow, until

DOCUMENT = {
    "beginning": {"purpose": "00", "order_type": "NE", "order_number": "=number", "order_date": "20261124"},
    "lines": [{"line_number": "1", "quantity": "10", "unit": "BX", "unit_price": "7.20"}],
}
WRITE = {
    "id": "edi", "type": "x12.write", "into": "edi",
    "parameters": {"partner": "acme", "set": "850", "document": DOCUMENT},
}  # fmt: skip
FLOWS = [
    flow("order", WRITE, {
        "id": "send", "type": "file.deliver", "connection": "outbox", "effect": "idempotent",
        "parameters": {"path": "=number & '.edi'", "content": "=edi.content"}, "retry": {"attempts": 1}}),
    flow("forgotten", WRITE),
    flow("acknowledged", {
        "id": "reconcile", "type": "x12.reconcile", "parameters": {
            "partner": "acme", "group_control_number": "=group", "code": "=code", "rejected": "outcome",
            "sets": "=[sets]"},
        "on": {name: [{"id": name, "type": "end", "parameters": {"outcome": name}}] for name in ("rejected",)}}),
    flow("came", {"id": "read", "type": "x12.read", "parameters": {"content": "=content"}}),
]  # fmt: skip


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """With a partner who has two seconds to acknowledge an order."""
    partner = {**ACME, "awaiting": {"functional": "2s"}}
    files = {"partners/acme.json": partner, **{f"flows/{each['flow']}/flow.json": each for each in FLOWS}}
    for name, content in files.items():
        path = desk.pack / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    desk.outbox.mkdir()
    return desk


def listed(desk: Desk, *options: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = desk.answer("interchanges", "list", *options)["interchanges"]
    return rows


def test_what_was_sent_is_listed_found_and_shown_with_its_bytes(either: Desk) -> None:
    run = either.run("order", {"number": "PO-7"})["run"]

    (row,) = listed(either, "--direction", "out", "--partner", "acme", "--number", "1", "--key", "PO-7")
    shown = either.answer("interchanges", "show", row["id"])
    by_number = either.orderly("interchanges", "show", "000000001").stdout
    raw = either.orderly("interchanges", "show", row["id"], "--raw").stdout

    assert (row["number"], row["standard"], row["run"], row["overdue"]) == ("000000001", "x12", run, False)
    assert [(one["type"], one["key"]) for one in shown["sets"]] == [("850", "PO-7")]
    assert next(step["name"] for step in shown["steps"]) == "sent"
    assert f"run        {run}" in by_number
    assert "PO-7" in by_number
    assert raw == (either.outbox / "PO-7.edi").read_text()
    assert listed(either, "--direction", "in") == listed(either, "--key", "PO-8") == []
    assert listed(either, "--standard", "edifact") == listed(either, "--until", "2026-01-01") == []


def test_pages_follow_one_another(served: Desk) -> None:
    for number in ("PO-1", "PO-2", "PO-3"):
        served.run("order", {"number": number})

    first = served.answer("interchanges", "list", "--limit", "2")
    rest = served.answer("interchanges", "list", "--limit", "2", "--before", first["after"])

    assert [row["number"] for row in first["interchanges"]] == ["000000003", "000000002"]
    assert [row["number"] for row in rest["interchanges"]] == ["000000001"]
    assert rest["after"] is None


def test_what_a_partner_rejected_says_why_and_what_to_do(either: Desk) -> None:
    run = either.run("order", {"number": "PO-9"})["run"]
    said = {"set_control_number": "0001", "code": "R", "errors": ["PO103: code BOX is not allowed"]}
    either.run("acknowledged", {"number": "A-1", "group": "1", "code": "R", "sets": [said]})

    (row,) = listed(either, "--state", "rejected")
    text = either.orderly("interchanges", "show", row["id"]).stdout

    assert "PO103: code BOX is not allowed" in text
    assert "functional acknowledgement rejected" in text
    assert f"orderly runs reprocess {run}" in text


def test_what_is_not_acknowledged_in_time_is_overdue_and_an_exception_once(served: Desk) -> None:
    run = served.run("order", {"number": "PO-5"})["run"]

    until(lambda: bool(listed(served, "--overdue")), "the order to be overdue")

    (row,) = listed(served, "--overdue")
    (alert,) = served.answer("exceptions", "list")["exceptions"]
    assert (row["state"], row["overdue"], row["run"]) == ("sent", True, run)
    assert (alert["kind"], alert["owner"], alert["run"]) == ("acknowledgement_overdue", "procurement", run)
    assert row["id"] in alert["details"]["next_action"]
    assert served.answer("interchanges", "show", row["id"])["alerts"] == [alert["id"]]
    assert "overdue" in served.orderly("interchanges", "list").stdout

    served.run("acknowledged", {"number": "A-5", "group": "1", "code": "A", "sets": []})
    assert listed(served, "--overdue") == served.answer("exceptions", "list")["exceptions"] == []


def test_numbers_of_a_run_that_sent_nothing_are_void_and_gaps_of_a_partner_are_told(served: Desk) -> None:
    served.run("order", {"number": "PO-1"})
    run = served.run("forgotten", {"number": "PO-2"})["run"]
    for number in ("000000007", "000000010"):
        content = interchange("850|BEG*00*NE*PO-1**20261120~PO1*1*5*EA~CTT*1~").decode()
        served.run("came", {"number": number, "content": content.replace("000000007", number)})

    def void() -> list[Any]:
        return list(served.answer("interchanges", "numbers", "--series", "isa")["void"])

    until(lambda: bool(void()), "a number to be void")

    told = served.answer("interchanges", "numbers", "--series", "isa")
    (ours,) = told["sent"]
    assert (ours["last"], ours["given"], ours["sent"], ours["void"]) == (2, 0, 1, 1)
    assert [(one["number"], one["run"], one["node"]) for one in told["void"]] == [(2, run, "edi")]
    assert [row["number"] for row in listed(served, "--state", "void")] == ["000000002"]
    (theirs,) = told["received"]
    assert theirs["gaps"] == [{"after": 7, "before": 10, "missing": 2}]
    assert "2" in served.orderly("interchanges", "numbers", "--partner", "acme").stdout


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("list", "--state", "lost"), "bad_state", "there are: written, sent"),
        (("list", "--since", "yesterday"), "bad_search", "write a day like"),
        (("show", "nowhere"), "not_found", "no interchange nowhere"),
    ],
)
def test_what_cannot_be_looked_for_says_how_it_can(
    served: Desk, arguments: tuple[str, ...], kind: str, words: str
) -> None:
    problem = served.problem("interchanges", *arguments)

    assert problem["kind"] == kind
    assert words in problem["detail"]


def test_a_number_of_several_is_refused_with_their_ids(served: Desk) -> None:
    served.run("order", {"number": "PO-1"})
    content = interchange("850|BEG*00*NE*PO-1**20261120~PO1*1*5*EA~CTT*1~").decode()
    served.run("came", {"number": "C-1", "content": content.replace("000000007", "000000001")})

    problem = served.problem("interchanges", "show", "1")

    assert all(row["id"] in problem["detail"] for row in listed(served))
