"""The files of a pack other than flows: ``pack.json``, connections, policies, partners and mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from connectors import sdk
from connectors.sdk import Settings
from connectors.sdk.json import NotJson
from runtime.mapping import is_expression
from runtime.model.calendar import Calendar
from runtime.model.doors import DOORS
from runtime.model.lints.expressions import compiled, lint_mapping_names, lint_mapping_source
from runtime.model.lints.finding import Finding, Place, Report, at, did_you_mean, elements, entries, word
from runtime.model.lints.leaks import REFERENCE
from runtime.model.lints.partners import lint_claims, lint_partner
from runtime.model.lints.scope import Scope, importable, json_files
from runtime.model.lints.shape import lint_shape, lint_values, models, strings
from runtime.model.lints.triggers import lint_name
from runtime.model.pack import BadFile, ConnectionFile, Pack, PackFile, base_folder, read_json
from runtime.model.policy import Policy


def lint_pack_file(path: Path, pack: Pack | None) -> list[Finding]:
    """``pack.json``. ``pack`` is what it reads as, if it can be read."""
    report = Report(str(path))
    raw = load(report, path)
    if raw is None:
        return report.findings
    lint_shape(report, PackFile, raw)
    known = {path.parent.name for path in (base_folder() / "flows").glob("*/flow.json")}
    own = set(pack.flow_files()) if pack else set()
    for index, name in enumerate(elements(entries(raw).get("flows"))):
        if isinstance(name, str) and name not in known | own:
            report.unknown("unknown-flow", ("flows", index), "flow", name, known | own)
    return report.findings


def lint_pack_parts(pack: Pack, scope: Scope) -> Iterator[Finding]:
    """All connections, policies, calendars, partners and mappings that belong to the pack itself."""
    for findings in lint_pack_files(pack, scope).values():
        yield from findings
    for name in pack.mapping_names():
        yield from lint_mapping(pack.mapping_file(name), scope)
    yield from _unused_doors(pack, scope)


def _unused_doors(pack: Pack, scope: Scope) -> Iterator[Finding]:
    """Whoever signs by a secret that no trigger asks for is refused, and nobody sees why."""
    flows = [load(Report(str(path)), path) for path in pack.flow_files().values()]
    named = {word(entries(entries(flow).get("trigger")).get("auth")) for flow in flows}
    for name, type in (scope.connections or {}).items():
        if type == "webhook_hmac" and name not in named and None not in flows:
            report = Report(str(pack.folder / "connections" / f"{name}.json"))
            message = f"no trigger names {name!r} in 'auth': what is signed with its secret is let in nowhere"
            report.warning("unused-door", (), message, f'add "auth": "{name}" to the trigger of the webhook')
            yield from report.findings


def lint_pack_files(pack: Pack, scope: Scope) -> dict[str, list[Finding]]:
    """What is wrong with connections, policies, calendars and partners, by ``<kind>/<name>``."""
    lints: dict[str, Callable[[Report, Path, Any], None]] = {
        "connections": lambda report, _, raw: lint_connection_file(report, raw, frozenset(pack.file.simulators)),
        "policies": lambda report, path, raw: lint_policy(report, path.stem, raw, scope),
        "calendars": lambda report, _, raw: lint_shape(report, Calendar, raw),
        "partners": lambda report, path, raw: lint_partner_file(report, path.stem, raw, scope),
    }
    found: dict[str, list[Finding]] = {}
    profiles: dict[str, tuple[Report, Any]] = {}
    for kind, lint in lints.items():
        for path in json_files(pack, kind):
            report = Report(str(path))
            raw = load(report, path)
            if raw is not None:
                lint(report, path, raw)
            found[f"{kind}/{path.stem}"] = report.findings
            if kind == "partners":
                profiles[path.stem] = report, raw
    lint_claims(profiles, pack.file.environment)
    return found


def load(report: Report, path: Path) -> Any:
    """The file's JSON, or ``None`` and a finding with line and column."""
    try:
        return read_json(path)
    except BadFile as error:
        cause = error.__cause__
        line, column = (cause.line, cause.column) if isinstance(cause, NotJson) else (0, 0)
        message = str(error).removeprefix(f"{path}: ")
        advice = "correct the JSON: UTF-8, no comments, no trailing commas, no NaN, no key twice"
        report.findings.append(Finding("bad-json", "error", str(path), "", message, advice, line, column))
        return None


