"""Runs the cases of flows: the real door, store and engine on a temporary folder, at once, with stubs for peers.

Time stands still, and leaps to the next thing that is due: retries and time-outs take no time.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from connectors import sdk
from connectors.sdk import Arrival, ConnectorError, Misconfigured
from runtime.api.cases import Verdict, copied
from runtime.engine.advance import Engine
from runtime.engine.client import Client, Clients
from runtime.engine.effects import Answer, operation, reach
from runtime.engine.gate import Gate
from runtime.engine.leases import Leases
from runtime.engine.peers import Peers
from runtime.engine.walk import Settings, Walk
from runtime.intake.accept import Intake, NotTaken
from runtime.masterdata import MasterData
from runtime.model.case import FlowCase, differences, read_flow_case
from runtime.model.ids import effect_key
from runtime.model.limits import Limits
from runtime.model.pack import Pack, base_folder
from runtime.model.registry import Registry
from runtime.model.run import FINISHED, ApprovalRow, EventRow, OutcomeState, Run, RunState
from runtime.store.sqlite import SqliteStore
from runtime.store.store import ClientStore, Story

_LEASE = 30.0
_MOST_STEPS = 10_000
_STILL = FINISHED | {RunState.DEAD, RunState.EXCEPTION, RunState.HELD}
_ERRORS = ("NotSent", "OutcomeUnknown", "Rejected", "BusinessError", "CredentialsRefused", "Misconfigured")


def _as_the_case_says(made: tuple[dict[str, Any], str], _: ApprovalRow) -> tuple[dict[str, Any], str]:
    return made


class BadCase(Exception):
    """The case cannot be run: it says nothing about a peer that the flow asks, or names what is not there."""


class _NoSecrets:
    def get(self, name: str) -> str | None:
        return None


@dataclass
class _Clock:
    """Moves only when told."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Stubs:
    """What peers answer. ``asked`` keeps what was sent and answered, in order; ``bad`` why the case cannot be run,
    because the engine makes a dead letter of what it does not foresee."""

    given: dict[str, Any]
    asked: list[dict[str, Any]] = field(default_factory=list)
    bad: BadCase | None = None
    _times: dict[str, int] = field(default_factory=dict)

    def of(self, flow: str, node: str) -> str | None:
        """The key under which a node's stub stands: its id, or ``flow.id`` for one of a called flow."""
        return next((key for key in (f"{flow}.{node}", node) if key in self.given), None)

    def perform(
        self, walk: Walk, type: str, connection: str | None, parameters: Any, node: str, iteration: str
    ) -> Answer:
        """Takes the place of ``effects.perform``. Raises what the stub says, or ``BadCase`` where it is missing."""
        try:
            return self._perform(walk, type, connection, parameters, node, iteration)
        except BadCase as error:
            self.bad = error
            raise

    def _perform(
        self, walk: Walk, type: str, connection: str | None, parameters: Any, node: str, iteration: str
    ) -> Answer:
        key = self.of(walk.release.flow.flow, node)
        if key is None and connection is not None:
            raise BadCase(
                f"node {node} asks {connection} by {type}, and the case has no stub for it: add stubs.{node}"
            )
        if key is None:
            answer = reach(walk, type, connection, parameters, node, iteration)
        else:
            operation(type)
            answer = self._answer(key, type)
        self.asked.append({"node": node, "iteration": iteration, "type": type, "parameters": parameters})
        return answer

    def _answer(self, key: str, type: str) -> Answer:
        stub = self.given[key]
        if isinstance(stub, list):
            time = self._times.get(key, 0)
            self._times[key] = time + 1
            if not stub:
                raise BadCase(f"stubs.{key} is an empty list: a list holds one answer for each time")
            stub = stub[min(time, len(stub) - 1)]
        if isinstance(stub, dict) and stub.keys() == {"error"}:
            raise _error(key, stub["error"])
        if isinstance(stub, dict) and "outcome" in stub and stub.keys() <= {"outcome", "output"}:
            return Answer(stub["outcome"], stub.get("output"))
        return Answer(operation(type).outcomes[0], stub)


def _error(key: str, given: Any) -> ConnectorError:
    facts = dict(given) if isinstance(given, dict) else {}
    name = facts.pop("type", "")
    if name not in _ERRORS:
        raise BadCase(f"stubs.{key}: error type {name!r} is none of {', '.join(_ERRORS)}")
    try:
        made = getattr(sdk, name)(facts.pop("message", f"{name} of the case"), **facts)
    except TypeError as error:
        raise BadCase(f"stubs.{key}: {name} does not take {sorted(facts)}: {error}") from error
    assert isinstance(made, ConnectorError)
    return made


