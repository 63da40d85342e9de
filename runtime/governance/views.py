"""Rows as JSON: what the command line prints under ``--json``, the control API answers and the console shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from runtime.model.run import AttemptRow, ExceptionRow, Run
from runtime.store.store import Story


def plain(value: Any) -> Any:
    """Any row as JSON: times in ISO 8601, empty members kept."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def run_row(run: Run, keys: Mapping[str, str]) -> dict[str, Any]:
    shown = (
        "id", "client", "flow", "version", "state", "why", "outcome", "source", "identity", "created_at",
        "finished_at", "due_at", "reprocess_of",
    )  # fmt: skip
    return {**{name: plain(getattr(run, name)) for name in shown}, "keys": dict(keys)}


def exception_row(row: ExceptionRow) -> dict[str, Any]:
    return plain(row)  # type: ignore[no-any-return]


def time_line(story: Story) -> list[dict[str, Any]]:
    """Everything that happened to one run, oldest first: ``{"at", "kind", "node", "text", "result"}``."""
    run = story.run
    line = [_step(run.created_at, "received", "", f"by {run.source}", "accepted")]
    for row in story.attempts:
        text = _said(row)
        failed = row.error is not None
        line.append(_step(row.finished_at, row.kind, row.node, text, row.result, number=row.number, failed=failed))
    tried = {(row.node, row.iteration) for row in story.attempts}
    for outcome in story.outcomes:
        if (outcome.node, outcome.iteration) not in tried and outcome.finished_at is not None:
            text = (outcome.error or {}).get("message", "")
            line.append(_step(outcome.finished_at, "node", outcome.node, text, outcome.name))
    for approval in story.approvals:
        if approval.created_at is not None:
            text = f"{approval.needs} of role {approval.role}: {approval.reason}"
            line.append(_step(approval.created_at, "approval", approval.node, text, "asked"))
        for decision in approval.decisions:
            at = datetime.fromisoformat(decision["at"])
            line.append(_step(at, "approval", approval.node, f"by {decision['user']}", decision["verdict"]))
    for event in story.events:
        if event.at is not None:
            line.append(_step(event.at, "event", event.node, event.key, event.type))
    for exception in story.exceptions:
        if exception.at is not None:
            text = f"{exception.message} (owner: {exception.owner})"
            line.append(_step(exception.at, "exception", exception.node, text, exception.kind))
    if run.finished_at is not None:
        line.append(_step(run.finished_at, "finished", "", run.why, run.outcome or str(run.state)))
    return sorted(line, key=lambda step: step["at"])


def _said(row: AttemptRow) -> str:
    """What was asked, and what went wrong; of a person's word, who gave it and why."""
    if row.kind == "person" and isinstance(row.input, dict):
        return f"by {row.input.get('by', '')}: {row.input.get('why', '')}"
    return ": ".join(text for text in (_asked(row.input), (row.error or {}).get("message", "")) if text)


def _asked(given: Any) -> str:
    """What was asked of a peer, in a few words: an operation, a request, a path, a document's kind."""
    if not isinstance(given, dict):
        return ""
    found = [given.get(name) for name in ("operation", "method", "path", "set", "partner", "kind")]
    return " ".join(value for value in found if isinstance(value, str))


def _step(at: datetime, kind: str, node: str, text: str, result: str, **more: Any) -> dict[str, Any]:
    return {"at": at.isoformat(), "kind": kind, "node": node, "text": text, "result": result, **more}


def story_view(story: Story) -> dict[str, Any]:
    """One run whole, for ``runs show`` and its page."""
    return {
        **run_row(story.run, story.keys), "release": story.run.release, "reply": story.run.reply,
        "caller": plain(story.run.caller), "body": story.body, "headers": dict(story.headers), "raw": story.raw,
        "content_type": story.content_type, "time_line": time_line(story),
        "nodes": [plain(row) for row in story.outcomes], "attempts": [plain(row) for row in story.attempts],
        "intents": [plain(row) for row in story.intents],
        "expectations": [plain(row) for row in story.expectations],
        "exceptions": [plain(row) for row in story.exceptions],
        "approvals": [plain(row) for row in story.approvals],
        "children": [run_row(child, {}) for child in story.children],
    }  # fmt: skip


#: The last step that a state has come to, and how that step ended.
_REACHED: Mapping[str, tuple[int, str]] = {
    "written": (-1, ""), "void": (0, "void"), "sent": (0, "sent"), "arrived": (1, "arrived"),
    "accepted": (2, "accepted"), "partly": (2, "partly"), "rejected": (2, "rejected"),
    "acknowledged": (3, "acknowledged"),
}  # fmt: skip
_FUNCTIONAL = "functional acknowledgement"
_STEPS = ("sent", "interchange acknowledgement", _FUNCTIONAL, "business acknowledgement")
#: X12.5 and ISO 9735: an acknowledgement is never acknowledged; a TA1 stands in no set.
_ACKNOWLEDGEMENTS = frozenset({"997", "CONTRL"})


def interchange_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """One interchange of the ledger; of what was sent with ``steps``: sent, interchange, functional and business
    acknowledgement, each with ``state`` (what came, ``open`` while it is to come, ``passed`` where a later one came
    without it, ``overdue``) and ``at``, where that is known. What only acknowledges has the first of them alone."""
    if row["direction"] != "out":
        return {**plain(row), "steps": []}
    sets = [{**one, "state": _of_set(one, row)} for one in row.get("sets", [])]
    steps = _steps_of(row)
    only_acknowledges = all(one["type"] in _ACKNOWLEDGEMENTS for one in row.get("sets", [{"type": ""}]))
    return {**plain(row), "sets": sets, "steps": steps[:1] if only_acknowledges else steps}


def _of_set(one: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Of which nothing was said by itself."""
    whole = row["state"] if row["state"] in ("sent", "arrived", "void") else "written"
    return whole if one["state"] == "written" else str(one["state"])


def _steps_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    reached, ended = _REACHED.get(row["state"], (-1, ""))
    came = {
        0: "sent",
        **{_REACHED[one["state"]][0]: one["state"] for one in row["acknowledgements"]},
        reached: ended,
    }
    steps = []
    for place, name in enumerate(_STEPS):
        state = came.get(place, "passed") if place <= reached else "open"
        if state in ("open", "passed") and name == _FUNCTIONAL and row["overdue"]:
            state = "overdue"
        steps.append({"name": name, "state": state, "at": plain(row["sent_at"]) if place == 0 else None})
    return steps
