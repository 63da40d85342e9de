"""What people do to runs, one at a time and many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.api.assigning import Assigning
from runtime.api.desk import searched
from runtime.engine.client import Client
from runtime.governance.bulk import Bulk, Candidate, Preview, chosen_of
from runtime.governance.repair import PINNED
from runtime.governance.reprocess import AS_IT_CAME, Decided, Reprocess
from runtime.governance.searching import dead_letters, exception_search, run_search
from runtime.governance.undoing import undo_plan
from runtime.store.store import Refused


class Repairs(Assigning):
    """``run`` is an id, the beginning of one, or the value of a business key of one run."""

    def redrive(
        self, run: str, *, by: str, reason: str = "", release: str = PINNED, client: str = ""
    ) -> dict[str, Any]:
        """Goes on from the failed node, with the ``pinned`` release or the ``current`` one. Raises ``NotFound``,
        ``Refused``."""
        owner = self._client(client)
        run = self._run(owner, run)
        self._services.repair(owner.id).redrive(run, by, reason, release)
        return _shown(owner, run)

    def reprocess(
        self, run: str, *, by: str, reason: str, body: Any = None, edited: bool = False, carry: bool = False,
        happened: Mapping[str, Any] | None = None, not_happened: Sequence[str] = (), client: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """A new run from the original message, or where it is ``edited`` from ``body``. ``carry`` takes over what
        was done and must happen once; of what nobody knows of, ``happened`` gives the peer's answer by node, and
        ``not_happened`` names the others. Raises ``NotFound``, ``Refused``, ``NotAccepted``,
        ``IdentityConflict``."""
        owner = self._client(client)
        run = self._run(owner, run)
        decided = Decided(carry, dict(happened or {}), tuple(not_happened))
        given = body if edited else AS_IT_CAME
        created = self._services.repair(owner.id).reprocess(run, by, reason, given, decided)
        return {**_shown(owner, created.run), "reprocess_of": run}

    def message(self, run: str, *, client: str = "") -> dict[str, Any]:
        """What a reprocess begins with: the ``body``, and what it must not do ``once`` more. Raises
        ``NotFound``."""
        owner = self._client(client)
        run = self._run(owner, run)
        story = owner.store.story(run)
        once = [
            {
                "place": each.place, "operation": each.operation, "state": each.state, "output": each.output,
                "why_not": each.why_not,
            }
            for each in Reprocess(owner).once(story)
        ]  # fmt: skip
        return {"run": run, "flow": story.run.flow, "body": story.body, "once": once}

    def undo_plan(self, run: str, *, client: str = "") -> dict[str, Any]:
        """What a cancel with undo takes back, newest first, and what stays. Raises ``NotFound``."""
        owner = self._client(client)
        run = self._run(owner, run)
        return undo_plan(owner, owner.store.story(run))

    def cancel(self, run: str, *, by: str, reason: str, undo: bool = False, client: str = "") -> dict[str, Any]:
        """With ``undo`` what it did is undone first, newest first. Raises ``NotFound``, ``Refused``."""
        owner = self._client(client)
        run = self._run(owner, run)
        self._services.repair(owner.id).cancel(run, by, reason, undo)
        return _shown(owner, run)

    def step_aside(self, run: str, *, by: str, reason: str, client: str = "") -> dict[str, Any]:
        """Runs of the same key no longer wait for this one; ``next`` goes on now. Raises ``NotFound``,
        ``Refused``."""
        owner = self._client(client)
        run = self._run(owner, run)
        following = self._services.repair(owner.id).step_aside(run, by, reason)
        return {**_shown(owner, run), "next": following}

    def settle(
        self, run: str, node: str, *, happened: bool, by: str, reason: str, output: Any = None, iteration: str = "",
        client: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """A person's word on an uncertain node. Raises ``NotFound``, ``Refused``."""
        owner = self._client(client)
        run = self._run(owner, run)
        self._services.repair(owner.id).settle(run, node, iteration, happened, output, by, reason)
        return _shown(owner, run)

    def runs_note(self, run: str, *, by: str, note: str, client: str = "") -> dict[str, Any]:
        """Raises ``NotFound``, ``Refused``."""
        owner = self._client(client)
        run = self._run(owner, run)
        self._services.repair(owner.id).note(run, by, note)
        return {**_shown(owner, run), "note": note}

    def runs_assign(self, run: str, assignee: str, *, by: str, note: str = "", client: str = "") -> dict[str, Any]:
        """Raises ``NotFound``, ``ProblemError`` for somebody who is no user or is disabled."""
        owner = self._client(client)
        run = self._run(owner, run)
        login = self._assignee(assignee, owner.id)
        self._services.repair(owner.id).assign(run, by, login, note)
        return {**_shown(owner, run), "assignee": login}

    # many at once

    def bulk_preview(
        self, subject: str, action: str, *, where: Mapping[str, Any] | None = None, ids: Sequence[str] = (),
        client: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """What ``bulk_do`` would do to ``runs``, ``dead_letters`` or ``exceptions`` for which ``where`` holds, or
        to those named: ``would`` (hand these on), ``refused`` with the reasons, ``counts`` by flow and kind."""
        owner, asked = self._client(client), dict(where or {})
        if subject == "runs" and not asked and not ids:
            raise Refused("say which: name them, or what has to hold for them")
        bulk = Bulk(owner, self._services.repair(owner.id))
        if subject == "exceptions":
            asked = {"state": "open", **asked}
            return previewed(bulk.preview_exceptions(action, searched(exception_search, asked), ids))
        if subject not in ("runs", "dead_letters"):
            raise Refused(f"there is no {subject!r}: runs, dead_letters or exceptions")
        look = dead_letters if subject == "dead_letters" else run_search
        return previewed(bulk.preview_runs(action, searched(look, owner, asked), ids))

    def bulk_do(
        self, action: str, chosen: Sequence[Any], *, by: str, reason: str, timeout: float = 0.0, client: str = ""
    ) -> dict[str, Any]:
        """To exactly those of a preview's ``would``; each that has changed since is refused. ``timeout`` is how
        long the caller waits. Raises ``Refused``."""
        owner = self._client(client)
        done = Bulk(owner, self._services.repair(owner.id)).do(action, tuple(chosen_of(chosen)), by, reason)
        refused = [{"id": id, "why": why} for id, why in done.refused.items()]
        new = [{"id": id, "run": run} for id, run in done.new.items()]
        return {"bulk": done.bulk, "action": action, "done": list(done.done), "refused": refused, "new": new}


def previewed(preview: Preview) -> dict[str, Any]:
    return {
        "action": preview.action, "subject": preview.subject, "counts": preview.counts(),
        "would": [_candidate(each, "seen") for each in preview.would],
        "refused": [_candidate(each, "why_not") for each in preview.refused], "more": preview.more,
    }  # fmt: skip


def _candidate(each: Candidate, *more: str) -> dict[str, Any]:
    return {name: getattr(each, name) for name in ("id", "run", "flow", "kind", "state", *more)}


def _shown(client: Client, run: str) -> dict[str, Any]:
    found = client.store.run(run)
    return {"run": found.id, "flow": found.flow, "state": found.state.value}
