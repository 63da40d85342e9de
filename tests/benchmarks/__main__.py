"""``make bench``: every measurement as a table with its setting and, as the last line, all of it as JSON.

``make bench BENCH="flow_a two_workers"`` measures those alone; ``BENCH=quick`` measures all, briefly.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from runtime.observe.logs import set_up
from tests.benchmarks import calls, codecs, flow_a, four_effects, hl7, stored, two_workers, wsgi

_SQLITE = "SQLite, WAL, synchronous=FULL, one process"


@dataclass(frozen=True)
class Bench:
    """``full`` and ``quick`` are what ``measure`` is given."""

    title: str
    setting: str
    measure: Callable[[Any], list[dict[str, Any]]]
    full: float
    quick: float


BENCHES = {
    "flow_a": Bench(
        "Flow A: a webhook is stored, mapped, checkpointed, answered",
        f"{_SQLITE}; 10 persistent connections from another process; seconds of load as given",
        flow_a.measure, 10.0, 3.0,
    ),
    "four_effects": Bench(
        "Four nodes with an effect and 1 KB each, beside a loop that writes the same rows",
        f"{_SQLITE}; 8 threads for this lane, 8 senders; the peer answers at once",
        lambda runs: four_effects.measure(int(runs)), 2_000, 500,
    ),
    "two_workers": Bench(
        "The same, queued, drained by two worker processes",
        "PostgreSQL, synchronous_commit=on, RabbitMQ; 2 processes with 8 threads each for this lane; all on one machine",
        lambda runs: two_workers.measure(int(runs)), 10_000, 1_000,
    ),
    "wsgi": Bench(
        "Flow A behind WSGI servers that can be in the writer's process",
        f"{_SQLITE}; {wsgi.CONNECTIONS} persistent connections, {wsgi.THREADS} threads; seconds of load as given, in turns",
        wsgi.measure, 5.0, 2.0,
    ),
    "calls": Bench(
        "Calls through rest and soap, beside the same written by hand with requests and lxml",
        "processor time of the calling process; the peer on loopback, one kept-alive connection",
        lambda count: calls.measure(int(count)), 200, 30,
    ),
    "codecs": Bench(
        "EDI codecs: one interchange of many orders of ten lines, streamed from a file",
        "one thread, a process each; megabytes per second of processor time",
        lambda orders: codecs.measure(int(orders)), 10_000, 1_000,
    ),
    "hl7": Bench(
        "HL7: ADT of 1 KB over MLLP, stored durably, then acknowledged; and the codec alone",
        f"{_SQLITE}; {hl7.SENDERS} persistent senders from another process; seconds of load as given",
        hl7.measure, 10.0, 3.0,
    ),
    "stored": Bench(
        "The same beside many stored runs, and pages of the runs list (slowest of ten)",
        _SQLITE, lambda runs: stored.measure(int(runs)), 300_000, 20_000,
    ),
}  # fmt: skip


def main(asked: list[str]) -> None:
    quick = "quick" in asked
    names = [name for name in asked if name != "quick"] or list(BENCHES)
    if unknown := [name for name in names if name not in BENCHES]:
        sys.exit(f"no measurement called {', '.join(unknown)}; there are: quick {' '.join(BENCHES)}")
    machine = {
        "python": platform.python_version(), "cores": psutil.cpu_count(), "machine": platform.machine(),
    }  # fmt: skip
    set_up("error", False)
    told: dict[str, Any] = {"machine": machine}
    for name in names:
        bench = BENCHES[name]
        size = bench.quick if quick else bench.full
        rows = bench.measure(size)
        show(bench, size, rows)
        told[name] = {"setting": bench.setting, "size": size, "figures": rows}
    print(json.dumps(told))


def show(bench: Bench, size: float, rows: list[dict[str, Any]]) -> None:
    table = Table(
        title=f"{bench.title}\n{bench.setting}; size {size:g}", title_justify="left", caption_justify="left"
    )
    first, *names = dict.fromkeys(name for row in rows for name in row)
    table.add_column("")
    for row in rows:
        table.add_column(str(row[first]), justify="right")
    for name in names:
        table.add_row(name.replace("_", " "), *(str(row.get(name, "")) for row in rows))
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
