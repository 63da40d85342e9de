"""A flow file as typed models.

Nodes run in the order they stand; branches nest where they occur. A control node is one of the closed set
below, any other ``type`` is ``<connector>.<operation>``. A string that begins with ``=`` is JSONata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from connectors.sdk import Duration, Effect, seconds
from connectors.sdk.model import Model

NodeId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
FlowName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]


def _within(value: Any) -> Any:
    is_expression = isinstance(value, str) and value.startswith("=") and not value.startswith("==")
    return value if is_expression or not isinstance(value, str) else timedelta(seconds=seconds(value))


#: A duration, or an expression for one.
Within = Annotated[
    timedelta | str,
    BeforeValidator(_within, json_schema_input_type=Annotated[str, Field(pattern=r"^(\d+(ms|s|m|h|d)|=[^=].*)$")]),
]


class Retry(Model):
    """Exponential backoff with full jitter. ``attempts`` counts the first."""

    attempts: int = Field(default=5, ge=1, le=1000)
    first: Duration = Field(default="1s", validate_default=True)
    longest: Duration = Field(default="5m", validate_default=True)


class Fault(Model):
    """Which of a peer's codes means what."""

    code: str
    is_: Literal["business", "not_done", "dead"] = Field(alias="is")
    kind: str = ""
    owner: str = ""


class LookUp(Model):
    """Asks the peer what became of an effect whose outcome is unknown."""

    type: str
    connection: str | None = None
    parameters: dict[str, Any] = {}
    found: str
    output: Any = None
    authoritative: bool = False
    settle: Duration = Field(default="5s", validate_default=True)


class Undo(Model):
    """Takes an effect back, on purpose only."""

    type: str
    connection: str | None = None
    effect: Effect | None = None
    parameters: dict[str, Any] = {}


class Expect(Model):
    """What must come back, and by when, counted from the outcome. ``within`` may be an expression: a partner's
    profile says how long it may take. Where that gives nothing, nothing is expected. An event that came since the
    run began counts; with ``earlier``, also one that came so long before it. What ``moves`` takes the place of
    what other runs expect of the same event and key; where it is an expression, if that is true."""

    event: str
    key: str
    within: Within
    earlier: Duration | None = None
    moves: bool | str = False


class NodeBase(Model):
    id: NodeId
    title: str = ""
    into: str | None = None
    keys: dict[str, str] = {}
    on_error: list[Node] | None = None

    def branches_of(self) -> Iterator[tuple[tuple[str | int, ...], list[Node]]]:
        """Nested node lists with their place in the JSON, ``on_error`` last."""
        if self.on_error is not None:
            yield ("on_error",), self.on_error


class Branching(NodeBase):
    """A node with named outcomes."""

    on: dict[str, list[Node]] = {}

    def branches_of(self) -> Iterator[tuple[tuple[str | int, ...], list[Node]]]:
        for name, nodes in self.on.items():
            yield ("on", name), nodes
        yield from super().branches_of()


class ByPartner(Model):
    """Which of a partner's mappings goes before the node's own, where its profile names one."""

    partner: str
    out: str | None = None
    in_: str | None = Field(default=None, alias="in")

    @model_validator(mode="after")
    def _one_way(self) -> ByPartner:
        if (self.out is None) == (self.in_ is None):
            raise ValueError("either `out` or `in` names the transaction set or message")
        return self

    def of(self, profile: Mapping[str, Any]) -> str | None:
        """The name of the mapping in that profile."""
        way, type = ("out", self.out) if self.out is not None else ("in", self.in_)
        found = profile.get("mappings", {}).get(way, {}).get(type)
        return found if isinstance(found, str) else None


class MapParameters(Model):
    mapping: str
    by_partner: ByPartner | None = None
    document: Any = "=$"


class MapNode(NodeBase):
    """Message translator: a mapping applied to a document, the body by default. A partner's profile may name
    another mapping for the same (``by_partner``)."""

    type: Literal["map"]
    parameters: MapParameters


class Case(Model):
    when: str
    nodes: list[Node]


