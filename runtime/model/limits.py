"""How hard a peer may be worked, and when it is left alone: ``limits`` of a connection file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import Field

from connectors.sdk import Duration
from connectors.sdk.model import Model
from runtime.model.run import ConnectionState


class Breaker(Model):
    """After ``failures`` outages in a row nobody asks the peer for ``first``, then twice as long, up to
    ``longest``; then one run asks, and its answer decides."""

    failures: int = Field(default=3, ge=1, le=1000, description="outages in a row that open it", examples=[3])
    first: Duration = Field(default="5s", validate_default=True, description="first pause", examples=["5s"])
    longest: Duration = Field(default="5m", validate_default=True, description="longest pause", examples=["5m"])


class Window(Model):
    """Maintenance: from each due time of ``cron`` on, ``for`` so long, the peer is left alone."""

    cron: str = Field(description="when it begins (five fields)", examples=["0 2 * * sun"])
    for_: Duration = Field(alias="for", description="how long it lasts", examples=["2h"])
    zone: str = Field(default="UTC", description="time zone of cron", examples=["Europe/Berlin"])


class QueueLimits(Model):
    """From when on runs that wait at a connection, to reach it or because they came by it, are told to a person."""

    age: Duration | None = Field(
        default="1h",
        validate_default=True,
        description="the oldest waits so long; null: never told",
        examples=["15m"],
    )
    depth: int | None = Field(default=None, ge=1, description="so many wait; absent: any number", examples=[500])

    def passed(self, depth: int, age: timedelta) -> bool:
        if not depth:
            return False
        return (self.age is not None and age >= self.age) or (self.depth is not None and depth >= self.depth)

    @property
    def told(self) -> str:
        """The limits, for people."""
        age = f"age {int(self.age.total_seconds())} s" if self.age is not None else ""
        return ", ".join(filter(None, (f"depth {self.depth}" if self.depth is not None else "", age)))


class Limits(Model):
    """Of one connection, whichever processes use it."""

    at_once: int | None = Field(default=None, ge=1, description="calls at one time; absent: any", examples=[4])
    per_minute: int | None = Field(default=None, ge=1, description="calls a minute; absent: any", examples=[120])
    breaker: Breaker = Field(default=Breaker(), description="when to stop asking a peer that is out")
    maintenance: list[Window] = Field(default=[], description="when the peer is left alone", examples=[[]])

    queue: QueueLimits = Field(default=QueueLimits(), description="when a queue is told to a person")

    @property
    def bounded(self) -> bool:
        return self.at_once is not None or self.per_minute is not None


@dataclass(frozen=True)
class Taken:
    """A place at a bounded peer, ``place`` being its id; without one ``why`` there is none, and ``again``, when it
    is worth asking again."""

    place: str | None
    why: str = ""
    again: datetime | None = None


@dataclass(frozen=True)
class Called:
    """Id and lane of each run that was called from a line; ``more``: others may still stand there, and the first of
    them may ask at ``later``, where that is known."""

    runs: tuple[tuple[str, str], ...] = ()
    more: bool = False
    later: datetime | None = None


def after_outage(state: ConnectionState, limits: Breaker, now: datetime) -> ConnectionState:
    """One more outage; from ``limits.failures`` on the breaker is open until a later time. A call that was under
    way when it opened, and fails while it is open, does not make that longer."""
    failures = state.failures + 1
    if failures < limits.failures or (state.open_until is not None and state.open_until > now):
        return replace(state, failures=failures)
    length = limits.first.total_seconds() if not state.open_for else state.open_for * 2
    length = min(length, limits.longest.total_seconds())
    return replace(state, failures=failures, open_for=length, open_until=now + timedelta(seconds=length))


def after_answer(state: ConnectionState) -> ConnectionState:
    """Any answer, also a refusal, shows that the peer is there."""
    return replace(state, failures=0, open_for=0.0, open_until=None)
