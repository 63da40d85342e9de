"""Callers share one commit, and its fate."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from runtime.store.connection import SqliteTx, connect
from runtime.store.statements import Statement, Tx
from runtime.store.store import StoreError, Unavailable
from runtime.store.writer import Writer
from tests.runtime.store.clock import Clock

_ROWS = Statement(text("SELECT id FROM child ORDER BY id"))


def adding(id: int, parent: int) -> Any:
    return lambda tx: tx.run(Statement(text(f"INSERT INTO child VALUES ({id}, {parent})")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "writer.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    """Its table has a constraint that is checked at COMMIT, so that a COMMIT can be made to fail."""

    def opened() -> SqliteTx:
        tx = connect(path, Clock(), readonly=False)
        tx.execute("PRAGMA foreign_keys = ON")
        tx.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        tx.execute("CREATE TABLE child (id INTEGER, of INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
        tx.execute("INSERT INTO parent VALUES (1)")
        return tx

    writer = Writer(opened)
    yield writer
    writer.close()


def in_one_batch(writer: Writer, *units: Any) -> list[Future[Any]]:
    """Units that gather behind a slow one and are committed together."""
    reached, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        reached.set()
        go_on.wait(20)

    with ThreadPoolExecutor(len(units) + 1) as threads:
        threads.submit(writer.submit, slow, True)
        reached.wait(20)
        futures = []
        for number, unit in enumerate(units, 1):
            futures.append(threads.submit(writer.submit, unit, True))
            while writer.waiting < number:
                pass
        go_on.set()
    return futures


def test_a_commit_that_fails_fails_every_caller_of_its_batch(writer: Writer) -> None:
    good, bad = in_one_batch(writer, adding(1, 1), adding(2, 99))

    for future in (good, bad):
        with pytest.raises(Unavailable, match="nothing was stored"):
            future.result()
    assert writer.submit(lambda tx: tx.all(_ROWS), True) == []
    writer.submit(adding(3, 1), True)
    assert writer.submit(lambda tx: tx.all(_ROWS), True) == [(3,)]


def test_a_unit_that_fails_in_a_failing_batch_keeps_its_own_error(writer: Writer) -> None:
    wrong = Statement(text("INSERT INTO nowhere VALUES (1)"))

    mine, _ = in_one_batch(writer, lambda tx: tx.run(wrong), adding(2, 99))

    with pytest.raises(StoreError, match="no such table"):
        mine.result()


def test_a_unit_that_fails_leaves_no_half_of_itself(writer: Writer) -> None:
    def half(tx: Tx) -> None:
        adding(1, 1)(tx)
        raise LookupError

    first, _, last = in_one_batch(writer, adding(5, 1), half, adding(6, 1))

    assert (first.result(), last.result()) == (1, 1)
    assert writer.submit(lambda tx: tx.all(_ROWS), True) == [(5,), (6,)]


def test_units_see_what_earlier_ones_of_their_batch_wrote(writer: Writer) -> None:
    _, seen = in_one_batch(writer, adding(1, 1), lambda tx: tx.all(_ROWS))

    assert seen.result() == [(1,)]


def test_a_database_that_cannot_be_opened_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be opened"):
        Writer(lambda: connect(tmp_path / "none" / "writer.db", Clock(), readonly=False))
