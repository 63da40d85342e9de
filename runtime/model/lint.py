"""Every authoring mistake by name, with file, JSON pointer and what to do; never stops at the first.

    for finding in lint_pack(Pack.read(folder)):
        print(finding)

``Finding.code`` is stable. A finding of severity ``error`` keeps its file from being used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectors.sdk import Listen
from runtime.model.flow import CONTROL, Flow
from runtime.model.lints.control import lint_control, lint_ids, lint_outcomes
from runtime.model.lints.expressions import lint_expressions
from runtime.model.lints.finding import Finding, Report, entries, pointer, word
from runtime.model.lints.leaks import lint_leaks, lint_literals
from runtime.model.lints.masterdata import lint_masterdata
from runtime.model.lints.operations import lint_operation
from runtime.model.lints.packs import (
    lint_connection_file,
    lint_mapping,
    lint_pack_file,
    lint_pack_parts,
    lint_partner_file,
    lint_policy,
    load,
)
from runtime.model.lints.scope import Scope
from runtime.model.lints.shape import lint_shape
from runtime.model.lints.sites import Site, operation_of, sites, walk
from runtime.model.lints.triggers import lint_trigger
from runtime.model.pack import BadFile, Pack


def lint_flow(raw: Any, file: str, scope: Scope) -> list[Finding]:
    """What is wrong with a flow, by place in the file. ``raw`` is its JSON, ``file`` is named in findings."""
    report = Report(file)
    lint_shape(report, Flow, raw)
    if not isinstance(raw, dict):
        return report.findings
    nodes = sites(("nodes",), raw.get("nodes"))
    report.findings = _without_echo(report.findings, nodes)
    lint_trigger(report, raw, nodes, scope)
    lint_literals(report, ("trigger", "parameters"), entries(entries(raw.get("trigger")).get("parameters")))
    lint_ids(report, nodes)
    text = json.dumps(raw)
    for site in walk(nodes):
        if site.is_control:
            lint_control(report, site, scope, text)
        else:
            lint_operation(report, site, scope)
        lint_outcomes(report, site)
        lint_leaks(report, site)
    lint_expressions(report, raw, nodes, scope)
    return sorted(report.findings, key=lambda finding: (_order(raw, finding.pointer), finding.code))


def _without_echo(findings: list[Finding], nodes: list[Site]) -> list[Finding]:
    """Without what the shape of an operation says of a node whose type names none: that is one mistake."""
    unknown = [
        pointer(site.place)
        for site in walk(nodes)
        if site.type and site.type not in CONTROL and "." not in site.type
    ]
    return [
        finding
        for finding in findings
        if finding.pointer.rpartition("/")[0] not in unknown or finding.pointer.endswith("/id")
    ]


def _order(raw: Any, pointed: str) -> tuple[int, ...]:
    """The position of a place in reading order, level by level."""
    order = []
    for part in pointed.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(raw, list):
            order.append(int(key))
            raw = raw[int(key)]
        elif isinstance(raw, dict) and key in raw:
            order.append(list(raw).index(key))
            raw = raw[key]
    return tuple(order)


def lint_file(path: Path, scope: Scope) -> list[Finding]:
    """A flow, ``pack.json``, a connection, a policy, a partner or a mapping: which, name and folder tell."""
    if path.suffix == ".jsonata":
        return lint_mapping(path, scope)
    if path.name == "pack.json":
        return lint_pack_file(path, None)
    report = Report(str(path))
    raw = load(report, path)
    if raw is None:
        return report.findings
    if path.parent.name == "connections":
        lint_connection_file(report, raw, None)
    elif path.parent.name == "policies":
        lint_policy(report, path.stem, raw, scope)
    elif path.parent.name == "partners":
        lint_partner_file(report, path.stem, raw, scope)
    else:
        return lint_flow(raw, str(path), scope)
    return report.findings


def lint_pack(pack: Pack) -> list[Finding]:
    """All findings of all files of a pack, and of the flows and mappings of the base that it uses."""
    scope = Scope.of(pack)
    findings = lint_pack_file(pack.folder / "pack.json", pack)
    findings += lint_pack_parts(pack, scope)
    findings += lint_masterdata(pack)
    for name, path in pack.flow_files().items():
        findings += lint_file(path, scope)
        findings += _lint_name(name, path)
    return findings + _lint_listeners(pack)


def _lint_listeners(pack: Pack) -> list[Finding]:
    """A peer that connects is heard by one flow: two cannot listen on one connection."""
    listening: dict[str, str] = {}
    found: list[Finding] = []
    for name, path in pack.flow_files().items():
        report = Report(str(path))
        trigger = entries(entries(load(report, path)).get("trigger"))
        operation, connection = operation_of(word(trigger.get("type"))), word(trigger.get("connection"))
        if operation is None or not issubclass(operation.operation, Listen) or not connection:
            continue
        if connection in listening:
            message = f"the flow {listening[connection]!r} listens on connection {connection!r} already"
            advice = "give this one a connection with a port of its own, or leave one of the flows out of the pack"
            report.error("connection-taken", ("trigger", "connection"), message, advice)
            found += report.findings
        listening.setdefault(connection, name)
    return found


def _lint_name(folder: str, path: Path) -> list[Finding]:
    """A flow is found by its folder: both must be called the same."""
    report = Report(str(path))
    name = entries(load(report, path)).get("flow")
    if not isinstance(name, str) or name == folder:
        return []
    report.error("name-differs", ("flow",), f"the flow calls itself {name!r} and its folder is {folder!r}",
                 "make both the same")  # fmt: skip
    return report.findings


def lint_folder(folder: Path) -> list[Finding]:
    """As ``lint_pack``, for a folder whose ``pack.json`` may be bad itself."""
    try:
        return lint_pack(Pack.read(folder))
    except BadFile:
        return lint_pack_file(folder / "pack.json", None)


__all__ = ["Finding", "Scope", "lint_file", "lint_flow", "lint_folder", "lint_pack"]
