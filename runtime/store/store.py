"""The store as the engine and everyone above sees it; ``sqlite`` (and later ``postgresql``) implement it.

Every method of ``ClientStore`` is bound to one client. Only sweeper, clock and dispatcher hold the whole
``Store``. A method that writes returns after the commit is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from connectors.sdk import Blobs
from runtime.model.limits import Called, Limits, Taken
from runtime.model.run import (
    LANES,
    ApprovalRow,
    AttemptRow,
    Checkpoint,
    Committed,
    ConnectionState,
    Created,
    EventRow,
    ExceptionRow,
    ExpectationRow,
    IntentRow,
    Lease,
    Loaded,
    NewRun,
    OutcomeRow,
    Position,
    Run,
    RunState,
    TimerRow,
)
from runtime.model.sought import Onto, Said, Sought

if TYPE_CHECKING:
    from runtime.store.batches import Batches
    from runtime.store.exchange import Interchanges
    from runtime.store.exchange_followed import Late


class StoreError(Exception):
    """The store could not do it; nothing of that unit was written."""


class Unavailable(StoreError):
    """Disk full, locked, stopping: the caller may try again later. Nothing was stored."""


class InUse(Unavailable):
    """Another process has the store."""


class NotFound(StoreError):
    """No such row for this client."""


class StaleLease(StoreError):
    """Another worker holds the run now; what was to be committed was refused."""


class Overtaken(StaleLease):
    """Somebody cancelled the run, or began with it, between the look at it and the first commit; nothing was
    written."""


class IdentityConflict(StoreError):
    """The identity is known with another body. ``run`` is the first run."""

    def __init__(self, identity: str, run: str) -> None:
        super().__init__(f"identity {identity!r} was accepted before with another body, as run {run}")
        self.identity = identity
        self.run = run


class Refused(StoreError):
    """The row is not in a state that allows it (already decided, already finished)."""


@dataclass(frozen=True)
class Page:
    """Newest first. ``after`` is the id to pass on for the next page, or ``None`` at the end."""

    rows: Sequence[Any]
    after: str | None


@dataclass(frozen=True)
class Story:
    """Everything known of one run, for its time line."""

    run: Run
    body: Any
    headers: Mapping[str, str]
    raw: str | None
    content_type: str
    keys: Mapping[str, str]
    outcomes: Sequence[OutcomeRow]
    attempts: Sequence[AttemptRow]
    intents: Sequence[IntentRow]
    timers: Sequence[TimerRow]
    expectations: Sequence[ExpectationRow]
    events: Sequence[EventRow]
    exceptions: Sequence[ExceptionRow]
    approvals: Sequence[ApprovalRow]
    children: Sequence[Run]


#: A person's decision and the state that the approval comes to, made of the approval as it stands: a pure function,
#: asked again where the transaction has to be repeated. What it raises, nothing is written of.
Judge = Callable[[ApprovalRow], tuple[Mapping[str, Any], str]]


class ClientStore(Protocol):
    client: str
    blobs: Blobs
    interchanges: Interchanges
    batches: Batches

    # runs
    def create_run(
        self, new: NewRun, owner: str = "", seconds: float = 0.0, *, said: Said | None = None
    ) -> Created:
        """Idempotent receiver. Raises ``IdentityConflict``. The new run is ``ready`` and due at once; with an
        ``owner`` it is leased to that one for so many seconds, in the same commit.

        One that reprocesses another takes its place under its identity and with those who called it. Raises
        ``Refused`` where that other one may still go on or has a successor, and where it, or a run that it called,
        did something that must happen once and was neither undone nor is carried over (``NewRun.carry``). ``said``
        goes into the audit of the other one."""

    def find_identity(self, flow: str, identity: str) -> tuple[Run, str] | None:
        """The first run accepted under that identity and its digest."""

    def run(self, id: str) -> Run:
        """Raises ``NotFound``."""

    def story(self, id: str) -> Story:
        """Raises ``NotFound``."""

    def runs(
        self,
        *,
        states: Sequence[RunState] = (),
        flow: str = "",
        key: str = "",
        limit: int = 50,
        before: str | None = None,
    ) -> Page:
        """``key`` is the value of a business key, of any name, or a run id."""

    def found_runs(self, sought: Sought, *, limit: int = 50, before: str | None = None) -> Page:
        """Runs for which everything holds that is sought."""

    def successors(self, run: str) -> Sequence[Run]:
        """The run that this one was reprocessed as, if any."""

    def ahead_of(self, flow: str, order_key: str, run: str) -> str | None:
        """The run of the same key that this one stands behind."""

    def held(self) -> Mapping[str, int]:
        """How many runs each holder keeps from going on, by ``held_by``."""

    def failures(self, runs: Sequence[str]) -> Mapping[str, str]:
        """The kind of each run's failure, or the type of its error, by run."""

    def assignees(self, runs: Sequence[str]) -> Mapping[str, str]:
        """Who was given a run to repair, by run."""

    def keys_of(self, runs: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Business keys by run id."""

    def counts(self) -> Mapping[RunState, int]: ...

    def redrive(
        self, run: str, said: Said | None = None, *, onto: Onto | None = None, again: Sequence[Position] = (),
        seen: str = "",
    ) -> None:  # fmt: skip
        """Dead, exception and held runs become ready: failed outcomes are cleared, attempts start anew,
        the run's open exceptions are resolved. Where an undo stopped half-way nothing is cleared: the run comes to
        the same end and undoes the rest. ``onto`` is the release it goes on with, if not its own; outcomes of nodes
        without an effect that are to be done ``again`` are cleared too. Raises
        ``Refused`` in any other state, for a run that was undone, reprocessed or stands in line for its key, and
        where the run is no longer as it was ``seen`` (``Run.stamp``)."""

    def cancel(
        self, run: str, why: str, said: Said | None = None, *, undo: bool = False, seen: str = ""
    ) -> Sequence[str]:
        """Finishes a run that is not finished and not leased; returns runs to ring. With ``undo`` it becomes ready,
        to undo what it did and then to finish so. Raises ``Refused``, also where it is not known what there is to
        undo."""

    def let_go(self, holder: str, said: Said | None = None) -> Sequence[str]:
        """Runs held by ``connection:<name>`` or ``restore``, or waiting for their pause to end, become ready,
        oldest first; they are to be rung. What was ``said``, and how many there were, is in the audit by the same
        commit."""

    def step_aside(self, run: str, said: Said | None = None) -> Sequence[str]:
        """The runs of its key no longer wait for this one; returns the next, to be rung. Raises ``Refused`` where
        nobody stands behind it: it has no key, is over, or stands in line itself."""

    def refusals(self, action: str, runs: Sequence[str]) -> Mapping[str, str]:
        """Which of the runs ``redrive``, ``cancel``, ``undo`` or ``reprocess`` would refuse now, and why."""

    def settle(
        self,
        run: str,
        node: str,
        iteration: str,
        happened: bool,
        output: Any,
        by: str,
        why: str,
        name: str = "done",
    ) -> None:
        """A person's word on an uncertain node: it happened (``output`` under ``name`` becomes its outcome, unread)
        or it did not (it is sent again). The run becomes ready, and the audit says who said it. Raises ``Refused``
        where the node is not uncertain and where the run is over."""

    # releases
    def put_release(self, hash: str, content: Mapping[str, Any]) -> None: ...
    def release(self, hash: str) -> Mapping[str, Any]: ...

    # exceptions
    def raise_exception(self, row: ExceptionRow, cursor: Any = None) -> str:
        """For what has no run: an unreadable file, an overdue expectation. Returns its id; that of the first one
        where the same bytes come again with the same ``identity`` in their details while it is open."""

    def exceptions(self, *, state: str = "open", limit: int = 50, before: str | None = None) -> Page: ...
    def found_exceptions(self, sought: Sought, *, limit: int = 50, before: str | None = None) -> Page:
        """Exceptions for which everything holds that is sought."""

    def exception(self, id: str) -> ExceptionRow: ...
    def assign(self, id: str, assignee: str, note: str = "", said: Said | None = None) -> None:
        """An empty note leaves the old one. Raises ``NotFound``, and ``Refused`` where it is resolved."""

    def resolve_exception(self, id: str, by: str, note: str, said: Said | None = None) -> None: ...

    # approvals
    def approvals(self, *, state: str = "open", limit: int = 50, before: str | None = None) -> Page: ...
    def approval(self, id: str) -> ApprovalRow: ...

    def decide(self, id: str, judge: Judge, said: Said | None = None, action: str = "") -> ApprovalRow:
        """Appends the decision and sets the state (open, approved, rejected); the run, which is then to be rung, is
        signalled unless it stays open. Of several at one time each one sees what the one before decided. What is
        ``said`` is audited as ``action`` with the new state, in the same commit. Raises ``Refused`` where the
        approval is not open any more, and whatever ``judge`` raises."""

    # events
    def publish(self, event: EventRow) -> Sequence[str]:
        """An event from outside a run; returns runs to ring."""

    def events_after(self, position: int, types: Sequence[str], limit: int = 100) -> Sequence[EventRow]: ...
    def subscription(self, name: str) -> int:
        """The last position the subscription has handled; 0 at first."""

    def start_from_event(self, name: str, position: int, new: NewRun | None) -> Created | None:
        """Moves the subscription on and starts the run, in one commit."""

    # sources and clock
    def cursor(self, name: str) -> Any: ...
    def put_cursor(self, name: str, value: Any) -> None: ...
    def last_tick(self, flow: str) -> datetime | None: ...
    def tick(self, flow: str, due: datetime, new: NewRun | None) -> Created | None:
        """One run per (flow, due time), however many clocks ask. ``None`` where it was there already."""

    def allocate(self, series: str, last: int, run: str, node: str, iteration: str) -> int:
        """The next number of the series, or the one this position was given before."""

    # connections
    def connection_states(self) -> Mapping[str, ConnectionState]:
        """By name; a connection that never was in trouble has none."""

    def put_connection_state(self, state: ConnectionState, said: Said | None = None) -> Sequence[str]:
        """What the breaker counts leaves a pause as it is; a pause and its end are ``said``, and the audit has
        them. Where it ends, its runs become ready, oldest first; they are returned, to be rung. Where it is to end
        by itself, they wait for that."""

    def next_in_line(self, holder: str, most: int, due: datetime | None = None) -> Sequence[tuple[str, str]]:
        """Of the runs that wait for ``connection:<name>`` the oldest come at ``due``, or now: id and lane, to be
        rung. Those that come by then anyway are passed over."""

    def take_place(self, name: str, bounds: Limits, run: str, owner: str, seconds: float) -> Taken:
        """At a connection with bounds, counted over all processes: it is kept for so many seconds, for as long as
        ``keep_places`` is called for it. A run that was called from the line has its place kept for a
        moment."""

    def leave_places(self, name: str, bounds: Limits, ids: Sequence[str], most: int) -> Called:
        """Those places are free; of the line as many runs as may ask now, at most ``most``, are due at once, oldest
        first: they are to be rung."""

    # audit
    def audit(self, actor: str, action: str, subject: str, details: Mapping[str, Any] | None = None) -> None: ...
    def audit_trail(
        self, limit: int = 100, *, since: datetime | None = None, until: datetime | None = None, **holds: str
    ) -> Sequence[Mapping[str, Any]]:
        """Newest first; ``holds`` are ``actor``, ``action`` and ``subject``, whole."""

    def audit_of(self, subject: str, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """What was done to one run, exception or connection, newest first."""


class Store(Protocol):
    """The whole store."""

    def for_client(self, client: str) -> ClientStore: ...
    def register_client(self, client: str, name: str) -> None: ...

    def now(self) -> datetime:
        """The store's clock, aware UTC."""

    def acquire(self, run: str, owner: str, seconds: float) -> Lease | None:
        """A lease on a runnable run: ready, due and waiting or uncertain, or leased by someone whose lease ran
        out. ``None`` otherwise. Each lease has a higher fence."""

    def begin(self, run: str, owner: str, seconds: float) -> tuple[Lease, Loaded] | None:
        """``acquire`` and ``load`` in one. A store that belongs to one process, which knows by itself what it works
        on, leaves it to the first commit to write the lease of a run that begins: one commit less for each."""

    def extend(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease]:
        """One statement for all; returns those that are still held."""

    def keep_places(self, owner: str, ids: Sequence[str], seconds: float) -> int:
        """Those of the places that a process took at its peers, for so long from now; the others lapse."""

    def load(self, lease: Lease) -> Loaded:
        """Ids, states and what is small. Raises ``NotFound`` where the run is gone."""

    def read_body(self, lease: Lease) -> Any:
        """The message's body, which ``load`` left where it is."""

    def read_outcome(self, lease: Lease, position: Position) -> OutcomeRow:
        """The whole row of a finished position."""

    def commit(self, lease: Lease, checkpoint: Checkpoint, seconds: float) -> Committed:
        """One transaction. Raises ``StaleLease`` (nothing written) or ``IdentityConflict`` of a child (nothing
        written). Events meet expectations and fire timers; a finished child signals its waiting caller."""

    def evidence(self, lease: Lease, outcome: OutcomeRow) -> bool:
        """An outcome that came with a stale fence: kept as an attempt, and settles the position where it is
        still uncertain, unread (then True)."""

    def due(self, limit: int = 100, grace: float = 0.0, lanes: Sequence[str] = LANES) -> Sequence[str]:
        """Runs that may be advanced now and are not leased, lane by lane, in each the oldest first and ``limit`` at
        most; ready ones only after they were so for ``grace`` seconds."""

    def lane(self, run: str) -> str:
        """Of any client's run; empty where there is no such run."""

    def next_due(self) -> datetime | None:
        """When the next waiting run, lease, expectation or approval comes due."""

    def overdue(self, limit: int = 100) -> Sequence[tuple[str, ExpectationRow]]:
        """(client, expectation) past their time; marks them overdue and raises their exceptions. Approvals past
        theirs expire, which makes the runs that asked for them due."""

    def follow_up(self, limit: int = 100) -> Sequence[Late]:
        """Of what was written for partners: marks what was sent, what was not and never will be (void), their
        control numbers too, and what is not acknowledged in time. Returns these: each is an exception."""

    def close(self) -> None: ...
