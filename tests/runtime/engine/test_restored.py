"""After a restore nothing that was done since the backup is done again: it is looked up, or a person is asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runtime.model.run import Run, RunState
from runtime.store import restore, tables
from runtime.store.statements import Statement, Tx, insert
from tests.runtime.engine.test_effects import BODY, END, ORDER, orders
from tests.workshop import ERP, Workshop, flow

Open = Callable[..., Workshop]
REST = {"id": "rest", "type": "wait", "parameters": {"for": "1h"}}
UNKNOWN = {**ORDER, "look_up": "none: this ERP cannot be asked"}
LOCKED = {**ORDER, "faults": [{"code": "LOCKED", "is": "not_done"}], "retry": {"attempts": 1}}


def ordering(workshop: Open, order: dict[str, Any] = ORDER, *before: dict[str, Any]) -> Workshop:
    call = {"id": "call", "type": "call_flow", "parameters": {"flow": "order", "body": "=$", "wait": True}}
    flows = [flow("order", *before, order, END), flow("feed", REST, call)]
    return workshop(*flows, connections={"erp": ERP}, simulators={"erp": {"type": "erp"}})


def backed_up(shop: Workshop, folder: Path) -> Path:
    path = folder / "backup.db"
    with shop.services.store.snapshot() as snapshot:
        snapshot.rows_to(path)
    return path


def bring_back(shop: Workshop, path: Path) -> None:
    """The store is what it was at the backup, the peers are what they are; all runs are let go."""

    def unit(tx: Tx) -> None:
        with closing(sqlite3.connect(path)) as source:
            for table in tables.metadata.sorted_tables:
                tx.run(Statement(table.delete()))
                names = [column.name for column in table.c]
                quoted = ", ".join(f'"{name}"' for name in names)
                rows = source.execute(f'SELECT {quoted} FROM "{table.name}"').fetchall()
                tx.many(insert(table), [dict(zip(names, row, strict=True)) for row in rows])

    shop.services.store.transact(unit)
    shop.pass_time(seconds=1)
    restore.hold(shop.services.store, backup="the backup of today", distance=1000, by="omar")
    shop.pass_time(seconds=1)
    shop.store.let_go("restore")


def settled_down(shop: Workshop, run: str) -> Run:
    """After every look-up and every wait."""
    for _ in range(4):
        shop.drain()
        shop.pass_time(hours=1)
    return shop.store.run(run)


def test_an_order_that_was_placed_since_the_backup_is_found_and_not_placed_again(
    workshop: Open, tmp_path: Path
) -> None:
    shop = ordering(workshop, ORDER, REST)
    run = shop.run("order", BODY).id
    path = backed_up(shop, tmp_path)
    assert settled_down(shop, run).state is RunState.DONE
    placed = shop.store.run(run).reply

    bring_back(shop, path)

    assert settled_down(shop, run).state is RunState.DONE
    assert orders(shop) == 1
    assert shop.store.run(run).reply == placed
    assert [row.kind for row in shop.story(run).attempts] == ["look_up"]


def test_an_order_that_was_not_placed_is_placed_once_the_peer_has_said_so(workshop: Open, tmp_path: Path) -> None:
    shop = ordering(workshop, ORDER, REST)
    run = shop.run("order", BODY).id
    path = backed_up(shop, tmp_path)

    bring_back(shop, path)

    assert settled_down(shop, run).state is RunState.DONE
    assert orders(shop) == 1
    assert [row.kind for row in shop.story(run).attempts] == ["look_up", "send"]


def test_an_order_is_not_placed_before_its_look_up(workshop: Open, tmp_path: Path) -> None:
    shop = ordering(workshop, ORDER, REST)
    run = shop.run("order", BODY).id
    bring_back(shop, backed_up(shop, tmp_path))
    shop.pass_time(hours=1)

    shop.drain()

    assert shop.store.run(run).state is RunState.UNCERTAIN
    assert "restored from a backup" in shop.store.run(run).why
    assert orders(shop) == 0


@pytest.mark.parametrize("happened", [True, False])
def test_where_nobody_can_be_asked_a_person_is_and_is_believed(
    workshop: Open, tmp_path: Path, happened: bool
) -> None:
    shop = ordering(workshop, UNKNOWN, REST)
    run = shop.run("order", BODY).id
    path = backed_up(shop, tmp_path)
    if happened:
        settled_down(shop, run)
    bring_back(shop, path)
    assert settled_down(shop, run).state is RunState.UNCERTAIN
    (asked,) = shop.store.exceptions().rows
    assert (asked.kind, asked.run) == ("uncertain", run)

    shop.repair.settle(
        run, "order", "", happened, {"Number": "PO-1"} if happened else None, "omar", "asked the ERP"
    )

    assert settled_down(shop, run).state is RunState.DONE
    assert orders(shop) == 1


def test_a_retry_that_was_due_at_the_backup_is_looked_up_first(workshop: Open, tmp_path: Path) -> None:
    """It provably had not happened then; since then it may have."""
    shop = ordering(workshop)
    shop.simulator("erp").go_down()
    run = shop.run("order", BODY).id
    path = backed_up(shop, tmp_path)
    shop.simulator("erp").come_up()
    assert settled_down(shop, run).state is RunState.DONE

    bring_back(shop, path)

    assert settled_down(shop, run).state is RunState.DONE
    assert orders(shop) == 1


def test_a_dead_letter_of_the_backup_that_is_redriven_is_looked_up_first(workshop: Open, tmp_path: Path) -> None:
    """Somebody may have redriven it before."""
    shop = ordering(workshop, LOCKED)
    shop.simulator("erp").fault_next("CreatePurchaseOrder", "LOCKED", 1)
    run = shop.run("order", BODY).id
    assert shop.store.run(run).state is RunState.DEAD
    path = backed_up(shop, tmp_path)
    shop.repair.redrive(run, "omar")
    assert settled_down(shop, run).state is RunState.DONE
    bring_back(shop, path)
    assert shop.store.run(run).state is RunState.DEAD, "it does not go on by itself"

    shop.repair.redrive(run, "omar")

    assert settled_down(shop, run).state is RunState.DONE
    assert orders(shop) == 1


def test_a_look_up_that_was_under_way_is_asked_once(workshop: Open, tmp_path: Path) -> None:
    shop = ordering(workshop)
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY).id
    assert shop.store.run(run).state is RunState.UNCERTAIN

    bring_back(shop, backed_up(shop, tmp_path))

    assert settled_down(shop, run).state is RunState.DONE
    assert orders(shop) == 1
    assert [row.kind for row in shop.story(run).attempts].count("look_up") == 1


def test_a_run_that_a_restored_one_starts_again_does_not_place_a_second_order(
    workshop: Open, tmp_path: Path
) -> None:
    """The peer knows the order by the key of a run that is gone: not finding it says nothing."""
    shop = ordering(workshop)
    feed = shop.run("feed", BODY).id
    path = backed_up(shop, tmp_path)
    assert settled_down(shop, feed).state is RunState.DONE
    assert orders(shop) == 1

    bring_back(shop, path)

    assert settled_down(shop, feed).state is RunState.WAITING
    (child,) = shop.story(feed).children
    assert child.state is RunState.UNCERTAIN
    assert orders(shop) == 1
    (asked,) = shop.store.exceptions().rows
    assert (asked.kind, asked.run) == ("uncertain", child.id)


def test_what_comes_after_the_restore_is_not_in_doubt(workshop: Open, tmp_path: Path) -> None:
    shop = ordering(workshop)
    bring_back(shop, backed_up(shop, tmp_path))

    run = shop.run("order", BODY)

    assert run.state is RunState.DONE
    assert [row.kind for row in shop.story(run.id).attempts] == ["send"]
