"""The control nodes: a closed set, each a function of (walk, node, frame, known row).

A function returns the node's finished row, or leaves by ``Halted``, ``NodeFailed`` or ``EndRun``. A known row
that is done never gets here, except where a container has to be walked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connectors.sdk import BusinessError, Misconfigured, seconds
from runtime.engine.door import Door
from runtime.engine.expecting import expectations
from runtime.engine.failure import EndRun, Halted, NodeFailed
from runtime.engine.scope import Frame
from runtime.engine.walk import Walk
from runtime.mapping import MISSING
from runtime.model import flow as model
from runtime.model.policy import Policy
from runtime.model.release import digest
from runtime.model.run import (
    FINISHED,
    ApprovalRow,
    Caller,
    ChildRun,
    EventRow,
    OutcomeRow,
    OutcomeState,
    Position,
    RunState,
    TimerRow,
)
from runtime.store.store import IdentityConflict

_MOST_THREADS = 16

Nodes = Callable[[Walk, list[Any], Frame], None]


def _present(value: Any) -> Any:
    return None if value is MISSING else value


def run_map(walk: Walk, node: model.MapNode, frame: Frame) -> OutcomeRow:
    document = _present(walk.scope.value(node.parameters.document, frame, node.id))
    output = _present(walk.scope.mapping(_mapping(walk, node, frame), document, frame, node.id))
    return walk.finish(node, frame, output, engine=walk.release.engine)


def _mapping(walk: Walk, node: model.MapNode, frame: Frame) -> str:
    """Its own, or that of the partner, as the release holds its profile."""
    given = node.parameters.by_partner
    if given is None:
        return node.parameters.mapping
    partner = walk.scope.value(given.partner, frame, node.id)
    profile = walk.release.content["partners"].get(partner, {}) if isinstance(partner, str) else {}
    return given.of(profile) or node.parameters.mapping


def run_publish(walk: Walk, node: model.PublishNode, frame: Frame) -> OutcomeRow:
    given = node.parameters
    key = _present(walk.scope.value(given.key, frame, node.id)) if given.key is not None else None
    if key is None:
        key = next(iter(walk.loaded.keys.values()), "")
    data = _present(walk.scope.value(given.data, frame, node.id))
    event = EventRow(str(walk.scope.value(given.event, frame, node.id)), str(key), data, node=node.id)
    for row in expectations(walk, node, frame):
        walk.pending.add("expectations", row)
    walk.pending.add("events", event)
    return walk.finish(node, frame, {"event": event.type, "key": event.key})


def run_respond(walk: Walk, node: model.RespondNode, frame: Frame) -> OutcomeRow:
    reply = {
        "status": int(walk.scope.value(node.parameters.status, frame, node.id)),
        "body": _present(walk.scope.value(node.parameters.body, frame, node.id)),
    }
    walk.pending.reply = reply
    return walk.finish(node, frame, {"status": reply["status"]})


def run_raise(walk: Walk, node: model.RaiseNode, frame: Frame) -> OutcomeRow:
    given = node.parameters
    values = {
        name: _present(walk.scope.value(getattr(given, name), frame, node.id))
        for name in ("kind", "message", "owner", "field", "details", "next_action")
    }
    details = values["details"] if isinstance(values["details"], dict) else {}
    error = BusinessError(
        str(values["message"]), kind=str(values["kind"]), owner=str(values["owner"] or ""),
        field=str(values["field"] or ""), details=details, next_action=str(values["next_action"] or ""),
    )  # fmt: skip
    raise walk.failed(node, frame, error, OutcomeState.EXCEPTION)


def run_end(walk: Walk, node: model.EndNode, frame: Frame) -> OutcomeRow:
    raise EndRun(str(walk.scope.value(node.parameters.outcome, frame, node.id)), node.parameters.undo)


def run_route(walk: Walk, node: model.RouteNode, frame: Frame, nodes: Nodes) -> OutcomeRow:
    """The choice is an outcome like any other: walking again takes the same branch."""
    row = walk.outcome(node, frame)
    if row is None:
        chosen = next((i for i, case in enumerate(node.cases) if walk.scope.true(case.when, frame, node.id)), None)
        row = walk.finish(node, frame, {"case": chosen})
    chosen = walk.whole(row).output["case"]
    nodes(walk, node.cases[chosen].nodes if chosen is not None else node.otherwise, frame)
    return row


def run_group(walk: Walk, node: model.GroupNode, frame: Frame, nodes: Nodes) -> OutcomeRow:
    nodes(walk, node.nodes, frame)
    return walk.outcome(node, frame) or walk.finish(node, frame, None)


def run_parallel(walk: Walk, node: model.ParallelNode, frame: Frame, nodes: Nodes) -> OutcomeRow:
    frames = {
        name: Frame(frame.body, frame.iteration, dict(frame.nodes), {**frame.bound, "parent": frame.body})
        for name in node.branches
    }
    jobs = [partial(_to_end, walk, node.branches[name], inner, nodes) for name, inner in frames.items()]
    stops = _each(walk, jobs, len(jobs))
    failures = [stopped for stopped in stops if isinstance(stopped, NodeFailed)]
    halts = [stopped for stopped in stops if isinstance(stopped, Halted)]
    if halts:
        raise walk.worst([*halts, *(walk.uncaught(failure) for failure in failures)])
    if failures:
        raise _all_failed(node, frame, failures)
    return walk.finish(node, frame, {name: inner.body for name, inner in frames.items()})


def run_for_each(walk: Walk, node: model.ForEachNode, frame: Frame, nodes: Nodes) -> OutcomeRow:
    row = walk.outcome(node, frame) or _freeze(walk, node, frame)
    items = row.output["items"]
    allowed = int(walk.scope.value(node.parameters.allow_failed, frame, node.id))
    at_once = int(walk.scope.value(node.parameters.at_once, frame, node.id))
    frames = [_item(frame, index, item) for index, item in enumerate(items)]
    jobs = [partial(_to_end, walk, node.nodes, inner, nodes) for inner in frames]
    stops = list(enumerate(_each(walk, jobs, at_once)))
    failures = [(index, stopped) for index, stopped in stops if isinstance(stopped, NodeFailed)]
    halts = [stopped for _, stopped in stops if isinstance(stopped, Halted)]
    if len(failures) > allowed:
        if halts:
            raise walk.worst([*halts, *(walk.uncaught(failure) for _, failure in failures)])
        raise _all_failed(node, frame, [failure for _, failure in failures])
    for _, failure in failures:
        walk.forget_failure(failure)
    if halts:
        raise walk.worst(halts)
    done = [{"index": index, "body": frames[index].body} for index, stopped in stops if stopped is None]
    failed = [{"index": index, "error": failure.row.error} for index, failure in failures]
    return walk.finish(node, frame, {"done": done, "failed": failed}, started_at=row.started_at)


def _all_failed(node: model.NodeBase, frame: Frame, failures: list[NodeFailed]) -> NodeFailed:
    """The container's failure: of the kind of its first one, holding all."""
    first = failures[0].failing_row
    error = {**(first.error or {}), "message": f"{len(failures)} failed, the first at {first.node}: {failures[0]}"}
    row = OutcomeRow(node.id, frame.iteration, first.state, "failed", None, error)
    return NodeFailed(row, inside=failures)


