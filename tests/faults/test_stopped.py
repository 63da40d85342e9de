"""A process that stands still for longer than its leases, and then goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests import brokers
from tests.faults.fleet import Fleet, Process, database
from tests.faults.load import load
from tests.faults.outside import ORDER, Outside, set_connection, write_pack
from tests.faults.server import ORDERLY, Server
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(180)

#: Two workers have eight runs in hand, and the rest stand in line.
IN_HAND, MANY = 4, 24
NORMAL = ("--lane", "normal", "--threads", str(IN_HAND))
SHORT = {"ORDERLY_LEASE_SECONDS": "2"}


@pytest.fixture
def fleet(tmp_path: Path, outside: Outside) -> Iterator[Fleet]:
    """Leases of two seconds."""
    with ExitStack() as closing:
        store, broker = closing.enter_context(database()), brokers.rabbitmq_url()
        queue = closing.enter_context(brokers.queue_of_its_own(broker))
        pack = write_pack(tmp_path / "pack", outside, ORDER)
        set_connection(pack, "erp", {"timeout": "2m"})
        fleet = Fleet(tmp_path, pack, store, broker, queue, SHORT)
        closing.callback(fleet.end)
        web = fleet.start("web")
        outside.portal.connect(f"{web.facts['console']}/hooks/mercy/order", outside.secret)
        fleet.start("clock")
        yield fleet


def attempts(fleet: Fleet, kind: str) -> int:
    return int(fleet.sql(f"SELECT count(*) FROM orderly.attempt WHERE kind = '{kind}'")[0][0])


def in_hand(fleet: Fleet, process: Process) -> int:
    owned = f"owner LIKE '{process.pid}-%'"
    return int(fleet.sql(f"SELECT count(*) FROM orderly.run WHERE state = 'leased' AND {owned}")[0][0])


def test_a_stopped_worker_that_goes_on_commits_nothing_and_what_it_learned_is_kept_as_evidence(
    fleet: Fleet, outside: Outside
) -> None:
    """A worker that stands still past its leases loses its runs to the other one, which looks up what happened; when
    it goes on its commits are refused, the outcomes are kept as evidence, and each order was made once."""
    stopped, other = fleet.start("worker", *NORMAL), fleet.start("worker", *NORMAL)
    outside.erp.slow("CreatePurchaseOrder", 120)

    with load(outside, MANY) as sent:
        outside.orders.wait("purchase_order", 2 * IN_HAND)
        assert (in_hand(fleet, stopped), in_hand(fleet, other)) == (IN_HAND, IN_HAND)
        stopped.pause()
        outside.erp.release()
        sent.accepted()
    until(lambda: fleet.states() == {"done": MANY}, "the other worker to finish everything", 90)
    taken_over = attempts(fleet, "look_up")
    stopped.go_on()
    until(lambda: attempts(fleet, "evidence") == IN_HAND, "what the stopped worker learned to be kept", 60)

    assert taken_over == IN_HAND
    assert attempts(fleet, "send") == MANY, "those in hand when the worker stopped were cut off"
    assert outside.ordered() == sent.numbers
    assert fleet.states() == {"done": MANY}
    assert stopped.log.read_text().count("run.lease_lost") >= IN_HAND
    assert "Traceback" not in stopped.log.read_text()


def test_a_worker_that_was_stopped_takes_part_again(fleet: Fleet, outside: Outside) -> None:
    """After a standstill past its leases a worker advances runs as before, without a restart."""
    worker = fleet.start("worker", *NORMAL)
    outside.erp.slow("CreatePurchaseOrder", 120)

    with load(outside, IN_HAND) as sent:
        outside.orders.wait("purchase_order", IN_HAND)
        worker.pause()
        outside.erp.release()
        sent.accepted()
    until(lambda: overdue(fleet) == IN_HAND, "its leases to run out")
    worker.go_on()
    until(lambda: fleet.states() == {"done": IN_HAND}, "its runs to be done", 60)
    outside.portal.send(outside.requisition("REQ-NEXT"))
    until(lambda: fleet.states() == {"done": IN_HAND + 1}, "the next run to be done")

    assert outside.ordered() == sorted([*sent.numbers, "REQ-NEXT"])
    assert worker.health("live") == 200


def overdue(fleet: Fleet) -> int:
    now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    return int(fleet.sql(f"SELECT count(*) FROM orderly.run WHERE state = 'leased' AND due_at < {now}")[0][0])


@pytest.fixture
def alone(tmp_path: Path, outside: Outside) -> Iterator[Server]:
    pack = write_pack(tmp_path / "pack", outside, ORDER)
    set_connection(pack, "erp", {"timeout": "2m"})
    made = Server(pack, tmp_path, variables=SHORT)
    made.start()
    outside.portal.connect(made.hook("order"), outside.secret)
    yield made
    made.stop()


def ran_out(server: Server) -> int:
    """Leases in the file that nobody extends any more."""
    query = "SELECT count(*) FROM run WHERE state = 'leased' AND due_at < ?"
    with closing(sqlite3.connect(f"file:{server.data / 'orderly.db'}?mode=ro", uri=True)) as connection:
        return int(connection.execute(query, (time.time_ns() // 1000,)).fetchone()[0])


def test_a_stopped_server_with_everything_in_it_goes_on_with_its_own_runs(alone: Server, outside: Outside) -> None:
    """Nobody else can take over an SQLite file: after a standstill past its leases the server takes in the answers
    that came meanwhile and orders nothing again."""
    outside.erp.slow("CreatePurchaseOrder", 120)

    with load(outside, IN_HAND) as sent:
        runs = sent.accepted()
    outside.orders.wait("purchase_order", IN_HAND)
    alone.pause()
    outside.erp.release()
    until(lambda: ran_out(alone) == IN_HAND, "its leases to run out")
    alone.go_on()
    stories = [alone.comes_to(run, "done") for run in runs]

    assert outside.ordered() == sent.numbers
    assert Counter(row["kind"] for story in stories for row in story["attempts"]) == {"send": IN_HAND}


def test_a_length_of_leases_that_is_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """ORDERLY_LEASE_SECONDS says how long a process that stands still keeps its runs; what is no length is refused
    before anything is opened."""
    done = subprocess.run(
        [str(ORDERLY), "serve", "--data", str(tmp_path / "data"), "--json"],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "ORDERLY_LEASE_SECONDS": "soon"},
    )  # fmt: skip

    problem = json.loads(done.stdout)
    assert done.returncode == 1
    assert "ORDERLY_LEASE_SECONDS=soon" in problem["detail"]
    assert "30" in problem["next_action"]
    assert not (tmp_path / "data").exists()
