"""What a cancel with undo would take back, in its order, and what would stay: shown before anybody decides."""

from __future__ import annotations

from typing import Any

from connectors.sdk import Misconfigured
from runtime.engine.client import Client
from runtime.model.flow import OperationNode
from runtime.model.run import IntentRow, OutcomeRow, OutcomeState
from runtime.store.store import NotFound, Story


def undo_plan(client: Client, story: Story) -> dict[str, Any]:
    """``{"undos", "stays", "called", "refused"}``: what is undone, newest first; effects that nothing undoes, and
    why; runs that this one called, which are cancelled by themselves; and why it cannot be undone now, or nothing.
    """
    intents = {(row.node, row.iteration): row for row in story.intents}
    happened = [row for row in story.outcomes if row.happened and (row.node, row.iteration) in intents]
    newest_first = sorted(
        enumerate(happened), key=lambda placed: (placed[1].finished_at or story.run.created_at, placed[0]),
        reverse=True,
    )  # fmt: skip
    reasons = _reasons(client, story.run.release)
    rows = [row for _, row in newest_first]
    return {
        "run": story.run.id,
        "undos": [_undo(row) for row in rows if row.undo is not None],
        "stays": [
            _stays(row, intents[row.node, row.iteration], reasons.get(row.node, ""))
            for row in rows
            if row.undo is None and intents[row.node, row.iteration].effect != "none"
        ],
        "undone": [row.node for row in story.outcomes if row.state is OutcomeState.UNDONE],
        "called": [{"run": child.id, "flow": child.flow, "state": child.state.value} for child in story.children],
        "refused": client.store.refusals("undo", [story.run.id]).get(story.run.id, ""),
    }


def _undo(row: OutcomeRow) -> dict[str, Any]:
    assert row.undo is not None
    return {
        "node": row.node, "iteration": row.iteration, "operation": row.undo["type"],
        "connection": row.undo["connection"], "parameters": row.undo["parameters"],
        "happened_at": row.finished_at.isoformat() if row.finished_at is not None else None,
    }  # fmt: skip


def _stays(row: OutcomeRow, intent: IntentRow, why: str) -> dict[str, Any]:
    return {
        "node": row.node, "iteration": row.iteration, "operation": intent.operation,
        "why": why or "the flow names nothing that undoes it",
    }  # fmt: skip


def _reasons(client: Client, release: str) -> dict[str, str]:
    """By node, why a flow says that there is no undo (``"none: …"``)."""
    try:
        nodes = [node for _, node in client.release(release).flow.walk()]
    except (NotFound, Misconfigured):
        return {}
    told = {node.id: node.undo for node in nodes if isinstance(node, OperationNode) and isinstance(node.undo, str)}
    return {name: undo.partition(":")[2].strip() for name, undo in told.items()}
