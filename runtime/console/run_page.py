"""What a run's page shows of each node: what went in, what came out, how often it was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.sdk import Misconfigured
from runtime.engine.client import Client
from runtime.model.flow import NodeBase
from runtime.model.run import AttemptRow, ExpectationRow, IntentRow, OutcomeRow, Position
from runtime.store.store import NotFound, Story


@dataclass(frozen=True)
class NodeView:
    """One position, with everything known of it. ``type`` is empty where the release is lost."""

    at: Position
    type: str
    title: str
    outcome: OutcomeRow | None
    intent: IntentRow | None
    attempts: Sequence[AttemptRow]
    expectations: Sequence[ExpectationRow]

    @property
    def state(self) -> str:
        return str(self.outcome.state) if self.outcome is not None else "open"

    @property
    def input(self) -> Any:
        """What was last sent; of a node that sends nothing, ``None``."""
        for attempt in reversed(self.attempts):
            if attempt.kind != "person" and attempt.input is not None:
                return attempt.input
        return self.intent.parameters if self.intent is not None else None

    @property
    def begun(self) -> datetime | None:
        times = [attempt.started_at for attempt in self.attempts]
        times += [self.intent.opened_at] if self.intent is not None and self.intent.opened_at else []
        times += [self.outcome.started_at] if self.outcome is not None and self.outcome.started_at else []
        return min(times, default=None)


def node_views(client: Client, story: Story) -> list[NodeView]:
    """In the order in which they began."""
    nodes = _nodes(client, story.run.release)
    outcomes = {Position(row.node, row.iteration): row for row in story.outcomes}
    intents = {Position(row.node, row.iteration): row for row in story.intents}
    places = dict.fromkeys([*outcomes, *intents, *(Position(row.node, row.iteration) for row in story.attempts)])
    views = [
        NodeView(
            at, getattr(nodes.get(at.node), "type", ""), getattr(nodes.get(at.node), "title", ""),
            outcomes.get(at), intents.get(at),
            [row for row in story.attempts if (row.node, row.iteration) == (at.node, at.iteration)],
            [row for row in story.expectations if (row.node, row.iteration) == (at.node, at.iteration)],
        )
        for at in places
    ]  # fmt: skip
    order = {id: number for number, id in enumerate(nodes)}
    return sorted(views, key=lambda view: (view.begun or story.run.created_at, order.get(view.at.node, 0)))


def _nodes(client: Client, release: str) -> Mapping[str, NodeBase]:
    """Of the release that the run pinned; none where it is not stored any more."""
    try:
        return {node.id: node for _, node in client.release(release).flow.walk()}
    except (NotFound, Misconfigured):
        return {}
