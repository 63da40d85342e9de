"""Operations: an intent before every effect, the outcome after it, and the look-up where nobody knows.

A ``once`` effect is sent again only where it provably did not happen. Everything that a retry sends was resolved
when the intent was committed; nothing is evaluated twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError

from connectors import sdk
from connectors.sdk import (
    ConnectorError,
    CredentialsRefused,
    Effect,
    Misconfigured,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Rejected,
    Step,
)
from runtime.engine.context import NodeContext
from runtime.engine.expecting import expectations
from runtime.engine.failure import Halted, by_faults, error_of, state_of
from runtime.engine.retry import next_try
from runtime.engine.scope import Frame
from runtime.engine.walk import Walk
from runtime.mapping import MISSING, MappingError, is_expression
from runtime.model.flow import LookUp, OperationNode, Retry, Undo
from runtime.model.run import (
    AttemptRow,
    ExceptionRow,
    IntentRow,
    IntentState,
    OutcomeRow,
    OutcomeState,
    Position,
    RunState,
)
from runtime.store import crash
from runtime.store.store import StaleLease

_RESTORED = "the data were restored from a backup, and it may have been done since that was made"
#: A look-up that cannot be asked is tried this often before a person is.
_LOOK_UP_RETRY = Retry(attempts=8)


@dataclass(frozen=True)
class Answer:
    name: str
    output: Any


def operation(type: str) -> type[Step[Any]]:
    """The operation behind ``connector.operation``. Raises ``Misconfigured``."""
    connector, _, name = type.partition(".")
    found = sdk.load(connector).operation(name)
    if not issubclass(found, Step):
        raise Misconfigured(f"{type} starts flows; it cannot be a node", field="type")
    return found


def perform(walk: Walk, type: str, connection: str | None, parameters: Any, node: str, iteration: str) -> Answer:
    """Runs an operation once, or asks what the settings put in its place."""
    does = walk.settings.perform or reach
    return does(walk, type, connection, parameters, node, iteration)


def reach(walk: Walk, type: str, connection: str | None, parameters: Any, node: str, iteration: str) -> Answer:
    """Runs an operation once. Raises only sdk errors: anything else it raises is an unknown outcome."""
    found = operation(type)
    kind = type.partition(".")[0]
    peer = walk.client.peers.connection(connection, kind) if connection is not None else None
    context = NodeContext(
        walk.client, peer, walk.release.content["partners"], walk.store.now,
        flow=walk.release.flow.flow, run=walk.run_id, node=node, iteration=iteration,
    )  # fmt: skip
    try:
        given = found.Parameters.model_validate(parameters)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(f"{type}: parameter {place}: {first['msg']}", field=place) from error
    try:
        result = found().run(given, context)
    except ConnectorError:
        raise
    except Exception as error:
        context.log.error("connector.bug", operation=type, error=error.__class__.__name__, exc_info=True)
        raise OutcomeUnknown(
            f"{type} broke with {error.__class__.__name__}",
            next_action="this is a bug of the connector; the log has its trace",
        ) from error
    name = result.name if isinstance(result, Outcome) else found.outcomes[0]
    return Answer(name, _json(type, result.output if isinstance(result, Outcome) else result))


def _json(type: str, value: Any) -> Any:
    """Raises ``OutcomeUnknown`` for an output that cannot be kept: what was done is not known from it."""
    plain = _plain(value)
    try:
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise OutcomeUnknown(f"{type} gave an output that is not JSON: {error}") from error
    return plain


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value


def _present(value: Any) -> Any:
    return None if value is MISSING else value


@dataclass
class Execution:
    """One operation node at one position of one walk."""

    walk: Walk
    node: OperationNode
    frame: Frame
    #: The connection that a fresh attempt goes through.
    chosen: str | None = None

    @property
    def position(self) -> Position:
        return Position(self.node.id, self.frame.iteration)

    def run(self) -> OutcomeRow:
        """The finished row. Leaves by ``Halted`` or ``NodeFailed``."""
        row = self.walk.outcome(self.node, self.frame)
        intent = self.walk.loaded.intents.get(self.position)
        if row is not None and row.state is OutcomeState.RETRYING and _ahead(row.due_at, self.walk.now):
            raise Halted(RunState.WAITING, row.due_at, self._why(row))
        if row is not None and row.state is OutcomeState.UNCERTAIN:
            assert intent is not None
            return self._ask(row, intent)
        attempt = row.attempts + 1 if row is not None else 1
        fresh = intent is None or (row is None and intent.state is not IntentState.OPEN)
        if intent is not None and intent.effect == Effect.ONCE and intent.state is IntentState.OPEN:
            raise self._uncertain(intent, attempt, self._cut_off(intent, attempt))
        self.chosen = self._connection() if fresh or intent is None else intent.connection
        with self.walk.through(self.chosen, self.node.id):
            return self._first(attempt) if fresh or intent is None else self._again(intent, attempt)

    def _connection(self) -> str | None:
        """As the node names it, or as its expression does. Raises ``Misconfigured`` where that names none."""
        given = self.node.connection
        if given is None or not is_expression(given):
            return given
        named = self._value(given)
        if not isinstance(named, str) or not named:
            raise Misconfigured(
                f"{self.node.id}: {given} names no connection, it gave {json.dumps(named)[:80]}",
                field="connection",
                next_action="see what the expression reads, such as `delivery` of the partner's profile",
            )  # fmt: skip
        return named

    @property
    def _through(self) -> str | None:
        """The connection of this attempt, or of the one whose outcome is taken in."""
        intent = self.walk.loaded.intents.get(self.position)
        return self.chosen or (intent.connection if intent is not None else self._connection())

    def _cut_off(self, intent: IntentRow, attempt: int) -> str:
        """A send of which nobody could write down what came of it; what is told of it."""
        why = "the process stopped after the intent and before the outcome"
        error = OutcomeUnknown(f"{why}: whether anything was sent is not known")
        self._attempted(attempt, "send", intent.opened_at or self.walk.now, "cut off", error, intent.parameters)
        return why

    def take_in(self, row: OutcomeRow) -> OutcomeRow:
        """What a person or a late answer said happened becomes an outcome like any other, with its undo."""
        taken = replace(row, unread=False, undo=self._undo(row.output))
        self.walk.effect_happened(taken)
        return taken

    def _again(self, intent: IntentRow, attempt: int) -> OutcomeRow:
        """A ``once`` effect that did not happen is under way again only after its intent is: a crash from here
        on leaves it uncertain."""
        if intent.effect == Effect.ONCE:
            since = self.walk.now if self._forgotten(intent) else intent.opened_at
            self.walk.before_effect(intents=(replace(intent, state=IntentState.OPEN, opened_at=since),))
            self._doubt_if_forgotten(intent, intent, attempt)
        return self._send(intent, attempt)

    def _forgotten(self, known: IntentRow | None) -> bool:
        """Whether what became of the effect may lie between a backup and its restore; ``known`` is the intent of
        before this walk."""
        restored = self.walk.loaded.restored_at
        return restored is not None and (known is None or known.opened_at is None or known.opened_at < restored)

    def _doubt_if_forgotten(self, intent: IntentRow, known: IntentRow | None, attempt: int) -> None:
        """Such an effect is looked up, or a person asked, before its first send; its intent is open. Leaves by
        ``Halted``."""
        if self._forgotten(known):
            raise self._uncertain(intent, attempt - 1, _RESTORED)

    def _first(self, attempt: int) -> OutcomeRow:
        effect = self.node.effect or operation(self.node.type).effect_of(self.node.parameters)
        parameters = self._value(self.node.parameters)
        intent = IntentRow(
            self.node.id, self.frame.iteration, effect.value, self.node.type, self.chosen, parameters,
            self._look_up(), fence=self.walk.lease.fence, opened_at=self.walk.now,
        )  # fmt: skip
        if effect is Effect.NONE:
            self.walk.before_io()
        else:
            self.walk.before_effect(intents=(intent,), expectations=expectations(self.walk, self.node, self.frame))
        if effect is Effect.ONCE:
            self._doubt_if_forgotten(intent, self.walk.loaded.intents.get(self.position), attempt)
        return self._send(intent, attempt)

    def _value(self, template: Any) -> Any:
        return _present(self.walk.scope.value(template, self.frame, self.node.id))

    def _look_up(self) -> dict[str, Any] | None:
        look_up = self.node.look_up
        if not isinstance(look_up, LookUp):
            return None
        return {
            "type": look_up.type, "connection": look_up.connection or self._through,
            "parameters": self._value(look_up.parameters),
        }  # fmt: skip

    def _send(self, intent: IntentRow, attempt: int) -> OutcomeRow:
        started = self.walk.now
        try:
            crash.before_send(intent.effect)
            answer = perform(
                self.walk,
                intent.operation,
                intent.connection,
                intent.parameters,
                self.node.id,
                self.frame.iteration,
            )
            crash.after_send(intent.effect)
        except ConnectorError as error:
            return self._failed(intent, attempt, started, self._read(error))
        self._answered(intent.connection)
        row = OutcomeRow(
            self.node.id, self.frame.iteration, OutcomeState.DONE, answer.name, answer.output, attempts=attempt,
            undo=self._undo(answer.output), engine=self.walk.release.engine, started_at=started,
            finished_at=self.walk.now,
        )  # fmt: skip
        self._attempted(attempt, "send", started, answer.name, None, intent.parameters)
        if intent.effect == Effect.NONE:
            self.walk.record(row)
            return row
        self.walk.effect_happened(row)
        if not self.walk.still_held():
            raise StaleLease(f"run {self.walk.run_id}: the lease was lost while {row.node} was under way")
        return row

    def _undo(self, output: Any) -> dict[str, Any] | None:
        """Resolved while the output is at hand. What happened has happened: an undo that cannot be resolved is
        told to a person, and never makes a failure of it."""
        undo = self.node.undo
        if not isinstance(undo, Undo):
            return None
        try:
            parameters = _present(self.walk.scope.value(undo.parameters, self.frame, self.node.id, output))
        except MappingError as error:
            self._tell("undo_not_resolved", f"{self.node.id} happened, but could not be undone: {error}")
            return None
        effect = undo.effect or operation(undo.type).effect_of(undo.parameters)
        return {
            "type": undo.type, "connection": undo.connection or self._through, "effect": effect.value,
            "parameters": parameters,
        }  # fmt: skip

    def _read(self, error: ConnectorError) -> ConnectorError:
        if not isinstance(error, Rejected | OutcomeUnknown) or not error.code:
            return error
        faults = list(self.node.faults)
        if (name := self._through) is not None:
            faults += self.walk.client.peers.faults(name)
        return by_faults(error, faults)

    def _answered(self, connection: str | None) -> None:
        if connection is not None:
            self.walk.client.gate.answered(connection)

    def _failed(self, intent: IntentRow, attempt: int, started: datetime, error: ConnectorError) -> OutcomeRow:
        self._attempted(attempt, "send", started, type(error).__name__, error, intent.parameters)
        gate, name = self.walk.client.gate, intent.connection
        out = name is not None and gate.failed(name, error)
        if isinstance(error, OutcomeUnknown) and intent.effect == Effect.ONCE:
            raise self._uncertain(intent, attempt, error.message, started)
        if out and name is not None:
            raise self._held_off(intent, attempt - 1, started, error, name)
        if isinstance(error, NotSent | OutcomeUnknown):
            asked = getattr(error, "retry_after", None) or error.details.get("retry_after")
            due = next_try(self.node.retry, attempt, self.walk.now, asked, self.walk.settings.chance)
            if due is not None:
                row = self._retrying(intent, attempt, started, error, due)
                raise self.walk.halt(row, RunState.WAITING, self._why(row))
        if intent.effect != Effect.NONE:
            self.walk.pending.add("intents", replace(intent, state=IntentState.NOT_DONE))
        raise self.walk.failed(self.node, self.frame, error, state_of(error), attempts=attempt, started_at=started)

    def _retrying(
        self, intent: IntentRow, attempts: int, started: datetime, error: ConnectorError, due: datetime | None
    ) -> OutcomeRow:
        """To be sent again. What may happen only once provably did not: its intent is opened anew before that."""
        if intent.effect == Effect.ONCE:
            self.walk.pending.add("intents", replace(intent, state=IntentState.NOT_DONE))
        return OutcomeRow(
            self.node.id, self.frame.iteration, OutcomeState.RETRYING, "retrying",
            error=error_of(error, self.node.id), attempts=attempts, due_at=due, started_at=started,
        )  # fmt: skip

    def _held_off(
        self, intent: IntentRow, attempts: int, started: datetime, error: ConnectorError, name: str
    ) -> Halted:
        """The peer is out, asked us to wait, or refused our credentials: no attempt is used up."""
        self.walk.record(self._retrying(intent, attempts, started, error, None))
        if isinstance(error, CredentialsRefused):
            message = f"Connection {name} is paused: {error.message}. {error.next_action}".strip()
            self._tell("credentials_refused", message, "operations", name)
        return self.walk.client.gate.halted(name, f"{self.node.id}: {error.message}")

    def _why(self, row: OutcomeRow) -> str:
        message = (row.error or {}).get("message", "")
        return f"{self.node.id}: attempt {row.attempts} of {self.node.retry.attempts} failed: {message}"

    def _attempted(
        self, number: int, kind: str, started: datetime, result: str, error: ConnectorError | None, given: Any
    ) -> None:
        row = AttemptRow(
            self.node.id, self.frame.iteration, number, kind, started, self.walk.now, result,
            error_of(error, self.node.id) if error is not None else None, given,
        )  # fmt: skip
        self.walk.pending.add("attempts", row)

    # what nobody knows

    def _uncertain(self, intent: IntentRow, attempt: int, why: str, started: datetime | None = None) -> Halted:
        """The row to be looked up after the settling time, or at once before a person where nobody can ask."""
        look_up = self.node.look_up
        settles = isinstance(look_up, LookUp)
        due = self.walk.now + look_up.settle if isinstance(look_up, LookUp) else None
        row = OutcomeRow(
            self.node.id, self.frame.iteration, OutcomeState.UNCERTAIN, "uncertain",
            error={"type": "OutcomeUnknown", "message": why, "node": self.node.id}, attempts=attempt,
            due_at=due, started_at=started or self.walk.now,
        )  # fmt: skip
        if not settles:
            self._person(why)
        return self.walk.halt(row, RunState.UNCERTAIN, self._doubt(due, why))

    def _doubt(self, due: datetime | None, why: str) -> str:
        """A question to a person only where nobody else will be asked."""
        if due is None:
            return f"{self.node.id}: did it happen? {why}"
        return f"{self.node.id}: {why}; whether it happened is looked up at {due:%H:%M:%S} UTC"

    def _ask(self, row: OutcomeRow, intent: IntentRow) -> OutcomeRow:
        look_up = self.node.look_up
        why = (row.error or {}).get("message", "")
        if not isinstance(look_up, LookUp) or intent.look_up is None or row.due_at is None:
            raise Halted(RunState.UNCERTAIN, None, self._doubt(None, why))
        if _ahead(row.due_at, self.walk.now):
            raise Halted(RunState.UNCERTAIN, row.due_at, self._doubt(row.due_at, why))
        started, answer = self._answer_of(row, intent.look_up)
        looked_up = partial(
            self._attempted, row.attempts, "look_up", started, error=None, given=intent.look_up["parameters"]
        )
        try:
            found = self.walk.scope.true(look_up.found, self.frame, self.node.id, answer.output)
            taken = self._found(row, answer, look_up) if found else None
            looked_up(result="found" if found else "not found")
            if taken is not None:
                return taken
        except MappingError as error:
            looked_up(result="not read")
            self._person(f"the answer of the look-up cannot be read: {error}")
            raise self.walk.halt(
                replace(row, due_at=None), RunState.UNCERTAIN, f"{self.node.id}: {error}"
            ) from error
        if not look_up.authoritative or self._has_another_key():
            self._person("the look-up did not find it, and it is not the last word")
            raise self.walk.halt(replace(row, due_at=None), RunState.UNCERTAIN, f"{self.node.id}: did it happen?")
        self.walk.record(replace(row, state=OutcomeState.RETRYING, name="retrying", due_at=self.walk.now))
        self.walk.commit(intents=(replace(intent, state=IntentState.NOT_DONE),))
        with self.walk.through(intent.connection, self.node.id):
            return self._again(intent, row.attempts + 1)

    def _has_another_key(self) -> bool:
        """The run was started after a restore by one that was restored: if it was started before that too, the
        peer knows what it did by the key of a run that nobody here knows."""
        restored = self.walk.loaded.restored_at
        return restored is not None and self.walk.loaded.run.created_at >= restored

    def _answer_of(self, row: OutcomeRow, asked: dict[str, Any]) -> tuple[datetime, Answer]:
        """When it was asked, and what the peer says of an uncertain effect. Leaves by ``Halted`` where it cannot be
        asked yet."""
        started = self.walk.now
        try:
            with self.walk.through(asked["connection"], self.node.id):
                self.walk.before_io()
                crash.before_send("look_up")
                answer = perform(
                    self.walk, asked["type"], asked["connection"], asked["parameters"], self.node.id,
                    self.frame.iteration,
                )  # fmt: skip
                crash.after_send("look_up")
        except Halted as halt:
            state = RunState.HELD if halt.state is RunState.HELD else RunState.UNCERTAIN
            raise Halted(state, halt.due_at, halt.why, halt.held_by, halt.stopped) from None
        except ConnectorError as error:
            if asked["connection"] is not None:
                self.walk.client.gate.failed(asked["connection"], error)
            raise self._not_answered(row, started, error, asked) from error
        self._answered(asked["connection"])
        return started, answer

    def _found(self, row: OutcomeRow, answer: Answer, look_up: LookUp) -> OutcomeRow:
        output = answer.output
        if look_up.output is not None:
            output = _present(self.walk.scope.value(look_up.output, self.frame, self.node.id, answer.output))
        found = OutcomeRow(
            self.node.id, self.frame.iteration, OutcomeState.DONE, operation(self.node.type).outcomes[0], output,
            attempts=row.attempts, undo=self._undo(output), engine=self.walk.release.engine,
            started_at=row.started_at, finished_at=self.walk.now,
        )  # fmt: skip
        self.walk.effect_happened(found)
        return found

    def _not_answered(
        self, row: OutcomeRow, started: datetime, error: ConnectorError, asked: dict[str, Any]
    ) -> Halted:
        tries = int((row.output or {}).get("look_ups", 0)) + 1
        self._attempted(row.attempts, "look_up", started, type(error).__name__, error, asked["parameters"])
        due = None
        if isinstance(error, NotSent | OutcomeUnknown):
            due = next_try(_LOOK_UP_RETRY, tries, self.walk.now, None, self.walk.settings.chance)
        if due is None:
            self._person(f"the look-up could not be asked: {error.message}")
        kept = replace(row, due_at=due, output={"look_ups": tries})
        return self.walk.halt(kept, RunState.UNCERTAIN, f"{self.node.id}: look-up not answered: {error.message}")

    def _person(self, why: str) -> None:
        self._tell("uncertain", f"Did {self.node.title or self.node.id} happen? Nobody can say by machine: {why}")

    def _tell(self, kind: str, message: str, owner: str = "", field: str = "") -> None:
        """An exception for a person, beside whatever becomes of the node."""
        self.walk.pending.add(
            "exceptions",
            ExceptionRow(
                kind=kind, owner=owner or self.walk.release.flow.owner, message=message, node=self.node.id,
                iteration=self.frame.iteration, run=self.walk.run_id, field=field,
            ),
        )  # fmt: skip


def _ahead(due: datetime | None, now: datetime) -> bool:
    return due is not None and due > now
