"""Web, workers and clocks as processes of their own: one dies, the broker hangs up, and everything is done once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import brokers
from tests.faults.fleet import Fleet, Process, database
from tests.faults.outside import ORDER, Outside, write_pack
from tests.faults.server import ORDERLY
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(240)

MANY = 300

INBOX = {
    "flow": "inbox", "version": "1.0.0", "owner": "procurement",
    "trigger": {
        "type": "file.collect", "connection": "inbox", "every": "200ms",
        "parameters": {"folder": "/in", "glob": "*.txt", "stable": "0s", "archive": "/archive"},
    },
    "nodes": [{"id": "seen", "type": "publish", "parameters": {"event": "file.seen", "key": "=headers.path"}}],
}  # fmt: skip


class Yard:
    """Builds a fleet for a broker; everything is taken away when the test ends."""

    def __init__(self, folder: Path, outside: Outside, closing: ExitStack) -> None:
        self._folder = folder
        self._outside = outside
        self._closing = closing
        self.inbox = folder / "files" / "in"

    def fleet(self, broker: str) -> Fleet:
        store = self._closing.enter_context(database())
        queue = self._closing.enter_context(brokers.queue_of_its_own(broker))
        pack = write_pack(self._folder / "pack", self._outside, ORDER, INBOX)
        self.inbox.mkdir(parents=True)
        connection = {"type": "file", "settings": {"root": str(self.inbox.parent)}}
        (pack / "connections" / "inbox.json").write_text(json.dumps(connection))
        fleet = Fleet(self._folder, pack, store, broker, queue)
        self._closing.callback(fleet.end)
        return fleet

    def virtual_host(self) -> str:
        """A part of RabbitMQ whose connections may be closed."""
        return self._closing.enter_context(brokers.virtual_host(brokers.rabbitmq_url()))

    def web(self, fleet: Fleet) -> Process:
        """Started; the portal posts there."""
        web = fleet.start("web")
        self._outside.portal.connect(f"{web.facts['console']}/hooks/mercy/order", self._outside.secret)
        return web


@pytest.fixture
def yard(tmp_path: Path, outside: Outside) -> Iterator[Yard]:
    with ExitStack() as closing:
        yield Yard(tmp_path, outside, closing)


def send_all(outside: Outside, count: int) -> list[str]:
    """Posts so many requisitions, eight at a time; their numbers. Each was accepted."""
    numbers = [f"REQ-{number:04}" for number in range(count)]
    with ThreadPoolExecutor(8) as posting:
        replies = list(posting.map(lambda number: outside.portal.send(outside.requisition(number))[0], numbers))
    assert {reply.status for reply in replies} == {202}
    return numbers


def wait_done(fleet: Fleet, count: int, seconds: float = 120.0) -> None:
    until(lambda: fleet.states().get("done", 0) >= count, "every run to be done", seconds)


def at_work(fleet: Fleet) -> set[str]:
    """The processes that hold a lease at this moment."""
    found = fleet.sql("SELECT DISTINCT split_part(owner, '-', 1) FROM orderly.run WHERE state = 'leased'")
    return {row[0] for row in found}


@pytest.mark.parametrize("broker", [brokers.rabbitmq_url, brokers.redis_url])
def test_two_workers_share_300_runs_and_every_order_is_made_once(
    yard: Yard, outside: Outside, broker: Callable[[], str]
) -> None:
    fleet = yard.fleet(broker())
    yard.web(fleet)
    fleet.start("clock")
    fleet.start("worker")
    fleet.start("worker")
    seen: set[str] = set()

    with ThreadPoolExecutor(1) as sending:
        sent = sending.submit(send_all, outside, MANY)
        until(lambda: bool(seen.update(at_work(fleet))) or len(seen) == 2, "both workers to be at work")
        numbers = sent.result()
    wait_done(fleet, MANY)

    assert outside.ordered() == numbers
    assert fleet.states() == {"done": MANY}


def test_when_one_of_two_workers_is_killed_the_other_one_finishes_everything_once(
    yard: Yard, outside: Outside
) -> None:
    """Never restarted: its rings are handed over by the broker, its leases run out."""
    fleet = yard.fleet(brokers.rabbitmq_url())
    yard.web(fleet)
    fleet.start("clock")
    victim = fleet.start("worker")
    fleet.start("worker")

    with ThreadPoolExecutor(1) as sending:
        sent = sending.submit(send_all, outside, MANY)
        outside.orders.wait("purchase_order", MANY // 4)
        outside.erp.slow("CreatePurchaseOrder", 60)
        until(lambda: len(at_work(fleet)) == 2, "both workers to have something in hand")
        victim.kill()
        outside.erp.release()
        numbers = sent.result()
    wait_done(fleet, MANY)

    assert outside.ordered() == numbers
    assert fleet.states() == {"done": MANY}


def test_connections_that_the_broker_closes_under_load_lose_and_double_nothing(
    yard: Yard, outside: Outside
) -> None:
    host = yard.virtual_host()
    fleet = yard.fleet(host)
    yard.web(fleet)
    fleet.start("clock")
    worker = fleet.start("worker")

    with ThreadPoolExecutor(1) as sending:
        sent = sending.submit(send_all, outside, MANY)
        for count in (MANY // 4, MANY // 2):
            outside.orders.wait("purchase_order", count)
            brokers.rabbitmqctl("close_all_connections", "-p", host.rpartition("/")[2], "test")
        numbers = sent.result()
    wait_done(fleet, MANY)

    assert outside.ordered() == numbers
    assert worker.says("connection error")


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_in_hand(yard: Yard, outside: Outside) -> None:
    """Ready no more, alive to the end, and exit 0."""
    fleet = yard.fleet(brokers.rabbitmq_url())
    yard.web(fleet)
    fleet.start("clock")
    worker = fleet.start("worker")
    assert (worker.health("live"), worker.health("ready")) == (200, 200)
    outside.erp.slow("CreatePurchaseOrder", 60)
    send_all(outside, 3)
    outside.orders.wait("purchase_order", 3)

    worker.terminate()
    until(lambda: worker.health("ready") == 503, "the worker to be ready no more")
    assert worker.health("live") == 200
    assert fleet.states() == {"leased": 3}
    outside.erp.release()

    assert worker.exit_code() == 0
    assert fleet.states() == {"done": 3}
    assert len(outside.ordered()) == 3


def test_what_is_not_finished_in_time_is_given_back_and_taken_over_at_once(yard: Yard, outside: Outside) -> None:
    """Not after the lease has run out, half a minute later; and the order is looked up, not made again."""
    fleet = yard.fleet(brokers.rabbitmq_url())
    yard.web(fleet)
    fleet.start("clock")
    leaving = fleet.start("worker", "--drain", "1")
    outside.erp.slow("CreatePurchaseOrder", 120)
    (number,) = send_all(outside, 1)
    outside.orders.wait("purchase_order", 1)
    staying = fleet.start("worker")

    leaving.terminate()
    assert leaving.exit_code() == 0
    wait_done(fleet, 1, seconds=15)

    assert outside.ordered() == [number]
    assert staying.health("ready") == 200


def test_of_two_clocks_one_polls_and_the_other_takes_over_when_it_is_gone(yard: Yard) -> None:
    fleet = yard.fleet(brokers.rabbitmq_url())
    fleet.start("worker")
    first = fleet.start("clock")
    first.wait_says("watch.on_duty")
    second = fleet.start("clock")

    (yard.inbox / "one.txt").write_text("one")
    wait_done(fleet, 1)
    assert not second.says("watch.on_duty")
    assert second.health("ready") == 200
    first.kill()
    second.wait_says("watch.on_duty")
    (yard.inbox / "two.txt").write_text("two")
    wait_done(fleet, 2)

    assert fleet.states() == {"done": 2}


def test_a_clock_that_leaves_in_order_hands_over_at_once(yard: Yard) -> None:
    fleet = yard.fleet(brokers.rabbitmq_url())
    first = fleet.start("clock")
    first.wait_says("watch.on_duty")
    second = fleet.start("clock")

    first.terminate()

    assert first.exit_code() == 0
    second.wait_says("watch.on_duty", seconds=8)


@pytest.mark.parametrize("verb", ["web", "worker", "clock"])
def test_processes_of_their_own_refuse_a_store_that_belongs_to_one_process(
    tmp_path: Path, outside: Outside, verb: str
) -> None:
    pack = write_pack(tmp_path / "pack", outside, ORDER)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORDERLY_")}

    def refused(**more: str) -> dict[str, str]:
        done = subprocess.run(
            [str(ORDERLY), verb, str(pack), "--data", str(tmp_path / "data"), "--json"],
            capture_output=True, text=True, timeout=60, check=False, env={**environment, **more},
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        problem: dict[str, str] = json.loads(done.stdout)
        return problem

    sqlite = refused()
    brokerless = refused(ORDERLY_STORE="postgresql://orderly@127.0.0.1/orderly")

    assert "SQLite" in sqlite["detail"]
    assert f"orderly {verb}" in sqlite["detail"]
    assert "ORDERLY_STORE=postgresql://" in sqlite["next_action"]
    assert "broker" in brokerless["detail"]
    assert "ORDERLY_BROKER=amqp://" in brokerless["next_action"]
    assert not (tmp_path / "data").exists()


def test_a_worker_without_packs_says_what_is_missing(tmp_path: Path) -> None:
    """The demo pack's simulators belong to one process."""
    done = subprocess.run(
        [str(ORDERLY), "worker", "--data", str(tmp_path / "data")],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 2
    assert "PACK" in done.stderr
