"""What 300,000 stored runs cost: the run of four effects, and pages of the runs list, before and after."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import null

from runtime.console.app import create_app
from runtime.model.run import NewRun, RunState
from runtime.services import Services
from runtime.store import tables
from runtime.store.creation import Entry, create, entry
from runtime.store.statements import Statement, Tx, word
from tests.benchmarks import four_effects

BATCH = 2_000
PASSWORD = "correct horse battery"
_END = Statement(
    tables.run.update().where(tables.run.c.state == word("ready")).values(state=word("done"), outcome=word("done"), due_at=null())
)  # fmt: skip


def fill(services: Services, runs: int) -> None:
    """Finished runs with a key each, of two flows."""
    release = services.clients["bench"].current(four_effects.FLOW).hash
    first = NewRun(four_effects.FLOW, "1.0.0", release, {}, "", "bench")
    for start in range(0, runs, BATCH):
        entries = [
            entry("bench", replace(first, body={"number": n}, keys=(("requisition", f"REQ-{n}"),)))
            for n in range(start, min(start + BATCH, runs))
        ]
        services.store.transact(lambda tx, entries=entries: _write(tx, entries))  # type: ignore[misc]


def _write(tx: Tx, entries: list[Entry]) -> None:
    for one in entries:
        create(tx, one)
    tx.run(_END)


def pages(services: Services) -> dict[str, float]:
    """Milliseconds of the slowest of ten requests for a page of the list, by what is asked for; the very first one,
    for which templates are compiled, is not among them."""
    access = services.access("bench")
    if not access.users.list():
        access.users.create("anna.berg", PASSWORD, roles=["operator"])
    http = create_app(services).test_client()
    http.post("/login", json={"login": "anna.berg", "password": PASSWORD})
    store = services.clients["bench"].store
    deep = store.runs(limit=1).rows[0].id[:4]
    asked = {
        "first page": "/runs", "by state": "/runs?state=done", "by flow": f"/runs?flow={four_effects.FLOW}",
        "by key": "/runs?q=REQ-77", "state that none has": "/runs?state=dead", "deep page": f"/runs?before={deep}",
    }  # fmt: skip
    _milliseconds(http, "/runs")
    return {name: max(_milliseconds(http, path) for _ in range(10)) for name, path in asked.items()}


def _milliseconds(http: Any, path: str) -> float:
    began = time.perf_counter()
    answer = http.get(path)
    assert answer.status_code == 200, answer.status
    return round((time.perf_counter() - began) * 1000, 1)


def measure(stored: int = 300_000, runs: int = 1_500) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="orderly-bench-") as name, four_effects.engine(Path(name)) as services:
        four_effects.take(services, 200)
        four_effects.wait_done(services)
        rows.append(_measured(services, runs))
        fill(services, stored)
        rows.append(_measured(services, runs))
    return rows


def _measured(services: Services, runs: int) -> dict[str, Any]:
    before = services.clients["bench"].store.counts()
    there = before.get(RunState.DONE, 0)
    figures = four_effects.timed(
        lambda: (four_effects.take(services, runs), four_effects.wait_done(services)), runs
    )
    slowest = {f"ms: {name}": took for name, took in pages(services).items()}
    return {"what": f"{there} runs stored", **figures, **slowest}
