"""Nodes that run a connector's operation: type, parameters, connection, effect and what an effect needs."""

from __future__ import annotations

from typing import Any

from connectors import sdk
from connectors.sdk import Effect, Role
from runtime.mapping import is_expression
from runtime.model.doors import DOORS
from runtime.model.flow import CONTROL
from runtime.model.lints.finding import Place, Report, did_you_mean, entries, word
from runtime.model.lints.leaks import REFERENCE
from runtime.model.lints.scope import BROKEN, Found, Scope, find, operation_types
from runtime.model.lints.shape import lint_values, strings
from runtime.model.lints.sites import Site

TRIGGERS = ("webhook", "schedule", "event", "call")


def lint_operation(report: Report, site: Site, scope: Scope) -> None:
    """Everything about one node that is not a control node."""
    found = known_type(report, (*site.place, "type"), site.type, "node")
    if found is None:
        return
    if found.operation.role is Role.SOURCE:
        report.error(
            "source-in-nodes",
            (*site.place, "type"),
            f"{site.type} starts flows, it cannot be a node",
            "make it the type of the flow's trigger",
        )
        return
    _lint_use(report, site.place, site.node, found, scope)
    _lint_effect(report, site, found, scope)


def _lint_use(report: Report, place: Place, raw: dict[str, Any], found: Found, scope: Scope) -> None:
    lint_parameters(report, place, raw, found)
    lint_connection(report, place, raw, found, scope)
    _lint_partner(report, place, entries(raw.get("parameters")), found, scope)


def _lint_partner(report: Report, place: Place, parameters: dict[str, Any], found: Found, scope: Scope) -> None:
    """A parameter called ``partner`` names a trading partner of the pack."""
    name = parameters.get("partner")
    if scope.partners is None or "partner" not in found.operation.Parameters.model_fields:
        return
    if isinstance(name, str) and not is_expression(name) and name not in scope.partners:
        inner = (*place, "parameters", "partner")
        report.unknown("unknown-partner", inner, "partner", name, scope.partners, f"add partners/{name}.json")


def known_type(report: Report, place: Place, type: str, what: str) -> Found | None:
    """The operation of that name, or a finding. An absent type is a finding of the shape already."""
    if not type:
        return None
    try:
        found = find(type)
    except BROKEN as error:
        report.error(
            "connector-broken",
            place,
            f"the connector of {type!r} cannot be imported: {error}",
            "install what it needs, or reinstall the connector",
        )
        return None
    if found is None:
        report.unknown(f"unknown-{what}-type", place, f"{what} type", type, _types(what))
    return found


def _types(what: str) -> list[str]:
    if what == "trigger":
        return [*TRIGGERS, *operation_types({Role.SOURCE})]
    if what == "decode":
        return operation_types({Role.READ})
    if what == "node":
        return [*CONTROL, *operation_types({Role.CALL, Role.READ, Role.WRITE})]
    return operation_types({Role.CALL})


def lint_parameters(report: Report, place: Place, raw: dict[str, Any], found: Found) -> None:
    """Keys against the operation's model, literal values too; an expression's value is known only later."""
    parameters = raw.get("parameters", {})
    if isinstance(parameters, dict):
        inner = (*place, "parameters")
        lint_values(report, inner, found.operation.Parameters, parameters, is_expression, "parameter")
        for where, text in strings(parameters, inner):
            name = next((part for part in reversed(where) if isinstance(part, str)), "")
            if name in found.operation.literal and is_expression(text):
                message = f"{name!r} is computed: what is run must not come out of a document"
                report.error("computed-parameter", where, message, "write it here, and give what varies as values")


def lint_literal_parameters(report: Report, place: Place, raw: dict[str, Any], found: Found) -> None:
    """As ``lint_parameters``, before there is a body to evaluate anything with; a decoder's ``content`` is what
    came in."""
    given = raw.get("parameters", {})
    if not isinstance(given, dict):
        return
    inner = (*place, "parameters")
    for where, text in strings(given, inner):
        if is_expression(text):
            message = "these parameters are taken as they stand: there is no body yet to evaluate anything with"
            report.error("not-evaluated", where, message, "write the value itself")
    decodes = found.operation.role is Role.READ and "content" in found.operation.Parameters.model_fields
    full = {"content": "", **given} if decodes else given
    lint_values(report, inner, found.operation.Parameters, full, is_expression, "parameter")


def lint_connection(report: Report, place: Place, raw: dict[str, Any], found: Found, scope: Scope) -> None:
    """A node names a connection exactly where its connector has settings, and one of that connector's type."""
    name, type = raw.get("connection"), found.connector.name
    if name is None:
        if found.connector.settings is not None:
            fitting = [known for known, of in (scope.connections or {}).items() if of == type]
            advice = f"of that type are: {', '.join(sorted(fitting))}" if fitting else f"add one of type {type!r}"
            report.error("missing-connection", place, f"{type} needs a connection and none is named", advice)
    elif found.connector.settings is None:
        message = f"{type}.{found.operation.name} reaches no peer and takes no connection"
        report.error("needless-key", (*place, "connection"), message, "remove 'connection'")
    elif isinstance(name, str) and not is_expression(name):
        lint_connection_name(report, (*place, "connection"), name, (type,), scope)
        _lint_needs(report, (*place, "connection"), name, found, scope)


