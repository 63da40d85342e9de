"""``orderly batches``: what waits for a partner is seen, and sent before its time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.runtime.cli.command import Desk, flow, until

READY = {"id": "ready", "type": "publish", "parameters": {"event": "order.ready", "key": "=number", "data": "=$"}}
OUTBOX = {
    "flow": "outbox", "version": "1.0.0", "owner": "procurement",
    "trigger": {"type": "event", "event": "order.ready", "batch": {"partner": "=partner"}},
    "nodes": [{"id": "gone", "type": "publish", "parameters": {"event": "gone", "key": "=partner"}}],
}  # fmt: skip
FLOWS = [flow("order", READY), OUTBOX]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    partner = {"partner": "acme", "name": "Acme", "batching": {"count": 9, "within": "4h"}}
    files = {"partners/acme.json": partner, **{f"flows/{each['flow']}/flow.json": each for each in FLOWS}}
    for name, content in files.items():
        path = desk.pack / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return desk


def listed(desk: Desk) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = desk.answer("batches", "list")["batches"]
    return rows


def test_what_is_collected_is_listed_and_sent_before_its_time(served: Desk) -> None:
    for number in ("PO-1", "PO-2"):
        served.run("order", {"partner": "acme", "number": number})
    until(lambda: [row["documents"] for row in listed(served)] == [2], "both to be collected")

    (row,) = listed(served)
    told = served.orderly("batches", "list").stdout
    done = served.answer("batches", "send", "acme", "--reason", "the truck waits")

    assert (row["flow"], row["partner"], row["urgent"], row["served"]) == ("outbox", "acme", 0, True)
    assert row["rules"] == "9 documents; after 4h"
    assert row["due_at"] > row["oldest_at"]
    assert "acme" in told
    assert len(done["runs"]) == 1
    assert listed(served) == []
    assert served.orderly("batches", "list").stdout.strip() == "nothing is collected"


def test_where_nothing_waits_it_says_so(either: Desk) -> None:
    refused = either.problem("batches", "send", "acme")

    assert refused["detail"] == "nothing is collected for partner 'acme' of client mercy"
