"""What people type into a search, as what the store looks for: the same words at every door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from runtime.engine.client import Client
from runtime.model.run import RunState
from runtime.model.sought import Sought

#: What may be asked of runs, and of exceptions.
RUN_FIELDS: Final = ("text", "flow", "kind", "owner", "states", "since", "until")
EXCEPTION_FIELDS: Final = ("text", "flow", "kind", "owner", "assignee", "state", "since", "until")
INTERCHANGE_FIELDS: Final = (
    "direction", "partner", "standard", "state", "number", "key", "run", "since", "until", "overdue",
)  # fmt: skip
#: Of what was sent, up to void; of what came: received, rejected, duplicate, quarantined.
INTERCHANGE_STATES: Final = (
    "written", "sent", "arrived", "accepted", "partly", "rejected", "acknowledged", "void", "received",
    "duplicate", "quarantined",
)  # fmt: skip
#: No flow has this name, so nothing is found.
_NO_FLOW: Final = ""


class BadSearch(ValueError):
    """``field`` cannot be searched for so; the message says how it can."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def run_search(client: Client, given: Mapping[str, Any]) -> Sought:
    """Of ``RUN_FIELDS``; ``states`` is a list. Raises ``BadSearch``."""
    known = _known(given, RUN_FIELDS)
    return Sought(
        text=known["text"], kind=known["kind"], flows=_flows(client, known["flow"], known["owner"]),
        states=_states(given.get("states") or ()), since=moment("since", known["since"]),
        until=moment("until", known["until"]),
    )  # fmt: skip


def dead_letters(client: Client, given: Mapping[str, Any]) -> Sought:
    """Dead runs that nobody has reprocessed, by what may be asked of runs beside their state. Raises
    ``BadSearch``."""
    return replace(run_search(client, {**given, "states": [RunState.DEAD]}), left_alone=True)


def exception_search(given: Mapping[str, Any]) -> Sought:
    """Of ``EXCEPTION_FIELDS``; ``state`` is ``open``, ``resolved`` or empty for both. Raises ``BadSearch``."""
    known = _known(given, EXCEPTION_FIELDS)
    if known["state"] not in ("", "open", "resolved"):
        raise BadSearch("state", f"there is no state {known['state']!r}: open, resolved, or nothing for both")
    return Sought(
        text=known["text"], kind=known["kind"], owner=known["owner"], assignee=known["assignee"],
        flows=(known["flow"],) if known["flow"] else (), state=known["state"],
        since=moment("since", known["since"]), until=moment("until", known["until"]),
    )  # fmt: skip


def interchange_search(given: Mapping[str, Any]) -> dict[str, Any]:
    """Of ``INTERCHANGE_FIELDS``, as the ledger's ``listed`` takes them; ``overdue`` is a flag. Raises
    ``BadSearch``."""
    known: dict[str, Any] = _known(given, INTERCHANGE_FIELDS)
    for field, words in (("direction", ("out", "in")), ("state", INTERCHANGE_STATES)):
        if known[field] and known[field] not in words:
            raise BadSearch(
                field, f"no interchange has the {field} {known[field]!r}; there are: {', '.join(words)}"
            )
    times = {field: moment(field, known[field]) for field in ("since", "until")}
    return {**known, **times, "overdue": bool(given.get("overdue"))}


def moment(field: str, text: str) -> datetime | None:
    """A day (``2026-11-24``) or an instant in ISO 8601, UTC where no offset is said. Raises ``BadSearch``."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadSearch(
            field, f"{text!r} is no time: write a day like 2026-11-24, or an instant like 2026-11-24T08:00:00+01:00"
        ) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _known(given: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, str]:
    for name in given:
        if name not in fields:
            raise BadSearch(name, f"{name!r} cannot be searched for; there are: {', '.join(fields)}")
    return {name: str(given.get(name) or "").strip() for name in fields}


def _states(names: Any) -> tuple[RunState, ...]:
    try:
        return tuple(RunState(name) for name in names)
    except ValueError as error:
        strange = ", ".join(sorted({str(name) for name in names} - set(RunState)))
        raise BadSearch("states", f"no run has the state {strange}; there are: {', '.join(RunState)}") from error


def _flows(client: Client, flow: str, owner: str) -> tuple[str, ...]:
    """A run belongs to the owner of its flow."""
    if not owner:
        return (flow,) if flow else ()
    owned = {name for name, release in client.registry.releases.items() if release.flow.owner == owner}
    return tuple(sorted(owned & {flow} if flow else owned)) or (_NO_FLOW,)