def _freeze(walk: Walk, node: model.ForEachNode, frame: Frame) -> OutcomeRow:
    """The items as they are when it opens: walking again goes over the same ones."""
    items = _present(walk.scope.value(node.parameters.items, frame, node.id))
    items = items if isinstance(items, list) else [] if items is None else [items]
    row = OutcomeRow(node.id, frame.iteration, OutcomeState.WAITING, "open", {"items": items}, started_at=walk.now)
    walk.record(row)
    return row


def _item(frame: Frame, index: int, item: Any) -> Frame:
    path = f"{frame.iteration}.{index}" if frame.iteration else str(index)
    return Frame(item, path, dict(frame.nodes), {**frame.bound, "parent": frame.body, "index": index})


def _each(walk: Walk, jobs: Sequence[Callable[[], None]], at_once: int) -> list[NodeFailed | Halted | None]:
    """Every job to its end, at most ``at_once`` at one time, and how each one stopped: one that cannot go on does
    not keep the others. The thread that owes somebody a reply does them itself, one by one."""

    def run(job: Callable[[], None]) -> NodeFailed | Halted | None:
        try:
            job()
        except (NodeFailed, Halted) as stopped:
            return stopped
        return None

    if at_once <= 1 or len(jobs) <= 1 or walk.until_reply:
        return [run(job) for job in jobs]
    with ThreadPoolExecutor(min(at_once, len(jobs), _MOST_THREADS), "items") as threads:
        return list(threads.map(run, jobs))