def lint_connection_file(report: Report, raw: Any, simulators: frozenset[str] | None) -> None:
    """``simulators`` are those of the pack; ``None`` where they are not known."""
    lint_shape(report, ConnectionFile, raw)
    type, settings = word(entries(raw).get("type")), entries(entries(raw).get("settings"))
    reached = {connector.name: connector.settings for connector in importable() if connector.settings}
    known: Mapping[str, Any] = {**reached, **DOORS}
    for place, text in strings(settings, ("settings",)):
        name = text.removeprefix("simulator:").split("/")[0]
        if text.startswith("simulator:") and simulators is not None and name not in simulators:
            report.unknown("unknown-simulator", place, "simulator", name, simulators, "name it in pack.json")
    if type in known:
        model = known[type]
        before = len(report.findings)
        lint_values(report, ("settings",), model, settings, is_reference, "setting")
        _lint_secrets(report, model, settings)
        if len(report.findings) == before and not any(is_reference(text) for _, text in strings(settings)):
            _lint_doubts(report, type, settings)
    elif type:
        _lint_type(report, type, sorted(known))


def _lint_doubts(report: Report, type: str, settings: dict[str, Any]) -> None:
    """Settings that are well formed, all known, and cannot work."""
    connector = next((one for one in importable() if one.name == type), None)
    if connector is None or connector.settings is None or connector.doubts is None:
        return
    for problem in connector.doubts(connector.settings.model_validate(settings)):
        place = problem.place if problem.place[0] in settings else ()
        report.error("bad-connection", ("settings", *place), problem.message, problem.advice)


def _lint_type(report: Report, type: str, known: list[str]) -> None:
    if type in sdk.names():
        message = f"connector {type!r} reaches no peer and has no settings"
        report.error("connection-type", ("type",), message, did_you_mean("", known))
    else:
        report.unknown("unknown-connection-type", ("type",), "connection type", type, known)


def is_reference(text: str) -> bool:
    """Whether the text stands for a value that is kept elsewhere, or is an address of a simulator."""
    return REFERENCE.fullmatch(text) is not None


def _lint_secrets(report: Report, model: type[Settings], settings: dict[str, Any]) -> None:
    """What a simulator is told is no secret: it is a stand-in on this machine."""
    if any(text.startswith("simulator:") for _, text in strings(settings)):
        return
    secrets = set(secret_fields(model))
    for place, text in strings(settings):
        if str(place[-1]) in secrets and not is_reference(text):
            report.error(
                "secret-in-file",
                ("settings", *place),
                f"the secret {place[-1]!r} stands in the file itself",
                "keep it elsewhere and write env:NAME, file:PATH or vault:NAME",
            )


def secret_fields(model: type[BaseModel]) -> Iterator[str]:
    """The names of the secrets among the fields of a model and of the models in it."""
    for name, field in model.model_fields.items():
        if SecretStr in _parts(field.annotation):
            yield field.alias or name
        for inner in models(field.annotation):
            yield from secret_fields(inner)


def _parts(annotation: Any) -> set[Any]:
    inner = [_parts(argument) for argument in getattr(annotation, "__args__", ())]
    return {annotation} if not inner else set[Any]().union(*inner)


def lint_policy(report: Report, stem: str, raw: Any, scope: Scope) -> None:
    lint_shape(report, Policy, raw)
    _lint_stem(report, "policy", stem, raw)
    seen: set[str] = set()
    for index, rule in enumerate(elements(entries(raw).get("rules"))):
        name, when = word(entries(rule).get("name")), entries(rule).get("when")
        if name and name in seen:
            message = f"the rule {name!r} stands twice"
            report.error("duplicate-rule", ("rules", index, "name"), message, "give one of them another name")
        seen.add(name)
        if isinstance(when, str) and not is_expression(when):
            message = f"{when!r} is a fixed text: the rule does not look at the document"
            report.error("not-an-expression", ("rules", index, "when"), message, "write = in front")
    for place, text in strings(raw):
        if is_expression(text):
            expression = compiled(report, place, text[1:])
            if expression is not None:
                lint_mapping_names(report, place, expression, scope)


def lint_partner_file(report: Report, stem: str, raw: Any, scope: Scope) -> None:
    lint_partner(report, raw, scope)
    _lint_stem(report, "partner", stem, raw)
    places: list[Place] = [(), *(("environments", name) for name in entries(entries(raw).get("environments")))]
    for place in places:
        batching = entries(entries(at(raw, place)).get("batching"))
        lint_name(
            report, (*place, "batching", "calendar"), batching.get("calendar") or None, "calendar", scope.calendars
        )


def _lint_stem(report: Report, key: str, stem: str, raw: Any) -> None:
    name = entries(raw).get(key)
    if isinstance(name, str) and name != stem:
        message = f"the {key} calls itself {name!r} and its file is called {stem!r}"
        report.error("name-differs", (key,), message, "make both the same: flows find it by the file's name")


def lint_mapping(path: Path | None, scope: Scope) -> list[Finding]:
    """That a mapping is JSONata, and that the functions, variables and mappings it uses exist."""
    if path is None:
        return []
    report = Report(str(path))
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        report.error("bad-expression", (), f"cannot be read: {error}", "save it as UTF-8")
        return report.findings
    lint_mapping_source(report, source, scope)
    return report.findings
