"""Tells a person, and whoever subscribes, that a queue at a connection grows, and when that is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from connectors.sdk import Misconfigured
from runtime.engine.background import Background
from runtime.engine.client import Client, Clients
from runtime.model.limits import QueueLimits
from runtime.model.run import EventRow, ExceptionRow
from runtime.model.sought import Sought
from runtime.store.queues import Queue, before_it, behind_it
from runtime.store.statements import Backend
from runtime.store.store import Refused, StoreError

log = structlog.get_logger()
KIND, GROWING, DRAINED, OWNER = "queue_growing", "queue.growing", "queue.drained", "operations"
#: In seconds: how often the queues are looked at.
_EVERY = 10.0


class QueueWatch:
    """One exception and one event ``queue.growing`` when a queue passes a limit of its connection; once it is half
    as long and as old, ``queue.drained``, and the exception is resolved. Nothing is done while ``on_duty`` says
    no."""

    def __init__(
        self,
        clients: Clients,
        backend: Callable[[str], Backend],
        now: Callable[[], datetime],
        on_duty: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clients, self._backend, self._now, self._on_duty = clients, backend, now, on_duty
        self._background = Background("queues", self._work)

    @property
    def alive(self) -> bool:
        return self._background.alive

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    def _work(self) -> float:
        for client in self._clients.all() if self._on_duty() else ():
            try:
                self.look(client)
            except StoreError as error:
                log.error("queues.store", client=client.id, why=str(error))
        return _EVERY

    def look(self, client: Client) -> None:
        """At all connections of the client. Raises ``StoreError``."""
        behind: dict[str, list[str]] = {}
        for release in client.registry.releases.values():
            if release.flow.trigger.is_source and release.flow.trigger.connection:
                behind.setdefault(release.flow.trigger.connection, []).append(release.flow.flow)
        backend = self._backend(client.id)
        for name in client.pack.connections:
            try:
                limits = client.peers.file(name).limits.queue
            except Misconfigured:
                continue
            queue = before_it(backend, client.id, name) + behind_it(backend, client.id, behind.get(name, ()))
            self._compare(client, name, queue, limits)

    def _compare(self, client: Client, name: str, queue: Queue, limits: QueueLimits) -> None:
        at, known = f"queue:{name}", client.store.cursor(f"queue:{name}")
        age = self._now() - queue.since if queue.since else timedelta()
        if known is None and limits.passed(queue.depth, age):
            facts = {"connection": name, "depth": queue.depth, "age": int(age.total_seconds())}
            id = _open(client, name) or client.store.raise_exception(_exception(queue, limits, facts))
            client.store.publish(EventRow(type=GROWING, key=name, data={**facts, "exception": id}))
            client.store.put_cursor(at, id)
            log.warning("queue.growing", client=client.id, **facts)
        elif known is not None and not limits.passed(queue.depth * 2, age * 2):
            _resolve(client, known)
            client.store.publish(EventRow(type=DRAINED, key=name, data={"connection": name, "exception": known}))
            client.store.put_cursor(at, None)
            log.info("queue.drained", client=client.id, connection=name)


def _open(client: Client, name: str) -> str | None:
    """Told already, by a process that ended before it had written so down."""
    told = client.store.found_exceptions(Sought(kind=KIND, state="open"), limit=1000).rows
    return next((row.id for row in told if row.field == name), None)


def _resolve(client: Client, id: str) -> None:
    try:
        client.store.resolve_exception(id, "orderly", "the queue is short again")
    except Refused:
        log.info("queue.resolved_before", client=client.id, exception=id)


def _exception(queue: Queue, limits: QueueLimits, facts: dict[str, Any]) -> ExceptionRow:
    name = facts["connection"]
    since = f"{queue.since:%Y-%m-%d %H:%M} UTC" if queue.since else "now"
    return ExceptionRow(
        kind=KIND, owner=OWNER, field=name,
        message=f"{queue.depth} runs wait at connection {name}, the oldest since {since} (alert: {limits.told})",
        details={
            **facts,
            "next_action": "see whether its peer answers and nobody has paused it, and whether there are enough"
            f" workers: orderly connection test {name}; orderly doctor",
        },
    )  # fmt: skip