def _to_end(walk: Walk, branch: list[Any], inner: Frame, nodes: Nodes) -> None:
    """An ``end`` inside an item or a branch ends that item or branch."""
    try:
        nodes(walk, branch, inner)
    except EndRun as end:
        if end.undo:
            raise


def run_wait(walk: Walk, node: model.WaitNode, frame: Frame) -> OutcomeRow:
    timer = walk.loaded.timers.get(Position(node.id, frame.iteration))
    row = walk.outcome(node, frame)
    if row is None or timer is None:
        timer = _timer(walk, node, frame)
        walk.pending.add("timers", timer)
        waiting = OutcomeRow(
            node.id, frame.iteration, OutcomeState.WAITING, "waiting", due_at=timer.due_at, started_at=walk.now
        )
        raise walk.halt(waiting, RunState.WAITING, f"{node.id}: waits for {timer.event_type or 'its time'}")
    if timer.state == "fired" and timer.event is not None:
        return walk.finish(node, frame, timer.event, started_at=row.started_at)
    if timer.due_at is not None and timer.due_at <= walk.now:
        name = "timed_out" if timer.event_type else "done"
        return walk.finish(node, frame, None, name, started_at=row.started_at)
    raise Halted(RunState.WAITING, timer.due_at, f"{node.id}: waits for {timer.event_type or 'its time'}")


def _timer(walk: Walk, node: model.WaitNode, frame: Frame) -> TimerRow:
    def text(value: str | None) -> str | None:
        made = walk.scope.value(value, frame, node.id) if value is not None else None
        return None if made is None or made is MISSING else str(made)

    given = node.parameters
    length, until, event = text(given.for_), text(given.until), text(given.event)
    within = text(given.within)
    due: datetime | None = None
    try:
        if length is not None or within is not None:
            due = walk.now + timedelta(seconds=seconds(length or within or ""))
        elif until is not None:
            due = datetime.fromisoformat(until)
    except ValueError as error:
        raise Misconfigured(f"wait {node.id}: {error}", field="for" if length else "until") from error
    if due is not None and due.tzinfo is None:
        raise Misconfigured(
            f"wait {node.id}: {until} has no time zone", field="until", next_action="add Z or +01:00"
        )
    return TimerRow(node.id, frame.iteration, due, event, text(given.key) or "" if event else None)


def run_call_flow(walk: Walk, node: model.CallFlowNode, frame: Frame) -> OutcomeRow:
    row = walk.outcome(node, frame)
    child = walk.loaded.children.get(Position(node.id, frame.iteration))
    if row is not None and child is not None:
        if child.state not in FINISHED:
            raise Halted(RunState.WAITING, None, f"{node.id}: waits for run {child.id} of {child.flow}")
        if child.state is RunState.CANCELLED:
            raise BusinessError(
                f"run {child.id} of {child.flow}, which this one waits for, was cancelled: {child.why}",
                kind="child_cancelled", next_action="cancel this run too, or reprocess that one, then redrive this",
            )  # fmt: skip
        output: dict[str, Any] = {"run": child.id, "outcome": child.outcome, "reply": child.reply}
        return walk.finish(node, frame, output, started_at=row.started_at)
    if row is not None and row.output is not None:
        # A duplicate of a run that was over and removed long ago: nobody will ever know more of it.
        output = {"run": row.output["run"], "outcome": None, "reply": None}
        return walk.finish(node, frame, output, started_at=row.started_at)
    given = node.parameters
    body = _present(walk.scope.value(given.body, frame, node.id))
    caller = Caller(walk.run_id, node.id, frame.iteration, given.wait)
    new = Door(walk.client).called(given.flow, body, caller)
    state = OutcomeState.WAITING if given.wait else OutcomeState.DONE
    started = OutcomeRow(node.id, frame.iteration, state, "done", started_at=walk.now, finished_at=walk.now)
    try:
        committed = walk.commit(child=ChildRun(node.id, frame.iteration, new), outcomes=(started,))
    except IdentityConflict as conflict:
        walk.pending.drop_outcome(started)
        raise BusinessError(
            f"{given.flow} was started before for {conflict.identity!r} with another body (run {conflict.run})",
            kind="identity_conflict", field=conflict.identity,
            next_action="send the corrected document with a new revision, or cancel the first run",
        ) from conflict  # fmt: skip
    assert committed.child is not None
    output = {"run": committed.child.run, "duplicate": committed.child.duplicate}
    row = replace(started, output=output)
    walk.known[Position(node.id, frame.iteration)] = row
    if given.wait:
        known = committed.child.state in FINISHED
        why = f"{node.id}: waits for run {committed.child.run} of {given.flow}"
        raise Halted(RunState.READY if known else RunState.WAITING, walk.now if known else None, why)
    return row


