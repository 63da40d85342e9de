"""A run of four nodes, each with an effect and 1 KB of output: through the engine, and as a bare loop.

The peer is left out on both sides: what is measured is storing. A run is six durable commits: it is taken; then an
intent before every effect, each with the outcome of the one before; then the last outcome with the run's end.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import psutil
from sqlalchemy import Integer, literal_column, select

from connectors.sdk import Arrival
from runtime.cli import one_cpu
from runtime.cli.lifetime import settle
from runtime.engine.effects import Answer
from runtime.engine.walk import Settings as WalkSettings
from runtime.model.run import RunState
from runtime.services import Services, Settings
from runtime.store import tables
from runtime.store.statements import Statement, word

FLOW, NODES, SENDERS = "four", 4, 8
_TURNS = 7
OUTPUT = {"text": "x" * 1_000}
_OPEN = Statement(
    select(tables.run.c.id)
    .where(
        tables.run.c.client == word("bench"),
        tables.run.c.state.in_([word("ready"), word("leased"), word("waiting")]),
    )
    .limit(literal_column("1", Integer))
)
#: Written by both, counted at the end of both.
TABLES = ("run", "message", "small_blob", "blob_reference", "intent", "outcome", "attempt")


def write_pack(folder: Path) -> Path:
    nodes = [
        {
            "id": f"n{n}", "type": "rest.request", "connection": "peer", "effect": "idempotent", "into": f"r{n}",
            "parameters": {"method": "PUT", "path": "='/orders/' & number", "body": "={'number': number}"},
        }
        for n in range(NODES)
    ]  # fmt: skip
    files: dict[str, Any] = {
        "pack.json": {"client": "bench", "name": "Bench"},
        "connections/peer.json": {"type": "rest", "settings": {"base_url": "https://peer.example"}},
        f"flows/{FLOW}/flow.json": {
            "flow": FLOW, "version": "1.0.0", "owner": "bench", "trigger": {"type": "call"}, "nodes": nodes,
        },
    }  # fmt: skip
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


def perform(*_: Any) -> Answer:
    """The answer of a peer that takes no time."""
    return Answer("done", OUTPUT)


@contextmanager
def engine(folder: Path) -> Iterator[Services]:
    """On one CPU and settled, as ``orderly serve`` is."""
    with one_cpu.kept(True):
        services = Services(Settings(folder / "data", (write_pack(folder / "pack"),), port=0))
        services.engine.settings = WalkSettings(services.settings.lease_seconds, services.settings.chance, perform)
        services.start()
        settle()
        try:
            yield services
        finally:
            services.stop()


def take(services: Services, runs: int) -> None:
    """As many senders at one time as have a thread."""
    intake = services.intake(services.clients["bench"])

    def one(number: int) -> None:
        arrival = Arrival(json.dumps({"number": number}).encode(), "application/json")
        intake.take_raw(FLOW, arrival, "bench", sum_of_bytes=False)

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(one, range(runs)))


def done(services: Services) -> int:
    return services.clients["bench"].store.counts().get(RunState.DONE, 0)


def wait_done(services: Services, seconds: float = 600.0) -> None:
    """Until no run is open, or then at the latest. The question costs the same however many runs are done."""
    until = time.monotonic() + seconds
    while services.store.read(lambda tx: tx.one(_OPEN)) is not None and time.monotonic() < until:
        time.sleep(0.02)


def _statements(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of one finished run as the engine wrote them, for the loop to write again under other ids."""
    with sqlite3.connect(database) as connection:
        (run,) = connection.execute("SELECT max(id) FROM run").fetchone()
        (message,) = connection.execute("SELECT message FROM run WHERE id = ?", (run,)).fetchone()
        own = {"run": f"id = '{run}'", "message": f"id = '{message}'", "blob_reference": f"owner = '{message}'"}
        own["small_blob"] = f"blob = (SELECT raw FROM message WHERE id = '{message}')"
        return {
            table: connection.execute(f"SELECT * FROM {table} WHERE {own.get(table, f'run = {run!r}')}").fetchall()
            for table in TABLES
        }


