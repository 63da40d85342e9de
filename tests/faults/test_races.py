"""Everything at once: one message from many senders, one run for many workers, many runs for few workers."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.sdk import Arrival
from runtime.console.app import create_app
from runtime.model.run import RunState
from runtime.services import Services, Settings
from tests.faults.outside import ORDER, Outside, write_pack
from tests.runtime.console.house import until

SENDERS, RUNS, WORKERS = 50, 200, 8


@pytest.fixture
def services(tmp_path: Path, outside: Outside) -> Iterator[Services]:
    pack = write_pack(tmp_path / "pack", outside, ORDER)
    made = Services(Settings(tmp_path / "data", (pack,), port=0, threads=WORKERS))
    made.start()
    outside.portal.connect(f"{made.listen(create_app(made))}/hooks/mercy/order", outside.secret)
    yield made
    made.stop()


def states(services: Services) -> Counter[str]:
    store = services.clients["mercy"].store
    return Counter({str(state): count for state, count in store.counts().items()})


def take(services: Services, outside: Outside, number: str) -> str:
    """Through the door that webhooks use; the run."""
    body = json.dumps(outside.requisition(number)).encode()
    intake = services.intake(services.clients["mercy"])
    run = intake.take_raw("order", Arrival(body, "application/json"), "webhook", sum_of_bytes=False).run
    assert run is not None
    return run


def test_the_same_webhook_from_fifty_senders_at_once_makes_one_run_and_one_order(
    services: Services, outside: Outside
) -> None:
    body = outside.requisition("REQ-1")
    together = threading.Barrier(SENDERS)

    def post(_: int) -> tuple[int, str]:
        together.wait(30)
        (reply,) = outside.portal.send(body, webhook_id="msg_1")
        return reply.status, reply.body["run"]

    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(senders.map(post, range(SENDERS)))
    until(lambda: states(services) == {"done": 1}, "the run to be done")

    assert Counter(status for status, _ in answers) == {202: 1, 200: SENDERS - 1}
    assert len({run for _, run in answers}) == 1
    assert outside.ordered() == ["REQ-1"]


def test_fifty_senders_of_different_documents_under_one_identity_get_one_run_and_conflicts(
    services: Services, outside: Outside
) -> None:
    together = threading.Barrier(SENDERS)

    def post(sender: int) -> int:
        body = outside.requisition("REQ-1", notes=f"from sender {sender}")
        together.wait(30)
        return outside.portal.send(body)[0].status

    with ThreadPoolExecutor(SENDERS) as senders:
        answers = Counter(senders.map(post, range(SENDERS)))
    until(lambda: states(services) == {"done": 1}, "the run to be done")

    assert answers == {202: 1, 409: SENDERS - 1}
    assert outside.ordered() == ["REQ-1"]


def test_two_hundred_runs_over_eight_workers_make_exactly_two_hundred_orders(
    services: Services, outside: Outside
) -> None:
    numbers = [f"REQ-{n:03}" for n in range(RUNS)]

    with ThreadPoolExecutor(4) as senders:
        taken = list(senders.map(lambda number: take(services, outside, number), numbers))
    until(lambda: states(services) == {"done": RUNS}, f"all runs to be done, there are {states(services)}", 90)

    assert len(set(taken)) == RUNS
    assert outside.ordered() == numbers
    assert len(set(outside.references())) == RUNS


def test_one_run_that_is_advanced_from_everywhere_at_once_orders_once(services: Services, outside: Outside) -> None:
    """A ring may be doubled, and a sweeper may be fast: only who holds the lease goes on."""
    outside.erp.slow("CreatePurchaseOrder", 60)
    run = take(services, outside, "REQ-1")
    outside.orders.wait("purchase_order")
    together = threading.Barrier(16)

    def advance(_: int) -> RunState | None:
        together.wait(30)
        services.pool.ring(run)
        return services.engine.advance(run).state

    with ThreadPoolExecutor(16) as eager:
        told = list(eager.map(advance, range(16)))
    outside.erp.release()
    until(lambda: states(services) == {"done": 1}, "the run to be done")

    assert told == [None] * 16
    assert outside.ordered() == ["REQ-1"]
