"""Runs and everything that hangs on one, as plain rows: immutable values without behaviour.

Times are aware UTC. JSON values are Python values; ``None`` where a column is NULL.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Final


class RunState(StrEnum):
    """What a run shows, in the order in which branches outshout each other: ``uncertain`` first."""

    UNCERTAIN = "uncertain"
    DEAD = "dead"
    EXCEPTION = "exception"
    HELD = "held"
    WAITING = "waiting"
    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    CANCELLED = "cancelled"


#: Most pressing first; each has workers of its own.
LANES = ("urgent", "normal", "bulk")

FINISHED = frozenset({RunState.DONE, RunState.CANCELLED})


class OutcomeState(StrEnum):
    DONE = "done"
    RETRYING = "retrying"
    WAITING = "waiting"
    UNCERTAIN = "uncertain"
    DEAD = "dead"
    EXCEPTION = "exception"
    UNDONE = "undone"


class IntentState(StrEnum):
    OPEN = "open"
    SETTLED = "settled"
    NOT_DONE = "not_done"


@dataclass(frozen=True)
class Position:
    """One execution of one node: ``iteration`` is a path such as ``""``, ``"3"``, ``"3.0"``."""

    node: str
    iteration: str = ""


@dataclass(frozen=True)
class Caller:
    """The node that started a child run."""

    run: str
    node: str
    iteration: str
    waits: bool = False


@dataclass(frozen=True)
class Lease:
    """Who may advance a run. One of a run that nobody advanced before may not be ``written`` yet: the first commit
    under it does that, if the run still is as it was."""

    run: str
    client: str
    owner: str
    fence: int
    written: bool = True


@dataclass(frozen=True)
class Carry:
    """What becomes of effects of a reprocessed run that must happen once, and of runs that it called, where they
    are not to be repeated: a person's decision. The outcomes at ``kept`` are taken over as they stand; ``stated``
    are outcomes of open effects, as the person says that they came to (unread); ``denied`` did not happen."""

    kept: tuple[Position, ...] = ()
    stated: tuple[OutcomeRow, ...] = ()
    denied: tuple[Position, ...] = ()


def source_cursor(flow: str) -> str:
    """The name under which it is kept how far a flow's poll has come."""
    return f"source:{flow}"


@dataclass(frozen=True)
class NewRun:
    """What ``create_run`` stores in one commit: the raw bytes' reference, the mapped body, the run.

    ``identity`` and ``digest`` make the idempotent receiver: unique per (client, flow, identity); ``digest`` is
    SHA-256 of the canonical JSON of the body (RFC 8785), for files of the bytes. ``raw_bytes`` are those that
    ``raw`` refers to, where they are not stored yet: they are kept in the run's own commit. Runs of one flow with
    the same ``order_key`` go one after the other; ``lane`` says which workers take it. ``cursor``: how far the
    flow's poll has come with it, kept in the same commit, for a duplicate too.
    """

    flow: str
    version: str
    release: str
    body: Any
    digest: str
    source: str
    identity: str | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    keys: tuple[tuple[str, str], ...] = ()
    raw: str | None = None
    raw_bytes: bytes | None = dataclasses.field(default=None, repr=False)
    content_type: str = "application/json"
    caller: Caller | None = None
    reprocess_of: str | None = None
    order_key: str | None = None
    lane: str = "normal"
    carry: Carry | None = None
    cursor: Any = None


@dataclass(frozen=True)
class Created:
    """``duplicate``: the identity was known with the same body; ``run`` is the first run. ``lease`` is there
    where the run was created for someone who goes on with it at once. ``lane`` is empty where nobody looked."""

    run: str
    duplicate: bool
    state: RunState
    lease: Lease | None = None
    lane: str = ""


#: The outcome of a run that a person cancels, from the moment they do. Where it has to be undone first, the run
#: goes on with this outcome until nothing is left to undo, and runs no node any more.
CANCELLED = "cancelled"