class BareLoop:
    """As many threads as the engine has senders; each writes the same rows of one run after the other in the same
    six commits and waits for every one of them to be on disk. One thread commits for all that wait: units that come
    together share an fsync, as they do in the engine, and each has its SAVEPOINT."""

    def __init__(self, database: Path) -> None:
        self._rows = _statements(database)
        self._database = database
        self._old_run, self._old_message = self._rows["run"][0][0], self._rows["message"][0][0]
        self._units: SimpleQueue[tuple[Callable[[sqlite3.Connection], None], Event] | None] = SimpleQueue()

    def write(self, runs: int) -> None:
        writer = Thread(target=self._write)
        writer.start()
        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(self._run, range(runs)))
        self._units.put(None)
        writer.join()

    def _write(self) -> None:
        connection = sqlite3.connect(self._database, isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")
        while (first := self._units.get()) is not None:
            units = [first]
            while not self._units.empty() and (more := self._units.get()) is not None:
                units.append(more)
            connection.execute("BEGIN IMMEDIATE")
            for unit, _ in units:
                connection.execute("SAVEPOINT unit")
                unit(connection)
                connection.execute("RELEASE unit")
            connection.execute("COMMIT")
            for _, written in units:
                written.set()
        connection.close()

    def _run(self, run: int) -> None:
        self._commit(partial(self._create, run))
        for node in range(NODES + 1):
            self._commit(partial(self._step, run, node))

    def _commit(self, unit: Callable[[sqlite3.Connection], None]) -> None:
        written = Event()
        self._units.put((unit, written))
        written.wait()

    def _create(self, run: int, connection: sqlite3.Connection) -> None:
        for table in ("message", "small_blob", "blob_reference", "run"):
            self._insert(connection, table, run, self._rows[table])

    def _step(self, run: int, node: int, connection: sqlite3.Connection) -> None:
        """The intent of this node with the outcome of the one before."""
        if node < NODES:
            self._insert(connection, "intent", run, [row for row in self._rows["intent"] if f"n{node}" in row])
        if node > 0:
            before = f"n{node - 1}"
            for table in ("outcome", "attempt"):
                self._insert(connection, table, run, [row for row in self._rows[table] if before in row])
            connection.execute(
                "UPDATE intent SET state = 'settled' WHERE run = ? AND node = ? AND iteration = ''",
                (self._name(self._old_run, run), before),
            )
        connection.execute(
            "UPDATE run SET state = ?, due_at = due_at + 1, checkpoint_at = ? WHERE id = ?",
            ("leased" if node < NODES else "done", node, self._name(self._old_run, run)),
        )

    def _insert(self, connection: sqlite3.Connection, table: str, run: int, rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(
            f"INSERT OR IGNORE INTO {table} VALUES ({marks})",
            [tuple(self._renamed(table, value, run) for value in row) for row in rows],
        )

    def _renamed(self, table: str, value: Any, run: int) -> Any:
        if value in (self._old_run, self._old_message) or (
            table == "small_blob" and str(value).startswith("sha256")
        ):
            return self._name(value, run)
        return None if table == "attempt" and isinstance(value, int) and value == self._rows[table][0][0] else value

    @staticmethod
    def _name(old: str, run: int) -> str:
        return f"{old}{run}"


def measure(runs: int = 2_000) -> list[dict[str, Any]]:
    """The engine and the bare loop on the same disk, in turns; of all of them, and of the pairs, the middle one
    counts."""
    engines, loops = [], []
    for _ in range(_TURNS):
        with tempfile.TemporaryDirectory(prefix="orderly-bench-") as name:
            folder = Path(name)
            with engine(folder) as services:
                take(services, 200)
                wait_done(services)
                engines.append(timed(lambda: (take(services, runs), wait_done(services)), runs))
            loop = BareLoop(folder / "data" / "orderly.db")
            with one_cpu.kept(True):
                loops.append(timed(lambda: loop.write(runs), runs))  # noqa: B023
    ours, bare = (sorted(found, key=_rate)[_TURNS // 2] for found in (engines, loops))
    pairs = sorted(_rate(engine) / _rate(loop) for engine, loop in zip(engines, loops, strict=True))
    return [
        {"what": "engine", **ours, "of_the_bare_loop": round(pairs[_TURNS // 2], 2)},
        {"what": "bare loop", **bare, "of_the_bare_loop": 1.0},
    ]


def _rate(figures: dict[str, Any]) -> float:
    return float(figures["runs_per_second"])


def timed(work: Any, runs: int) -> dict[str, Any]:
    process = psutil.Process()
    began, spent = time.perf_counter(), _cpu(process)
    work()
    seconds, cpu = time.perf_counter() - began, _cpu(process) - spent
    return {
        "runs": runs, "runs_per_second": round(runs / seconds, 1), "cpu_seconds_per_1000": round(cpu * 1000 / runs, 2),
    }  # fmt: skip


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
