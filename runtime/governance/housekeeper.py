"""Applies the retention of every client in the background: a little at a time, so that nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from pydantic import ValidationError

from runtime.engine.background import Background
from runtime.engine.client import Client, Clients
from runtime.model.pack import BadFile
from runtime.model.partner import duplicate_window
from runtime.model.run import FINISHED
from runtime.store.blobs import Place
from runtime.store.retention import Retention
from runtime.store.store import StoreError

T = TypeVar("T")
log = structlog.get_logger()
_FIRST, _DAY = 60.0, 86_400.0
_NOBODY_WAITS = 2**62


@dataclass
class Removed:
    runs: int = 0
    events: int = 0
    exceptions: int = 0
    raw: int = 0
    interchanges: int = 0
    blobs: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


class Housekeeper:
    """Once every ``every`` seconds, with ``pause`` seconds between two units.

    A blob that no row names is removed a day after it was last put (``grace``, in seconds): whoever is storing it
    at this moment has until then to store the row that needs it.
    """

    def __init__(
        self,
        clients: Clients,
        retention: Callable[[str], Retention],
        places: Callable[[str], Sequence[Place]],
        now: Callable[[], datetime],
        *,
        every: float = 3600.0,
        pause: float = 0.05,
        grace: float = _DAY,
        on_duty: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clients = clients
        self._retention = retention
        self._places = places
        self._now = now
        self._every = every
        self._pause = pause
        self._grace = grace
        self._on_duty = on_duty
        self._background = Background("housekeeper", self._work, min(_FIRST, every))

    @property
    def alive(self) -> bool:
        return self._background.alive

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        """The unit under way is finished."""
        self._background.stop()

    def _work(self) -> float:
        if not self._on_duty():
            return self._every
        for client in self._clients.all():
            try:
                self.keep(client)
            except StoreError as error:
                log.error("retention.store", client=client.id, why=str(error))
            except OSError as error:
                log.error("retention.blobs", client=client.id, why=str(error))
        return self._every

    def keep(self, client: Client) -> Removed:
        """One pass over one client. Where its pack asks for no retention, nothing is removed."""
        removed = Removed()
        if client.pack.file.retention:
            rows = self._retention(client.id)
            removed.raw = self._raw(client, rows)
            removed.runs = self._runs(client, rows)
            removed.events = self._events(client, rows)
            removed.exceptions = self._exceptions(client, rows)
            removed.interchanges = self._interchanges(client, rows)
            removed.blobs = self._blobs(client, rows)
        if removed:
            log.info("retention.applied", client=client.id, **asdict(removed))
            client.store.audit("orderly", "retention.applied", client.id, asdict(removed))
        return removed

    def _each(self, batches: Iterable[list[T]], remove: Callable[[list[T]], int | None]) -> int:
        total = 0
        for batch in batches:
            total += remove(batch) or 0
            if self._background.stopping.wait(self._pause):
                break
        return total

    def _runs(self, client: Client, rows: Retention) -> int:
        asked, now, total = client.pack.file.retention, self._now(), 0
        for flow in rows.flows():
            ages = {state: age for state in FINISHED if (age := asked.age(flow, state)) is not None}
            before = {state: now - age for state, age in ages.items()}
            total += self._each(rows.finished(flow, before), rows.remove_runs)
            while (
                before
                and rows.remove_ticks(flow, min(before.values()))
                and not self._background.stopping.wait(self._pause)
            ):
                pass
        return total

    def _raw(self, client: Client, rows: Retention) -> int:
        """Bytes as they came, of runs that stay."""
        ages, now = client.pack.file.retention.raw, self._now()
        return sum(self._each(rows.old_raw(type, now - age), rows.remove_raw) for type, age in ages.items())

    def _events(self, client: Client, rows: Retention) -> int:
        age = client.pack.file.retention.age_of_events
        if age is None:
            return 0
        return self._each(rows.old_events(self._now() - age, *_passed(client)), rows.remove_events)

    def _exceptions(self, client: Client, rows: Retention) -> int:
        """Those without a run; the others go with theirs."""
        asked, now, total, after = client.pack.file.retention, self._now(), 0, ""
        while (window := rows.resolved(after)) and not self._background.stopping.is_set():
            after = window[-1][0]
            old = [
                id
                for id, flow, at in window
                if (age := asked.flows.get(flow, asked.default)) is not None and at < now - age
            ]
            total += self._each(rows.batches(old), rows.remove_exceptions)
        return total

    def _interchanges(self, client: Client, rows: Retention) -> int:
        """Whose runs are gone, and which no duplicate is compared with any more."""
        age, now = client.pack.file.retention.shortest, self._now()
        if age is None:
            return 0

        def remembered(standard: str, partner: str) -> datetime | None:
            window = _window(client, standard, partner)
            return None if window is None else now - window

        return self._each(rows.interchanges.old(now - age, remembered), rows.interchanges.remove)

    def _blobs(self, client: Client, rows: Retention) -> int:
        return sum(self._of_place(place, rows) for place in self._places(client.id))

    def _of_place(self, place: Place, rows: Retention) -> int:
        before = place.now() - self._grace
        place.tidy(before)
        old = rows.batches(list(place.old(before)))
        return self._each(old, lambda batch: place.remove(batch, before, rows.needed))


def _window(client: Client, standard: str, partner: str) -> timedelta | None:
    """How far back duplicates are looked for; ``None`` where the partner's file cannot be used."""
    partners = client.pack.partners
    try:
        return duplicate_window(partners.get(partner, {}), standard)
    except (BadFile, ValidationError):
        return None


def _passed(client: Client) -> tuple[dict[str, int], int]:
    """How far the subscriptions of each event type have come, and those of all other types. A flow that is out for
    now keeps what it has not seen, of whatever type: it goes on where it was when it is mended."""
    out = [client.store.subscription(f"flow:{flow}") for flow in client.registry.out]
    others = min((position for position in out if position), default=_NOBODY_WAITS)
    passed: dict[str, int] = {}
    for release in client.registry.releases.values():
        trigger = release.flow.trigger
        if trigger.type == "event" and trigger.event is not None:
            position = client.store.subscription(f"flow:{release.flow.flow}")
            passed[trigger.event] = min(passed.get(trigger.event, others), position)
    return passed, others