class RouteNode(NodeBase):
    """Content-based router: the first case whose ``when`` is true, else ``otherwise``."""

    type: Literal["route"]
    cases: list[Case] = Field(min_length=1)
    otherwise: list[Node] = []

    def branches_of(self) -> Iterator[tuple[tuple[str | int, ...], list[Node]]]:
        for index, case in enumerate(self.cases):
            yield ("cases", index, "nodes"), case.nodes
        yield ("otherwise",), self.otherwise
        yield from super().branches_of()


class ParallelNode(NodeBase):
    """All branches on copies of the body; output ``{branch: body}``."""

    type: Literal["parallel"]
    branches: dict[str, list[Node]] = Field(min_length=1)

    def branches_of(self) -> Iterator[tuple[tuple[str | int, ...], list[Node]]]:
        for name, nodes in self.branches.items():
            yield ("branches", name), nodes
        yield from super().branches_of()


class ForEachParameters(Model):
    items: Any
    at_once: int | str = 1
    allow_failed: int | str = 0


class ForEachNode(NodeBase):
    """Splitter: the nodes once per item; output ``{done: [{index, body}], failed: [{index, error}]}``."""

    type: Literal["for_each"]
    parameters: ForEachParameters
    nodes: list[Node]

    def branches_of(self) -> Iterator[tuple[tuple[str | int, ...], list[Node]]]:
        yield ("nodes",), self.nodes
        yield from super().branches_of()


class GroupNode(NodeBase):
    """Nodes that share one ``on_error``. With ``redrive: whole`` they are also done again together: they only read
    and compute, and a redrive of one that failed begins with the first, so that it sees what was corrected."""

    type: Literal["group"]
    redrive: Literal["failed", "whole"] = "failed"
    nodes: list[Node]

    @property
    def is_whole(self) -> bool:
        return self.redrive == "whole"

    def ids(self) -> frozenset[str]:
        """Its own and those of all nodes in it."""
        return frozenset(node.id for _, node in _walk((), [self]))

    def branches_of(self) -> Iterator[tuple[tuple[str | int, ...], list[Node]]]:
        yield ("nodes",), self.nodes
        yield from super().branches_of()


class CallFlowParameters(Model):
    flow: str
    body: Any = "=$"
    wait: bool = False


class CallFlowNode(NodeBase):
    """Hands a document to another flow, through the same door as everything from outside."""

    type: Literal["call_flow"]
    parameters: CallFlowParameters


class WaitParameters(Model):
    for_: str | None = Field(default=None, alias="for")
    until: str | None = None
    event: str | None = None
    key: str | None = None
    within: str | None = None


class WaitNode(Branching):
    """A row and a wake-up time: no thread waits."""

    type: Literal["wait"]
    parameters: WaitParameters


class ApproveParameters(Model):
    policy: str
    document: Any = "=$"
    requester: str


class ApproveNode(Branching):
    """People decide, by policy."""

    type: Literal["approve"]
    parameters: ApproveParameters


class PublishParameters(Model):
    event: str
    key: Any = None
    data: Any = "=$"


class PublishNode(NodeBase):
    """An event for whoever waits, expects or subscribes."""

    type: Literal["publish"]
    parameters: PublishParameters
    expect: list[Expect] = []


class RespondParameters(Model):
    status: int | str = 200
    body: Any = "=$"


class RespondNode(NodeBase):
    """The reply to the trigger, stored with the run."""

    type: Literal["respond"]
    parameters: RespondParameters = RespondParameters()


class RaiseParameters(Model):
    kind: str
    message: str
    owner: str = ""
    field: str = ""
    details: Any = None
    next_action: str = ""


class RaiseNode(NodeBase):
    """A business exception for an owner."""

    type: Literal["raise"]
    parameters: RaiseParameters


class EndParameters(Model):
    outcome: str = "done"
    undo: bool = False


class EndNode(NodeBase):
    """Ends the run; inside a ``for_each`` item or a ``parallel`` branch, ends that."""

    type: Literal["end"]
    parameters: EndParameters = EndParameters()


