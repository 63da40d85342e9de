"""Units that tests run, and calls that are made at one time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sqlalchemy import bindparam, insert, select, text

from runtime.store import tables
from runtime.store.statements import Backend, Statement, Tx

MY_PID = Statement(text("SELECT pg_backend_pid()"))
_NOTE = Statement(
    insert(tables.audit).values(client="mercy", at=0, actor=bindparam("actor"), action="a", subject="s")
)
_NOTES = Statement(select(tables.audit.c.actor).order_by(tables.audit.c.seq))


def note(actor: str) -> Callable[[Tx], int]:
    """A unit that can be told from others, and that would be seen to be stored twice."""
    return lambda tx: tx.run(_NOTE, {"actor": actor})


def notes(backend: Backend) -> list[str]:
    return [row[0] for row in backend.read(lambda tx: tx.all(_NOTES))]


def at_once(*calls: Callable[[], Any]) -> list[Future[Any]]:
    """All begun before the first goes on, and all ended."""
    together = threading.Barrier(len(calls))

    def begun(call: Callable[[], Any]) -> Any:
        together.wait(20)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return [threads.submit(begun, call) for call in calls]


def until(holds: Callable[[], bool]) -> None:
    """Asks again and again; the test's own time limit ends it."""
    while not holds():
        pass
