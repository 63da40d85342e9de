"""How a node can leave the straight way, and how errors become rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.sdk import BusinessError, ConnectorError, NotSent, OutcomeUnknown, Rejected
from connectors.sdk.visible import visible
from runtime.model.flow import Fault
from runtime.model.run import OutcomeRow, OutcomeState, RunState


class EndRun(Exception):
    """An ``end`` node: the item, branch or run is over."""

    def __init__(self, outcome: str, undo: bool) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.undo = undo


class Halted(Exception):
    """This branch cannot go on now; ``state`` is what the run will show for it, ``held_by`` who holds it, and
    ``stopped`` whether that one is paused or out."""

    def __init__(
        self, state: RunState, due_at: datetime | None, why: str, held_by: str = "", stopped: bool = False
    ) -> None:
        super().__init__(why)
        self.state = state
        self.due_at = due_at
        self.why = why
        self.held_by = held_by
        self.stopped = stopped


class NodeFailed(Exception):
    """A dead or business failure looking for an ``on_error``.

    ``stored``: the row is on disk already. ``keeps``: the node has an outcome of its own, which stays; only the
    exception is new. ``inside``: the failures of a container's items or branches.
    """

    def __init__(
        self, row: OutcomeRow, *, stored: bool = False, keeps: bool = False, inside: Sequence[NodeFailed] = ()
    ) -> None:
        super().__init__(row.error["message"] if row.error else row.node)
        self.row = row
        self.stored = stored
        self.keeps = keeps
        self.inside = inside

    @property
    def handled_row(self) -> OutcomeRow:
        """How the failure is kept once an ``on_error`` or an allowance took it: a redrive leaves it alone."""
        return replace(self.row, state=OutcomeState.DONE, name="failed")

    @property
    def failing_row(self) -> OutcomeRow:
        """How it is kept where nothing takes it, or no longer: a redrive clears it."""
        if self.row.state is not OutcomeState.DONE:
            return self.row
        business = "kind" in (self.row.error or {})
        return replace(self.row, state=OutcomeState.EXCEPTION if business else OutcomeState.DEAD)


class Replied(Exception):
    """The reply is committed and the accepting thread may go; the rest of the run goes on elsewhere."""


def error_of(error: BaseException, node: str) -> dict[str, Any]:
    """The row form of an error: facts a person can act on, no secrets, no payloads. Control characters of what a
    stranger sent, which a message may quote, are shown and not kept as they are."""
    row: dict[str, Any] = {"type": type(error).__name__, "message": visible(str(error)), "node": node}
    if isinstance(error, ConnectorError):
        row |= {"message": visible(error.message), "next_action": visible(error.next_action), "code": error.code}
        row["details"] = error.details
    for name in ("kind", "owner", "field"):
        if value := getattr(error, name, ""):
            row[name] = value
    return {key: value for key, value in row.items() if value not in ("", {}, None)}


def by_faults(error: Rejected | OutcomeUnknown, faults: list[Fault]) -> ConnectorError:
    """A refusal as the ``faults`` tables of node and connection read it; unlisted codes stay as they are."""
    for fault in faults:
        if fault.code != error.code:
            continue
        more: dict[str, Any] = {"code": error.code, "details": error.details, "next_action": error.next_action}
        if fault.is_ == "business":
            kind = fault.kind or error.code.lower()
            return BusinessError(error.message, kind=kind, owner=fault.owner, **more)
        if fault.is_ == "not_done":
            return NotSent(error.message, **more)
        return Rejected(error.message, **more)
    return error


def state_of(error: BaseException) -> OutcomeState:
    """Business refusals are exceptions with an owner, everything else that is final is a dead letter."""
    return OutcomeState.EXCEPTION if isinstance(error, BusinessError) else OutcomeState.DEAD