def run_approve(walk: Walk, node: model.ApproveNode, frame: Frame) -> OutcomeRow:
    """Rules ask for groups of approvers one after the other; each group is a row that people decide."""
    policy = Policy.model_validate(walk.release.policy(node.parameters.policy))
    row = walk.outcome(node, frame)
    if row is None:
        row = _open_approval(walk, node, frame, policy)
    asked = row.output["asked"]
    decisions: list[dict[str, Any]] = []
    for step, approvers in enumerate(asked["approvers"]):
        place = Position(node.id, _step(frame.iteration, step))
        approval = walk.loaded.approvals.get(place)
        if approval is None:
            approval = ApprovalRow(
                place.node, place.iteration, policy.policy, asked["policy_hash"], asked["document"],
                asked["document_hash"], asked["requester"], approvers["role"], approvers["needs"], asked["reason"],
                due_at=walk.now + timedelta(seconds=approvers["within"]) if approvers["within"] else None,
            )  # fmt: skip
            walk.pending.add("approvals", approval)
        if approval.state == "open":
            raise Halted(
                RunState.WAITING, None, f"{node.id}: waits for {approvers['needs']} of role {approvers['role']}"
            )
        decisions.extend(approval.decisions)
        if approval.state != "approved":
            return _decided(walk, node, frame, row, approval.state, decisions)
    return _decided(walk, node, frame, row, "approved", decisions)


def _step(iteration: str, step: int) -> str:
    return iteration if step == 0 else f"{iteration}/{step}"


def _open_approval(walk: Walk, node: model.ApproveNode, frame: Frame, policy: Policy) -> OutcomeRow:
    given = node.parameters
    document = _present(walk.scope.value(given.document, frame, node.id))
    requester = str(_present(walk.scope.value(given.requester, frame, node.id)) or "").strip()
    given_to_policy = {"document": document, "requester": requester}
    name, rule = next(
        ((rule.name, rule) for rule in policy.rules if walk.scope.true(rule.when, frame, node.id, given_to_policy)),
        ("otherwise", policy.otherwise),
    )
    if rule.approvers and not requester:
        raise BusinessError(
            f"{node.id}: nobody is named as the requester, so nobody can be kept from approving an own request",
            kind="requester_missing", field=given.requester.lstrip("="),
        )  # fmt: skip
    reason = walk.scope.value(rule.reason, frame, node.id, given_to_policy) if rule.reason else ""
    asked = {
        "rule": name, "reason": str(_present(reason) or ""), "requester": requester, "document": document,
        "document_hash": digest(document), "policy_hash": digest(policy.model_dump(mode="json")),
        "approvers": [
            {"role": a.role, "needs": a.needs, "within": a.within.total_seconds() if a.within else None}
            for a in rule.approvers
        ],
    }  # fmt: skip
    row = OutcomeRow(node.id, frame.iteration, OutcomeState.WAITING, "asked", {"asked": asked}, started_at=walk.now)
    walk.record(row)
    return row


def _decided(
    walk: Walk,
    node: model.ApproveNode,
    frame: Frame,
    row: OutcomeRow,
    name: str,
    decisions: list[dict[str, Any]],
) -> OutcomeRow:
    asked = row.output["asked"]
    output = {"rule": asked["rule"], "document_hash": asked["document_hash"], "decisions": decisions}
    return walk.finish(node, frame, output, name, started_at=row.started_at)
