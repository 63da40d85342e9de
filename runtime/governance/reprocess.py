"""A new run from the message of an old one, as it came or as a person corrected it. What must happen once is not
repeated: it is carried over where a person says so, or the reprocess is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors.sdk import Misconfigured
from runtime.engine.client import Client
from runtime.engine.door import Door
from runtime.engine.effects import operation
from runtime.governance.redrive import effect_of
from runtime.model.flow import CallFlowNode, NodeBase, OperationNode
from runtime.model.release import Release
from runtime.model.run import (
    Carry,
    Created,
    IntentState,
    NewRun,
    OutcomeRow,
    OutcomeState,
    Position,
)
from runtime.model.sought import Said
from runtime.store.store import NotFound, Refused, Story

#: The message as it came.
AS_IT_CAME: Final = object()
#: So many places of a correction are named in the audit; values never are.
_MOST_NAMED: Final = 50


@dataclass(frozen=True)
class Decided:
    """What a person says of effects that must happen once. ``carry``: those that are done are taken over. Of those
    that nobody knows of, by place (``node``, or ``node[iteration]``): what the peer answered where it ``happened``,
    and those that did ``not_happen``."""

    carry: bool = False
    happened: Mapping[str, Any] = field(default_factory=dict)
    not_happened: Collection[str] = ()


@dataclass(frozen=True)
class Once:
    """Something that a reprocessed run must not do again. ``state`` is ``done``, ``open`` (nobody knows) or
    ``called`` (a run that it called did it); ``why_not`` says why it cannot be carried over."""

    at: Position
    operation: str
    state: str
    output: Any
    why_not: str

    @property
    def place(self) -> str:
        return f"{self.at.node}[{self.at.iteration}]" if self.at.iteration else self.at.node


class Reprocess:
    def __init__(self, client: Client) -> None:
        self._client = client

    def once(self, story: Story) -> list[Once]:
        """Own effects first, then runs that were called. Raises ``Refused`` where the flow is gone."""
        nodes = _nodes(self._release(story))
        outcomes = {Position(row.node, row.iteration): row for row in story.outcomes}
        return [*self._own(story, nodes, outcomes), *self._called(story, nodes)]

    def _own(
        self, story: Story, nodes: Mapping[str, NodeBase], outcomes: Mapping[Position, OutcomeRow]
    ) -> Iterator[Once]:
        for intent in story.intents:
            at = Position(intent.node, intent.iteration)
            row = outcomes.get(at)
            undone = row is not None and row.state is OutcomeState.UNDONE
            if intent.effect != "once" or intent.state is IntentState.NOT_DONE or undone:
                continue
            state = "open" if intent.state is IntentState.OPEN else "done"
            node = nodes.get(at.node)
            fits = isinstance(node, OperationNode) and node.type == intent.operation and effect_of(node) == "once"
            why_not = _inside(at) or (
                "" if fits else f"the current flow has no node {at.node!r} that does the same"
            )
            yield Once(at, intent.operation, state, row.output if row is not None else None, why_not)

    def _called(self, story: Story, nodes: Mapping[str, NodeBase]) -> Iterator[Once]:
        for row in story.outcomes:
            child = row.output.get("run") if isinstance(row.output, dict) else None
            if not isinstance(nodes.get(row.node), CallFlowNode) or not child or not self._did_once(str(child)):
                continue
            at = Position(row.node, row.iteration)
            why_not = _inside(at)
            if row.state is not OutcomeState.DONE:
                why_not = f"it waits for run {child}: put that one right, and this one goes on"
            yield Once(at, "call_flow", "called", row.output, why_not)

    def _did_once(self, run: str) -> bool:
        try:
            story = self._client.store.story(run)
        except NotFound:
            return False
        undone = {(row.node, row.iteration) for row in story.outcomes if row.state is OutcomeState.UNDONE}
        own = any(
            row.effect == "once"
            and row.state is not IntentState.NOT_DONE
            and (row.node, row.iteration) not in undone
            for row in story.intents
        )
        return own or any(self._did_once(child.id) for child in story.children)

    def _release(self, story: Story) -> Release:
        try:
            return self._client.current(story.run.flow)
        except Misconfigured as error:
            raise Refused(error.message) from error

    def create(self, run: str, said: Said, body: Any = AS_IT_CAME, decided: Decided | None = None) -> Created:
        """Raises ``NotFound``, ``Refused``, ``NotAccepted`` (the document does not meet what the flow accepts),
        ``IdentityConflict`` (another run has the identity of the corrected document)."""
        story = self._client.store.story(run)
        places = [] if body is AS_IT_CAME else changed(story.body, body)
        new = self.new_run(story, body if places else AS_IT_CAME)
        carry = self._carry(story, decided or Decided())
        if carry is not None:
            new = replace(new, carry=carry, keys=_with_kept_keys(new, story, self._release(story), carry))
        more = {"edited": places[:_MOST_NAMED]} if places else {}
        more |= {"carried": [at.node for at in carry.kept]} if carry is not None and carry.kept else {}
        created = self._client.store.create_run(new, said=replace(said, more={**said.more, **more}))
        if created.duplicate:
            raise Refused(
                f"run {run} was not reprocessed: the document came before under its identity, as run {created.run};"
                " look at that one"
            )
        return created

    def new_run(self, story: Story, body: Any = AS_IT_CAME) -> NewRun:
        """As the flow takes it today, nothing carried over. Raises ``Refused``, ``NotAccepted``, and what the
        expressions of the door raise."""
        door, release = Door(self._client), self._release(story)
        if body is AS_IT_CAME:
            sum = story.raw.removeprefix("sha256:") if story.raw and release.flow.same_by_bytes else None
            new = door.new_run(
                release, story.body, source=story.run.source, headers=dict(story.headers), raw=story.raw,
                content_type=story.content_type, caller=story.run.caller, reprocess_of=story.run.id, sum=sum,
            )  # fmt: skip
            return replace(new, identity=new.identity or story.run.identity)
        new = door.new_run(
            release, body, source=story.run.source, headers=dict(story.headers), caller=story.run.caller,
            reprocess_of=story.run.id,
        )  # fmt: skip
        new = replace(new, identity=new.identity or story.run.identity)
        return replace(new, digest=self._first_digest(new, story.run.id) or new.digest)

    def _first_digest(self, new: NewRun, old: str) -> str | None:
        """Under the same identity the sender may send the first document again: it is still that one."""
        if new.identity is None:
            return None
        known = self._client.store.find_identity(new.flow, new.identity)
        return known[1] if known is not None and known[0].id == old else None

    def _carry(self, story: Story, decided: Decided) -> Carry | None:
        if not decided.carry and not decided.happened and not decided.not_happened:
            return None
        once = self.once(story)
        _check_places(story.run.id, once, decided)
        kept = [each for each in once if decided.carry and each.state != "open"]
        stated = [each for each in once if each.place in decided.happened]
        for each in (*kept, *stated):
            if each.why_not:
                raise Refused(f"run {story.run.id}: {each.place} cannot be carried over: {each.why_not}")
        denied = [each.at for each in once if each.place in decided.not_happened]
        rows = tuple(self._stated(story, each, decided.happened[each.place]) for each in stated)
        return Carry(tuple(each.at for each in kept), rows, tuple(denied))

    def _stated(self, story: Story, each: Once, output: Any) -> OutcomeRow:
        opened = {(row.node, row.iteration): row.opened_at for row in story.intents}
        return OutcomeRow(
            each.at.node, each.at.iteration, OutcomeState.DONE, operation(each.operation).outcomes[0], output,
            started_at=opened[each.at.node, each.at.iteration], finished_at=story.run.checkpoint_at,
        )  # fmt: skip


def _check_places(run: str, once: list[Once], decided: Decided) -> None:
    open_places = [each.place for each in once if each.state == "open"]
    both = set(decided.happened) & set(decided.not_happened)
    if both:
        raise Refused(f"run {run}: {', '.join(sorted(both))} is said to have happened and not to have happened")
    for place in (*decided.happened, *decided.not_happened):
        if place not in open_places:
            known = ", ".join(open_places) or "none"
            raise Refused(f"run {run}: nothing is open at {place!r} that a person could settle; open: {known}")


def _inside(at: Position) -> str:
    if not at.iteration:
        return ""
    return f"it belongs to item {at.iteration} of a for_each, and the new run may have other items: redrive it"


def _nodes(release: Release) -> dict[str, NodeBase]:
    return {node.id: node for _, node in release.flow.walk()}


def _with_kept_keys(new: NewRun, story: Story, release: Release, carry: Carry) -> tuple[tuple[str, str], ...]:
    """Keys that nodes have given which are not run again."""
    nodes, given = _nodes(release), dict(new.keys)
    for at in carry.kept:
        for name in nodes[at.node].keys if at.node in nodes else ():
            if name in story.keys:
                given.setdefault(name, story.keys[name])
    return tuple(given.items())


def changed(old: Any, new: Any, at: str = "") -> list[str]:
    """JSON pointers (RFC 6901) of what differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        return [
            place
            for name in names
            for place in (
                changed(old[name], new[name], f"{at}/{_escaped(name)}")
                if name in old and name in new
                else [f"{at}/{_escaped(name)}"]
            )
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [place for index, pair in pairs for place in changed(*pair, f"{at}/{index}")]
    same = old == new and isinstance(old, bool) is isinstance(new, bool)
    return [] if same else [at or "/"]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
