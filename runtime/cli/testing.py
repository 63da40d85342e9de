"""Which cases a path means, and in which pack each is run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from connectors.sdk import Misconfigured
from runtime.api.cases import Mappings, Verdict, run_mapping_case
from runtime.api.flow_cases import Bench
from runtime.cli import served
from runtime.cli.linting import pack_around
from runtime.mapping import ENGINES
from runtime.model.pack import BadFile, Pack, base_folder, demo_folder
from runtime.store.sqlite import SqliteStore


def case_files(path: Path | None) -> list[Path]:
    """The case itself, or all below a folder; without a path those of the current folder, else those that ship."""
    if path is None:
        here = Path.cwd()
        found = _below(here) if here != base_folder() else []
        return found or [case for kind in ("flows", "mappings") for case in _below(base_folder() / kind)]
    if path.is_file() and path.parent.name != "cases":
        path = path.parent
    return [path] if path.is_file() else _below(path)


def _below(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.json"))
    cases = [case for case in found if case.parent.name == "cases" and _kind(case) is not None]
    return [case for case in cases if not any(part.startswith(".") for part in case.relative_to(folder).parts)]


def _kind(case: Path) -> str | None:
    home = case.parent.parent
    return "flow" if (home / "flow.json").is_file() else "mapping" if (home / "mapping.jsonata").is_file() else None


def verdicts(cases: list[Path]) -> Iterator[Verdict]:
    """One for each case, as it is run."""
    with tempfile.TemporaryDirectory(prefix="orderly-test-") as folder:
        template = Path(folder) / "orderly.db"
        benches: dict[Path, Bench] = {}
        for case in cases:
            try:
                yield _verdict(case, benches, template)
            except BadFile as error:
                yield Verdict(str(case), _kind(case) or "case", case.parent.parent.name, (error.message,))


def _verdict(case: Path, benches: dict[Path, Bench], template: Path) -> Verdict:
    pack = pack_around(case) or Pack.read(demo_folder())
    if _kind(case) == "mapping":
        return run_mapping_case(case, Mappings(pack, case.resolve().parents[2]), ENGINES)
    if not template.exists():
        SqliteStore(template, relaxed=True).close()
    bench = benches.setdefault(pack.folder, Bench(pack, template))
    return bench.verdict(case, ENGINES)


def mappings_for(mapping: str, data: Path, packs: tuple[Path, ...], client: str) -> tuple[str, Mappings]:
    """The name, and where it is looked up, of a mapping given by name, folder or file. Raises ``Misconfigured``,
    ``UsageError`` where nothing says in which pack a name is meant."""
    path = Path(mapping)
    folder = path.parent if path.suffix == ".jsonata" else path
    if (folder / "mapping.jsonata").is_file():
        pack = Pack.read(packs[0]) if packs else pack_around(folder) or Pack.read(demo_folder())
        return folder.resolve().name, Mappings(pack, folder.resolve().parent)
    if path.suffix == ".jsonata":
        raise Misconfigured(
            f"{mapping} is no mapping", next_action="a mapping is a folder with a mapping.jsonata, or its name"
        )
    return mapping, Mappings(_pack_meant(data, packs, client))


def _pack_meant(data: Path, packs: tuple[Path, ...], client: str) -> Pack:
    """As for a flow's name; where Orderly itself is at home, what ships."""
    try:
        folders = served.chosen(data, packs) or (demo_folder(),)
    except click.UsageError:
        if Path.cwd() != base_folder():
            raise
        folders = (demo_folder(),)
    found = [pack for pack in map(Pack.read, folders) if client in ("", pack.client)]
    if len(found) != 1:
        known = ", ".join(Pack.read(folder).client for folder in folders)
        raise Misconfigured(f"which client is meant? there are {known}", next_action="say --client or --pack")
    return found[0]
