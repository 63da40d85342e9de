"""The state of connections as people see it, and how long a pause lasts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from connectors.sdk import Duration
from runtime.engine.client import Client
from runtime.governance.searching import moment
from runtime.model.doors import DOORS
from runtime.model.run import ConnectionState

_DURATION: TypeAdapter[Any] = TypeAdapter(Duration)


def connection_states(client: Client) -> dict[str, dict[str, Any]]:
    """By name, of all that can be used: ``state`` (``working``, ``paused``, ``out``, ``waits`` where it asked us
    to; ``door`` where senders come in and nobody is asked), ``why``, ``by``, ``since``, ``until`` (the end of a
    pause, or the next try), ``failures`` in a row, and how many runs it ``holds``."""
    known, held, now = client.store.connection_states(), client.store.held(), client.gate.now()
    return {
        name: {
            **(_row("door") if file.type in DOORS else _told(known.get(name, ConnectionState(name)), now)),
            "holds": held.get(f"connection:{name}", 0),
        }
        for name, file in client.pack.connections.sound().items()
    }


def _told(state: ConnectionState, now: datetime) -> dict[str, Any]:
    if state.paused_now(now):
        return _row("paused", state.why, state.by, state.paused_at, state.paused_until, state.failures)
    if state.open_until is not None:
        why = f"does not answer, {state.failures} times in a row"
        return _row("out", why, "", state.changed_at, state.open_until, state.failures)
    if state.waits(now):
        return _row("waits", "it asked us to wait", "", state.changed_at, state.wait_until, state.failures)
    return _row("working", failures=state.failures)


def _row(
    state: str, why: str = "", by: str = "", since: datetime | None = None, until: datetime | None = None,
    failures: int = 0,
) -> dict[str, Any]:  # fmt: skip
    return {
        "state": state, "why": why, "by": by, "since": since and since.isoformat(),
        "until": until and until.isoformat(), "failures": failures,
    }  # fmt: skip


def pause_end(text: str, now: datetime) -> datetime | None:
    """An instant (ISO 8601, UTC where no offset is said), or how long from now (``90m``, ``2h``, ``1d``); empty:
    until somebody resumes. Raises ``BadSearch``."""
    if not text.strip():
        return None
    try:
        length: timedelta = _DURATION.validate_python(text.strip())
    except ValidationError:
        return moment("until", text.strip())
    return now + length
