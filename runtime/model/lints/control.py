"""Control nodes: what their parameters name, and what follows from how they stand."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from connectors.sdk import Effect, seconds
from runtime.mapping import is_expression
from runtime.model.lints.finding import Report, did_you_mean, entries
from runtime.model.lints.operations import effect_of
from runtime.model.lints.scope import Scope
from runtime.model.lints.sites import Site, finishes, sites, walk
from runtime.model.lints.triggers import lint_name
from runtime.model.pack import BadFile, read_json

_WAITS = ("for", "until", "event")
#: What may stand in a group that is redriven whole, beside operations without an effect.
_COMPUTES = ("map", "route", "group", "raise")
_READS = re.compile(r"\$nodes\.([a-z][a-z0-9_]*)")


def lint_ids(report: Report, nodes: list[Site]) -> None:
    first: dict[str, Site] = {}
    for site in walk(nodes):
        other = first.setdefault(site.id, site)
        if site.id and other is not site:
            report.error(
                "duplicate-node-id",
                (*site.place, "id"),
                f"the id {site.id!r} stands twice in this flow",
                "give one of the two nodes another id; ids are unique over all branches",
            )


def lint_outcomes(report: Report, site: Site) -> None:
    """Branches under ``on`` are outcomes of the node; an approval that was not given must not go on."""
    on = entries(site.node.get("on"))
    known = site.outcomes
    for name in on:
        if known and name not in known:
            message = f"{site.type} has no outcome {name!r}"
            report.error("unknown-outcome", (*site.place, "on", name), message, did_you_mean(name, known))
    if site.type != "approve":
        return
    if "rejected" not in on:
        report.warning(
            "unhandled-outcome",
            site.place,
            f"nothing is said for the case that {site.id!r} is rejected: the run becomes an exception",
            'add "on": {"rejected": [...]} that ends the run',
        )
    for branch in site.branches:
        if (
            branch.kind == "on"
            and branch.name in known
            and branch.name != "approved"
            and not finishes(branch.nodes)
        ):
            report.error(
                "approval-falls-through",
                branch.place,
                f"after {branch.name!r} the flow goes on with what follows {site.id!r}, as if it were approved",
                "let the branch finish in a node of type end or raise",
            )


def lint_control(report: Report, site: Site, scope: Scope, flow_text: str) -> None:
    """``flow_text`` is the whole flow as JSON: an output that is read as ``$nodes.x`` is of use without
    ``into``."""
    place, given = (*site.place, "parameters"), site.parameters
    if site.type == "map":
        lint_name(report, (*place, "mapping"), given.get("mapping"), "mapping", scope.mappings)
        if site.node.get("into") is None and site.id not in _READS.findall(flow_text):
            report.error(
                "map-without-into",
                site.place,
                f"what node {site.id!r} makes goes nowhere",
                'add "into": a field of the body, or "$" to replace the body',
            )
    elif site.type == "approve":
        lint_name(report, (*place, "policy"), given.get("policy"), "policy", scope.policies)
    elif site.type == "call_flow" and not is_expression(given.get("flow")):
        lint_name(report, (*place, "flow"), given.get("flow"), "flow", scope.flows)
        _lint_called(report, site, given.get("flow"), scope)
    elif site.type == "wait":
        _lint_wait(report, site)
    elif site.type in ("respond", "for_each"):
        _lint_numbers(report, site)
    elif site.type == "group" and site.node.get("redrive") == "whole":
        _lint_whole(report, site)


def _lint_called(report: Report, site: Site, name: Any, scope: Scope) -> None:
    """Called a second time with the same document, as after a reprocess of the caller, a flow does everything
    again, unless its identity says that this is the same."""
    path = scope.flow_files.get(name) if isinstance(name, str) else None
    if path is None:
        return
    try:
        called = entries(read_json(path))
    except BadFile:
        return
    if called.get("identity") is not None:
        return
    for inner in walk(sites(("nodes",), called.get("nodes"))):
        if inner.found is not None and effect_of(inner, inner.found) is Effect.ONCE:
            report.warning(
                "call-without-identity",
                (*site.place, "parameters", "flow"),
                f"{name!r} does something that must happen once (node {inner.id!r}) and has no identity: called"
                " again with the same document, it does it again",
                f'add "identity" to {name!r}, such as "=requisition_number & \'/\' & revision"',
            )
            return


def _lint_whole(report: Report, site: Site) -> None:
    """What is done again together only reads and computes: nothing happens twice."""
    for inner in walk([branch_site for branch in site.branches for branch_site in branch.nodes]):
        if inner.found is not None:
            does = effect_of(inner, inner.found) is not Effect.NONE
        else:
            does = inner.is_control and inner.type not in _COMPUTES
        if does:
            report.error(
                "whole-with-effect",
                inner.place,
                f"node {inner.id!r} of type {inner.type} stands in group {site.id!r}, which is redriven whole",
                "put it behind the group: in it stand only nodes with effect none, map, route, group and raise",
            )


def _lint_wait(report: Report, site: Site) -> None:
    place, given = (*site.place, "parameters"), site.parameters
    ways = [name for name in _WAITS if given.get(name) is not None]
    if len(ways) != 1:
        said = f"both {' and '.join(map(repr, ways))} are given" if ways else "nothing to wait for is given"
        report.error("wait-needs-one", place, said, "give exactly one of 'for', 'until' and 'event'")
    if given.get("event") is None:
        for name in ("key", "within"):
            if given.get(name) is not None:
                message = f"{name!r} belongs to 'event', and this node waits for none"
                report.error("needless-key", (*place, name), message, f"remove {name!r}")
    elif given.get("key") is None:
        message = "waits for an event without saying whose: 'key' is missing"
        report.error("missing-key", place, message, 'add "key", such as "=order_number"')
    for name in ("for", "within"):
        _lint_duration(report, site, name, given.get(name))
    _lint_instant(report, site, given.get("until"))


def _lint_duration(report: Report, site: Site, name: str, value: Any) -> None:
    if isinstance(value, str) and not is_expression(value):
        try:
            seconds(value)
        except ValueError as error:
            report.error("bad-duration", (*site.place, "parameters", name), str(error))


def _lint_instant(report: Report, site: Site, value: Any) -> None:
    if isinstance(value, str) and not is_expression(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            message = f"{value!r} is not a time of ISO 8601"
            place = (*site.place, "parameters", "until")
            report.error("bad-field", place, message, 'write "2026-11-24T08:00:00Z", or an expression')


def _lint_numbers(report: Report, site: Site) -> None:
    for name, least in (("status", 100), ("at_once", 1), ("allow_failed", 0)):
        value = site.parameters.get(name, least)
        if isinstance(value, str) and is_expression(value):
            continue
        if not isinstance(value, int) or not least <= value <= (599 if name == "status" else 10_000):
            what = "an HTTP status from 100 to 599" if name == "status" else f"a whole number from {least} to 10000"
            message = f"{value!r} is not {what}"
            report.error("bad-field", (*site.place, "parameters", name), message, "or write an expression")
