"""Callers share one commit, and its fate."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing as closing_of
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
        assert reached.wait(20)
        futures = _lined_up(writer, threads, units)
        go_on.set()
    return futures


def _lined_up(writer: Writer, threads: ThreadPoolExecutor, units: Sequence[Any]) -> list[Future[Any]]:
    futures = []
    for number, unit in enumerate(units, 1):
        futures.append(threads.submit(writer.submit, unit, True))
        while writer.waiting < number:
            pass
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


class Interrupted(BaseException):
    """As Ctrl-C raises in whoever happens to run."""


def test_who_is_interrupted_while_it_writes_for_others_fails_them_and_hands_on(writer: Writer) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def interrupted(tx: Tx) -> None:
        reached.set()
        go_on.wait(20)
        raise Interrupted

    with ThreadPoolExecutor(4) as threads:
        leader = threads.submit(writer.submit, lambda tx: (adding(1, 1)(tx), interrupted(tx)), True)
        assert reached.wait(20)
        behind = _lined_up(writer, threads, [adding(2, 1), adding(3, 1)])
        go_on.set()

    with pytest.raises(Interrupted):
        leader.result()
    assert [future.result() for future in behind] == [1, 1]
    assert writer.submit(lambda tx: tx.all(_ROWS), True) == [(2,), (3,)]


def test_a_unit_that_is_interrupted_takes_its_batch_with_it(writer: Writer) -> None:
    def interrupted(tx: Tx) -> None:
        raise Interrupted

    before, mine, after = in_one_batch(writer, adding(1, 1), interrupted, adding(2, 1))

    with pytest.raises(Interrupted):
        before.result()
    for future in (mine, after):
        with pytest.raises(Unavailable, match="was interrupted"):
            future.result()
    assert writer.submit(lambda tx: tx.all(_ROWS), True) == []


def test_what_stands_in_line_is_finished_before_it_is_closed(path: Path, writer: Writer) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        reached.set()
        go_on.wait(20)

    with ThreadPoolExecutor(4) as threads:
        threads.submit(writer.submit, slow, True)
        assert reached.wait(20)
        (late,) = _lined_up(writer, threads, [adding(1, 1)])
        closing = threads.submit(writer.close)
        while writer.waiting < 2:
            pass
        with pytest.raises(Unavailable, match="is closed"):
            writer.submit(adding(2, 1), True)
        go_on.set()

    closing.result()
    assert late.result() == 1
    with closing_of(sqlite3.connect(path)) as again:
        assert again.execute("SELECT id FROM child").fetchall() == [(1,)]


def test_who_is_interrupted_in_line_leaves_it_and_the_others_go_on(writer: Writer) -> None:
    """The main thread is, by a signal; it would have been the next to write."""
    reached, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        reached.set()
        go_on.wait(20)

    def interrupt(*_: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with ThreadPoolExecutor(2) as threads:
            threads.submit(writer.submit, slow, True)
            assert reached.wait(20)
            threads.submit(_when_in_line, writer, 1, lambda: os.kill(os.getpid(), signal.SIGUSR1))
            with pytest.raises(Interrupted):
                writer.submit(adding(1, 1), True)
            assert writer.waiting == 0
            go_on.set()
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert writer.submit(adding(2, 1), True) == 1
    assert writer.submit(lambda tx: tx.all(_ROWS), True) == [(2,)]


def _when_in_line(writer: Writer, number: int, do: Callable[[], None]) -> None:
    while writer.waiting < number:
        pass
    do()


def test_a_writer_whose_last_commit_fails_is_closed_all_the_same(path: Path, writer: Writer) -> None:
    reached, go_on = threading.Event(), threading.Event()

    with ThreadPoolExecutor(3) as threads:
        threads.submit(writer.submit, lambda tx: (reached.set(), go_on.wait(20)), True)
        assert reached.wait(20)
        (bad,) = _lined_up(writer, threads, [adding(2, 99)])
        closing = threads.submit(writer.close)
        while writer.waiting < 2:
            pass
        go_on.set()

    closing.result()
    with pytest.raises(Unavailable):
        bad.result()
    with pytest.raises(Unavailable, match="is closed"):
        writer.submit(adding(3, 1), True)
