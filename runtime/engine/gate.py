"""Before a peer is asked: is it paused, out, in maintenance, or asked enough already?

Pauses and the breaker are shared over all processes through the store; the numbers of ``at_once`` and
``per_minute`` are those of one process. A run that is not let through keeps its attempts.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from connectors.sdk import ConnectorError, CredentialsRefused, NotSent, OutcomeUnknown
from runtime.engine.dispatcher import Ring
from runtime.engine.failure import Halted
from runtime.engine.line import Line
from runtime.model.cron import Cron
from runtime.model.limits import Limits, after_answer, after_outage
from runtime.model.run import ConnectionState, Run, RunState
from runtime.model.sought import Said
from runtime.store.store import ClientStore, StoreError

log = structlog.get_logger()
_FRESH = 1.0
_SOON = timedelta(milliseconds=200)
_MINUTE = timedelta(minutes=1)
#: Runs of a line that are on their way at one time where the connection sets no bound.
_CROWD = 16


@dataclass
class Peer:
    """One connection as this process uses it."""

    under_way: int = 0
    asked: deque[datetime] = field(default_factory=deque)
    throttled_until: datetime | None = None
    probing: bool = False
    line: Line = field(default_factory=Line)


def _unheard(run: str, lane: str = "") -> None:
    """Where somebody looks for due runs anyway."""


class Gate:
    """All connections of one client. ``ring`` wakes those whose turn it is."""

    def __init__(
        self, store: ClientStore, limits: Callable[[str], Limits], now: Callable[[], datetime],
        ring: Ring = _unheard,
    ) -> None:  # fmt: skip
        self._store = store
        self._limits = limits
        self._now = now
        self._peers: dict[str, Peer] = {}
        self._ring = ring
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._states: Mapping[str, ConnectionState] = {}
        self._read_at = float("-inf")

    def now(self) -> datetime:
        return self._now()

    def state(self, name: str) -> ConnectionState:
        """What all processes know, at most a second old."""
        if time.monotonic() - self._read_at > _FRESH:
            self.refresh()
        return self._states.get(name, ConnectionState(name))

    def throttled_until(self, name: str) -> datetime | None:
        """Until when the peer asked us to wait."""
        peer = self._peers.get(name)
        return peer.throttled_until if peer is not None else None

    def refresh(self) -> None:
        self._states = self._store.connection_states()
        self._read_at = time.monotonic()

    @contextmanager
    def through(self, name: str, node: str, run: Run | None = None) -> Iterator[None]:
        """Holds a place while the peer is asked. Leaves by ``Halted`` where it may not be asked now."""
        with self._lock:
            peer = self._peers.setdefault(name, Peer())
            if run is not None:
                peer.line.arrive(run.id, stood=run.held_by == _holder(name))
            probe = self._admit(name, peer, node)
            peer.under_way += 1
            peer.probing = peer.probing or probe
            if self._limits(name).per_minute is not None:
                peer.asked.append(self._now())
        try:
            yield
        finally:
            with self._lock:
                peer.under_way -= 1
                if probe:
                    peer.probing = False
            self._call_next(name, peer)

    def _call_next(self, name: str, peer: Peer) -> None:
        """Of those in the line as many as there are free places; where no more may ask this minute, one for when
        the next may."""
        with self._lock:
            if not peer.line.stands:
                return
            wanted = self._wanted(name, peer)
            peer.line.call(wanted)
        runs = self._called(name, wanted) if wanted else []
        with self._lock:
            peer.line.called([run for run, _ in runs], wanted)
            later = self._next_slot(name, peer)
        for run, lane in runs:
            self._ring(run, lane)
        if later is not None:
            self._called(name, 1, later)

    def _called(self, name: str, wanted: int, due: datetime | None = None) -> Sequence[tuple[str, str]]:
        try:
            return self._store.next_in_line(_holder(name), wanted, due)
        except StoreError as error:
            log.warning("connection.line_not_called", connection=name, why=str(error))
            return []

    def _wanted(self, name: str, peer: Peer) -> int:
        """How many of the line may come now."""
        state, limits, now, line = self.state(name), self._limits(name), self._now(), peer.line
        if state.paused or state.open_until is not None or _maintained(limits, now) is not None:
            return 0
        if peer.throttled_until is not None and peer.throttled_until > now:
            return 0
        places = (limits.at_once or _CROWD) - peer.under_way - line.coming
        if limits.per_minute is not None:
            places = min(places, limits.per_minute - _asked(peer, now) - line.coming)
        return max(0, places)

    def _next_slot(self, name: str, peer: Peer) -> datetime | None:
        """When one of the line has to come, because nobody may ask before and nobody would come."""
        per_minute, now = self._limits(name).per_minute, self._now()
        if per_minute is None or not peer.line.stands or _asked(peer, now) < per_minute or peer.line.expected(now):
            return None
        due = peer.asked[0] + _MINUTE
        peer.line.expect(due)
        return due

    def _admit(self, name: str, peer: Peer, node: str) -> bool:
        """Whether this one is the probe of an open breaker. Raises ``Halted``."""
        state, limits, now, line = self.state(name), self._limits(name), self._now(), peer.line
        if state.paused_now(now):
            raise _stopped(state, f"{node}: connection {name} is paused: {state.why}")
        if state.paused:
            state = self._pause_is_over(name, now)
        until = _maintained(limits, now)
        if until is not None:
            raise _later(node, name, line.join(now, until), "is in maintenance")
        if peer.throttled_until is not None and peer.throttled_until > now:
            raise _later(node, name, line.join(now, peer.throttled_until), "asked us to wait")
        if state.open_until is not None:
            if state.open_until > now:
                due = line.join(now, state.open_until)
                raise _later(node, name, due, f"does not answer ({state.failures} times in a row)")
            if peer.probing:
                raise _later(node, name, line.join(now, now + _SOON), "is being tried by another run")
        if limits.at_once is not None and peer.under_way + line.coming >= limits.at_once:
            due = line.join(now, now + _SOON)
            raise _later(node, name, due, f"is asked {limits.at_once} times at once")
        if limits.per_minute is not None:
            self._within_rate(peer, limits.per_minute, node, name, now)
        return state.open_until is not None

    def _within_rate(self, peer: Peer, per_minute: int, node: str, name: str, now: datetime) -> None:
        if _asked(peer, now) + peer.line.coming >= per_minute:
            due = peer.line.join(now, peer.asked[0] + _MINUTE if peer.asked else now + _SOON)
            raise _later(node, name, due, f"is asked {per_minute} times a minute")

    # what came back

    def answered(self, name: str) -> None:
        """The peer is there; an open breaker closes. A pause that somebody else has just made stays."""
        state = self.state(name)
        if state.failures or state.open_until is not None:
            self._write(after_answer(state))
            self._call_next(name, self._peers.setdefault(name, Peer()))

    def failed(self, name: str, error: ConnectorError) -> bool:
        """Counts what the error says of the peer; True where it is out or asked us to wait, so that the run's
        attempt does not count."""
        if isinstance(error, CredentialsRefused):
            self.pause(name, Said("orderly", error.message))
            return True
        if not isinstance(error, NotSent | OutcomeUnknown):
            self.answered(name)
            return False
        wait = getattr(error, "retry_after", None) or error.details.get("retry_after")
        if wait:
            with self._lock:
                self._peers.setdefault(name, Peer()).throttled_until = self._now() + timedelta(seconds=float(wait))
        if wait or error.code:
            self.answered(name)
            return bool(wait)
        with self._counting:
            self.refresh()
            state = after_outage(self.state(name), self._limits(name).breaker, self._now())
            self._write(state)
        return state.open_until is not None

    def halted(self, name: str, told: str) -> Halted:
        """How a run stops whose peer is out, asked us to wait, or is paused, which ``failed`` said."""
        state = self.state(name)
        if state.paused:
            return _stopped(state, f"{told}; connection {name} is paused")
        due = state.open_until or self.throttled_until(name)
        return Halted(RunState.WAITING, due, told, f"connection:{name}")

    # people

    def pause(self, name: str, said: Said, until: datetime | None = None) -> None:
        """Nobody asks the peer until it is resumed, or until then; the audit has who said so."""
        self.refresh()
        state = replace(self.state(name), paused=True, why=said.why, by=said.by)
        self._write(replace(state, paused_at=self._now(), paused_until=until), said)

    def resume(self, name: str, said: Said) -> list[str]:
        """Ends a pause, and closes the breaker; lets the held runs go, oldest first: they are to be rung."""
        return list(self._write(ConnectionState(name), said))

    def _pause_is_over(self, name: str, now: datetime) -> ConnectionState:
        """Whoever asks first after its time says so to all. Its runs wait until the same moment: they come by
        themselves."""
        self.refresh()
        if self.state(name).paused and not self.state(name).paused_now(now):
            self._write(ConnectionState(name), Said("orderly", "the time of the pause was over"))
        return self.state(name)

    def _write(self, state: ConnectionState, said: Said | None = None) -> Sequence[str]:
        known = self._states.get(state.name, ConnectionState(state.name))
        if (known.paused, known.open_until is None) != (state.paused, state.open_until is None):
            log.warning("connection.changed", connection=state.name, paused=state.paused, why=state.why,
                        open_until=state.open_until and state.open_until.isoformat())  # fmt: skip
        freed = self._store.put_connection_state(state, said)
        self.refresh()
        return freed


def _stopped(state: ConnectionState, why: str) -> Halted:
    """By a pause: held until somebody resumes, or waiting for its end."""
    until, holder = state.paused_until, f"connection:{state.name}"
    if until is None:
        return Halted(RunState.HELD, None, why, holder)
    return Halted(RunState.WAITING, until, f"{why}; until {until:%Y-%m-%d %H:%M} UTC", holder)


def _later(node: str, name: str, due: datetime, why: str) -> Halted:
    told = f"{node}: connection {name} {why}; it goes on in its turn, and asks again at {due:%H:%M:%S} UTC"
    return Halted(RunState.WAITING, due, told, _holder(name))


def _holder(name: str) -> str:
    return f"connection:{name}"


def _asked(peer: Peer, now: datetime) -> int:
    """How many asked within the last minute."""
    while peer.asked and peer.asked[0] <= now - _MINUTE:
        peer.asked.popleft()
    return len(peer.asked)


def _maintained(limits: Limits, now: datetime) -> datetime | None:
    """The end of the maintenance window we are in."""
    ends = []
    for window in limits.maintenance:
        began = Cron(window.cron, window.zone).latest(now - window.for_, now)
        if began is not None:
            ends.append(began + window.for_)
    return max(ends, default=None)