@dataclass(frozen=True)
class Run:
    id: str
    client: str
    flow: str
    version: str
    release: str
    message: str
    state: RunState
    source: str
    identity: str | None
    created_at: datetime
    checkpoint_at: datetime
    due_at: datetime | None
    finished_at: datetime | None
    why: str
    outcome: str | None
    reply: dict[str, Any] | None
    caller: Caller | None
    reprocess_of: str | None
    fence: int
    signals: int
    held_by: str = ""
    order_key: str | None = None
    lane: str = "normal"

    @property
    def stamp(self) -> str:
        """Another one whenever somebody did something with the run."""
        return f"{self.state}.{self.fence}.{self.signals}"


class NotRead(Enum):
    """In place of a payload that is stored and was not asked for yet."""

    NOT_READ = 1


NOT_READ: Final = NotRead.NOT_READ


@dataclass(frozen=True)
class OutcomeRow:
    """The latest known outcome of a position. ``name`` is the operation's outcome (done, approved, …).

    ``error`` is ``{"type", "message", "kind", "owner", "code", "next_action", "details", "field"}``.
    ``undo`` is what an undo would send: ``{"type", "connection", "effect", "parameters"}``, resolved.
    ``unread``: done by a person's word or by an outcome that came late, and the flow has not taken it in yet: its
    undo is not resolved and its keys are not stored.
    """

    node: str
    iteration: str
    state: OutcomeState
    name: str = "done"
    output: Any = None
    error: dict[str, Any] | None = None
    attempts: int = 1
    due_at: datetime | None = None
    undo: dict[str, Any] | None = None
    engine: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    unread: bool = False

    @property
    def happened(self) -> bool:
        """False for a failure that something took care of, though its position is done."""
        return self.state is OutcomeState.DONE and not (self.name == "failed" and self.error is not None)


@dataclass(frozen=True)
class IntentRow:
    """Committed before every effect but ``none``; retries send ``parameters`` and evaluate nothing again.

    ``look_up`` is resolved too: ``{"type", "connection", "parameters"}``.
    """

    node: str
    iteration: str
    effect: str
    operation: str
    connection: str | None
    parameters: Any
    look_up: dict[str, Any] | None = None
    state: IntentState = IntentState.OPEN
    fence: int = 0
    opened_at: datetime | None = None


@dataclass(frozen=True)
class AttemptRow:
    """Append-only: one try of one position, what was said and what came back."""

    node: str
    iteration: str
    number: int
    kind: str
    started_at: datetime
    finished_at: datetime
    result: str
    error: dict[str, Any] | None = None
    input: Any = None


@dataclass(frozen=True)
class TimerRow:
    """A suspended position: an instant, an event (type, key), or both. ``event`` is what arrived."""

    node: str
    iteration: str
    due_at: datetime | None
    event_type: str | None = None
    event_key: str | None = None
    state: str = "open"
    event: dict[str, Any] | None = None


@dataclass(frozen=True)
class ExpectationRow:
    """What must come back. Met by an event of that type and key, whenever it comes. ``within`` in seconds
    counts from the node's outcome: ``due_at`` is empty until then. An event that came since ``earlier`` seconds
    before the run began meets it as it is written. One that ``moves`` ends those of other runs; where it is not
    ``open`` itself, that is all it does."""

    node: str
    iteration: str
    event_type: str
    event_key: str
    within: float
    due_at: datetime | None = None
    state: str = "open"
    id: str = ""
    earlier: float = field(default=0.0, metadata={"stored": False})
    moves: bool = field(default=False, metadata={"stored": False})


@dataclass(frozen=True)
class EventRow:
    type: str
    key: str
    data: Any
    node: str = ""
    id: str = ""
    position: int = 0
    run: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class ExceptionRow:
    """A business failure with an owner. ``kind`` is a word such as ``budget_exceeded``."""

    kind: str
    owner: str
    message: str
    node: str = ""
    iteration: str = ""
    field: str = ""
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    run: str | None = None
    raw: str | None = None
    expectation: str | None = None
    id: str = ""
    state: str = "open"
    assignee: str = ""
    note: str = ""
    flow: str = ""
    at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""


@dataclass(frozen=True)
class ApprovalRow:
    """``step`` asks for ``needs`` decisions by people holding ``role``; ``decisions`` are kept as given."""

    node: str
    iteration: str
    policy: str
    policy_hash: str
    document: Any
    document_hash: str
    requester: str
    role: str
    needs: int = 1
    reason: str = ""
    id: str = ""
    run: str = ""
    flow: str = ""
    state: str = "open"
    decisions: tuple[dict[str, Any], ...] = ()
    created_at: datetime | None = None
    due_at: datetime | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True)
