"""What starts a flow."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.sdk import Poll, Role
from runtime.model.cron import Cron
from runtime.model.lints.finding import Place, Report, entries, word
from runtime.model.lints.operations import (
    TRIGGERS,
    known_type,
    lint_connection,
    lint_door,
    lint_fixed,
    lint_literal_parameters,
)
from runtime.model.lints.scope import Scope
from runtime.model.lints.sites import Site, walk

#: Which keys mean something for which trigger; a source operation has those of ``source``.
_KEYS = {
    "webhook": {"auth", "reply"},
    "schedule": {"cron", "zone", "misfire"},
    "event": {"event", "batch"},
    "call": set[str](),
    "source": {"connection", "parameters", "every"},
}
_ANYWHERE = {"type", "decode", "mapping", "accepts"}
_NEEDED = {
    "schedule": ("cron", 'add "cron", such as "0 6 * * 1-5"'),
    "event": ("event", "add the type of the event to wait for"),
}


def lint_trigger(report: Report, raw: dict[str, Any], nodes: list[Site], scope: Scope) -> None:
    trigger = entries(raw.get("trigger"))
    type = word(trigger.get("type"))
    if type and type not in TRIGGERS:
        _lint_source(report, trigger, type, scope)
    elif type:
        _lint_keys(report, trigger, type)
    _lint_names(report, trigger, scope)
    _lint_clock(report, trigger)
    _lint_decode(report, entries(trigger.get("decode")))
    _lint_reply(report, trigger, nodes)


def _lint_keys(report: Report, trigger: dict[str, Any], type: str) -> None:
    kind = type if type in TRIGGERS else "source"
    known = {key for keys in _KEYS.values() for key in keys}
    for key in sorted(trigger.keys() & known - _KEYS[kind] - _ANYWHERE):
        report.error(
            "needless-key",
            ("trigger", key),
            f"a trigger of type {type} does nothing with {key!r}",
            f"remove it; {type} has: {', '.join(sorted(_KEYS[kind])) or 'no keys of its own'}",
        )
    needed, advice = _NEEDED.get(kind, ("", ""))
    if needed and trigger.get(needed) is None:
        report.error("missing-key", ("trigger",), f"a trigger of type {type} needs {needed!r}", advice)


def _lint_source(report: Report, trigger: dict[str, Any], type: str, scope: Scope) -> None:
    found = known_type(report, ("trigger", "type"), type, "trigger")
    if found is None:
        return
    if found.operation.role is not Role.SOURCE:
        message = f"{type} is no source: it starts nothing by itself"
        report.error("not-a-source", ("trigger", "type"), message, "use it as a node of the flow")
        return
    _lint_keys(report, trigger, type)
    lint_literal_parameters(report, ("trigger",), trigger, found)
    lint_fixed(report, ("trigger",), trigger)
    lint_connection(report, ("trigger",), trigger, found, scope)
    polls = issubclass(found.operation, Poll)
    if polls and trigger.get("every") is None:
        report.error("missing-key", ("trigger",), f"{type} needs 'every'", 'say how often, such as "1m"')
    if not polls and trigger.get("every") is not None:
        message = f"{type} listens all the time: 'every' means nothing"
        report.error("needless-key", ("trigger", "every"), message, "remove 'every'")


def _lint_names(report: Report, trigger: dict[str, Any], scope: Scope) -> None:
    mapping, accepts, auth = (trigger.get(key) for key in ("mapping", "accepts", "auth"))
    lint_name(report, ("trigger", "mapping"), mapping, "mapping", scope.mappings)
    lint_name(report, ("trigger", "accepts"), accepts, "schema", scope.schemas)
    if isinstance(auth, str):
        lint_door(report, ("trigger", "auth"), auth, scope)


def lint_name(report: Report, place: Place, name: Any, what: str, known: Any) -> None:
    """A literal name of something that exists."""
    if isinstance(name, str) and known is not None and name not in known:
        report.unknown(f"unknown-{what}", place, what, name, known, f"there is no {what} at all yet")


def _lint_clock(report: Report, trigger: dict[str, Any]) -> None:
    cron, zone = trigger.get("cron"), trigger.get("zone")
    if isinstance(cron, str):
        try:
            Cron(cron)
        except ValueError as error:
            message = f"{cron!r} is not a cron expression: {error}"
            report.error("bad-cron", ("trigger", "cron"), message, 'five fields, such as "0 6 * * 1-5"')
    if isinstance(zone, str):
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            message = f"there is no time zone {zone!r}"
            report.error("unknown-zone", ("trigger", "zone"), message, 'use an IANA name, such as "Europe/Berlin"')


def _lint_decode(report: Report, decode: dict[str, Any]) -> None:
    place: Place = ("trigger", "decode")
    found = known_type(report, (*place, "type"), word(decode.get("type")), "decode")
    if found is not None and found.operation.role is not Role.READ:
        message = f"{decode['type']} does not turn bytes into JSON"
        report.error("not-a-decoder", (*place, "type"), message, "name an operation that reads, such as x12.read")
    elif found is not None:
        lint_literal_parameters(report, place, decode, found)


def _lint_reply(report: Report, trigger: dict[str, Any], nodes: list[Site]) -> None:
    if isinstance(trigger.get("reply"), dict) and not any(site.type == "respond" for site in walk(nodes)):
        report.warning(
            "reply-without-respond",
            ("trigger", "reply"),
            "the caller waits for a result and no node responds",
            'add a node of type respond, or write "reply": "accepted"',
        )
