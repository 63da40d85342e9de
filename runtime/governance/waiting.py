"""Why a run does not go on, in the words of whoever can do something about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from runtime.engine.client import Client
from runtime.model.run import CANCELLED, FINISHED, OutcomeRow, OutcomeState, Run, RunState
from runtime.store.restore import HOLDER
from runtime.store.store import Story

_CONNECTION = "connection:"
_STANDS_STILL = frozenset({RunState.DEAD, RunState.EXCEPTION})


def waits_for(client: Client, story: Story) -> list[dict[str, Any]]:
    """``[{"kind", "text", …}]``: what each branch of the run waits for, most telling first; nothing of a run that
    is over. Kinds: connection, order, restore, uncertain, undo, approval, event, timer, run, retry, person,
    worker."""
    run = story.run
    if run.state in FINISHED:
        return []
    found = [*_holder(client, run), *_undoing(run), *_uncertain(story), *_approvals(story), *_timers(story)]
    found += [*_children(story), *_retries(story), *_worker(client, run)]
    if run.state in _STANDS_STILL:
        later = [each.id for each in client.store.successors(run.id)]
        text = (
            "was reprocessed: that run goes on in its place"
            if later
            else "stands still until somebody puts it right"
        )
        found.append(_told("person", text, **({"run": later[0]} if later else {})))
    return found


def _told(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "text": text, **more}


def _at(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _holder(client: Client, run: Run) -> Iterator[dict[str, Any]]:
    if run.state not in (RunState.HELD, RunState.WAITING) or not run.held_by:
        return
    if run.held_by.startswith(_CONNECTION):
        yield _connection(client, run)
    elif run.held_by == "order":
        yield _order(client, run)
    elif run.held_by == HOLDER:
        yield _told("restore", "held since the data were restored from a backup, until somebody releases it")


def _worker(client: Client, run: Run) -> Iterator[dict[str, Any]]:
    """A worker that was killed says nothing: its lease ends, and only then does another go on."""
    if run.state is RunState.READY:
        yield _told("worker", f"waits for a free worker of lane {run.lane}", lane=run.lane)
    elif run.state is RunState.LEASED and run.due_at is not None and run.due_at > client.gate.now():
        text = f"a worker has it in hand; should that one be gone, another goes on after {_at(run.due_at)}"
        yield _told("worker", text, until=_iso(run.due_at))
    elif run.state is RunState.LEASED:
        yield _told("worker", f"its worker is gone since {_at(run.due_at)}; the next free one goes on")


def _connection(client: Client, run: Run) -> dict[str, Any]:
    name = run.held_by.removeprefix(_CONNECTION)
    state = client.store.connection_states().get(name)
    if state is None or not state.paused:
        return _told("connection", run.why, connection=name, until=_iso(run.due_at))
    end = f"until {_at(state.paused_until)}" if state.paused_until is not None else "until somebody resumes it"
    since = f" since {_at(state.paused_at)}" if state.paused_at is not None else ""
    because = f": {state.why}" if state.why else ""
    text = f"connection {name} is paused by {state.by or 'orderly'}{since}, {end}{because}"
    return _told(
        "connection", text, connection=name, by=state.by, since=_iso(state.paused_at),
        until=_iso(state.paused_until), why=state.why,
    )  # fmt: skip


def _order(client: Client, run: Run) -> dict[str, Any]:
    ahead = client.store.ahead_of(run.flow, run.order_key or "", run.id)
    if ahead is None:
        return _told("order", run.why, key=run.order_key)
    state = client.store.run(ahead).state
    text = f"stands behind run {ahead} of the same key {run.order_key}, which is {state}"
    return _told("order", text, key=run.order_key, run=ahead, state=state.value)


def _undoing(run: Run) -> Iterator[dict[str, Any]]:
    if run.outcome == CANCELLED:
        yield _told("undo", "was cancelled; what it did is undone first, newest first")


def _uncertain(story: Story) -> Iterator[dict[str, Any]]:
    for row in story.outcomes:
        if row.state is OutcomeState.UNCERTAIN:
            told = "a person has to say" if row.due_at is None else f"the other side is asked at {_at(row.due_at)}"
            text = f"nobody knows whether {_place(row)} happened: {told}"
            yield _told("uncertain", text, node=row.node, iteration=row.iteration, at=_iso(row.due_at))


def _approvals(story: Story) -> Iterator[dict[str, Any]]:
    for row in story.approvals:
        if row.state == "open":
            given = sum(1 for decision in row.decisions if decision.get("verdict") == "approved")
            text = f"{row.node} waits for {row.needs - given} of role {row.role}: {row.reason or row.policy}"
            yield _told("approval", text, node=row.node, approval=row.id, role=row.role, until=_iso(row.due_at))


def _timers(story: Story) -> Iterator[dict[str, Any]]:
    for row in story.timers:
        if row.state != "open":
            continue
        end = f"until {_at(row.due_at)}" if row.due_at is not None else "however long it takes"
        if row.event_type:
            text = f"{row.node} waits for {row.event_type} {row.event_key}, {end}"
            yield _told(
                "event", text, node=row.node, event=row.event_type, key=row.event_key, until=_iso(row.due_at)
            )
        else:
            yield _told("timer", f"{row.node} waits {end}", node=row.node, until=_iso(row.due_at))


def _children(story: Story) -> Iterator[dict[str, Any]]:
    waiting = {row.node for row in story.outcomes if row.state is OutcomeState.WAITING}
    for child in story.children:
        called = child.caller
        if called is not None and called.waits and called.node in waiting and child.state not in FINISHED:
            text = f"{called.node} waits for run {child.id} of {child.flow}, which is {child.state}"
            yield _told("run", text, node=called.node, run=child.id, state=child.state.value)


def _retries(story: Story) -> Iterator[dict[str, Any]]:
    """Those that wait for a connection are told of already."""
    if story.run.held_by.startswith(_CONNECTION):
        return
    for row in story.outcomes:
        if row.state is OutcomeState.RETRYING and row.due_at is not None:
            said = (row.error or {}).get("message", "")
            text = f"{_place(row)} is tried again at {_at(row.due_at)}; attempt {row.attempts} failed: {said}"
            yield _told("retry", text, node=row.node, at=_iso(row.due_at), attempts=row.attempts)


def _place(row: OutcomeRow) -> str:
    return f"{row.node} of item {row.iteration}" if row.iteration else row.node


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
