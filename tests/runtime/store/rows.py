"""Rows as the tests of the store write them: only what a test speaks about is named."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from runtime.model.run import (
    ApprovalRow,
    AttemptRow,
    Caller,
    Checkpoint,
    ChildRun,
    ExceptionRow,
    ExpectationRow,
    IntentRow,
    Lease,
    NewRun,
    OutcomeRow,
    OutcomeState,
    RunState,
    TimerRow,
)
from runtime.store.store import ClientStore, Judge, Store

SECONDS = 30.0


def new(identity: str | None = None, **more: Any) -> NewRun:
    given = {"flow": "requisition_to_order", "version": "1", "release": "r1", "body": {"total": "12.50"}}
    return NewRun(**{**given, "digest": "d1", "source": "webhook", "identity": identity, **more})


def done(node: str, output: Any = None, **more: Any) -> OutcomeRow:
    return OutcomeRow(node, more.pop("iteration", ""), OutcomeState.DONE, output=output, **more)


def outcome(node: str, state: OutcomeState, **more: Any) -> OutcomeRow:
    return OutcomeRow(node, more.pop("iteration", ""), state, name=str(state), **more)


def once(node: str, **more: Any) -> IntentRow:
    return IntentRow(node, more.pop("iteration", ""), "once", "soap.call", "erp", {"Number": "1"}, **more)


def expect(node: str, key: str, within: float = 60.0, event: str = "x12.997") -> ExpectationRow:
    return ExpectationRow(node, "", event, key, within)


def wait(node: str, key: str, event: str = "purchase_order.acknowledged") -> TimerRow:
    return TimerRow(node, "", None, event, key)


def approval(node: str = "approve", **more: Any) -> ApprovalRow:
    return ApprovalRow(
        node, "", "procurement", "p1", {"total": "9"}, "h1", "anna.berg", "procurement_manager", **more
    )


def decision(user: str, state: str) -> Judge:
    """A decision that does not depend on those before it."""
    return lambda _: ({"user": user}, state)


def exception(kind: str = "budget_exceeded", **more: Any) -> ExceptionRow:
    return ExceptionRow(kind, "finance", "no budget", **more)


def tried(node: str, at: datetime) -> AttemptRow:
    return AttemptRow(node, "", 1, "send", at, at, "done", None, {"Number": "1"})


def child(node: str, run: str, *, waits: bool = False, identity: str | None = None, **more: Any) -> ChildRun:
    return ChildRun(node, "", new(identity, flow="child_flow", caller=Caller(run, node, "", waits), **more))


def started(client: ClientStore, store: Store, identity: str | None = None, **more: Any) -> Lease:
    """A new run under a lease of worker one."""
    lease = store.acquire(client.create_run(new(identity, **more)).run, "one", SECONDS)
    assert lease is not None
    return lease


def commit(store: Store, lease: Lease, state: RunState | None = None, **more: Any) -> Any:
    return store.commit(lease, Checkpoint(state=state, **more), SECONDS)
