"""Crash points: where the process can be told to end, before and after each commit and each send.

``ORDERLY_CRASH_AT=<step>.<side>[:n]`` ends this process with SIGKILL when it passes there for the n-th time (the
first where no n is given), as in ``checkpoint.intent.after`` or ``Runs.create_run.before:3``. It is for fault
tests, which loop over all steps: what was accepted has to come to its end, once, wherever the process died. Unset,
nothing is looked at but one constant.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from runtime.model.run import FINISHED, Checkpoint, IntentState, OutcomeState, RunState

if TYPE_CHECKING:
    from connectors.sdk import Effect

Unit = TypeVar("Unit", bound=Callable[..., Any])


class Step(StrEnum):
    """Everything that is committed or sent. A unit of the store has the name of the method or function that hands
    it in; a checkpoint of a run has several, by what it holds. Nothing is committed that has no name here:
    ``tests/runtime/store/test_crash.py`` reads the sources, and where the switch is set a process that comes to an
    unnamed unit ends and says so."""

    # messages and what else starts runs
    CREATE_RUN = "Runs.create_run"
    TICK = "Sources.tick"
    START_FROM_EVENT = "Events.start_from_event"
    PUBLISH = "Events.publish"
    COLLECT = "Batches.collect"
    SEND_BATCH = "Batches.send"
    PUT_CURSOR = "Sources.put_cursor"
    RAISE_EXCEPTION = "Exceptions.raise_exception"

    # a run goes on
    ACQUIRE = "SharedStore.acquire"
    ACQUIRE_DURABLY = "PostgresqlStore.acquire"
    EXTEND = "SharedStore.extend"
    INTENT = "checkpoint.intent"
    OUTCOME = "checkpoint.outcome"
    OUTCOME_AND_INTENT = "checkpoint.outcome_and_intent"
    NOT_DONE = "checkpoint.not_done"
    UNCERTAIN = "checkpoint.uncertain"
    CHILD = "checkpoint.child"
    TIMER = "checkpoint.timer"
    APPROVAL = "checkpoint.approval"
    EVENT = "checkpoint.event"
    REPLY = "checkpoint.reply"
    UNDONE = "checkpoint.undone"
    SUSPEND = "checkpoint.suspend"
    FAIL = "checkpoint.fail"
    END = "checkpoint.end"
    EVIDENCE = "SharedStore.evidence"
    ALLOCATE = "Sources.allocate"
    CONNECTION_STATE = "ConnectionStates.put_connection_state"
    TAKE_PLACE = "Places.take_place"
    LEAVE_PLACES = "Places.leave_places"
    KEEP_PLACES = "SharedStore.keep_places"
    NEXT_IN_LINE = "ConnectionStates.next_in_line"
    OVERDUE = "SharedStore.overdue"

    # interchanges are entered in the ledger, large bytes stored
    INTERCHANGE_WRITTEN = "AtNode.written"
    INTERCHANGE_RECEIVED = "AtNode.received"
    INTERCHANGE_ANSWERED = "AtNode.answered"
    INTERCHANGE_RECONCILED = "AtNode.reconcile"
    FOLLOW_UP = "SharedStore.follow_up"
    PUT_PART = "DatabaseBlobs._put_part"
    NAME_BLOB = "DatabaseBlobs._name"
    FORGET_PARTS = "DatabaseBlobs._forget"
    REMOVE_BLOBS = "DatabaseBlobs.remove"

    # people
    DECIDE = "Approvals.decide"
    REDRIVE = "Repair.redrive"
    CANCEL = "Repair.cancel"
    SETTLE = "Repair.settle"
    STEP_ASIDE = "Repair.step_aside"
    ASSIGN = "Exceptions.assign"
    RESOLVE = "Exceptions.resolve_exception"
    AUDIT = "Audit.audit"

    # who may come in, and what is secret
    CREATE_USER = "Users.create"
    CHANGE_USER = "Users._change"
    VERIFY_PASSWORD = "Users.verify"  # noqa: S105  the name of a step
    OPEN_SESSION = "Sessions.open"
    MOVE_SESSION_ON = "Sessions.find"
    END_SESSION = "Sessions.revoke"
    CREATE_KEY = "ApiKeys.create"
    REVOKE_KEY = "ApiKeys.revoke"
    PUT_SECRET = "ClientVault.put"  # noqa: S105  the name of a step
    DELETE_SECRET = "ClientVault.delete"  # noqa: S105  the name of a step

    # what was kept long enough goes, what was brought back is let go
    REMOVE_RAW = "Retention.remove_raw"
    REMOVE_RUNS = "Retention.remove_runs"
    REMOVE_INTERCHANGES = "OldInterchanges.remove"
    REMOVE_EVENTS = "Retention.remove_events"
    REMOVE_EXCEPTIONS = "Retention.remove_exceptions"
    REMOVE_TICKS = "Retention.remove_ticks"
    HOLD_RESTORED = "hold"
    RELEASE_RESTORED = "Restored.release"
    LET_GO = "Repair.let_go"

    # a process begins, shares, looks, ends
    END_LEASES = "end_all"
    EMPTY_PLACES = "empty_places"
    REGISTER_CLIENT = "SharedStore.register_client"
    PUT_RELEASE = "Releases.put_release"
    CLAIM_DUTY = "Duty.claim"
    GIVE_UP_DUTY = "Duty.give_up"
    PROBE = "probe"
    CLOSE = "Writer.close"

    # a peer is asked
    SEND_NONE = "send.none"
    SEND_IDEMPOTENT = "send.idempotent"
    SEND_ONCE = "send.once"
    SEND_LOOK_UP = "send.look_up"
    SEND_UNDO = "send.undo"


_STEPS = frozenset(Step)
#: Exit code where something is committed that has no name.
UNNAMED: Final = 70


class Side(StrEnum):
    BEFORE = "before"
    AFTER = "after"


def checkpoint(unit: Unit, given: Checkpoint) -> Unit:
    """The unit that commits this checkpoint, named after what it holds."""
    if armed:
        unit.steps = _steps(given)  # type: ignore[attr-defined]
    return unit


def before_commit(units: Iterable[Callable[..., Any]]) -> None:
    """They were carried out, and no COMMIT was sent."""
    _pass(Side.BEFORE, (step for unit in units for step in _names(unit)))


def after_commit(units: Iterable[Callable[..., Any]]) -> None:
    """They are durable, and nobody was told."""
    _pass(Side.AFTER, (step for unit in units for step in _names(unit)))


def before_send(what: Effect | str) -> None:
    """No byte has gone out."""
    if armed:
        _pass(Side.BEFORE, [f"send.{what}"])


def after_send(what: Effect | str) -> None:
    """The peer has answered, and nothing of it is stored."""
    if armed:
        _pass(Side.AFTER, [f"send.{what}"])


def _names(unit: Callable[..., Any]) -> list[str]:
    name = unit.__qualname__.partition(".<locals>")[0]
    names: list[str] = getattr(unit, "steps", [name] if name in _STEPS else [])
    if not names:
        _unnamed(f"a unit of {unit.__module__}.{name}")
    return names


def _unnamed(what: str) -> NoReturn:
    """Ends the process before it commits this: a thread that raised might be the only one to notice."""
    why = "and that is no declared step, so that no test would end a process there"
    told = f"orderly: {what} is to be committed while ORDERLY_CRASH_AT is set, {why}"
    os.write(2, f"{told}: add it to Step in runtime/store/crash.py, and to a loop of tests/faults\n".encode())
    os._exit(UNNAMED)


def _steps(given: Checkpoint) -> list[Step]:
    intent = any(row.state is IntentState.OPEN for row in given.intents)
    outcome = any(row.happened for row in given.outcomes)
    failed = given.state in (RunState.DEAD, RunState.EXCEPTION)
    found = {
        Step.OUTCOME_AND_INTENT: intent and outcome,
        Step.INTENT: intent and not outcome,
        Step.OUTCOME: outcome and not intent,
        Step.NOT_DONE: any(row.state is IntentState.NOT_DONE for row in given.intents),
        Step.UNCERTAIN: any(row.state is OutcomeState.UNCERTAIN for row in given.outcomes),
        Step.CHILD: given.child is not None,
        Step.TIMER: bool(given.timers),
        Step.APPROVAL: bool(given.approvals),
        Step.EVENT: bool(given.events),
        Step.REPLY: given.reply is not None,
        Step.UNDONE: any(row.state is OutcomeState.UNDONE for row in given.outcomes),
        Step.FAIL: failed,
        Step.END: given.state in FINISHED,
        Step.SUSPEND: given.state not in (None, *FINISHED) and not failed,
    }
    return [step for step, holds in found.items() if holds]


def _pass(side: Side, steps: Iterable[str]) -> None:
    if any(step == _step and side == _side for step in steps):
        with _counting:
            _passed.append(None)
            if len(_passed) == _nth:
                os.write(2, f"crash point {_step}.{_side} reached for the {_nth}. time: SIGKILL\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)


def _read(given: str) -> tuple[str, str, int]:
    """Ends the process where it is no crash point: this is read before anything else can tell."""
    if not given:
        return "", "", 0
    found = re.fullmatch(r"(.+)\.(before|after)(?::([1-9][0-9]{0,5}))?", given)
    if found is None or found[1] not in _STEPS:
        raise SystemExit(
            f"orderly: ORDERLY_CRASH_AT={given} is no crash point: unset it (it is for fault tests), or name one,"
            f" as in {Step.CREATE_RUN}.before:2"
        )
    return found[1], found[2], int(found[3] or 1)


_step, _side, _nth = _read(os.environ.get("ORDERLY_CRASH_AT", ""))
armed: Final = bool(_step)
_passed: list[None] = []
_counting = threading.Lock()
