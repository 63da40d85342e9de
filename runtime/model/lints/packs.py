"""The files of a pack other than flows: ``pack.json``, connections, policies, partners and mappings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from connectors import sdk
from connectors.sdk import Settings
from runtime.mapping import is_expression
from runtime.model.doors import DOORS
from runtime.model.lints.expressions import compiled, lint_mapping_names, lint_mapping_source
from runtime.model.lints.finding import Finding, Report, did_you_mean, elements, entries, word
from runtime.model.lints.leaks import REFERENCE
from runtime.model.lints.scope import Scope, importable, json_files
from runtime.model.lints.shape import lint_shape, lint_values, models, strings
from runtime.model.pack import BadFile, ConnectionFile, Pack, PackFile, base_folder, read_json
from runtime.model.partner import Partner
from runtime.model.policy import Policy

#: Strings, the keys among them with their colon, and the ends of objects.
_KEYS: Final = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|[{}]')


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
    """All connections, policies, partners and mappings that belong to the pack itself."""
    for findings in lint_pack_files(pack, scope).values():
        yield from findings
    for name in pack.mapping_names():
        yield from lint_mapping(pack.mapping_file(name), scope)


def lint_pack_files(pack: Pack, scope: Scope) -> dict[str, list[Finding]]:
    """What is wrong with connections, policies and partners, by ``<kind>/<name>``."""
    lints: dict[str, Callable[[Report, Path, Any], None]] = {
        "connections": lambda report, _, raw: lint_connection_file(report, raw, frozenset(pack.file.simulators)),
        "policies": lambda report, path, raw: lint_policy(report, path.stem, raw, scope),
        "partners": lambda report, path, raw: lint_partner(report, path.stem, raw),
    }
    found = {}
    for kind, lint in lints.items():
        for path in json_files(pack, kind):
            report = Report(str(path))
            raw = load(report, path)
            if raw is not None:
                lint(report, path, raw)
            found[f"{kind}/{path.stem}"] = report.findings
    return found


def load(report: Report, path: Path) -> Any:
    """The file's JSON, or ``None`` and a finding with line and column."""
    try:
        return read_json(path)
    except BadFile as error:
        line, column = _position(path)
        message = str(error).removeprefix(f"{path}: ")
        advice = "correct the JSON: UTF-8, no comments, no trailing commas, no NaN, no key twice"
        report.findings.append(Finding("bad-json", "error", str(path), "", message, advice, line, column))
        return None


def _position(path: Path) -> tuple[int, int]:
    try:
        text = path.read_bytes().decode("utf-8")
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno, error.colno
    except (OSError, ValueError, RecursionError):
        return 0, 0
    return _second_key(text)


def _second_key(text: str) -> tuple[int, int]:
    """Where a key stands that its object has already; 0 where none does."""
    objects: list[set[str]] = []
    for token in _KEYS.finditer(text):
        if token[0] == "{":
            objects.append(set())
        elif token[0] == "}":
            objects.pop()
        elif token[2] and objects:
            key = json.loads(token[1])
            if key in objects[-1]:
                at = token.start()
                return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            objects[-1].add(key)
    return 0, 0


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
        lint_values(report, ("settings",), model, settings, is_reference, "setting")
        _lint_secrets(report, model, settings)
    elif type:
        _lint_type(report, type, sorted(known))


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


def lint_partner(report: Report, stem: str, raw: Any) -> None:
    lint_shape(report, Partner, raw)
    _lint_stem(report, "partner", stem, raw)


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
