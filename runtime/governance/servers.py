"""What the doctor looks at where several processes work together: the database, the broker, and who keeps time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from connectors.sdk import Misconfigured
from runtime.governance.finding import Findings, error, ok, warning
from runtime.store import health
from runtime.store.shared import SharedStore

_MEGABYTE = 1_000_000
_SILENT = timedelta(minutes=1)
_LONG_LINE = 1000


def durability(store: SharedStore, relaxed: bool) -> Findings:
    """Whether what was acknowledged outlives a power failure."""
    server, where = store.server(), "runtime/store/README.md tells what that can forget"
    if server is not None and not server.flushes:
        yield error(
            "durability", f"PostgreSQL at {server.where} does not flush what is committed",
            "after a crash of its machine the database may be damaged, or lack what was acknowledged",
            "set fsync, full_page_writes and synchronous_commit to on in postgresql.conf",
        )  # fmt: skip
    elif relaxed:
        yield warning(
            "durability", "relaxed: commits are not flushed to the disk one by one",
            "a power failure may forget messages that were acknowledged and effects that happened",
            f"leave out --relaxed; {where}",
        )  # fmt: skip
    else:
        yield ok("durability", "what is committed is on the disk")


def database(store: SharedStore) -> Findings:
    """The server that the store is: reachable, private, with room for connections, and the wall between clients."""
    server = store.server()
    if server is None:
        return
    size = f"{server.size // _MEGABYTE:,} MB"
    yield ok("store", f"PostgreSQL {server.version} at {server.where} answers; the database is {size} large")
    what = f"{server.open} of {server.most} connections of PostgreSQL are open"
    if server.open > server.most * 0.8:
        yield warning(
            "connections of the database", what, "at the limit processes cannot work, nor start",
            "raise max_connections, or let fewer processes run",
        )  # fmt: skip
    else:
        yield ok("connections of the database", what)
    if not server.walled:
        yield warning(
            "wall between clients", "this user of the database is a superuser or has BYPASSRLS",
            "a fault of ours could show rows of one client to another one",
            "connect as a plain user that owns its schema",
        )  # fmt: skip
    if not server.private:
        yield warning(
            "encryption", f"the connection to {server.where} is not encrypted",
            "messages and secrets can be read on the way", "add sslmode=verify-full to ORDERLY_STORE",
        )  # fmt: skip


def timekeeper(store: SharedStore, served: bool) -> Findings:
    """Of several processes one keeps schedules, polls and the sweeper."""
    if store.server() is None or not served:
        return
    at = health.keeper(store, "clock")
    if at is None or store.now() - at > _SILENT:
        told = "nobody keeps time" if at is None else f"who keeps time is silent since {at:%H:%M:%S} UTC"
        why = "schedules, polls, retries and what was rung in vain stand still"
        yield error("clock process", told, why, "start orderly clock, or look at its log")
    else:
        yield ok("clock process", "a process keeps time")


def broker(url: str, queue: str) -> Findings:
    """It answers, somebody takes from its queues, and they are not long."""
    if not url:
        return
    advice = "start the broker, or let ORDERLY_BROKER name one that runs"
    why = "processes do not hear of work; the sweeper finds it later"
    try:
        from runtime.engine.broker_look import look
        from runtime.engine.brokers import LOST, where
    except Misconfigured as failure:
        yield error("broker", failure.message, why, failure.next_action)
        return
    try:
        lines = look(url, queue)
    except Misconfigured as failure:
        yield error("broker", failure.message, why, failure.next_action)
    except LOST as failure:
        yield error("broker", f"{where(url)} does not answer ({type(failure).__name__})", why, advice)
    else:
        yield ok("broker", f"{where(url)} answers")
        yield from _queues(lines)


def _queues(lines: Mapping[str, tuple[int, int | None]]) -> Findings:
    """``lines``: rings that lie in each queue, and how many take from it where the broker tells."""
    for name, (waiting, takers) in lines.items():
        what = f"{waiting} rings lie in {name}"
        if takers == 0:
            yield error(
                "broker queue", f"{what}, and nobody takes them", "runs of that lane do not go on",
                "start orderly worker, for that lane too",
            )  # fmt: skip
        elif waiting > _LONG_LINE:
            yield warning("broker queue", what, "workers are too few", "start more orderly worker")
        else:
            yield ok("broker queue", what)