class ChildRun:
    """A ``call_flow`` to be started in the caller's commit."""

    node: str
    iteration: str
    run: NewRun


@dataclass(frozen=True)
class Checkpoint:
    """Everything one commit of a run writes, all or nothing.

    ``state`` set ends this advance and gives the lease back; left empty the lease goes on and is extended.
    ``held_by`` says who lets a held run go on: ``connection:<name>``; ``stopped``: it stands because that one is
    paused, out, or asked us to wait, and goes on where that is over by now. ``expects`` is false where no node of
    the run expects anything to come back.
    """

    outcomes: tuple[OutcomeRow, ...] = ()
    intents: tuple[IntentRow, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()
    timers: tuple[TimerRow, ...] = ()
    expectations: tuple[ExpectationRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    exceptions: tuple[ExceptionRow, ...] = ()
    approvals: tuple[ApprovalRow, ...] = ()
    child: ChildRun | None = None
    state: RunState | None = None
    due_at: datetime | None = None
    why: str = ""
    held_by: str = ""
    stopped: bool = False
    outcome: str | None = None
    reply: dict[str, Any] | None = None
    expects: bool = True


@dataclass(frozen=True)
class ConnectionState:
    """What is known of a peer over all processes. ``paused`` is by a person or by refused credentials, since
    ``paused_at``, and ends by itself at ``paused_until`` where that is given; the breaker is open until
    ``open_until`` after ``failures`` outages in a row, each time for ``open_for`` seconds; the peer itself asked us
    to wait until ``wait_until`` (HTTP Retry-After)."""

    name: str
    paused: bool = False
    why: str = ""
    by: str = ""
    failures: int = 0
    open_for: float = 0.0
    open_until: datetime | None = None
    changed_at: datetime | None = None
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    wait_until: datetime | None = None

    def paused_now(self, now: datetime) -> bool:
        return self.paused and (self.paused_until is None or now < self.paused_until)

    def waits(self, now: datetime) -> bool:
        """Whether the peer asked us to wait longer than now."""
        return self.wait_until is not None and now < self.wait_until

    def stopped_until(self, now: datetime) -> datetime | None:
        """When somebody who stands behind a connection that is not paused without an end comes again; ``None``
        where nothing keeps anybody away. A pause or breaker whose time is over stands until the next who asks."""
        paused_until = self.paused_until if self.paused else None
        waits = self.wait_until if self.waits(now) else None
        return max(filter(None, (paused_until, self.open_until, waits)), default=None)


@dataclass(frozen=True)
class Committed:
    """``at`` is the commit's time; ``ring`` names other runs that became runnable; ``state`` is what the
    run shows now (``ready`` where a signal overtook a wait); ``child`` is what became of the child."""

    at: datetime
    ring: tuple[str, ...] = ()
    state: RunState | None = None
    child: Created | None = None


@dataclass(frozen=True)
class Loaded:
    """A run with what is known of its nodes. ``timers``, ``approvals`` and ``children`` are those of waiting
    positions; ``children`` are the runs that were called there, as they stand now: one that was reprocessed is
    its successor, and one in state ``cancelled`` has no outcome to go on with.

    Large payloads stay where they are until they are used: ``body`` is ``NOT_READ`` (``store.read_body``) where the
    run was advanced before, ``output`` and ``undo`` of a finished outcome likewise (``store.read_outcome``), and
    ``parameters`` of a settled intent, which nobody sends again.

    ``restored_at``: the run, or one that started it, was brought back from a backup then; what was done between the
    backup and then is not known here."""

    run: Run
    body: Any
    headers: dict[str, str]
    raw: str | None
    content_type: str
    keys: dict[str, str]
    outcomes: dict[Position, OutcomeRow]
    intents: dict[Position, IntentRow]
    timers: dict[Position, TimerRow]
    approvals: dict[Position, ApprovalRow]
    children: dict[Position, Run]
    restored_at: datetime | None = None
