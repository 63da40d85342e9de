"""One message through one flow, from the door until its run stands still."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connectors.sdk import Arrival
from runtime.api.desk import Desk
from runtime.api.problem import ProblemError, problem
from runtime.engine.client import Client
from runtime.governance.views import plain, run_row
from runtime.intake.accept import Intake
from runtime.model.flow import Flow
from runtime.model.lint import Scope, lint_flow
from runtime.model.registry import Registry, freeze
from runtime.model.run import FINISHED, Run, RunState
from runtime.store.store import Story

#: How often a run that others advance is looked at, in seconds.
_LOOK = 0.05


class Trial(Desk):
    def run_flow(
        self, flow: str, payload: str, *, content_type: str = "application/json", trace: bool = False,
        timeout: float = 30.0, definition: Any = None, file: str = "", client: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """``payload`` is base64. ``definition`` is the flow's own JSON, for one that is not deployed; ``file``
        names it in findings. Comes back when the run and those it called stand still, or after ``timeout``
        seconds. Raises ``NotTaken``, ``ProblemError``, ``Misconfigured``."""
        owner = self._client(client)
        door = _with(owner, definition, file) if definition is not None else owner
        name = definition["flow"] if definition is not None else flow
        arrival = Arrival(_bytes(payload), content_type, {"content-type": content_type})
        created = Intake(door, self._services.ring, self._services.store.now).take(name, arrival, "run")
        self._stand_still(owner, created.run, timeout)
        return {**_told(owner, created.run, trace), "duplicate": created.duplicate}

    def _stand_still(self, client: Client, run: str, timeout: float) -> None:
        now = self._services.store.now
        end = now() + timedelta(seconds=timeout)
        pause = threading.Event()
        while True:
            for member in family(client, run):
                self._services.engine.advance(member.id)
            members = list(family(client, run))
            due = min((_wake(member, now()) for member in members if not _stands(member, end)), default=None)
            if due is None or now() >= end:
                return
            pause.wait(min(max((due - now()).total_seconds(), _LOOK), (end - now()).total_seconds()))


def family(client: Client, run: str) -> Iterator[Run]:
    """A run and those it called, however deep."""
    story = client.store.story(run)
    yield story.run
    for child in story.children:
        yield from family(client, child.id)


def _stands(run: Run, end: datetime) -> bool:
    """Whether nothing will move it before ``end`` but people or messages."""
    if run.state in FINISHED or run.state in (RunState.DEAD, RunState.EXCEPTION, RunState.HELD):
        return True
    return run.state in (RunState.WAITING, RunState.UNCERTAIN) and (run.due_at is None or run.due_at > end)


def _wake(run: Run, now: datetime) -> datetime:
    return run.due_at if run.due_at is not None and run.state is not RunState.LEASED else now


def _bytes(payload: str) -> bytes:
    try:
        return base64.b64decode(payload, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ProblemError(problem(400, "The payload is not base64", str(error), "bad_payload")) from error


def _with(client: Client, definition: Any, file: str) -> Client:
    """The client with one more flow, which only this trial sees; its release is stored like any other."""
    findings = [found for found in lint_flow(definition, file, Scope.of(client.pack)) if found.severity == "error"]
    if findings:
        raise ProblemError(
            problem(
                422, "The flow has mistakes", "; ".join(str(finding) for finding in findings), "lint",
                findings=plain(findings), next_action=f"mend {file or 'the flow'}; `orderly lint` lists all",
            )
        )  # fmt: skip
    release = freeze(client.pack, definition)
    name = Flow.model_validate(definition).flow
    return replace(client, registry=Registry({**client.registry.releases, name: release}, {}))


def _told(client: Client, run: str, trace: bool) -> dict[str, Any]:
    story = client.store.story(run)
    told = {
        **run_row(story.run, story.keys), "run": run, "reply": story.run.reply,
        "exceptions": [plain(row) for row in story.exceptions if row.state == "open"],
        "approvals": [plain(row) for row in story.approvals if row.state == "open"],
    }  # fmt: skip
    if trace:
        told["trace"] = traced(client, story)
    return {**told, "children": [_told(client, child.id, trace) for child in story.children]}


def traced(client: Client, story: Story) -> list[dict[str, Any]]:
    """Each node as it was reached: input, output, error, time in milliseconds."""
    order = {node.id: place for place, (_, node) in enumerate(client.release(story.run.release).flow.walk())}
    inputs = {(row.node, row.iteration): row.input for row in story.attempts}
    return [
        {
            "node": row.node, "iteration": row.iteration, "state": row.state.value, "outcome": row.name,
            "attempts": row.attempts, "input": inputs.get((row.node, row.iteration)), "output": row.output,
            "error": row.error, "milliseconds": _milliseconds(row.started_at, row.finished_at),
        }
        for row in sorted(story.outcomes, key=lambda row: (_path(row.iteration), order.get(row.node, len(order))))
    ]  # fmt: skip


def _path(iteration: str) -> tuple[int, ...]:
    return tuple(int(part) for part in iteration.split(".") if part.isdigit())


def _milliseconds(started: datetime | None, finished: datetime | None) -> float | None:
    return round((finished - started).total_seconds() * 1000, 1) if started and finished else None