@dataclass
class Bench:
    """Cases of the flows of one pack. ``template`` is an empty store."""

    pack: Pack
    template: Path
    _registries: dict[str, Registry] = field(default_factory=dict)

    def verdict(self, path: Path, engines: tuple[str, ...]) -> Verdict:
        """``path`` lies in ``<flow>/cases``. Raises ``BadFile``."""
        case, flow = read_flow_case(path), path.parent.parent.name
        wanted = case.then.model_dump(exclude_none=True)
        try:
            told = [self.told(path, case, flow, engine) for engine in engines]
        except (BadCase, Misconfigured) as error:
            return Verdict(str(path), "flow", flow, (str(error),))
        first = tuple(differences(wanted, told[0], whole=False))
        others = tuple(
            f"{engine}: {line}"
            for engine, other in zip(engines[1:], told[1:], strict=True)
            for line in differences(told[0], other, whole=True)
        )
        return Verdict(str(path), "flow", flow, first, others)

    def told(self, path: Path, case: FlowCase, flow: str, engine: str) -> dict[str, Any]:
        """Everything that ``then`` may name. Raises ``BadCase``, ``Misconfigured``."""
        clock = _Clock(case.now)
        with tempfile.TemporaryDirectory(prefix="orderly-case-") as folder:
            store = SqliteStore(copied(self.template, Path(folder)), clock=clock, relaxed=True)
            try:
                return _Trial(self, store, clock, path, case, engine).told(flow)
            finally:
                store.close()

    def registry(self, engine: str) -> Registry:
        """All flows of the pack and of its base, whether the pack enables them or not."""
        if engine not in self._registries:
            every = [file.parent.name for file in sorted((base_folder() / "flows").glob("*/flow.json"))]
            file = self.pack.file.model_copy(update={"flows": every})
            self._registries[engine] = Registry.of(replace(self.pack, file=file), engine)
        return self._registries[engine]


