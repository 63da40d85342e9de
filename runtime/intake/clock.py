"""Schedules and events: a tick is a row, so two clocks are harmless and a restart misses nothing it should not.

APScheduler computes due times; what has been started is in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from connectors.sdk import ConnectorError
from runtime.engine.background import Background
from runtime.engine.client import Client, Clients
from runtime.engine.dispatcher import Ring
from runtime.engine.door import Door
from runtime.intake.batching import Batcher
from runtime.mapping import EvaluationError, ExpressionError
from runtime.model.cron import Cron
from runtime.model.flow import Flow
from runtime.model.run import Created, EventRow, ExceptionRow, NewRun
from runtime.store.store import IdentityConflict, StoreError, Unavailable

log = structlog.get_logger()
_MOST_MISSED = 1000


def due_times(flow: Flow, last: datetime, now: datetime) -> list[datetime]:
    """Due times after ``last`` up to ``now``, as the misfire policy wants them: all (about a thousand at a time,
    oldest first), the latest, or only one that is due this minute."""
    trigger = flow.trigger
    assert trigger.cron is not None
    cron = Cron(trigger.cron, trigger.zone)
    if trigger.misfire == "all":
        return cron.between(last, now, _MOST_MISSED)
    earliest = max(last, now - timedelta(minutes=1)) if trigger.misfire == "skip" else last
    latest = cron.latest(earliest, now)
    return [latest] if latest is not None else []


class Clock:
    """One thread for schedules and event subscriptions of all clients. Nothing is done while ``on_duty`` says no;
    two clocks at work are harmless, though."""

    def __init__(
        self, clients: Clients, ring: Ring, now: Callable[[], datetime], batcher: Batcher, pause: float = 0.25,
        on_duty: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self._clients = clients
        self._ring = ring
        self._now = now
        self._pause = pause
        self._on_duty = on_duty
        self._since = now()
        self._batcher = batcher
        self._background = Background("clock", self._work, pause)

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
                self.tick(client)
                self.events(client)
            except StoreError as error:
                log.error("clock.store", client=client.id, why=str(error))
        return self._pause

    def tick(self, client: Client) -> None:
        """Starts what is due. Raises ``Unavailable``."""
        for flow in _triggered_by("schedule", client):
            with _alone(client, flow):
                for due in due_times(flow, self._last(client, flow.flow), self._now()):
                    self._tick(client, flow, due)

    def _tick(self, client: Client, flow: Flow, due: datetime) -> None:
        body = {"due": due.astimezone(ZoneInfo(flow.trigger.zone)).isoformat(), "flow": flow.flow}
        self._begin(
            client, flow, body, lambda new: client.store.tick(flow.flow, due, new),
            source="schedule", identity=f"tick {due.isoformat()}",
        )  # fmt: skip

    def _last(self, client: Client, flow: str) -> datetime:
        """The last tick; of a flow that never ticked, when a clock first saw it, which no restart changes."""
        ticked = client.store.last_tick(flow)
        if ticked is not None:
            return ticked
        name = f"schedule:{flow}"
        seen = client.store.cursor(name)
        if seen is None:
            seen = self._since.isoformat()
            client.store.put_cursor(name, seen)
        return datetime.fromisoformat(seen)

    def events(self, client: Client) -> None:
        """Starts the flows that subscribe to events, each at its own position. Raises ``Unavailable``."""
        for flow in _triggered_by("event", client):
            with _alone(client, flow):
                if flow.trigger.batch is not None:
                    self._batcher.collect(client, flow)
                    self._batcher.send(client, flow)
                    continue
                name = f"flow:{flow.flow}"
                position = client.store.subscription(name)
                for event in client.store.events_after(position, [flow.trigger.event or ""]):
                    self._event(client, flow, name, event)

    def _event(self, client: Client, flow: Flow, subscription: str, event: EventRow) -> None:
        self._begin(
            client, flow, event.data if event.data is not None else {},
            lambda new: client.store.start_from_event(subscription, event.position, new),
            source="event", identity=f"event {event.id}",
            headers={"event": event.id, "event_type": event.type, "event_key": event.key},
        )  # fmt: skip

    def _begin(
        self, client: Client, flow: Flow, body: Any, keep: Callable[[NewRun | None], Created | None], **more: Any
    ) -> None:
        """Stores the run together with what started it. What cannot be started is an exception with its owner, and
        the next one has its turn."""
        field = ""
        try:
            created = keep(Door(client).new_run(client.current(flow.flow), body, **more))
        except IdentityConflict as conflict:
            kind, why = "identity_conflict", str(conflict)
        except StoreError:
            raise
        except (ConnectorError, EvaluationError, ExpressionError) as error:
            kind, why, field = "invalid_document", str(error), getattr(error, "field", "")
        except Exception as error:
            log.error("clock.bug", client=client.id, flow=flow.flow, begun=more["identity"], exc_info=True)
            kind, why = "unreadable", f"starting broke with {type(error).__name__}; the log says where"
        else:
            if created is not None:
                self._ring(created.run, created.lane)
            return
        details = {"begun": more["identity"]}
        client.store.raise_exception(
            ExceptionRow(kind, flow.owner, why, field=field, flow=flow.flow, details=details)
        )
        keep(None)


def _triggered_by(type: str, client: Client) -> list[Flow]:
    releases = client.registry.releases.values()
    return [release.flow for release in releases if release.flow.trigger.type == type]


@contextmanager
def _alone(client: Client, flow: Flow) -> Iterator[None]:
    """What goes wrong with one flow keeps no other one waiting, unless it is the store that does not answer."""
    try:
        yield
    except Unavailable:
        raise
    except Exception as error:
        log.error("clock.flow", client=client.id, flow=flow.flow, why=type(error).__name__, exc_info=True)
