"""The flows of one client: each loaded, linted and frozen to a release, or out with its findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.sdk import Misconfigured
from runtime.mapping import Expression, MappingError, is_expression
from runtime.mapping import compile as compile_expression
from runtime.model.flow import Flow, MapNode, OperationNode
from runtime.model.lint import Finding, Scope, lint_flow
from runtime.model.lints.finding import Report
from runtime.model.lints.packs import lint_pack_files, load
from runtime.model.pack import Pack, read_json
from runtime.model.release import Release

DEFAULT_ENGINE = "jsonatapy"

#: Keys of a flow whose value is the name of a file of the pack.
_KINDS = {"connection": "connections", "auth": "connections", "policy": "policies", "partner": "partners"}


@dataclass
class Registry:
    """``out`` names the flows that could not be loaded and why; everything else runs. ``files_out`` says the same
    of the pack's connections, policies and partners, as ``<kind>/<name>``, whether a flow uses them or not."""

    releases: dict[str, Release] = field(default_factory=dict)
    out: dict[str, list[Finding]] = field(default_factory=dict)
    files_out: dict[str, list[Finding]] = field(default_factory=dict)

    @classmethod
    def of(cls, pack: Pack, engine: str = DEFAULT_ENGINE) -> Registry:
        """Never raises for one bad flow: the others are loaded all the same."""
        scope = Scope.of(pack)
        files = {name: _errors(found) for name, found in lint_pack_files(pack, scope).items()}
        registry = cls(files_out={name: found for name, found in files.items() if found})
        for name, path in pack.flow_files().items():
            report = Report(str(path))
            raw = load(report, path)
            findings = report.findings or _errors(lint_flow(raw, str(path), scope))
            findings = findings or registry._unusable(pack, raw)
            try:
                if not findings:
                    registry.releases[Flow.model_validate(raw).flow] = freeze(pack, raw, engine)
            except BadMapping as error:
                findings = [Finding("bad-expression", "error", str(error.path), "", error.why)]
            if findings:
                registry.out[name] = findings
        return registry

    def _unusable(self, pack: Pack, raw: Any) -> list[Finding]:
        """What is wrong with the files that a flow names. A connection whose settings are wrong fails by itself,
        where it is used."""
        usable = {f"connections/{name}" for name in pack.connections.sound()}
        return [
            finding
            for name in sorted(_named(raw))
            if name not in usable
            for finding in self.files_out.get(name, [])
        ]

    def release(self, flow: str) -> Release:
        """Raises ``Misconfigured`` that says whether the flow is unknown or why it is out."""
        if flow in self.releases:
            return self.releases[flow]
        if flow in self.out:
            first = self.out[flow][0]
            raise Misconfigured(
                f"flow {flow} is out: {first.file}: {first.pointer or '/'}: {first.message}",
                next_action="mend the file, then start again",
            )
        raise Misconfigured(
            f"there is no flow {flow!r}", next_action=f"there are: {', '.join(sorted(self.releases)) or 'none'}"
        )


class BadMapping(Misconfigured):
    """A mapping that a flow names cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path}: {why}", next_action="mend the mapping; `orderly lint` says where", field=str(path)
        )
        self.path = path
        self.why = why


def _errors(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def _named(value: Any) -> set[str]:
    """The connections, policies and partners that a flow's JSON names, as ``<kind>/<name>``."""
    if isinstance(value, list):
        return {name for inner in value for name in _named(inner)}
    if not isinstance(value, dict):
        return set()
    here = {
        f"{_KINDS[key]}/{name}"
        for key, name in value.items()
        if key in _KINDS and isinstance(name, str) and not is_expression(name)
    }
    return here | {name for inner in value.values() for name in _named(inner)}


def freeze(pack: Pack, raw: Mapping[str, Any], engine: str = DEFAULT_ENGINE) -> Release:
    """The content of the flow and of all that it names, directly or through its mappings. Raises
    ``BadMapping``."""
    flow = Flow.model_validate(raw)
    mappings: dict[str, str] = {}
    todo = _mapping_names(flow) | _partners_mappings(flow, pack)
    while todo:
        name = todo.pop()
        path = pack.mapping_file(name)
        if name in mappings or path is None:
            continue
        try:
            mappings[name] = path.read_text(encoding="utf-8")
            todo |= compile_expression(mappings[name], engine=engine, name=name).mappings - mappings.keys()
        except (MappingError, UnicodeDecodeError) as error:
            raise BadMapping(path, str(error)) from error
    schemas = {}
    if flow.trigger.accepts and (schema := pack.schema_file(flow.trigger.accepts)) is not None:
        schemas[flow.trigger.accepts] = read_json(schema)
    content = {
        "flow": {key: value for key, value in raw.items() if key != "$schema"},
        "mappings": mappings,
        "schemas": schemas,
        "policies": pack.policies.sound(),
        "partners": pack.partners.sound(),
        "engine": engine,
    }
    return Release.of(content)


def _partners_mappings(flow: Flow, pack: Pack) -> set[str]:
    """Those that a partner's profile puts in the place of one of the flow's."""
    asked = [node.parameters.by_partner for _, node in flow.walk() if isinstance(node, MapNode)]
    found = {given.of(profile) for given in asked if given for profile in pack.partners.sound().values()}
    return {name for name in found if name is not None}


def _mapping_names(flow: Flow) -> set[str]:
    names = {flow.trigger.mapping} if flow.trigger.mapping else set()
    for _, node in flow.walk():
        if isinstance(node, MapNode):
            names.add(node.parameters.mapping)
        for expression in _expressions(
            node.model_dump(mode="json", by_alias=True, exclude={"nodes", "on", "on_error"})
        ):
            names |= expression.mappings
        if isinstance(node, OperationNode) and node.look_up is not None and not isinstance(node.look_up, str):
            names |= compile_expression(node.look_up.found[1:], name=node.id).mappings
    return names


def _expressions(value: Any) -> list[Expression]:
    if is_expression(value):
        return [compile_expression(value[1:])]
    if isinstance(value, dict):
        return [found for inner in value.values() for found in _expressions(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _expressions(inner)]
    return []
