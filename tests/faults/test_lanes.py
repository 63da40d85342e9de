"""Bulk work, and an order for an operating room in the middle of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import Arrival
from runtime.model.run import LANES, NewRun
from runtime.services import Services, Settings
from runtime.store.backlog import due_runs
from runtime.store.creation import Entry, create, entry
from runtime.store.statements import Tx
from tests.faults.outside import ORDER, Outside, write_pack
from tests.runtime.console.house import until

LINES, BATCH = 50_000, 1_000

#: The case decides, not the sender's word.
URGENT: dict[str, Any] = {**ORDER, "lane": "=$exists(caseTime) ? 'urgent' : 'normal'"}
LINE: dict[str, Any] = {
    "flow": "line", "version": "1.0.0", "owner": "procurement", "trigger": {"type": "call"}, "lane": "bulk",
    "nodes": [{"id": "seen", "type": "publish", "parameters": {"event": "catalogue.line", "key": "=number"}}],
}  # fmt: skip


@pytest.fixture
def services(tmp_path: Path, outside: Outside) -> Iterator[Services]:
    """Opened and not started."""
    pack = write_pack(tmp_path / "pack", outside, URGENT, LINE)
    made = Services(Settings(tmp_path / "data", (pack,), port=0))
    yield made
    made.stop()


def store_lines(services: Services) -> None:
    """As ``call_flow`` for each of them would, in fewer commits."""
    mercy = services.clients["mercy"]
    release = mercy.current("line")
    first = NewRun("line", "1.0.0", release.hash, {}, "", "call", lane="bulk")
    for start in range(0, LINES, BATCH):
        lines = [entry("mercy", replace(first, body={"number": str(n)})) for n in range(start, start + BATCH)]
        services.store.transact(partial(create_all, lines))


def create_all(lines: list[Entry], tx: Tx) -> None:
    for line in lines:
        create(tx, line)


def waiting(services: Services) -> Counter[str]:
    return Counter({lane: due_runs(services.store, lane, LINES) for lane in LANES})


def test_fifty_thousand_catalogue_lines_do_not_delay_an_order_for_an_operating_room(
    services: Services, outside: Outside
) -> None:
    """It overtakes at least nine out of ten of the lines that were there before it."""
    store_lines(services)
    stored = waiting(services)
    services.start()
    until(lambda: waiting(services)["bulk"] < LINES, "the lines to be worked on")

    body = json.dumps(outside.requisition("REQ-1", caseTime="2026-11-24T07:30:00Z")).encode()
    intake = services.intake(services.clients["mercy"])
    run = intake.take_raw("order", Arrival(body, "application/json"), "webhook", sum_of_bytes=False).run
    assert run is not None
    until(lambda: services.clients["mercy"].store.run(run).state == "done", "the order to be done")
    left = waiting(services)["bulk"]

    assert stored["bulk"] == LINES
    assert outside.ordered() == ["REQ-1"]
    assert services.store.lane(run) == "urgent"
    assert left > 0.9 * LINES
