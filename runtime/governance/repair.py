"""What people do to runs and connections. All of it is audited in the commit that does it: who, what, why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connectors.sdk import Misconfigured
from runtime.engine.client import Client
from runtime.engine.dispatcher import Ring
from runtime.engine.effects import operation
from runtime.governance.redrive import current_for, done_again
from runtime.governance.reprocess import AS_IT_CAME, Decided, Reprocess
from runtime.model.doors import DOORS
from runtime.model.run import Created, RunState
from runtime.model.sought import Said
from runtime.store.store import Refused

PINNED: Final = "pinned"
CURRENT: Final = "current"


class Repair:
    def __init__(self, client: Client, ring: Ring) -> None:
        self._client = client
        self._ring = ring

    def redrive(
        self, run: str, by: str, why: str = "", release: str = PINNED, *, seen: str = "", **more: Any
    ) -> None:
        """Goes on from the failed node, or from the first of a group that is redriven whole, with the release that
        the run began with or the ``current`` one. Raises ``NotFound``, ``Refused``."""
        known = self._client.store.run(run)
        if known.state is RunState.UNCERTAIN:
            raise Refused(
                f"run {run} is uncertain: nobody knows yet whether its effect happened, and it is never repeated "
                "blindly; ask the peer, then say so with `orderly runs settle`"
            )
        if release not in (PINNED, CURRENT):
            raise Refused(f"there is no release {release!r} to go on with: {PINNED} or {CURRENT}")
        story = self._client.store.story(run)
        onto = current_for(self._client, story) if release == CURRENT else None
        again = done_again(self._client, story, onto)
        if onto is not None:
            more |= {"from": known.release, "to": onto.release}
        said = Said(by, why, {"release": release, **more})
        seen = seen or (known.stamp if again else "")
        self._client.store.redrive(run, said, onto=onto, again=again, seen=seen)
        self._ring(run, known.lane)

    def cancel(self, run: str, by: str, why: str, undo: bool = False, *, seen: str = "", **more: Any) -> None:
        """Ends the run; with ``undo`` only after what it did was undone, newest first. Raises ``NotFound``,
        ``Refused``."""
        _check_reason(why, "a reason is needed to cancel a run; say --reason")
        said = Said(by, why, {**({"undo": True} if undo else {}), **more})
        for other in self._client.store.cancel(run, why, said, undo=undo, seen=seen):
            self._ring(other)

    def step_aside(self, run: str, by: str, why: str) -> str | None:
        """Runs of the same key no longer wait for this one; the one that goes on now. Raises ``NotFound``,
        ``Refused``."""
        _check_reason(why, "say why the runs behind it may pass; the reason is kept")
        freed = self._client.store.step_aside(run, Said(by, why))
        for other in freed:
            self._ring(other)
        return freed[0] if freed else None

    def pause(self, connection: str, by: str, why: str, until: datetime | None = None) -> None:
        """Work for the connection is held in order, until then or until it is resumed. Raises ``Misconfigured`` for
        an unknown one, ``Refused`` for a time that is over."""
        if self._client.peers.file(connection).type in DOORS:
            raise Refused(
                f"connection {connection} lets senders in: there is nobody to leave alone, and no run to hold"
            )
        now = self._client.gate.now()
        if until is not None and until <= now:
            raise Refused(
                f"{until.isoformat()} is over, it is {now.isoformat(timespec='seconds')}: say a later time"
            )
        more = {"until": until.isoformat()} if until is not None else {}
        self._client.gate.pause(connection, Said(by, why.strip() or "paused by hand", more), until)

    def resume(self, connection: str, by: str, why: str = "") -> int:
        """Ends a pause and closes an open breaker; what was held is released, oldest first; how many runs. Raises
        ``Misconfigured``."""
        self._client.peers.file(connection)
        freed = self._client.gate.resume(connection, Said(by, why))
        for run in freed:
            self._ring(run)
        return len(freed)

    def settle(
        self,
        run: str,
        node: str,
        iteration: str,
        happened: bool,
        output: Any,
        by: str,
        why: str,
        name: str | None = None,
    ) -> None:
        """A person's word on a node that nobody can ask about. ``name`` is the outcome that it came to, by default
        the normal one of its operation. Raises ``NotFound``, ``Refused``."""
        _check_reason(why, "say how you know; the reason is kept with the decision")
        named = self._outcome(run, node, iteration, name)
        self._client.store.settle(run, node, iteration, happened, output, by, why, named)
        self._ring(run)

    def _outcome(self, run: str, node: str, iteration: str, name: str | None) -> str:
        place = (node, iteration)
        sent = [row for row in self._client.store.story(run).intents if (row.node, row.iteration) == place]
        if not sent:
            return name or "done"
        try:
            outcomes = operation(sent[0].operation).outcomes
        except Misconfigured as error:
            raise Refused(error.message) from error
        if name is not None and name not in outcomes:
            raise Refused(f"{sent[0].operation} has no outcome {name!r}; it has {', '.join(outcomes)}")
        return name or outcomes[0]

    def reprocess(
        self, run: str, by: str, why: str, body: Any = AS_IT_CAME, decided: Decided | None = None, *,
        seen: str = "", **more: Any,
    ) -> Created:  # fmt: skip
        """A new run of the current release from the stored message, or from the ``body`` that a person made of it;
        whoever waits for the old one waits for it. Refused while the old lineage, children included, holds an
        effect that must not be repeated and is not ``decided``. Raises ``NotFound``, ``Refused``, ``NotAccepted``,
        ``IdentityConflict``."""
        _check_reason(why, "say why the message is processed anew; the reason is kept")
        self._check_seen(run, seen)
        created = Reprocess(self._client).create(run, Said(by, why, more), body, decided)
        self._ring(created.run, created.lane)
        return created

    def _check_seen(self, run: str, seen: str) -> None:
        """Between this and the reprocess the run cannot go anywhere: the store looks at its state again."""
        known = self._client.store.run(run)
        if seen and known.stamp != seen:
            raise Refused(f"run {run} has changed since the preview, it is {known.state} now: look at it again")

    def note(self, run: str, by: str, words: str) -> None:
        """What a person found out about a run. Raises ``NotFound``, ``Refused``."""
        _check_reason(words, "the note is empty; say what you found or did")
        self._client.store.run(run)
        self._client.store.audit(by, "run.noted", run, {"note": words})

    def assign(self, run: str, by: str, assignee: str, words: str = "") -> None:
        """Raises ``NotFound``."""
        self._client.store.run(run)
        details: Mapping[str, Any] = {"assignee": assignee, **({"note": words} if words else {})}
        self._client.store.audit(by, "run.assigned", run, details)


def _check_reason(why: str, what: str) -> None:
    if not why.strip():
        raise Refused(what)
