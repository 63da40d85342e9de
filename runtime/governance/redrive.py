"""What a run goes on with: the current release only where nothing that it has done has become something else, and
a group that is done again as a whole from its first node."""

from __future__ import annotations

from connectors.sdk import Misconfigured
from runtime.engine.client import Client
from runtime.engine.effects import operation
from runtime.model.flow import GroupNode, NodeBase, OperationNode
from runtime.model.release import Release
from runtime.model.run import OutcomeState, Position
from runtime.model.sought import Onto
from runtime.store.store import NotFound, Refused, Story

#: What a redrive clears may be another node now.
_CLEARED = frozenset({OutcomeState.DEAD, OutcomeState.EXCEPTION})


def current_for(client: Client, story: Story) -> Onto | None:
    """The release to go on with, ``None`` where the run has it already. Raises ``Refused``."""
    run = story.run
    try:
        current = client.current(run.flow)
        pinned = client.release(run.release)
    except (Misconfigured, NotFound) as error:
        raise Refused(f"run {run.id} cannot go on with the current release: {error}") from error
    if current.hash == run.release:
        return None
    _check(story, _nodes(pinned), _nodes(current))
    return Onto(current.hash, current.flow.version)


def done_again(client: Client, story: Story, onto: Onto | None) -> list[Position]:
    """What is done though it is to be forgotten: the other nodes of a group that is redriven as a whole, in which
    one has failed. Raises ``Refused`` where the release is gone."""
    try:
        release = client.release(onto.release if onto is not None else story.run.release)
    except (Misconfigured, NotFound) as error:
        raise Refused(f"run {story.run.id} cannot be redriven: {error}") from error
    groups = [group.ids() for _, group in release.flow.walk() if isinstance(group, GroupNode) and group.is_whole]
    again = {
        (node, row.iteration)
        for row in story.outcomes
        if row.state in _CLEARED
        for group in groups
        if row.node in group
        for node in group
    }
    known = (row for row in story.outcomes if row.state not in _CLEARED)
    return [Position(row.node, row.iteration) for row in known if (row.node, row.iteration) in again]


def _check(story: Story, pinned: dict[str, NodeBase], current: dict[str, NodeBase]) -> None:
    for name in sorted({row.node for row in story.outcomes if row.state not in _CLEARED}):
        was, now = pinned.get(name), current.get(name)
        if was is None or now is None:
            raise _refused(story, f"it has no node {name!r} any more, which is done")
        if _kind(was) != _kind(now):
            changed = f"node {name!r}, which is done, was {_told(was)} and is {_told(now)} now"
            raise _refused(story, changed)


def _refused(story: Story, why: str) -> Refused:
    return Refused(
        f"run {story.run.id} cannot go on with the current release of {story.run.flow}: {why}; redrive it with the"
        " release it began with, or reprocess it"
    )


def _nodes(release: Release) -> dict[str, NodeBase]:
    return {node.id: node for _, node in release.flow.walk()}


def _kind(node: NodeBase) -> tuple[str, str]:
    return str(getattr(node, "type", "")), effect_of(node)


def _told(node: NodeBase) -> str:
    type, effect = _kind(node)
    return f"{type} with effect {effect}" if effect else type


def effect_of(node: NodeBase) -> str:
    """``none``, ``idempotent`` or ``once``; of a control node, nothing."""
    if not isinstance(node, OperationNode):
        return ""
    return (node.effect or operation(node.type).effect_of(node.parameters)).value
