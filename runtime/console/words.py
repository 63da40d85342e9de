"""How values are written on a page: times, ages, sizes, JSON; and what a page says after a change."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Flask, request
from markupsafe import Markup

from runtime.console.visitor import current_visitor
from runtime.model.run import RunState
from runtime.model.sought import Sought

#: JSON and raw text longer than this are cut on a page; the JSON answer and the download hold all of it.
LONGEST: Final = 40_000
#: Numbers beside the menu stop here.
_COUNTED: Final = 20

_DEAD: Final = Sought(states=(RunState.DEAD,), left_alone=True)
_UNCERTAIN: Final = Sought(states=(RunState.UNCERTAIN,))

NOTICES: Final = {
    "approved": "Approved. The decision is recorded and the run goes on.",
    "rejected": "Rejected. The decision is recorded.",
    "open": "Your approval is recorded; another one is still needed.",
    "redriven": "The run goes on from the node that failed.",
    "redriven_current": "The run goes on from the node that failed, with the flow as it is today.",
    "settled": "Your answer is recorded and the run goes on.",
    "reprocessed": "This is the new run. The old one stays as it is, and names this one.",
    "cancelled": "The run is cancelled.",
    "undoing": "The run is cancelled: what it did is undone now, newest first.",
    "stepped_aside": "Runs of the same key no longer wait for this one.",
    "given": "The run is given to that person.",
    "paused": "The connection is paused. Work for it is held, in order.",
    "sent": "What was collected goes now.",
    "resumed": "The connection is working again. What was held goes on, the oldest first.",
    "assigned": "The exception is yours.",
    "handed": "The exception is given to that person.",
    "noted": "The note is kept.",
    "resolved": "The exception is resolved.",
}


def register(app: Flask) -> None:
    app.jinja_env.filters.update(time=time, age=age, size=size, json=as_json, cut=cut)
    app.context_processor(lambda: {"waiting": _waiting, "notice": NOTICES.get(request.args.get("done", ""))})


def time(at: datetime | str | None) -> Markup:
    """UTC to the second; milliseconds and offset stand in ``datetime``."""
    if at is None:
        return Markup("&ndash;")
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return Markup('<time datetime="{}">{}</time>').format(
        instant.isoformat(timespec="milliseconds"), instant.strftime("%Y-%m-%d %H:%M:%S")
    )


def age(at: datetime, now: datetime) -> str:
    """``3 min``, ``5 h``, ``2 d``."""
    passed = max(now - at, timedelta(0))
    minutes = int(passed.total_seconds()) // 60
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST} more characters"


def _waiting() -> dict[str, str]:
    """What waits for people, for the menu: ``{"approvals": "3"}``; nothing is left out."""
    known = current_visitor()
    if known is None:
        return {}
    numbers = {
        "approvals": len(known.store.approvals(limit=_COUNTED + 1).rows),
        "exceptions": len(known.store.exceptions(limit=_COUNTED + 1).rows),
        "dead_letters": len(known.store.found_runs(_DEAD, limit=_COUNTED + 1).rows),
        "uncertain": len(known.store.found_runs(_UNCERTAIN, limit=_COUNTED + 1).rows),
    }
    return {
        name: f"{_COUNTED}+" if number > _COUNTED else str(number) for name, number in numbers.items() if number
    }
