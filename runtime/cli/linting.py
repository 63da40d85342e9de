"""Which files a path means to lint, and against what."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.model.lint import Finding, Scope, lint_file, lint_folder
from runtime.model.pack import BadFile, Pack, base_folder, demo_folder, read_json

_NAMED = {"flow.json", "mapping.jsonata"}


def findings_in(path: Path | None) -> list[Finding]:
    """``path`` is a file, a pack, or a folder of both; without one, what the current folder holds, else the flows
    that ship. Raises ``UsageError`` where there is nothing of the kind."""
    if path is None:
        here = Path.cwd()
        path = here if here != base_folder() and (_packs(here) or _files(here)) else demo_folder()
    if path.is_file():
        return lint_file(path, scope_around(path))
    packs = _packs(path)
    findings = [finding for pack in packs for finding in lint_folder(pack)]
    loose = [file for file in _files(path) if not any(pack in file.parents for pack in packs)]
    if not packs and not loose:
        raise click.UsageError(f"there is nothing to lint in {path}: no pack.json, no flow and no mapping")
    return findings + [finding for file in loose for finding in lint_file(file, scope_around(file))]


def pack_around(path: Path) -> Pack | None:
    """The pack that a file lies in; for what ships, the demo pack. Raises ``BadFile`` where its own is bad."""
    place = path.resolve()
    for folder in (place, *place.parents):
        if (folder / "pack.json").is_file():
            return Pack.read(folder)
    return Pack.read(demo_folder()) if base_folder() in place.parents else None


def scope_around(path: Path) -> Scope:
    """Nothing is known where there is no pack: names are not checked then."""
    try:
        pack = pack_around(path)
    except BadFile:
        return Scope()
    return Scope.of(pack) if pack is not None else Scope()


def _packs(folder: Path) -> list[Path]:
    return [file.parent for file in _visible(folder, "pack.json")]


def _files(folder: Path) -> list[Path]:
    """Flows and mappings; a JSON file of another name where it says that it is a flow."""
    named = [file for file in _visible(folder, "*") if file.name in _NAMED]
    return named + [file for file in _visible(folder, "*.json") if file.name not in _NAMED and _is_flow(file)]


def _visible(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.rglob(pattern))
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def _is_flow(file: Path) -> bool:
    if file.parent.name in ("cases", "schemas", "connections", "policies", "partners"):
        return False
    try:
        raw = read_json(file)
    except BadFile:
        return False
    return isinstance(raw, dict) and "flow" in raw and ("nodes" in raw or "trigger" in raw)
