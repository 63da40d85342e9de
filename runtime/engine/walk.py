"""One advance of one run: walks the flow from the top, taking finished nodes from their stored outcomes.

What nodes without an effect produced is kept back and committed at the next barrier: before an effect, at a
wait, at a reply, at the end. Evaluating them again after a crash gives the same, because ``$now()`` is the time
of the last checkpoint.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runtime.engine.door import word
from runtime.engine.failure import Halted, NodeFailed, Replied, error_of
from runtime.engine.gate import Asker
from runtime.engine.leases import Leases
from runtime.engine.scope import Frame, Scope
from runtime.mapping import EvaluationError, ExpressionError
from runtime.model.flow import NodeBase
from runtime.model.run import (
    NOT_READ,
    Checkpoint,
    Committed,
    ExceptionRow,
    Lease,
    Loaded,
    OutcomeRow,
    OutcomeState,
    Position,
    RunState,
)
from runtime.store.store import Store

if TYPE_CHECKING:
    from runtime.engine.client import Client
    from runtime.model.release import Release

_ROWS = (
    "outcomes", "intents", "attempts", "keys", "events", "timers", "expectations", "exceptions", "approvals",
)  # fmt: skip
_WORST = [
    RunState.UNCERTAIN,
    RunState.DEAD,
    RunState.EXCEPTION,
    RunState.HELD,
    RunState.WAITING,
    RunState.READY,
]


@dataclass
class Pending:
    """Rows waiting for the next commit. ``dirty``: an effect happened that is not on disk yet. Safe for the
    threads of one walk."""

    rows: dict[str, list[Any]] = field(default_factory=dict)
    reply: dict[str, Any] | None = None
    dirty: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, kind: str, row: Any) -> None:
        with self.lock:
            self.rows.setdefault(kind, []).append(row)

    def put_outcome(self, row: OutcomeRow) -> None:
        """In place of an earlier one of the same position."""
        with self.lock:
            self.drop_outcome(row)
            self.rows.setdefault("outcomes", []).append(row)

    def drop_outcome(self, row: OutcomeRow) -> None:
        with self.lock:
            kept = [o for o in self.rows.get("outcomes", []) if (o.node, o.iteration) != (row.node, row.iteration)]
            self.rows["outcomes"] = kept

    def take(self) -> dict[str, Any]:
        with self.lock:
            taken = {kind: tuple(rows) for kind, rows in self.rows.items() if rows}
            self.rows.clear()
            self.dirty = False
            return taken


@dataclass(frozen=True)
class Settings:
    """How long a lease lasts, in seconds, and where chance comes from. ``perform`` stands in for operations
    where a flow is tried without its peers (the signature of ``effects.perform``)."""

    lease: float = 30.0
    chance: random.Random = field(default_factory=random.Random)
    perform: Callable[..., Any] | None = None


class Walk:
    def __init__(
        self,
        store: Store,
        client: Client,
        release: Release,
        lease: Lease,
        loaded: Loaded,
        settings: Settings,
        leases: Leases,
        until_reply: bool = False,
        deadline: float | None = None,
    ) -> None:
        self.store = store
        self.client = client
        self.release = release
        self.lease = lease
        self.loaded = loaded
        self.settings = settings
        self.leases = leases
        self.until_reply = until_reply
        self.deadline = deadline
        self.known: dict[Position, OutcomeRow] = dict(loaded.outcomes)
        self.pending = Pending()
        self.checkpoint_at = loaded.run.checkpoint_at
        self.scope = Scope(client, release, loaded, lambda: self.checkpoint_at, self.whole)
        self.ring: list[str] = []
        self.reply = loaded.run.reply
        self.happened: list[OutcomeRow] = []

    @property
    def now(self) -> datetime:
        return self.store.now()

    @property
    def run_id(self) -> str:
        return self.loaded.run.id

    def still_held(self) -> bool:
        """False once a beat found that another worker took the run."""
        return not self.lease.written or self.leases.holds(self.lease)

    # rows

    def outcome(self, node: NodeBase, frame: Frame) -> OutcomeRow | None:
        return self.known.get(Position(node.id, frame.iteration))

    def whole(self, row: OutcomeRow) -> OutcomeRow:
        """The same outcome with its payload, read now where it was left in the store."""
        if all(payload is not NOT_READ for payload in (row.output, row.undo)):
            return row
        position = Position(row.node, row.iteration)
        if self.known[position] is row:
            self.known[position] = self.store.read_outcome(self.lease, position)
        return self.known[position]

    def record(self, row: OutcomeRow) -> None:
        """Keeps an outcome for the next commit; a later one of the same position takes its place."""
        self.pending.put_outcome(row)
        self.known[Position(row.node, row.iteration)] = row

    def finish(self, node: NodeBase, frame: Frame, output: Any, name: str = "done", **more: Any) -> OutcomeRow:
        """A finished node: its outcome is recorded; ``into`` and ``keys`` follow in ``settle``."""
        now = self.now
        row = OutcomeRow(
            node.id, frame.iteration, OutcomeState.DONE, name, output,
            finished_at=now, **{"started_at": now, **more},
        )  # fmt: skip
        self.record(row)
        return row

    def settle(self, node: NodeBase, frame: Frame, row: OutcomeRow, fresh: bool) -> None:
        """The outcome's output becomes visible; keys read the body after ``into``."""
        frame.nodes[node.id] = row
        if node.into is not None:
            row = self.whole(row)
            frame.into(node.into, row.output)
        if fresh and node.keys:
            self._keys(node, frame)

    def _keys(self, node: NodeBase, frame: Frame) -> None:
        """A key that cannot be found is told to the flow's owner; what was done stays done."""
        for name, source in node.keys.items():
            try:
                value = self.scope.value(source, frame, node.id)
            except (EvaluationError, ExpressionError) as error:
                self.pending.add(
                    "exceptions",
                    ExceptionRow(
                        kind="key_not_found", owner=self.release.flow.owner, message=str(error), node=node.id,
                        iteration=frame.iteration, field=f"keys/{name}", run=self.run_id,
                    ),
                )  # fmt: skip
                continue
            if (found := word(value)) is not None:
                self.pending.add("keys", (name, found))

    def halt(self, row: OutcomeRow, state: RunState, why: str) -> Halted:
        """Records a row that is not finished; raise what this returns."""
        self.record(row)
        return Halted(state, row.due_at, why)

    # commits

    def through(self, connection: str | None, node: str) -> AbstractContextManager[None]:
        """A place at the peer. Nothing is written before it is given: a run that has to wait keeps its attempts."""
        if connection is None:
            return nullcontext()
        asker = Asker(self.loaded.run, self.leases, self.settings.lease)
        return self.client.gate.through(connection, node, asker)

    def commit(self, **more: Any) -> Committed:
        """Everything pending and ``more`` in one transaction. Raises ``StaleLease``, ``IdentityConflict``."""
        with self.pending.lock:
            return self._commit(more)

    def _commit(self, more: dict[str, Any]) -> Committed:
        taken = self.pending.take()
        for kind, rows in list(more.items()):
            if isinstance(rows, tuple) and kind in taken:
                more[kind] = taken.pop(kind) + rows
        checkpoint = Checkpoint(**taken, **more, reply=self.pending.reply, expects=self.release.expects)
        try:
            committed = self.store.commit(self.lease, checkpoint, self.settings.lease)
        except BaseException:
            self._put_back(checkpoint)
            raise
        if not self.lease.written:
            self.lease = replace(self.lease, written=True)
            if checkpoint.state is None:
                self.leases.hold(self.lease)
        if self.pending.reply is not None:
            self.reply, self.pending.reply = self.pending.reply, None
        self.checkpoint_at = committed.at
        self.ring.extend(committed.ring)
        self.happened.clear()
        return committed

    def _put_back(self, checkpoint: Checkpoint) -> None:
        for kind in _ROWS:
            for row in getattr(checkpoint, kind):
                self.pending.add(kind, row)
        self.pending.dirty = bool(self.happened)

    def before_effect(self, **more: Any) -> None:
        """Barrier: commits. The accepting thread goes no further where its reply is decided or its time is over."""
        self._let_go()
        self.commit(**more)

    def before_io(self) -> None:
        """An effect that happened is put on disk before anything that may take long."""
        self._let_go()
        if self.pending.dirty:
            self.commit()

    def _let_go(self) -> None:
        """What comes next belongs to another worker, its intent too: nothing of it is written here."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        if self.until_reply and (late or self.pending.reply is not None):
            self.commit(state=RunState.READY, due_at=self.now)
            raise Replied

    # failures

    def effect_happened(self, row: OutcomeRow) -> None:
        """Records an outcome of an effect; until it is on disk, nothing that may take long begins."""
        self.record(row)
        with self.pending.lock:
            self.happened.append(row)
            self.pending.dirty = True

    def keep_evidence(self) -> None:
        """Outcomes of effects that came too late for a commit of this lease."""
        for row in self.happened:
            self.store.evidence(self.lease, row)

    def uncaught(self, failed: NodeFailed) -> Halted:
        """No ``on_error`` took it: it stays as a dead letter or an exception with its owner."""
        if failed.inside:
            return self.worst([self.uncaught(inner) for inner in failed.inside])
        row = failed.failing_row
        error = row.error or {}
        if not failed.stored or failed.row.state is OutcomeState.DONE:
            if not failed.keeps:
                self.record(row)
            if row.state is OutcomeState.EXCEPTION:
                self.pending.add(
                    "exceptions",
                    ExceptionRow(
                        kind=error.get("kind", "unknown"), owner=error.get("owner") or self.release.flow.owner,
                        message=error.get("message", ""), node=row.node, iteration=row.iteration,
                        field=error.get("field", ""), details=_with_advice(error), run=self.run_id,
                    ),
                )  # fmt: skip
        state = RunState.EXCEPTION if row.state is OutcomeState.EXCEPTION else RunState.DEAD
        return Halted(state, None, f"{row.node}: {error.get('message', '')}")

    @staticmethod
    def worst(halts: list[Halted]) -> Halted:
        """Several branches that cannot go on show as one: the first of uncertain, dead, exception, … that any
        has, due when the earliest is."""
        first = min(halts, key=lambda halt: _WORST.index(halt.state))
        dues = [halt.due_at for halt in halts if halt.due_at is not None]
        held = [halt for halt in halts if halt.state is first.state and halt.held_by]
        holder, stopped = (held[0].held_by, held[0].stopped) if held else ("", False)
        return Halted(first.state, min(dues, default=None), first.why, holder, stopped)

    def failed(
        self, node: NodeBase, frame: Frame, error: BaseException, state: OutcomeState, **more: Any
    ) -> NodeFailed:
        now = self.now
        row = OutcomeRow(
            node.id, frame.iteration, state, "failed", None, error_of(error, node.id),
            finished_at=now, **{"started_at": now, **more},
        )  # fmt: skip
        return NodeFailed(row)

    def forget_failure(self, failed: NodeFailed) -> None:
        """Keeps a failure that something took care of, so that it is not tried again."""
        for inner in failed.inside:
            self.record(inner.failing_row)
        if not failed.keeps and not (failed.stored and failed.row.state is OutcomeState.DONE):
            self.record(failed.handled_row)


def _with_advice(error: Mapping[str, Any]) -> dict[str, Any]:
    """The details of a business failure, and in them what to do next where that is known."""
    advice = error.get("next_action")
    return {**({"next_action": advice} if advice else {}), **error.get("details", {})}
