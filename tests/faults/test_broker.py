"""The broker dies with everything it had, under load, and comes back: rings are lost, work is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.faults import own_servers
from tests.faults.fleet import Fleet, database
from tests.faults.load import load
from tests.faults.outside import ORDER, Outside, write_pack
from tests.faults.own_servers import OwnServer
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(240)

MANY = 80
Opened = Callable[[Path], AbstractContextManager[OwnServer]]


@pytest.fixture(params=[own_servers.redis, own_servers.rabbitmq])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnServer]:
    """Of the test's own."""
    folder = tmp_path / "broker"
    folder.mkdir()
    opened: Opened = request.param
    with opened(folder) as server:
        yield server


@pytest.fixture
def fleet(tmp_path: Path, outside: Outside, broker: OwnServer) -> Iterator[Fleet]:
    with ExitStack() as closing:
        store = closing.enter_context(database())
        fleet = Fleet(tmp_path, write_pack(tmp_path / "pack", outside, ORDER), store, broker.url, "orderly")
        closing.callback(fleet.end)
        web = fleet.start("web")
        outside.portal.connect(f"{web.facts['console']}/hooks/mercy/order", outside.secret)
        fleet.start("clock")
        yield fleet


def test_a_broker_that_is_killed_under_load_and_started_again_loses_and_doubles_nothing(
    fleet: Fleet, broker: OwnServer, outside: Outside
) -> None:
    """While the broker is dead every message is taken all the same; when it is back, with its queues or without,
    every run comes to its end by itself, and each order is made once."""
    worker = fleet.start("worker")

    with load(outside, MANY) as sent:
        outside.orders.wait("purchase_order", MANY // 4)
        broker.kill()
        sent.accepted()
    assert fleet.states() != {"done": MANY}, "there is work left that nobody was told of"
    broker.start()
    until(lambda: fleet.states() == {"done": MANY}, "every run to be done", 120)

    assert sent.refused == []
    assert outside.ordered() == sent.numbers
    assert worker.health("live") == 200
