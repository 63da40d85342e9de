"""Trading partners' profiles: the shared part, and each connector's part in each environment."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from connectors import sdk
from connectors.sdk import Role
from connectors.sdk.part import Part, load_part
from connectors.sdk.partner import Environment
from runtime.model.lints.finding import Place, Report, at, did_you_mean, entries
from runtime.model.lints.operations import lint_connection_name
from runtime.model.lints.scope import BROKEN, Scope, importable, operation_types
from runtime.model.lints.shape import lint_shape, lint_values, refusals
from runtime.model.partner import Partner, for_environment

_WORDS = re.compile(r"['\"]([a-z][a-z0-9_]*)['\"]")
_BOTH: tuple[Environment, ...] = ("test", "production")


def lint_partner(report: Report, raw: Any, scope: Scope) -> None:
    """The profile must be usable in the environment of the scope's pack, where one is known."""
    environment = scope.environment
    lint_shape(report, Partner, raw)
    profile = entries(raw)
    spoken = dict(_parts())
    _lint_keys(report, (), profile, spoken)
    parts = entries(profile.get("environments"))
    for name, part in parts.items():
        _lint_keys(report, ("environments", name), entries(part), spoken)
    for one in _BOTH:
        if one == environment or one in parts or (environment is None and not parts):
            _lint_in(report, profile, one, spoken, judged=environment in (None, one))
    if environment is not None and parts and environment not in parts:
        report.error(
            "partner-environment",
            ("environments",),
            f"the pack runs in {environment}, for which the partner is not set up",
            f"add environments.{environment} with what differs there, or take the partner out of the pack",
        )
    _lint_mappings(report, entries(profile.get("mappings")), scope.mappings)
    for place in ((), *(("environments", name) for name in parts)):
        _lint_delivery(report, place, profile, scope)
        _lint_asked(report, place, profile, spoken, scope)


def _parts() -> Iterator[tuple[str, Part]]:
    for connector in importable():
        try:
            found = load_part(connector.name)
        except BROKEN:
            continue
        if found is not None:
            yield connector.name, found


def _lint_keys(report: Report, place: Place, part: dict[str, Any], spoken: dict[str, Part]) -> None:
    """Every key is one of the file's own or the name of a connector that reads it."""
    known = {field.alias or name for name, field in Partner.model_fields.items()} | spoken.keys()
    for key in part:
        if place and key in ("partner", "name", "$schema", "environments"):
            message = f"{key!r} is the same in every environment"
            report.error("misplaced-key", (*place, key), message, "say it once, at the top of the file")
        elif key not in known and key in sdk.names():
            message = f"connector {key!r} has no part in a partner's profile"
            report.error("unknown-key", (*place, key), message, did_you_mean("", spoken))
        elif key not in known:
            report.error(
                "unknown-key", (*place, key), f"the key {key!r} means nothing here", did_you_mean(key, known)
            )


def _lint_in(
    report: Report, profile: dict[str, Any], environment: Environment, spoken: dict[str, Part], *, judged: bool
) -> None:
    """The profile as it is in an environment, told where it stands in the file."""
    laid = for_environment(profile, environment)
    if profile.get("environments"):
        inner = Report(report.file)
        lint_shape(inner, Partner, {key: value for key, value in laid.items() if key != "environment"})
        for finding in inner.findings:
            place = _stands(profile, environment, tuple(finding.pointer.split("/")[1:]))
            report.error(finding.code, place, finding.message, finding.suggestion)
    for name, part_of in spoken.items():
        if name not in laid:
            continue
        part, inner = laid[name], Report(report.file)
        if not isinstance(part, dict):
            report.error("bad-field", _stands(profile, environment, (name,)), f"{name} must be an object")
            continue
        lint_values(inner, (), part_of.profile, part, lambda _: False, "key")
        for finding in inner.findings:
            place = _stands(profile, environment, (name, *finding.pointer.split("/")[1:]))
            report.error(finding.code, place, finding.message, finding.suggestion)
        if not inner.findings:
            for problem in part_of.problems(part, environment if judged else None):
                place = _stands(profile, environment, (name, *problem.place))
                report.error("bad-partner", place, problem.message, problem.advice)


def _stands(profile: dict[str, Any], environment: Environment, place: Place) -> Place:
    """Where a place of the laid-over profile stands in the file: in the environment's part if that says it."""
    own = ("environments", environment)
    if _has(profile, (*own, *place)):
        return (*own, *place)
    while place and not _has(profile, place):
        if _has(profile, (*own, *place)):
            return (*own, *place)
        place = place[:-1]
    return place


def _has(value: Any, place: Place) -> bool:
    for part in place:
        if isinstance(value, list) and str(part).isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return False
    return True


def _lint_delivery(report: Report, place: Place, profile: dict[str, Any], scope: Scope) -> None:
    """The connection is one of the pack's, and of a connector that delivers."""
    inner = (*place, "delivery", "connection")
    name = at(profile, inner) if _has(profile, inner) else None
    if isinstance(name, str) and name:
        types = tuple(type.partition(".")[0] for type in operation_types({Role.CALL}) if type.endswith(".deliver"))
        lint_connection_name(report, inner, name, types, scope)


def _lint_mappings(report: Report, given: dict[str, Any], known: Collection[str] | None) -> None:
    for direction, names in given.items():
        for type, name in entries(names).items():
            if known is not None and isinstance(name, str) and name not in known:
                report.unknown("unknown-mapping", ("mappings", direction, type), "mapping", name, known)


def _lint_asked(
    report: Report, place: Place, profile: dict[str, Any], spoken: dict[str, Part], scope: Scope
) -> None:
    """Names that mappings look up in the profile: one that none has a use for is mistyped."""
    for name, part in spoken.items():
        for key, expression in part.asked.items():
            inner = (*place, name, key)
            given = at(profile, inner) if _has(profile, inner) else {}
            known = _asked(scope, expression) if entries(given) else set()
            for one in entries(given):
                if known and one not in known:
                    message = f"no mapping asks for {one!r}"
                    report.warning("unknown-name", (*inner, one), message, did_you_mean(one, known))


def _asked(scope: Scope, expression: str) -> set[str]:
    """Every word that stands as a text in a mapping which uses the expression."""
    sources = [path.read_text(encoding="utf-8", errors="replace") for path in scope.mapping_files.values()]
    return {word for source in sources if expression in source for word in _WORDS.findall(source)}


def lint_claims(profiles: Mapping[str, tuple[Report, Any]], environment: Environment) -> None:
    """What only one partner may say, said by two, and what fits two; told in the file of the second. ``profiles``
    are by name."""
    for connector, part in _parts():
        sound = {
            name: laid
            for name, (_, raw) in profiles.items()
            if (laid := entries(entries(for_environment(raw, environment)).get(connector)))
            and not refusals(part.profile, laid)
        }

        def place(name: str, *inner: str, connector: str = connector) -> Place:
            return _stands(entries(profiles[name][1]), environment, (connector, *inner))

        claimed: dict[str, str] = {}
        for name, laid in sound.items():
            claim = part.claims(laid)
            if claim and claim in claimed:
                profiles[name][0].error(
                    "claimed-twice",
                    place(name),
                    f"partner {claimed[claim]!r} says the same: {claim}",
                    "tell them apart, or make them one",
                )
            claimed.setdefault(claim, name)
        for name, problem in part.together(sound):
            report = profiles[name][0]
            report.warning("overlapping", place(name, *map(str, problem.place)), problem.message, problem.advice)
