"""PostgreSQL crashes under load and recovers from its log: what was answered with 202 is there and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import brokers
from tests.faults import own_servers
from tests.faults.fleet import Fleet
from tests.faults.load import load
from tests.faults.outside import ORDER, Outside, set_connection, write_pack
from tests.faults.own_servers import OwnServer
from tests.faults.server import Server
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(240)

MANY, UNDER_WAY = 48, 4
SHORT = {"ORDERLY_LEASE_SECONDS": "3"}


@pytest.fixture
def postgresql() -> Iterator[OwnServer]:
    """Of the test's own."""
    with own_servers.postgresql() as server:
        yield server


@pytest.fixture
def fleet(tmp_path: Path, outside: Outside, postgresql: OwnServer) -> Iterator[Fleet]:
    with ExitStack() as closing:
        broker = brokers.rabbitmq_url()
        queue = closing.enter_context(brokers.queue_of_its_own(broker))
        pack = write_pack(tmp_path / "pack", outside, ORDER)
        fleet = Fleet(tmp_path, pack, postgresql.url, broker, queue, SHORT)
        closing.callback(fleet.end)
        yield fleet


def test_postgresql_that_is_stopped_at_once_twice_under_load_loses_and_doubles_nothing(
    fleet: Fleet, postgresql: OwnServer, outside: Outside
) -> None:
    """A database that crashes under load costs its senders a 503 and their next try: everything that was accepted
    is done after it is back, without a restart of anything else, and each order is made once."""
    web = fleet.start("web")
    outside.portal.connect(f"{web.facts['console']}/hooks/mercy/order", outside.secret)
    clock, worker = fleet.start("clock"), fleet.start("worker")

    with load(outside, MANY) as sent:
        for count in (MANY // 4, MANY // 2):
            outside.orders.wait("purchase_order", count)
            postgresql.kill()
            until(lambda: worker.health("ready") == 503, "the worker to say that it is not ready")
            postgresql.start()
            until(lambda: worker.health("ready") == 200, "the worker to be ready again")
        accepted = sent.accepted()
    until(lambda: fleet.states() == {"done": MANY}, "every run to be done", 120)

    assert len(set(accepted)) == MANY
    assert set(sent.refused) <= {503}
    assert outside.ordered() == sent.numbers
    assert len(set(outside.references())) == MANY
    assert (clock.health("live"), worker.health("live")) == (200, 200)


def test_a_server_with_everything_in_it_goes_on_after_its_postgresql_crashed(
    tmp_path: Path, outside: Outside, postgresql: OwnServer
) -> None:
    """`orderly serve` on PostgreSQL survives a crash of the database with orders under way: what nobody knows is
    looked up."""
    pack = write_pack(tmp_path / "pack", outside, ORDER)
    set_connection(pack, "erp", {"timeout": "2m"})
    server = Server(pack, tmp_path, variables={**SHORT, "ORDERLY_STORE": postgresql.url})
    server.start()
    try:
        outside.portal.connect(server.hook("order"), outside.secret)
        outside.erp.slow("CreatePurchaseOrder", 60)
        with load(outside, UNDER_WAY) as sent:
            runs = sent.accepted()
        outside.orders.wait("purchase_order", UNDER_WAY)
        postgresql.kill()
        outside.erp.release()
        postgresql.start()
        stories = [server.comes_to(run, "done") for run in runs]
    finally:
        server.stop()

    assert outside.ordered() == sent.numbers
    assert all(story["keys"]["purchase_order"] for story in stories)
