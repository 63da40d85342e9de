"""Runs the cases of mappings, and mappings by themselves, as a flow would."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from connectors.sdk import Misconfigured
from runtime.mapping import MISSING, Functions, MappingError
from runtime.mapping import compile as compile_expression
from runtime.masterdata import MasterData
from runtime.model.case import NOON, differences, read_mapping_case
from runtime.model.pack import Pack


@dataclass(frozen=True)
class Verdict:
    """``differences`` on the default engine make it fail; ``engines`` says where the reference answers
    otherwise."""

    case: str
    kind: str
    name: str
    differences: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.differences


@dataclass(frozen=True)
class Mappings:
    """Mappings by name: those beside ``folder`` first, then those of the pack and its base."""

    pack: Pack
    folder: Path | None = None

    @cached_property
    def masterdata(self) -> MasterData:
        return MasterData.from_folder(self.pack.folder / "masterdata")

    def apply(self, name: str, document: Any, engine: str, now: datetime = NOON) -> Any:
        """The mapping's result, ``None`` for undefined. Raises ``Misconfigured``, ``MappingError``."""
        expression = compile_expression(self._source(name), engine=engine, name=name)
        functions = Functions(
            now=lambda: now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            millis=lambda: int(now.timestamp() * 1000),
            map_with=lambda other, given: self.apply(other, given, engine, now),
            resolve=self.masterdata.resolve,
        )
        made = expression.evaluate(document, {}, functions)
        return None if made is MISSING else made

    def _source(self, name: str) -> str:
        beside = self.folder / name / "mapping.jsonata" if self.folder is not None else None
        path = beside if beside is not None and beside.is_file() else self.pack.mapping_file(name)
        if path is None:
            raise Misconfigured(
                f"there is no mapping {name!r}", next_action=f"there are: {', '.join(self.pack.mapping_names())}"
            )
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise Misconfigured(f"{path} is not UTF-8: {error}", next_action="save it as UTF-8") from error


def run_mapping_case(path: Path, mappings: Mappings, engines: tuple[str, ...]) -> Verdict:
    """``path`` lies in ``<mapping>/cases``. Raises ``BadFile``."""
    case, name = read_mapping_case(path), path.parent.parent.name
    found: list[tuple[str, ...]] = []
    for engine in engines:
        try:
            made = mappings.apply(name, case.given, engine, case.now)
        except (MappingError, Misconfigured) as error:
            found.append((f"{engine}: {path.parents[1] / 'mapping.jsonata'}: {error}",))
            continue
        found.append(tuple(differences(case.then, made, whole=True)))
    others = tuple(
        f"{engine}: {line}"
        for engine, lines in zip(engines[1:], found[1:], strict=True)
        for line in (lines if lines != found[0] else ())
    )
    return Verdict(str(path), "mapping", name, found[0], others)


def copied(template: Path, folder: Path) -> Path:
    """An empty store, made by copying one, because setting one up takes longer than a case."""
    path = folder / "orderly.db"
    shutil.copyfile(template, path)
    return path