class _Trial:
    def __init__(
        self, bench: Bench, store: SqliteStore, clock: _Clock, path: Path, case: FlowCase, engine: str
    ) -> None:
        pack = bench.pack
        store.register_client(pack.client, pack.file.name)
        masterdata = MasterData.from_folder(pack.folder / "masterdata")
        peers = Peers(pack, _NoSecrets(), {})
        bound = store.for_client(pack.client)
        gate = Gate(bound, lambda _: Limits(), clock)
        self.client = Client(pack, bound, bench.registry(engine), peers, masterdata, gate)
        self.store: ClientStore = self.client.store
        self.clock, self.path, self.case = clock, path, case
        self.stubs = Stubs(case.stubs)
        settings = Settings(_LEASE, random.Random(0), self.stubs.perform)  # noqa: S311 - jitter, not a secret
        self.engine = Engine(store, Clients({pack.client: self.client}), Leases(store, _LEASE), _silent, settings)

    def told(self, flow: str) -> dict[str, Any]:
        self._check_stubs(flow)
        trigger = self.client.current(flow).flow.trigger.type
        try:
            created = Intake(self.client, _silent, self.clock).take(flow, self._arrival(), trigger)
        except NotTaken as refused:
            found = {"kind": refused.kind, "message": f"{refused.title}: {refused.detail}", "field": refused.field}
            return {"state": "not_taken", "exception": found}
        self._go_on(created.run)
        story = self.store.story(created.run)
        return _without_chance(self._tell(story), story)

    def _check_stubs(self, flow: str) -> None:
        ids = {node.id for _, node in self.client.current(flow).flow.walk()}
        unknown = sorted(key for key in self.case.stubs if "." not in key and key not in ids)
        if unknown:
            raise BadCase(f"stubs.{unknown[0]}: flow {flow} has no node of that id")

    def _arrival(self) -> Arrival:
        given = self.case.given
        if isinstance(given, dict) and given.keys() == {"$file"}:
            path = self.path.parent / given["$file"]
            try:
                raw = path.read_bytes()
            except OSError as error:
                raise BadCase(f"given: {path} cannot be read: {error.strerror}") from error
            media = "application/json" if path.suffix == ".json" else "application/octet-stream"
        elif isinstance(given, str):
            raw, media = given.encode(), "application/octet-stream"
        else:
            raw, media = json.dumps(given).encode(), "application/json"
        return Arrival(raw, self.case.content_type or media)

    def _go_on(self, run: str) -> None:
        """Until nothing moves the run but what the case does not say."""
        for _ in range(_MOST_STEPS):
            self.engine.advance(run)
            if self.stubs.bad is not None:
                raise self.stubs.bad
            row = self.store.run(run)
            if row.state in _STILL or not self._move(row):
                return
        raise BadCase(f"the flow did not come to an end in {_MOST_STEPS} steps")

    def _move(self, row: Run) -> bool:
        if row.state is RunState.READY:
            return True
        story = self.store.story(row.id)
        if self._decide(story) or self._publish(story) or self._end_children(story):
            return True
        if row.due_at is None:
            return False
        self.clock.at = max(self.clock.at, row.due_at)
        return True

    def _decide(self, story: Story) -> bool:
        asked = [row for row in story.approvals if row.state == "open"]
        for row in asked:
            key = self.stubs.of(story.run.flow, row.node)
            stub = self.stubs.given[key] if key is not None else None
            verdict = stub.get("outcome") if isinstance(stub, dict) else None
            if verdict not in ("approved", "rejected"):
                return False
            for number in range(row.needs if verdict == "approved" else 1):
                decision = {
                    "user": f"case{number}",
                    "verdict": verdict,
                    "comment": "",
                    "at": self.clock().isoformat(),
                }
                last = verdict == "rejected" or number == row.needs - 1
                made = (decision, verdict if last else "open")
                self.store.decide(row.id, partial(_as_the_case_says, made))
        return bool(asked)

    def _publish(self, story: Story) -> bool:
        published = False
        for timer in story.timers:
            key = self.stubs.of(story.run.flow, timer.node)
            if timer.state == "open" and timer.event_type and key is not None and "event" in self.stubs.given[key]:
                data = self.stubs.given[key]["event"]
                id = ".".join(filter(None, (timer.node, timer.iteration)))
                self.store.publish(EventRow(timer.event_type, timer.event_key or "", data, id=id))
                published = True
        return published

    def _end_children(self, story: Story) -> bool:
        """Those that the run waits for; one that comes to a standstill leaves the run waiting."""
        moved = False
        for child in story.children:
            if child.caller is not None and child.caller.waits and child.state not in _STILL:
                self._go_on(child.id)
                moved = moved or self.store.run(child.id).state in FINISHED
        return moved

    def _tell(self, story: Story) -> dict[str, Any]:
        run = story.run
        done = [row for row in story.outcomes if row.name != "failed"]
        return {
            "state": run.state.value, "outcome": run.outcome, "reply": run.reply,
            "outputs": {_place(row.node, row.iteration): row.output for row in done},
            "effects": [*self._effects(story), *self._calls(story)],
            "events": [{"event": row.type, "key": row.key, "data": row.data} for row in story.events],
            "exception": _exception(story),
        }  # fmt: skip

    def _effects(self, story: Story) -> Iterator[dict[str, Any]]:
        """What was sent and answered: sends of nodes that have an intent, and undos; not look-ups."""
        sent = {(row.node, row.iteration, row.operation): row.parameters for row in story.intents}
        undone = {
            (row.node, row.iteration, row.undo["type"]): row.undo["parameters"]
            for row in story.outcomes
            if row.undo
        }
        for asked in self.stubs.asked:
            key = (asked["node"], asked["iteration"], asked["type"])
            told = {"node": _place(asked["node"], asked["iteration"]), "type": asked["type"]}
            if key in sent and sent[key] == asked["parameters"]:
                yield {**told, "parameters": asked["parameters"]}
            elif key in undone and undone[key] == asked["parameters"]:
                yield {**told, "undo": True, "parameters": asked["parameters"]}

    def _calls(self, story: Story) -> Iterator[dict[str, Any]]:
        for child in story.children:
            caller = child.caller
            where = _place(caller.node, caller.iteration) if caller is not None else ""
            yield {"node": where, "flow": child.flow, "body": self.store.story(child.id).body}


def _exception(story: Story) -> dict[str, Any] | None:
    """What went wrong for good: the open exception, else the dead letter's error."""
    for row in story.exceptions:
        if row.state == "open":
            return {name: getattr(row, name) for name in ("kind", "owner", "message", "field", "node", "details")}
    return next((row.error for row in story.outcomes if row.error and row.state is OutcomeState.DEAD), None)


def _place(node: str, iteration: str) -> str:
    return f"{node}.{iteration}" if iteration else node


def _without_chance(told: dict[str, Any], story: Story) -> dict[str, Any]:
    """Ids of runs and what is derived from them, replaced by names, so that two trials can be compared."""
    text = json.dumps(told)
    for row in story.outcomes:
        text = text.replace(effect_key(story.run.id, row.node, row.iteration), f"<effect key of {row.node}>")
    text = text.replace(story.run.id, "<run>")
    for child in story.children:
        text = text.replace(child.id, f"<run of {child.flow}>")
    made: dict[str, Any] = json.loads(text)
    return made


def _silent(run: str, lane: str = "") -> None:
    """Nothing has to be rung: this thread advances."""
