"""A peer that is out with runs queued before it, and that comes back: what it then sees at its socket."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from runtime.model.limits import Breaker, after_outage
from runtime.model.run import ConnectionState, RunState
from runtime.services import Services
from tests.faults.crowd import comes_to, opened, states, store_runs, write_pack
from tests.faults.peer import Peer, listening
from tests.runtime.console.house import until
from tests.workshop import Workshop

pytestmark = pytest.mark.timeout(300)

RUNS, AT_ONCE, WORKERS = 5_000, 4, 8
#: Outages in a row that open the breaker, and its first pause in seconds.
OUTAGES, PAUSE = 3, 0.5

ORDER: dict[str, Any] = {
    "flow": "order", "version": "1.0.0", "owner": "procurement", "trigger": {"type": "call"},
    "nodes": [{
        "id": "send", "type": "rest.request", "connection": "supplier", "effect": "idempotent",
        "parameters": {"method": "POST", "path": "/orders", "body": "={'n': n}"},
        "retry": {"attempts": 3, "first": "100ms", "longest": "200ms"},
    }],
}  # fmt: skip


@pytest.fixture
def peer() -> Iterator[Peer]:
    with listening() as made:
        yield made


def connection(peer: Peer, **limits: Any) -> dict[str, Any]:
    settings = {"url": peer.url, "allow": ["127.0.0.0/8"], "timeout": "60s"}
    return {"type": "rest", "settings": settings, "limits": limits}


@pytest.fixture
def services(tmp_path: Path, peer: Peer) -> Iterator[Services]:
    """Opened and not started."""
    breaker = {"failures": OUTAGES, "first": f"{int(PAUSE * 1000)}ms", "longest": "2s"}
    supplier = connection(peer, at_once=AT_ONCE, breaker=breaker)
    with opened(
        tmp_path, write_pack(tmp_path / "pack", ORDER, connections={"supplier": supplier}), threads=WORKERS
    ) as made:
        yield made


def asked(services: Services, query: str) -> int:
    """As somebody from outside would read the file."""
    with closing(sqlite3.connect(f"file:{services.settings.data / 'orderly.db'}?mode=ro", uri=True)) as database:
        return int(database.execute(query).fetchone()[0])


def test_five_thousand_runs_before_a_peer_that_is_out_wait_and_are_done_when_it_is_back(
    services: Services, peer: Peer
) -> None:
    """While a peer is out 5,000 runs wait, say why, use up no attempts and cost nothing; one run at a time tries
    whether it is back, and then all are done, never more at once than its connection allows."""
    store_runs(services, "order", [{"n": n} for n in range(RUNS)])
    peer.out = True
    services.start()
    comes_to(services, waiting=RUNS)
    opening = len(peer.calls)

    until(lambda: len(peer.calls) >= opening + 3, "three more tries", 60)

    tries = peer.calls[opening:]
    assert all(call.others == 0 for call in tries), "one run at a time tries"
    assert all(later.came - earlier.came >= PAUSE * 0.9 for earlier, later in pairwise(tries))
    assert peer.taken == []
    told = asked(services, "SELECT count(*) FROM run WHERE why LIKE 'send: connection supplier %'")
    assert told >= RUNS - opening, "whoever asked in vain has that to say"

    peer.out = False
    comes_to(services, done=RUNS)

    assert sorted(peer.taken) == list(range(RUNS)), "each of them once"
    assert peer.most_at_once <= AT_ONCE
    assert asked(services, "SELECT sum(attempts) FROM outcome") - RUNS < OUTAGES, "only before the breaker opened"
    assert asked(services, "SELECT sum(fence) FROM run") < 3 * RUNS, "a run that waits is left alone until its turn"
    assert services.clients["mercy"].gate.state("supplier").open_until is None
    assert services.ailing() == []


def test_while_one_run_tries_whether_a_peer_is_back_the_others_do_not_ask(services: Services, peer: Peer) -> None:
    """The trial of a breaker that is half open lets one run through, however long the peer takes to answer it."""
    store_runs(services, "order", [{"n": n} for n in range(200)])
    peer.out = True
    services.start()
    comes_to(services, waiting=200)
    out = len(peer.calls)
    peer.hold()
    peer.out = False

    until(lambda: peer.in_hand == 1, "the trial", 60)
    newcomers = store_runs(services, "order", [{"n": n} for n in range(200, 220)])
    store = services.clients["mercy"].store
    until(lambda: all(store.run(run).state is RunState.WAITING for run in newcomers), "the newcomers to wait")

    assert "is being tried by another run" in store.run(newcomers[-1]).why
    assert (peer.in_hand, len(peer.calls)) == (1, out)
    peer.let_go()
    comes_to(services, done=220)
    assert sorted(peer.taken) == list(range(220))
    assert peer.most_at_once <= AT_ONCE


def test_calls_that_were_under_way_when_a_breaker_opened_do_not_make_its_pause_longer() -> None:
    """However many calls fail at the moment a peer goes out, the breaker's first pause is its first pause; only a
    trial that fails doubles it."""
    limits, now = Breaker(failures=OUTAGES, first=timedelta(seconds=5)), datetime(2026, 11, 24, tzinfo=UTC)
    state = ConnectionState("supplier")
    for _ in range(WORKERS):
        state = after_outage(state, limits, now)

    assert (state.open_for, state.open_until) == (5.0, now + timedelta(seconds=5))
    assert after_outage(state, limits, now + timedelta(seconds=5)).open_for == 10.0


@pytest.fixture
def timed(workshop: Callable[..., Workshop], tmp_path: Path) -> Iterator[Callable[..., tuple[Workshop, Peer]]]:
    """A workshop over a peer that keeps the workshop's time: nothing takes any."""
    clock = _Moved()
    with listening(clock) as peer:

        def made(**limits: Any) -> tuple[Workshop, Peer]:
            clock.shop = workshop(ORDER, connections={"supplier": connection(peer, **limits)})
            return clock.shop, peer

        yield made


