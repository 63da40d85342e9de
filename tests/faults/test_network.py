"""A network between us, the database and a peer that drops, delays, half-closes and swallows, under load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from psycopg import conninfo

from tests import brokers
from tests.faults.fleet import Fleet, database
from tests.faults.load import load
from tests.faults.outside import ORDER, Outside, set_connection, write_pack
from tests.faults.rough import Mishap, RoughProxy, spread
from tests.faults.server import Server
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(240)

MANY, TIMES = 60, 4
#: A COMMIT as the store sends it (a prepared statement of that name), and a call as the connector does.
COMMIT, CALL = b"commit\0", b"POST "
#: Silence of the database for as long as the store has patience is a test of the store.
TO_COMMITS = (Mishap.DROPPED, Mishap.LATE, Mishap.CUT, Mishap.HALF_CLOSED)
TO_CALLS = (*TO_COMMITS, Mishap.SWALLOWED)


def is_commit(data: bytes) -> bool:
    return COMMIT in data


def is_call(data: bytes) -> bool:
    return data.startswith(CALL)


@pytest.fixture
def fleets(tmp_path: Path, outside: Outside) -> Iterator[tuple[Fleet, Fleet, RoughProxy]]:
    """Near the database, and behind the proxy; of one installation."""
    with ExitStack() as closing:
        store, broker = closing.enter_context(database()), brokers.rabbitmq_url()
        queue = closing.enter_context(brokers.queue_of_its_own(broker))
        parts = conninfo.conninfo_to_dict(store)
        mishaps = spread(TO_COMMITS, between=6, times=TIMES)
        proxy = closing.enter_context(
            RoughProxy(str(parts.get("host", "127.0.0.1")), int(parts.get("port") or 5432), is_commit, mishaps)
        )
        pack = write_pack(tmp_path / "pack", outside, ORDER)
        user, password = parts.get("user", "postgres"), f":{parts['password']}" if parts.get("password") else ""
        far = f"postgresql://{user}{password}@127.0.0.1:{proxy.port}/{parts['dbname']}"
        made = [Fleet(tmp_path, pack, url, broker, queue, {"ORDERLY_LEASE_SECONDS": "3"}) for url in (store, far)]
        for fleet in made:
            closing.callback(fleet.end)
        yield made[0], made[1], proxy


def test_a_worker_whose_commits_meet_every_mishap_under_load_does_each_order_once(
    fleets: tuple[Fleet, Fleet, RoughProxy], outside: Outside
) -> None:
    """Connections to the database that are dropped, late, half-closed or cut at COMMIT, request or reply, lose and
    double nothing, and the worker goes on by itself."""
    near, far, proxy = fleets
    web = near.start("web")
    outside.portal.connect(f"{web.facts['console']}/hooks/mercy/order", outside.secret)
    near.start("clock")
    worker = far.start("worker")

    with load(outside, MANY) as sent:
        sent.accepted()
    until(lambda: near.states() == {"done": MANY}, f"every run to be done: {proxy.befell}", 120)

    assert {mishap: proxy.befell[mishap] for mishap in TO_COMMITS} == dict.fromkeys(TO_COMMITS, TIMES)
    assert outside.ordered() == sent.numbers
    assert len(set(outside.references())) == MANY
    assert worker.health("live") == 200


@pytest.fixture
def rough(outside: Outside) -> Iterator[RoughProxy]:
    """Before the ERP, as the pack knows it."""
    parts = urlsplit(outside.endpoints["erp"]["url"])
    mishaps = spread(TO_CALLS, between=2, times=TIMES)
    with RoughProxy(parts.hostname or "", parts.port or 0, is_call, mishaps) as proxy:
        here = f"127.0.0.1:{proxy.port}"
        outside.endpoints["erp"] = {
            name: urlsplit(url)._replace(netloc=here).geturl() for name, url in outside.endpoints["erp"].items()
        }
        yield proxy


@pytest.fixture
def server(tmp_path: Path, outside: Outside, rough: RoughProxy) -> Iterator[Server]:
    pack = write_pack(tmp_path / "pack", outside, ORDER)
    set_connection(pack, "erp", {"timeout": "1s"}, limits={"breaker": {"failures": 1000}})
    made = Server(pack, tmp_path)
    made.start()
    outside.portal.connect(made.hook("order"), outside.secret)
    yield made
    made.stop()


def test_calls_to_a_peer_that_meet_every_mishap_under_load_make_each_order_once(
    server: Server, rough: RoughProxy, outside: Outside
) -> None:
    """Calls that are dropped, late, half-closed, cut or never answered become uncertain and are looked up; nobody
    has to be asked, and each order is made once."""
    with load(outside, MANY) as sent:
        sent.accepted()
    until(lambda: {run["state"] for run in server.runs()} == {"done"}, f"every run: {rough.befell}", 120)

    assert {mishap: rough.befell[mishap] for mishap in TO_CALLS} == dict.fromkeys(TO_CALLS, TIMES)
    assert outside.ordered() == sent.numbers
    assert server.call("exceptions_list")["exceptions"] == []
    looked_up = [run for run in server.runs() if "look_up" in kinds(server, run["id"])]
    assert len(looked_up) >= len(TO_CALLS)


def kinds(server: Server, run: str) -> list[str]:
    return [row["kind"] for row in server.story(run)["attempts"]]
