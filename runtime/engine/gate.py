"""Before a peer is asked: is it paused, out, in maintenance, or asked enough already?

Pauses, the breaker, a wait that the peer asked for, and the numbers of ``at_once`` and ``per_minute`` are shared
over all processes through the store. A run that is not let through keeps its attempts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from connectors.sdk import ConnectorError, CredentialsRefused, NotSent, OutcomeUnknown
from runtime.engine.dispatcher import Ring
from runtime.engine.failure import Halted
from runtime.engine.leases import Leases
from runtime.engine.line import Line
from runtime.model.cron import Cron
from runtime.model.limits import Called, Limits, after_answer, after_outage
from runtime.model.run import ConnectionState, Run, RunState
from runtime.model.sought import Said
from runtime.store.store import ClientStore, StoreError

log = structlog.get_logger()
_FRESH = 1.0
_SOON = timedelta(milliseconds=200)
#: In seconds: a peer that asks for longer is asked again after a day, whichever connector it asked.
_LONGEST_WAIT = 86_400.0
#: Runs of a line that one process has on their way at one time.
_CROWD = 16


@dataclass(frozen=True)
class Asker:
    """The run that asks, the process that has it, and for how many seconds that one vouches for it at a time."""

    run: Run
    leases: Leases
    seconds: float


@dataclass
class Peer:
    """One connection as this process uses it. ``left``: places that the store has not been told of yet."""

    under_way: int = 0
    probing: bool = False
    line: Line = field(default_factory=Line)
    left: list[str] = field(default_factory=list)


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

    def refresh(self) -> None:
        self._states = self._store.connection_states()
        self._read_at = time.monotonic()

    @contextmanager
    def through(self, name: str, node: str, asker: Asker) -> Iterator[None]:
        """Holds a place while the peer is asked. Leaves by ``Halted`` where it may not be asked now."""
        limits = self._limits(name)
        with self._lock:
            peer = self._peers.setdefault(name, Peer())
            peer.line.arrive(asker.run.id, stood=asker.run.held_by == _holder(name))
            probe = self._admit(name, peer, limits, node)
            peer.under_way += 1
            peer.probing = peer.probing or probe
        try:
            place = self._take(name, peer, limits, node, asker)
        except BaseException:
            self._gone(peer, probe, None)
            raise
        try:
            yield
        finally:
            if place is not None:
                asker.leases.leave_place(place)
            self._gone(peer, probe, place)
            self._call_next(name, peer, limits)

    def _gone(self, peer: Peer, probe: bool, place: str | None) -> None:
        with self._lock:
            peer.under_way -= 1
            if probe:
                peer.probing = False
            if place is not None:
                peer.left.append(place)

    def _take(self, name: str, peer: Peer, limits: Limits, node: str, asker: Asker) -> str | None:
        """A place at a bounded peer, among those of all processes."""
        if not limits.bounded:
            return None
        self._give_back(name, peer, limits)
        taken = self._store.take_place(name, limits, asker.run.id, asker.leases.owner, asker.seconds)
        if taken.place is None:
            now = self._now()
            with self._lock:
                due = peer.line.join(now, taken.again or now + _SOON)
            raise _later(node, name, due, taken.why)
        asker.leases.keep_place(taken.place)
        return taken.place

    def _give_back(self, name: str, peer: Peer, limits: Limits) -> None:
        """What could not be given back before, as when the store was away."""
        with self._lock:
            left, peer.left = peer.left, []
        if left and self._called(name, limits, left, 0) is None:
            with self._lock:
                peer.left += left

    def _call_next(self, name: str, peer: Peer, limits: Limits) -> None:
        """Of those in the line as many as may ask; where no more may ask this minute, one for when the next may.
        Whoever was let through goes on whatever becomes of this: those of the line come by themselves too."""
        with self._lock:
            if not peer.left and not peer.line.stands:
                return
            wanted = self._wanted(name, peer, limits)
            if not peer.left and not wanted:
                return
            left, peer.left = peer.left, []
            peer.line.call(wanted)
        called = self._called(name, limits, left, wanted)
        now = self._now()
        with self._lock:
            if called is None:
                peer.left += left
            given = called or Called(more=True)
            peer.line.called([run for run, _ in given.runs], wanted, more=given.more)
            later = given.later if peer.line.stands and not peer.line.expected(now) else None
        for run, lane in given.runs:
            self._ring(run, lane)
        if later is not None and (first := self._called(name, Limits(), [], 1, later)) and first.runs:
            with self._lock:
                peer.line.expect(later)

    def _called(
        self, name: str, limits: Limits, left: Sequence[str], wanted: int, due: datetime | None = None
    ) -> Called | None:
        """``None`` where the store could not do it: the places lapse, or are given back with the next."""
        try:
            if limits.bounded:
                return self._store.leave_places(name, limits, left, wanted)
            runs = self._store.next_in_line(_holder(name), wanted, due)
            return Called(tuple(runs), len(runs) == wanted)
        except StoreError as error:
            log.warning("connection.line_not_called", connection=name, why=str(error))
            return None

    def _wanted(self, name: str, peer: Peer, limits: Limits) -> int:
        """How many of the line this process would have come now."""
        try:
            state, now = self.state(name), self._now()
        except StoreError as error:
            log.warning("connection.line_not_called", connection=name, why=str(error))
            return 0
        if state.paused or state.open_until is not None or state.waits(now) or _maintained(limits, now) is not None:
            return 0
        return max(0, _CROWD - peer.under_way - peer.line.coming)

    def _admit(self, name: str, peer: Peer, limits: Limits, node: str) -> bool:
        """Whether this one is the probe of an open breaker. Raises ``Halted``."""
        state, now, line = self.state(name), self._now(), peer.line
        if state.paused_now(now):
            raise _stopped(state, f"{node}: connection {name} is paused{_because(state.why)}")
        if state.paused:
            state = self._pause_is_over(name, now)
        until = _maintained(limits, now)
        if until is not None:
            raise _later(node, name, line.join(now, until), "is in maintenance")
        if state.wait_until is not None and state.waits(now):
            raise _later(node, name, line.join(now, state.wait_until), "asked us to wait", stopped=True)
        if state.open_until is not None:
            if state.open_until > now:
                due = line.join(now, state.open_until)
                raise _later(node, name, due, f"does not answer ({state.failures} times in a row)", stopped=True)
            if peer.probing:
                raise _later(node, name, line.join(now, now + _SOON), "is being tried by another run")
        return state.open_until is not None

    # what came back

    def answered(self, name: str) -> None:
        """The peer is there; an open breaker closes. A pause that somebody else has just made stays."""
        state = self.state(name)
        if state.failures or state.open_until is not None:
            self._write(after_answer(state))
            self._call_next(name, self._peers.setdefault(name, Peer()), self._limits(name))

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
            until = self._now() + timedelta(seconds=min(float(wait), _LONGEST_WAIT))
            self._write(replace(self.state(name), wait_until=until))
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
        due = state.open_until or state.wait_until or self._now() + _SOON
        return Halted(RunState.WAITING, due, told, _holder(name))

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
            over = replace(self.state(name), paused=False, why="", by="", paused_at=None, paused_until=None)
            self._write(over, Said("orderly", "the time of the pause was over"))
        return self.state(name)

    def _write(self, state: ConnectionState, said: Said | None = None) -> Sequence[str]:
        known = self._states.get(state.name, ConnectionState(state.name))
        if (known.paused, known.open_until is None) != (state.paused, state.open_until is None):
            log.warning("connection.changed", connection=state.name, paused=state.paused, why=_why(state, said),
                        open_until=state.open_until and state.open_until.isoformat())  # fmt: skip
        freed = self._store.put_connection_state(state, said)
        self.refresh()
        return freed


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _why(state: ConnectionState, said: Said | None) -> str:
    if state.paused:
        return state.why or f"paused by {state.by}"
    if state.open_until is not None:
        return f"it does not answer, {state.failures} times in a row"
    if said is not None:
        return said.why or f"{said.by} resumed it"
    return "it answers again"


def _stopped(state: ConnectionState, why: str) -> Halted:
    """By a pause: held until somebody resumes, or waiting for its end."""
    until, holder = state.paused_until, _holder(state.name)
    if until is None:
        return Halted(RunState.HELD, None, why, holder, stopped=True)
    return Halted(RunState.WAITING, until, f"{why}; until {until:%Y-%m-%d %H:%M} UTC", holder, stopped=True)


def _later(node: str, name: str, due: datetime, why: str, *, stopped: bool = False) -> Halted:
    told = f"{node}: connection {name} {why}; the run goes on in its turn, and asks again at {due:%H:%M:%S} UTC"
    return Halted(RunState.WAITING, due, told, _holder(name), stopped)


def _holder(name: str) -> str:
    return f"connection:{name}"


def _maintained(limits: Limits, now: datetime) -> datetime | None:
    """The end of the maintenance window we are in."""
    ends = []
    for window in limits.maintenance:
        began = Cron(window.cron, window.zone).latest(now - window.for_, now)
        if began is not None:
            ends.append(began + window.for_)
    return max(ends, default=None)
