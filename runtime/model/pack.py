"""A client's pack: the folder that says who the client is and what it connects to, and the base it draws on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from connectors.sdk import Misconfigured
from connectors.sdk.json import parse_json
from connectors.sdk.model import Model
from connectors.sdk.partner import Environment
from runtime.model.batching import Batching, BatchRules
from runtime.model.calendar import Calendar
from runtime.model.flow import Fault
from runtime.model.limits import Limits
from runtime.model.partner import for_environment
from runtime.model.retention import Retention

M = TypeVar("M", bound=Model)
ROOT = Path(__file__).resolve().parents[2]


def base_folder() -> Path:
    """Where the flows, mappings and sample payloads that ship lie: in the wheel, or in a checkout."""
    packaged = ROOT / "runtime" / "base"
    return packaged if packaged.is_dir() else ROOT


def demo_folder() -> Path:
    """The pack that ``orderly serve`` runs when it is given none."""
    return ROOT / "runtime" / "demo_pack"


class Brand(Model):
    name: str = "Orderly"
    color: str = Field(default="#0b6e6e", pattern=r"^#[0-9a-fA-F]{6}$")


class SimulatorEntry(Model):
    type: str
    settings: dict[str, Any] = {}


class PackFile(Model):
    """``pack.json``. ``variables`` are what expressions see as ``$env``; ``simulators`` are started beside."""

    schema_: str = Field(default="", alias="$schema")
    client: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]
    name: str
    brand: Brand = Brand()
    flows: list[str] = []
    variables: dict[str, Any] = {}
    simulators: dict[str, SimulatorEntry] = {}
    retention: Retention = Retention()
    environment: Environment = Field(
        default="test", description="what documents to partners are marked as (ISA15, UNB 0035); they never cross"
    )


class ConnectionFile(Model):
    """``connections/NAME.json``. Secrets are ``env:``, ``file:`` or ``vault:`` references."""

    schema_: str = Field(default="", alias="$schema")
    type: str
    settings: dict[str, Any] = {}
    limits: Limits = Limits()
    faults: list[Fault] = []


class BadFile(Misconfigured):
    """A file of a pack that cannot be used; names file, place and reason."""


def read_json(path: Path) -> Any:
    """JSON as FORMATS has it: UTF-8, no NaN, no duplicate keys. Raises ``BadFile`` with line and column."""
    try:
        return parse_json(path.read_bytes())
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror}", field=str(path)) from error
    except ValueError as error:
        raise BadFile(f"{path}: {error}", field=str(path)) from error


class Files(Mapping[str, Any]):
    """Files by name, read when they are asked for: one that cannot be used keeps nobody from the others."""

    def __init__(self, paths: Mapping[str, Path], read: Callable[[Path], Any]) -> None:
        self._paths = paths
        self._read = cache(read)

    def __getitem__(self, name: str) -> Any:
        """Raises ``BadFile``."""
        return self._read(self._paths[name])

    def __contains__(self, name: object) -> bool:
        return name in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def sound(self) -> dict[str, Any]:
        """Those that can be used."""
        found = {}
        for name in self:
            with suppress(BadFile):
                found[name] = self[name]
        return found


@dataclass(frozen=True)
class Pack:
    """Read from ``folder``; flows and mappings of its own come before those of the base."""

    folder: Path
    file: PackFile

    @classmethod
    def read(cls, folder: Path) -> Pack:
        """Raises ``BadFile``."""
        path = folder / "pack.json"
        try:
            return cls(folder, PackFile.model_validate(read_json(path)))
        except ValidationError as error:
            raise BadFile(f"{path}: {_first(error)}", field=str(path)) from error

    @property
    def client(self) -> str:
        return self.file.client

    def _folders(self, kind: str) -> list[Path]:
        return [place for place in (self.folder / kind, base_folder() / kind) if place.is_dir()]

    def flow_files(self) -> Mapping[str, Path]:
        """Enabled flows by folder name; all of the pack's own, and those of the base that it names."""
        found: dict[str, Path] = {}
        for place in self._folders("flows"):
            own = place.parent == self.folder
            for path in sorted(place.glob("*/flow.json")):
                if own or path.parent.name in self.file.flows:
                    found.setdefault(path.parent.name, path)
        return found

    def mapping_file(self, name: str) -> Path | None:
        return self._find("mappings", name, "mapping.jsonata")

    def schema_file(self, name: str) -> Path | None:
        """``canonical/requisition`` is ``mappings/canonical/requisition.schema.json``."""
        for place in self._folders("mappings"):
            path = place / f"{name}.schema.json"
            if path.is_file():
                return path
        return None

    def mapping_names(self) -> list[str]:
        return sorted({p.parent.name for f in self._folders("mappings") for p in f.glob("*/mapping.jsonata")})

    def schema_names(self) -> list[str]:
        return sorted(
            {
                str(p.relative_to(f)).removesuffix(".schema.json")
                for f in self._folders("mappings")
                for p in f.glob("*/*.schema.json")
            }
        )

    def _find(self, kind: str, name: str, file: str) -> Path | None:
        for place in self._folders(kind):
            path = place / name / file
            if path.is_file():
                return path
        return None

    def _named(self, kind: str) -> dict[str, Path]:
        return {path.stem: path for path in sorted((self.folder / kind).glob("*.json"))}

    @cached_property
    def connections(self) -> Files:
        """``ConnectionFile`` by name."""
        return Files(self._named("connections"), lambda path: _model(path, ConnectionFile))

    @cached_property
    def policies(self) -> Files:
        return Files(self._named("policies"), read_json)

    @cached_property
    def calendars(self) -> Files:
        """``Calendar`` by name."""
        return Files(self._named("calendars"), lambda path: _model(path, Calendar))

    @cached_property
    def partners(self) -> Files:
        """Profiles as they are in the pack's environment."""
        return Files(self._named("partners"), lambda path: for_environment(read_json(path), self.file.environment))

    def batching(self, partner: str) -> BatchRules:
        """When what is collected for a partner goes; one without a profile collects nothing. Raises ``BadFile``."""
        profile = self.partners.get(partner, {})
        given = profile.get("batching") if isinstance(profile, dict) else None
        if given is None:
            return BatchRules(None)
        path = self.folder / "partners" / f"{partner}.json"
        try:
            rules = Batching.model_validate(given)
        except ValidationError as error:
            raise BadFile(f"{path}: /batching{_first(error).removeprefix('/:')}", field=str(path)) from error
        if rules.calendar and rules.calendar not in self.calendars:
            raise BadFile(f"{path}: /batching/calendar: there is no calendar {rules.calendar!r}", field=str(path))
        return BatchRules(rules, self.calendars.get(rules.calendar))


def _model(path: Path, model: type[M]) -> M:
    try:
        return model.model_validate(read_json(path))
    except ValidationError as error:
        raise BadFile(f"{path}: {_first(error)}", field=str(path)) from error


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"/{'/'.join(str(part) for part in first['loc'])}: {first['msg']}"
