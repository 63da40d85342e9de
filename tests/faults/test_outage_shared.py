"""A peer with bounds before two workers that share a store: what it sees is bounded all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import brokers
from tests.faults.crowd import opened, store_runs, write_pack
from tests.faults.fleet import Fleet, database
from tests.faults.peer import Peer, listening
from tests.faults.test_outage import ORDER, connection
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(240)

RUNS, AT_ONCE, A_MINUTE = 120, 2, 100


@pytest.fixture
def peer() -> Iterator[Peer]:
    with listening() as made:
        yield made


@pytest.fixture
def fleet(tmp_path: Path, peer: Peer, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Not started, with runs in its store."""
    pack = write_pack(tmp_path / "pack", ORDER, connections={"supplier": connection(peer, **request.param)})
    with ExitStack() as closing:
        store = closing.enter_context(database())
        broker = brokers.rabbitmq_url()
        queue = closing.enter_context(brokers.queue_of_its_own(broker))
        with opened(tmp_path / "first", pack, store=store) as services:
            store_runs(services, "order", [{"n": n} for n in range(RUNS)])
        made = Fleet(tmp_path, pack, store, broker, queue)
        closing.callback(made.end)
        yield made


@pytest.mark.parametrize("fleet", [{"at_once": AT_ONCE, "per_minute": A_MINUTE}], indirect=True)
def test_two_workers_together_ask_no_more_than_one_may(fleet: Fleet, peer: Peer) -> None:
    """Neither at once nor within a minute, also where one of them is killed while it asks and never comes back."""
    peer.delay = 0.05
    fleet.start("clock")
    workers = [fleet.start("worker") for _ in range(2)]
    until(lambda: len(peer.taken) >= A_MINUTE // 4, "both to ask", 60)
    workers[0].kill()

    until(lambda: len(peer.calls) >= A_MINUTE, "as many as may ask within a minute", 90)
    until(lambda: fleet.states().get("leased", 0) == 0, "the others to wait", 60)

    assert peer.most_at_once <= AT_ONCE
    assert peer.most_within(59) <= A_MINUTE
    until(lambda: fleet.states() == {"done": RUNS}, "all to be done", 150)
    assert sorted(set(peer.taken)) == list(range(RUNS))
    assert peer.most_at_once <= AT_ONCE
    assert peer.most_within(59) <= A_MINUTE


@pytest.mark.parametrize("fleet", [{"at_once": AT_ONCE}], indirect=True)
def test_a_wait_that_the_peer_asked_for_is_obeyed_by_all_workers(fleet: Fleet, peer: Peer) -> None:
    """Also by one that began after the one which heard of it was killed."""
    peer.busy = 6
    fleet.start("clock")
    first = fleet.start("worker")
    until(lambda: fleet.states().get("waiting", 0) == RUNS, "all to wait", 60)
    first.kill()
    heard = len(peer.calls)
    peer.busy = None
    fleet.start("worker")

    until(lambda: fleet.states() == {"done": RUNS}, "all to be done", 90)

    assert peer.calls[heard].came - peer.calls[0].came >= 5.9
    assert sorted(peer.taken) == list(range(RUNS))
