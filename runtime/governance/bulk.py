"""The same repair for many runs or exceptions: looked at first, then done for exactly those that were looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.sdk import ConnectorError
from runtime.engine.client import Client
from runtime.governance.redrive import current_for
from runtime.governance.repair import CURRENT, PINNED, Repair
from runtime.governance.reprocess import Reprocess
from runtime.mapping import MappingError
from runtime.model.ids import new_id
from runtime.model.run import ExceptionRow, Run
from runtime.model.sought import Said, Sought
from runtime.store.store import Refused, StoreError, Unavailable

#: What can be done to many runs, and to many exceptions (of which all but ``resolve`` is done to their runs).
RUN_ACTIONS: Final = ("redrive", "redrive_current", "reprocess", "cancel")
EXCEPTION_ACTIONS: Final = ("resolve", *RUN_ACTIONS)
#: One preview holds no more.
MOST: Final = 1000
_PAGE = 200


@dataclass(frozen=True)
class Candidate:
    """One that was found. ``seen`` is what it was like; ``why_not`` says why it would be refused, if it would."""

    id: str
    flow: str
    kind: str
    state: str
    seen: str
    why_not: str = ""
    run: str = ""


@dataclass(frozen=True)
class Preview:
    """``more``: there are others for which the search holds, beyond ``MOST``."""

    action: str
    subject: str
    candidates: Sequence[Candidate]
    more: bool

    @property
    def would(self) -> list[Candidate]:
        return [each for each in self.candidates if not each.why_not]

    @property
    def refused(self) -> list[Candidate]:
        return [each for each in self.candidates if each.why_not]

    def counts(self) -> list[dict[str, Any]]:
        """``[{"flow", "kind", "would", "refused"}]``, most first."""
        would = Counter((each.flow, each.kind) for each in self.would)
        refused = Counter((each.flow, each.kind) for each in self.refused)
        total = would + refused
        return [
            {"flow": flow, "kind": kind, "would": would[flow, kind], "refused": refused[flow, kind]}
            for (flow, kind), _ in sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))
        ]


@dataclass(frozen=True)
class Done:
    """``bulk`` is in the audit of each. ``new`` are the runs that a reprocess made, by the old one."""

    bulk: str
    done: Sequence[str]
    refused: Mapping[str, str]
    new: Mapping[str, str]


class Bulk:
    """``may_resolve``: whether who asks may resolve an exception of that owner."""

    def __init__(
        self, client: Client, repair: Repair, may_resolve: Callable[[str], bool] = lambda owner: True
    ) -> None:
        self._client = client
        self._repair = repair
        self._may_resolve = may_resolve

    # looked at

    def preview_runs(self, action: str, sought: Sought, ids: Sequence[str] = ()) -> Preview:
        """Of those that are found, or of the ones named. Raises ``Refused`` for an unknown action."""
        _check_action(action, RUN_ACTIONS)
        runs, more = self._named(ids) if ids else self._found(self._client.store.found_runs, sought)
        return Preview(action, "runs", self._candidates(action, _oldest_first(runs)), more)

    def preview_exceptions(self, action: str, sought: Sought, ids: Sequence[str] = ()) -> Preview:
        """The same of exceptions; what is done to their runs is done once to each. Raises ``Refused``."""
        _check_action(action, EXCEPTION_ACTIONS)
        store = self._client.store
        found: tuple[list[Any], bool]
        found = ([store.exception(id) for id in ids], False) if ids else self._found(store.found_exceptions, sought)
        rows, more = _oldest_first(found[0]), found[1]
        if action == "resolve":
            return Preview(action, "exceptions", [self._resolvable(row) for row in rows], more)
        without = [_without_run(row) for row in rows if row.run is None]
        named = list(dict.fromkeys(row.run for row in rows if row.run is not None))
        runs = _oldest_first(self._named(named)[0])
        return Preview(action, "runs", [*self._candidates(action, runs), *without], more)

    def _found(self, find: Callable[..., Any], sought: Sought) -> tuple[list[Any], bool]:
        rows: list[Any] = []
        before = None
        while len(rows) < MOST:
            page = find(sought, limit=min(_PAGE, MOST - len(rows)), before=before)
            rows += page.rows
            before = page.after
            if before is None:
                return rows, False
        return rows, True

    def _named(self, ids: Sequence[str]) -> tuple[list[Run], bool]:
        if len(ids) > MOST:
            raise Refused(f"{len(ids)} are named; {MOST} can be done at one time")
        return [self._client.store.run(id) for id in dict.fromkeys(ids)], False

    def _candidates(self, action: str, runs: Sequence[Run]) -> list[Candidate]:
        ids = [run.id for run in runs]
        kinds = self._client.store.failures(ids)
        refused = self._client.store.refusals(action.removesuffix("_current"), ids)
        return [
            Candidate(
                run.id, run.flow, kinds.get(run.id, ""), run.state.value, run.stamp,
                self._why_not(action, run, refused.get(run.id, "")), run.id,
            )
            for run in runs
        ]  # fmt: skip

    def _why_not(self, action: str, run: Run, refused: str) -> str:
        """What the store does not know: whether the flow is still one for this message, and for this run."""
        if refused or action not in ("redrive_current", "reprocess"):
            return refused
        story = self._client.store.story(run.id)
        try:
            if action == "reprocess":
                Reprocess(self._client).new_run(story)
            else:
                current_for(self._client, story)
        except (Refused, ConnectorError, MappingError) as error:
            return str(error)
        return ""

    def _resolvable(self, row: ExceptionRow) -> Candidate:
        why_not = "" if row.state == "open" else f"it is {row.state} already, by {row.resolved_by}"
        if not why_not and not self._may_resolve(row.owner):
            why_not = f"it belongs to {row.owner}, and you hold neither that role nor one that repairs"
        return Candidate(row.id, row.flow, row.kind, row.state, row.state, why_not, row.run or "")

    # done

    def do(self, action: str, chosen: Sequence[tuple[str, str]], by: str, why: str) -> Done:
        """To those ``(id, seen)`` that a preview showed; one that has changed since is refused, and so is what
        cannot be done any more, each for itself. Raises ``Refused`` without a reason."""
        _check_action(action, EXCEPTION_ACTIONS)
        if not why.strip():
            raise Refused("say why; the reason is kept with each of them")
        bulk = new_id()
        done: list[str] = []
        refused: dict[str, str] = {}
        new: dict[str, str] = {}
        rest = iter(dict(chosen).items())
        for id, seen in rest:
            try:
                made = self._one(action, id, seen, by, why, bulk)
            except Unavailable as error:
                refused |= dict.fromkeys((id, *(other for other, _ in rest)), f"not tried: {error}")
                return Done(bulk, done, refused, new)
            except (StoreError, ConnectorError, MappingError) as error:
                refused[id] = str(error)
            else:
                done.append(id)
                new |= {id: made} if made else {}
        if done:
            details = {"why": why, "action": action, "done": len(done), "refused": len(refused)}
            self._client.store.audit(by, "bulk.done", bulk, details)
        return Done(bulk, done, refused, new)

    def _one(self, action: str, id: str, seen: str, by: str, why: str, bulk: str) -> str:
        """The run that it made, if any."""
        if action == "resolve":
            self._resolve(id, by, why, bulk)
        elif action == "cancel":
            self._repair.cancel(id, by, why, seen=seen, bulk=bulk)
        elif action == "reprocess":
            return self._repair.reprocess(id, by, why, seen=seen, bulk=bulk).run
        else:
            release = CURRENT if action == "redrive_current" else PINNED
            self._repair.redrive(id, by, why, release, seen=seen, bulk=bulk)
        return ""

    def _resolve(self, id: str, by: str, why: str, bulk: str) -> None:
        row = self._client.store.exception(id)
        if not self._may_resolve(row.owner):
            raise Refused(f"exception {id} belongs to {row.owner}")
        self._client.store.resolve_exception(id, by, why, Said(by, why, {"note": why, "bulk": bulk}))


def _oldest_first(rows: Sequence[Any]) -> list[Any]:
    """As they came: what was first goes on first."""
    return sorted(rows, key=lambda row: row.id)


def _check_action(action: str, known: Sequence[str]) -> None:
    if action not in known:
        raise Refused(f"there is no {action!r} for many at one time; there are: {', '.join(known)}")


def _without_run(row: ExceptionRow) -> Candidate:
    why = "it belongs to no run, because its message could not be taken: ask the sender for a mended one"
    return Candidate(row.id, row.flow, row.kind, row.state, row.state, why)


def chosen_of(rows: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """``(id, seen)`` of what a preview answered as ``would``. Raises ``Refused`` for anything else."""
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not isinstance(row.get("seen"), str):
            raise Refused("this is not what a preview answered: it has an id and what was seen of each")
        yield row["id"], row["seen"]
