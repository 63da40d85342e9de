"""``advance(run)``: takes the lease, walks as far as it can, commits what the run shows now. Idempotent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from connectors.sdk import BusinessError, ConnectorError, Misconfigured
from runtime.engine.client import Clients
from runtime.engine.control import (
    run_approve,
    run_call_flow,
    run_end,
    run_for_each,
    run_group,
    run_map,
    run_parallel,
    run_publish,
    run_raise,
    run_respond,
    run_route,
    run_wait,
)
from runtime.engine.dispatcher import Ring
from runtime.engine.effects import Execution, operation
from runtime.engine.failure import EndRun, Halted, NodeFailed, Replied, state_of
from runtime.engine.leases import Leases
from runtime.engine.scope import Frame, Unread
from runtime.engine.undo import undo_all
from runtime.engine.walk import Settings, Walk
from runtime.mapping import EvaluationError, ExpressionError
from runtime.model import flow as model
from runtime.model.run import (
    CANCELLED,
    NOT_READ,
    Checkpoint,
    Committed,
    Lease,
    Loaded,
    OutcomeRow,
    OutcomeState,
    RunState,
)
from runtime.store.store import Overtaken, StaleLease, Store, StoreError, Unavailable

log = structlog.get_logger()

_CONTAINERS: dict[type, Callable[..., OutcomeRow]] = {
    model.RouteNode: run_route, model.GroupNode: run_group,
    model.ParallelNode: run_parallel, model.ForEachNode: run_for_each,
}  # fmt: skip
_LEAVES: dict[type, Callable[..., OutcomeRow]] = {
    model.MapNode: run_map, model.PublishNode: run_publish, model.RespondNode: run_respond,
    model.RaiseNode: run_raise, model.EndNode: run_end, model.CallFlowNode: run_call_flow,
    model.ApproveNode: run_approve, model.WaitNode: run_wait,
}  # fmt: skip


@dataclass(frozen=True)
class Advanced:
    """What one advance came to. ``state`` is ``None`` where the lease was not to be had, or was lost."""

    state: RunState | None
    reply: dict[str, Any] | None = None


class Engine:
    """``ring`` is called for every run that an advance made runnable."""

    def __init__(self, store: Store, clients: Clients, leases: Leases, ring: Ring, settings: Settings) -> None:
        self.store = store
        self.clients = clients
        self.leases = leases
        self.ring = ring
        self.settings = settings

    def advance(self, run: str, until_reply: bool = False) -> Advanced:
        """Safe to call at any time, any number of times, from any thread."""
        try:
            begun = self.store.begin(run, self.leases.owner, self.settings.lease)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  logged there, and the run is a dead letter
            return self._not_begun(run, error)
        if begun is None:
            return Advanced(None)
        lease, loaded = begun
        return self.go_on(lease, until_reply, loaded=loaded)

    def _not_begun(self, run: str, error: Exception) -> Advanced:
        """What is stored of the run cannot be read: a person has to look at it."""
        log.error("run.bug", run=run, exc_info=True)
        lease = self.store.acquire(run, self.leases.owner, self.settings.lease)
        return Advanced(None) if lease is None else self._give_up(lease, error)

    def go_on(
        self, lease: Lease, until_reply: bool = False, deadline: float | None = None, loaded: Loaded | None = None
    ) -> Advanced:
        """The same under a lease that there is already, as of whoever created the run. With ``until_reply`` the
        caller is let go where its reply is decided, or at ``deadline`` (``time.monotonic``)."""
        with self.leases.held(lease):
            try:
                return self._advance(lease, loaded or self.store.load(lease), until_reply, deadline)
            except Overtaken:
                log.debug("run.overtaken", run=lease.run, client=lease.client)
            except StaleLease as error:
                log.warning("run.lease_lost", run=lease.run, client=lease.client, why=str(error))
            except Unavailable as error:
                log.error("store.unavailable", run=lease.run, client=lease.client, why=str(error))
            except Exception as error:
                log.error("run.bug", run=lease.run, client=lease.client, exc_info=True)
                return self._give_up(lease, error)
            return Advanced(None)

    def _give_up(self, lease: Lease, error: Exception) -> Advanced:
        """A dead letter without what the walk still had in hand: an effect that is not on disk stays an open
        intent, and is looked up when the run is redriven."""
        what = error.message if isinstance(error, ConnectorError) else f"{error.__class__.__name__} in the engine"
        checkpoint = Checkpoint(state=RunState.DEAD, why=f"{what}; the log says where")
        try:
            return Advanced(self.store.commit(self.leases.as_written(lease), checkpoint, self.settings.lease).state)
        except StoreError as refused:
            log.error("run.not_given_up", run=lease.run, client=lease.client, why=str(refused))
            return Advanced(None)

    def _advance(self, lease: Lease, loaded: Loaded, until_reply: bool, deadline: float | None) -> Advanced:
        client = self.clients[lease.client]
        release = client.release(loaded.run.release)
        walk = Walk(
            self.store, client, release, lease, loaded, self.settings, self.leases, until_reply, deadline
        )  # fmt: skip
        try:
            state = self._walk(walk)
        except StaleLease:
            walk.keep_evidence()
            raise
        for other in walk.ring:
            self.ring(other)
        if state is RunState.READY:
            self.ring(lease.run, loaded.run.lane)
        return Advanced(state, walk.reply)

    def _walk(self, walk: Walk) -> RunState:
        body = walk.loaded.body
        frame = Frame(Unread(partial(self.store.read_body, walk.lease)) if body is NOT_READ else body)
        try:
            if walk.loaded.run.outcome == CANCELLED:
                undo_all(walk)
                return _shown(walk.commit(state=RunState.CANCELLED, why="cancelled; what it did was undone"))
            try:
                run_nodes(walk, walk.release.flow.nodes, frame)
                committed = walk.commit(state=RunState.DONE, outcome="done")
            except EndRun as end:
                if end.undo:
                    undo_all(walk)
                committed = walk.commit(state=RunState.DONE, outcome=end.outcome)
        except NodeFailed as failed:
            halt = walk.uncaught(failed)
            committed = walk.commit(state=halt.state, due_at=halt.due_at, why=halt.why)
        except Halted as halt:
            committed = walk.commit(
                state=halt.state, due_at=halt.due_at, why=halt.why, held_by=halt.held_by, stopped=halt.stopped
            )
            if halt.stopped and committed.state is RunState.READY:
                walk.client.gate.refresh()
        except Replied:
            return RunState.READY
        return _shown(committed)


def _shown(committed: Committed) -> RunState:
    assert committed.state is not None
    return committed.state


def run_nodes(walk: Walk, nodes: list[Any], frame: Frame) -> None:
    """The nodes of one list in order, each taken from its outcome where it is finished."""
    for node in nodes:
        try:
            _run_node(walk, node, frame)
        except NodeFailed as failed:
            if node.on_error is None:
                raise
            walk.forget_failure(failed)
            _handle(walk, node, frame, failed.row)


def _handle(walk: Walk, node: model.NodeBase, frame: Frame, row: OutcomeRow) -> None:
    assert node.on_error is not None
    before = frame.bound
    frame.bound = {**before, "error": row.error}
    try:
        run_nodes(walk, node.on_error, frame)
    finally:
        frame.bound = before


def _run_node(walk: Walk, node: Any, frame: Frame) -> None:
    row = walk.outcome(node, frame)
    fresh = row is None or row.state not in (OutcomeState.DONE, OutcomeState.UNDONE)
    if row is not None and row.name == "failed" and row.error is not None:
        raise NodeFailed(row, stored=True)
    if row is not None and row.unread and isinstance(node, model.OperationNode):
        row, fresh = Execution(walk, node, frame).take_in(row), True
    elif fresh:
        row = _fresh(walk, node, frame)
    elif type(node) in (model.RouteNode, model.GroupNode):
        row = _CONTAINERS[type(node)](walk, node, frame, run_nodes)
    assert row is not None
    walk.settle(node, frame, row, fresh)
    branch = getattr(node, "on", {}).get(row.name)
    if branch is not None:
        run_nodes(walk, branch, frame)
    elif _unhandled(node, row):
        error = BusinessError(f"{node.id} ended as {row.name}, and the flow has no branch for that", kind=row.name)
        raise NodeFailed(walk.failed(node, frame, error, OutcomeState.EXCEPTION).row, keeps=True)


def _unhandled(node: Any, row: OutcomeRow) -> bool:
    normal = {"done", "approved"}
    if isinstance(node, model.OperationNode):
        normal = {operation(node.type).outcomes[0]}
    return row.name not in normal


def _fresh(walk: Walk, node: Any, frame: Frame) -> OutcomeRow:
    try:
        if isinstance(node, model.OperationNode):
            return Execution(walk, node, frame).run()
        container = _CONTAINERS.get(type(node))
        if container is not None:
            return container(walk, node, frame, run_nodes)
        return _LEAVES[type(node)](walk, node, frame)
    except (EvaluationError, ExpressionError, Misconfigured, BusinessError) as error:
        raise walk.failed(node, frame, error, state_of(error)) from error
