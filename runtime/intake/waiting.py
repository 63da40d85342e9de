"""A sender who waits for what becomes of its message: the accepting thread goes on with the run, then looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Literal

from connectors.sdk import Receipt
from runtime.engine.advance import Engine
from runtime.engine.dispatcher import Ring
from runtime.model.run import FINISHED, Created, RunState
from runtime.store.store import ClientStore, NotFound, Unavailable

_FIRST_LOOK, _LONGEST_LOOK = 0.01, 0.5
#: Nothing moves these but a person.
_FAILED = frozenset({RunState.DEAD, RunState.EXCEPTION, RunState.CANCELLED})
_never = threading.Event()


class Waiting:
    """One wait, from its creation on, for ``within`` seconds at most."""

    def __init__(self, engine: Engine, ring: Ring, store: ClientStore, within: float) -> None:
        self._engine, self._ring, self._store = engine, ring, store
        self._deadline = time.monotonic() + within

    @property
    def owner(self) -> str:
        """Who holds the lease of the run from its first commit."""
        return self._engine.leases.owner

    @property
    def lease(self) -> float:
        """Its length in seconds."""
        return self._engine.settings.lease

    def receipt(self, created: Created) -> Receipt:
        """What the run came to, for a duplicate the first one. A run that waits, is tried again or is another
        thread's by now is looked at until it is over."""
        state = created.state
        if created.lease is not None:
            advanced = self._engine.go_on(created.lease, until_reply=True, deadline=self._deadline)
            if advanced.reply is not None:
                return _told(created, advanced.state or state, advanced.reply)
            state = advanced.state or state
        elif not created.duplicate:
            self._ring(created.run, created.lane)
        return self._looked(created, state)

    def _looked(self, created: Created, state: RunState) -> Receipt:
        reply, pause = None, _FIRST_LOOK
        problem: Mapping[str, Any] | None = None
        while True:
            try:
                row = self._store.run(created.run)
                state, reply = row.state, row.reply
            except NotFound:
                """Removed after its time: the identity knows that it was finished."""
                return _told(created, state, None)
            except Unavailable:
                """It is on disk: whoever asks again may hear what became of it."""
            if reply is None and state is RunState.EXCEPTION:
                problem = self._problem(created.run)
            if reply is not None or state in FINISHED or state in _FAILED:
                return _told(created, state, reply, problem)
            left = self._deadline - time.monotonic()
            if left <= 0:
                return _told(created, state, None)
            _never.wait(min(pause, left))
            pause = min(2 * pause, _LONGEST_LOOK)

    def _problem(self, run: str) -> Mapping[str, Any] | None:
        """Kind, field and code of the run's last exception; its message may repeat the document's values."""
        try:
            found = self._store.story(run).exceptions
        except (NotFound, Unavailable):
            return None
        if not found:
            return None
        return {"kind": found[-1].kind, "field": found[-1].field, "code": str(found[-1].details.get("code", ""))}


def _told(
    created: Created, state: RunState, reply: Mapping[str, Any] | None, problem: Mapping[str, Any] | None = None
) -> Receipt:
    return Receipt(
        "duplicate" if created.duplicate else "accepted", created.run, problem,
        ended=_ended(state, reply), reply=reply,
    )  # fmt: skip


def _ended(state: RunState, reply: Mapping[str, Any] | None) -> Literal["done", "failed", "open"]:
    if reply is not None:
        return "done" if int(reply["status"]) < 400 else "failed"
    if state in _FAILED:
        return "failed"
    return "done" if state in FINISHED else "open"