def _lint_needs(report: Report, place: Place, name: str, found: Found, scope: Scope) -> None:
    """What the operation needs its connection to say; a reference is known only later."""
    model = found.connector.settings
    if name not in scope.settings or model is None or (scope.connections or {}).get(name) != found.connector.name:
        return
    for key, needed in found.operation.needs.items():
        given = scope.settings[name].get(key, model.model_fields[key].default)
        if isinstance(given, str) and given != needed and REFERENCE.fullmatch(given) is None:
            operation = f"{found.connector.name}.{found.operation.name}"
            message = f"connection {name!r} has {key} {given!r}, and {operation} needs {needed!r}"
            report.error("connection-setting", place, message, f"name one whose {key} is {needed!r}")


def lint_connection_name(report: Report, place: Place, name: str, types: tuple[str, ...], scope: Scope) -> None:
    if scope.connections is None:
        return
    fitting = [known for known, of in scope.connections.items() if of in types]
    if name not in scope.connections:
        advice = did_you_mean(name, fitting) or f"add connections/{name}.json"
        report.error("unknown-connection", place, f"there is no connection {name!r}", advice)
    elif scope.connections[name] not in (*types, ""):
        report.error(
            "connection-type",
            place,
            f"connection {name!r} is of type {scope.connections[name]!r}, needed is {' or '.join(types)}",
            did_you_mean(name, fitting) or f"add a connection of type {types[0]!r}",
        )


def effect_of(site: Site, found: Found) -> Effect:
    """What the node says of itself, else what the operation says for these parameters."""
    said = site.node.get("effect")
    if said in list(Effect):
        return Effect(said)
    return found.operation.effect_of(site.parameters)


def _lint_effect(report: Report, site: Site, found: Found, scope: Scope) -> None:
    effect = effect_of(site, found)
    look_up, undo = site.node.get("look_up"), site.node.get("undo")
    if effect is Effect.ONCE:
        _lint_answer(report, site, "look_up", "asks the peer what became of an effect whose answer was lost")
        _lint_answer(report, site, "undo", "takes the effect back when a person cancels the run")
    elif look_up is not None:
        report.warning(
            "needless-key",
            (*site.place, "look_up"),
            f"the effect of node {site.id!r} is {effect.value}: it is never looked up",
            'remove \'look_up\', or say "effect": "once"',
        )
    if effect is Effect.NONE and site.node.get("expect"):
        report.error(
            "expect-without-effect",
            (*site.place, "expect"),
            f"node {site.id!r} has effect none, so nothing is stored that an answer could be matched with",
            'put \'expect\' on the node that sends, or say "effect": "idempotent" or "once"',
        )
    for key, value in (("look_up", look_up), ("undo", undo)):
        if isinstance(value, dict):
            lint_fixed(report, (*site.place, key), value)
            _lint_inner(report, (*site.place, key), {"connection": site.node.get("connection"), **value}, scope)


def lint_fixed(report: Report, place: Place, raw: dict[str, Any]) -> None:
    """A trigger asks before there is a message; a look-up and an undo go where the effect went, or to one place."""
    if is_expression(raw.get("connection")):
        message = "only a node may take its connection from an expression"
        advice = "name a connection; a look-up or an undo without one uses that of its node"
        report.error("connection-computed", (*place, "connection"), message, advice)


def _lint_answer(report: Report, site: Site, key: str, purpose: str) -> None:
    value, name = site.node.get(key), key.replace("_", "-")
    if value is not None and not isinstance(value, str):
        return
    if value is not None and value.startswith("none:") and value.removeprefix("none:").strip():
        return
    if value is None:
        place, message = site.place, f"node {site.id!r} has effect once and no {key!r}, which {purpose}"
    else:
        place, message = (*site.place, key), f"{value!r} is neither a {key} nor a reason for having none"
    report.error(f"once-without-{name}", place, message, f'add it, or write "{key}": "none: <reason>"')


def _lint_inner(report: Report, place: Place, raw: dict[str, Any], scope: Scope) -> None:
    found = known_type(report, (*place, "type"), word(raw.get("type")), "operation")
    if found is not None and not issubclass(found.operation, sdk.Step):
        message = f"{raw['type']} starts flows, it cannot be asked"
        report.error("source-in-nodes", (*place, "type"), message, "name an operation that calls the peer")
    elif found is not None:
        _lint_use(report, place, raw, found, scope)


def lint_door(report: Report, place: Place, name: str, scope: Scope) -> None:
    """``auth`` of a webhook: a connection that says who may come in."""
    lint_connection_name(report, place, name, tuple(DOORS), scope)
