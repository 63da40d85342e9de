"""Processes are killed at random moments while 500 requisitions go through.

A moment is "after so many effects were seen outside", drawn with a seed that every failure prints.
``ORDERLY_FAULTS_RUNS``, ``ORDERLY_FAULTS_KILLS`` and ``ORDERLY_FAULTS_SEED`` make it longer, or the same again.
"""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import brokers
from tests.faults.day_flows import order, tell
from tests.faults.fleet import Fleet, Process, database
from tests.faults.load import load
from tests.faults.on_disk import in_flight, states
from tests.faults.outside import Outside, write_pack
from tests.faults.server import Server
from tests.runtime.console.house import until

RUNS = int(os.environ.get("ORDERLY_FAULTS_RUNS", "500"))
KILLS = int(os.environ.get("ORDERLY_FAULTS_KILLS", "5"))
SEED = int(os.environ.get("ORDERLY_FAULTS_SEED", "") or secrets.randbelow(2**32))
PATIENCE = 120 + RUNS / 5 + 10 * KILLS

pytestmark = pytest.mark.timeout(2 * PATIENCE)

#: A ``once`` effect, an idempotent one, a wait, and three items of which each is told.
FLOW: dict[str, Any] = {
    "flow": "bought", "version": "1.0.0", "owner": "procurement",
    "trigger": {"type": "webhook", "auth": "portal_hooks"}, "identity": "=requisitionNumber",
    "nodes": [
        order("order"), tell("told"), {"id": "pause", "type": "wait", "parameters": {"for": "20ms"}},
        {"id": "items", "type": "for_each", "parameters": {"items": [1, 2], "at_once": 2},
         "nodes": [tell("item", "$parent.requisitionNumber & '/' & $string($)")]},
    ],
}  # fmt: skip
TOLD = 3


class Moments:
    """``KILLS`` of them, in order, each somewhere in its share of all that will be told; none in the last tenth, so
    that there is always something left to be killed."""

    def __init__(self) -> None:
        self.chance = random.Random(SEED)
        share = RUNS * TOLD * 9 // 10 / KILLS
        self.all = [int(share * (kill + self.chance.random())) + 1 for kill in range(KILLS)]

    def __str__(self) -> str:
        return f"ORDERLY_FAULTS_SEED={SEED}: killed after {self.all} effects"

    def __iter__(self) -> Iterator[int]:
        return iter(self.all)


def check(outside: Outside, numbers: list[str], in_flight: int, moments: Moments) -> None:
    """0 lost, 0 doubled; repeats of idempotent effects at most those in flight at the kills."""
    assert outside.ordered() == numbers, moments
    assert len(set(outside.references())) == RUNS, moments
    told = Counter(entry["requisition_number"] for entry in outside.portal.journal.entries("status"))
    assert told.keys() == {f"{number}{end}" for number in numbers for end in ("", "/1", "/2")}, moments
    assert told.total() - RUNS * TOLD <= in_flight, moments


def test_a_server_killed_at_random_moments_loses_and_doubles_nothing(tmp_path: Path, outside: Outside) -> None:
    """SIGKILL of the one process, five times at random moments of 500 runs, on SQLite; each time started again: 0 lost,
    0 doubled orders, idempotent effects repeated at most where they were in flight."""
    server = Server(write_pack(tmp_path / "pack", outside, FLOW), tmp_path, level="error")
    moments, open_effects = Moments(), 0

    def start() -> None:
        server.start()
        outside.portal.connect(server.hook("bought"), outside.secret)

    try:
        start()
        with load(outside, RUNS, PATIENCE) as sent:
            for moment in moments:
                outside.portal.journal.wait("status", moment, timeout=PATIENCE)
                server.kill()
                open_effects += in_flight(server.data / "orderly.db")
                start()
            sent.accepted()
        done, database = {"done": RUNS}, server.data / "orderly.db"
        until(lambda: states(database) == done, f"every run to be done ({moments})", PATIENCE)
    finally:
        server.stop()

    check(outside, sent.numbers, open_effects, moments)


class Workers:
    """Two workers of a fleet on PostgreSQL and RabbitMQ, with leases of three seconds."""

    def __init__(self, folder: Path, outside: Outside, closing: ExitStack) -> None:
        store, broker = closing.enter_context(database()), brokers.rabbitmq_url()
        queue = closing.enter_context(brokers.queue_of_its_own(broker))
        pack = write_pack(folder / "pack", outside, FLOW)
        self.fleet = Fleet(folder, pack, store, broker, queue, {"ORDERLY_LEASE_SECONDS": "3"})
        closing.callback(self.fleet.end)
        web = self.fleet.start("web")
        outside.portal.connect(f"{web.facts['console']}/hooks/mercy/bought", outside.secret)
        self.fleet.start("clock")
        self.all = [self._start(), self._start()]
        self.in_flight = 0

    def _start(self) -> Process:
        return self.fleet.start("worker", "--log-level", "error")

    def kill(self, which: int) -> None:
        """What it had in flight is counted."""
        victim = self.all[which]
        victim.kill()
        self.in_flight += int(self.fleet.sql(
            "SELECT count(*) FROM orderly.intent JOIN orderly.run ON run.id = intent.run"
            f" WHERE intent.state = 'open' AND intent.effect = 'idempotent' AND run.owner LIKE '{victim.pid}-%'"
        )[0][0])  # fmt: skip

    def start_again(self, which: int) -> None:
        self.all[which] = self._start()

    def wait_done(self, moments: Moments) -> None:
        done = {"done": RUNS}
        until(lambda: self.fleet.states() == done, f"every run to be done ({moments})", PATIENCE)


@pytest.fixture
def workers(tmp_path: Path, outside: Outside) -> Iterator[Workers]:
    with ExitStack() as closing:
        yield Workers(tmp_path, outside, closing)


def test_two_workers_killed_at_random_moments_lose_and_double_nothing(workers: Workers, outside: Outside) -> None:
    """SIGKILL of one of two workers, at random which and when, five times over 500 runs, on PostgreSQL and RabbitMQ;
    each time another one is started: 0 lost, 0 doubled orders, idempotent effects repeated at most where in flight."""
    moments = Moments()

    with load(outside, RUNS, PATIENCE) as sent:
        for moment in moments:
            outside.portal.journal.wait("status", moment, timeout=PATIENCE)
            which = moments.chance.randrange(2)
            workers.kill(which)
            workers.start_again(which)
        sent.accepted()
    workers.wait_done(moments)

    check(outside, sent.numbers, workers.in_flight, moments)


def test_one_of_two_workers_killed_and_never_restarted_loses_and_doubles_nothing(
    workers: Workers, outside: Outside
) -> None:
    """SIGKILL of one of two workers at a random moment of 500 runs, which is never started again, on PostgreSQL and
    RabbitMQ: the other one finishes everything, 0 lost, 0 doubled orders."""
    moments = Moments()

    with load(outside, RUNS, PATIENCE) as sent:
        outside.portal.journal.wait("status", moments.chance.choice(moments.all), timeout=PATIENCE)
        workers.kill(moments.chance.randrange(2))
        sent.accepted()
    workers.wait_done(moments)

    check(outside, sent.numbers, workers.in_flight, moments)