class OperationNode(Branching):
    """A connector's operation."""

    type: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")]
    connection: str | None = None
    parameters: dict[str, Any] = {}
    effect: Effect | None = None
    retry: Retry = Retry()
    look_up: LookUp | str | None = None
    undo: Undo | str | None = None
    expect: list[Expect] = []
    faults: list[Fault] = []


CONTROL: dict[str, type[NodeBase]] = {
    "map": MapNode, "route": RouteNode, "parallel": ParallelNode, "for_each": ForEachNode, "group": GroupNode,
    "call_flow": CallFlowNode, "approve": ApproveNode, "wait": WaitNode, "publish": PublishNode,
    "respond": RespondNode, "raise": RaiseNode, "end": EndNode,
}  # fmt: skip


def _tag(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) and kind in CONTROL else "operation"


Node = Annotated[
    Annotated[MapNode, Tag("map")]
    | Annotated[RouteNode, Tag("route")]
    | Annotated[ParallelNode, Tag("parallel")]
    | Annotated[ForEachNode, Tag("for_each")]
    | Annotated[GroupNode, Tag("group")]
    | Annotated[CallFlowNode, Tag("call_flow")]
    | Annotated[ApproveNode, Tag("approve")]
    | Annotated[WaitNode, Tag("wait")]
    | Annotated[PublishNode, Tag("publish")]
    | Annotated[RespondNode, Tag("respond")]
    | Annotated[RaiseNode, Tag("raise")]
    | Annotated[EndNode, Tag("end")]
    | Annotated[OperationNode, Tag("operation")],
    Discriminator(_tag),
]


class Decode(Model):
    type: str
    parameters: dict[str, Any] = {}


class ReplyResult(Model):
    within: Duration


class Reply(Model):
    result: ReplyResult


class Batch(Model):
    """The events are collected for a partner and start one run together, when its profile says so (``batching``);
    its body is ``{partner, because, items: [data of each event]}``. What is urgent goes at once."""

    partner: str
    urgent: str = "=false"


class Trigger(Model):
    """What starts the flow: ``webhook``, ``schedule``, ``event``, ``call``, or a source operation."""

    type: str
    connection: str | None = None
    parameters: dict[str, Any] = {}
    every: Duration | None = None
    auth: str | None = None
    cron: str | None = None
    zone: str = "UTC"
    misfire: Literal["all", "latest", "skip"] = "latest"
    event: str | None = None
    batch: Batch | None = None
    decode: Decode | None = None
    mapping: str | None = None
    accepts: str | None = None
    reply: Literal["accepted"] | Reply = "accepted"

    @property
    def is_source(self) -> bool:
        return "." in self.type


class Flow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: str = Field(default="", alias="$schema")
    flow: FlowName
    version: str
    title: str = ""
    owner: str
    trigger: Trigger
    identity: str | None = None
    keys: dict[str, str] = {}
    order_by: str | None = None
    lane: str = "normal"
    nodes: list[Node] = Field(min_length=1)

    @property
    def same_by_bytes(self) -> bool:
        """What a source hands over without an identity of the flow's own is the same where its bytes are."""
        return self.trigger.is_source and self.identity is None

    def walk(self) -> Iterator[tuple[tuple[str | int, ...], NodeBase]]:
        """Every node with its place in the JSON, in reading order."""
        yield from _walk(("nodes",), self.nodes)

    def node(self, id: str) -> NodeBase:
        """Raises ``KeyError``."""
        for _, node in self.walk():
            if node.id == id:
                return node
        raise KeyError(id)


def _walk(place: tuple[str | int, ...], nodes: list[Any]) -> Iterator[tuple[tuple[str | int, ...], NodeBase]]:
    for index, node in enumerate(nodes):
        yield (*place, index), node
        for inner, branch in node.branches_of():
            yield from _walk((*place, index, *inner), branch)


_MODELS: tuple[type[BaseModel], ...] = (NodeBase, Branching, Case, *CONTROL.values(), OperationNode, Flow)
for _model in _MODELS:
    _model.model_rebuild()