class _Moved:
    shop: Workshop

    def __call__(self) -> float:
        return self.shop.now.timestamp()


def minutes_until_done(shop: Workshop, runs: int) -> float:
    """Of the workshop's time, which goes on by seconds."""
    began: datetime = shop.now
    while states(shop.services) != {"done": runs}:
        assert (shop.now - began).total_seconds() < 3600, states(shop.services)
        shop.drain()
        shop.pass_time(seconds=1)
    return (shop.now - began).total_seconds() / 60


def test_after_an_outage_a_peer_is_not_asked_more_often_than_its_limit(
    timed: Callable[..., tuple[Workshop, Peer]],
) -> None:
    """Runs that waited for a peer are sent on no faster than its connection allows, in no minute whichever, and not
    much slower; each of them is looked at only a few times."""
    shop, peer = timed(per_minute=50, at_once=AT_ONCE, breaker={"failures": 1, "first": "1m", "longest": "1m"})
    store_runs(shop.services, "order", [{"n": n} for n in range(300)])
    peer.out = True
    shop.drain()
    shop.pass_time(minutes=5)
    peer.out = False

    took = minutes_until_done(shop, 300)

    assert peer.most_within(60) <= 50
    assert 5 <= took <= 7, "300 at 50 a minute"
    assert sorted(peer.taken) == list(range(300))
    assert asked(shop.services, "SELECT sum(fence) FROM run") <= 4 * 300


def test_a_process_that_ends_during_an_outage_leaves_nobody_in_the_line(
    timed: Callable[..., tuple[Workshop, Peer]],
) -> None:
    """Runs that waited for a peer when their process ended are called by the next one, although nobody told it of
    them."""
    shop, peer = timed(at_once=AT_ONCE, breaker={"failures": 1, "first": "1m", "longest": "1m"})
    store_runs(shop.services, "order", [{"n": n} for n in range(100)])
    peer.out = True
    shop.drain()
    peer.out = False
    shop.again()

    shop.pass_time(minutes=1)
    shop.drain()

    assert states(shop.services) == {"done": 100}, "the first of them has all others called"
    assert sorted(peer.taken) == list(range(100))


def test_a_peer_that_asks_to_wait_is_left_alone_for_so_long(timed: Callable[..., tuple[Workshop, Peer]]) -> None:
    """After a 429 nobody asks before its Retry-After is over, no attempt is used up, and the work then goes on by
    itself."""
    shop, peer = timed()
    store_runs(shop.services, "order", [{"n": n} for n in range(100)])
    peer.busy = 30
    shop.drain()
    assert len(peer.calls) == 1
    for _ in range(29):
        shop.pass_time(seconds=1)
        shop.drain()
    assert len(peer.calls) == 1
    peer.busy = None

    minutes_until_done(shop, 100)

    assert peer.taken[0] == peer.calls[0].n
    assert sorted(peer.taken) == list(range(100))
    assert asked(shop.services, "SELECT max(attempts) FROM outcome") == 1
    assert asked(shop.services, "SELECT sum(fence) FROM run") <= 3 * 100


def test_a_peer_that_asked_to_wait_is_left_alone_by_the_next_process_too(
    timed: Callable[..., tuple[Workshop, Peer]],
) -> None:
    shop, peer = timed()
    store_runs(shop.services, "order", [{"n": n} for n in range(3)])
    peer.busy = 30
    shop.drain()
    peer.busy = None
    shop.again()
    newcomer = store_runs(shop.services, "order", [{"n": 3}])[0]

    shop.pass_time(seconds=29)
    shop.drain()
    assert len(peer.calls) == 1
    assert "asked us to wait" in shop.store.run(newcomer).why
    minutes_until_done(shop, 4)

    assert sorted(peer.taken) == list(range(4))
