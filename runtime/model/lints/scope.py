"""Which names a flow may use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors import sdk
from connectors.sdk.partner import Environment
from runtime.model.lints.finding import entries, word
from runtime.model.pack import BadFile, Pack, read_json

#: What importing a connector that somebody else wrote may raise.
BROKEN = (ImportError, AttributeError, TypeError, ValueError, RuntimeError, sdk.Misconfigured)


@dataclass(frozen=True)
class Scope:
    """What exists. ``None`` means that nothing is known of that kind: its names are not checked.

    ``connections`` maps a name to its type, the empty type being unknown; ``flow_files``, ``schema_files`` and
    ``mapping_files`` are those at hand; ``settings`` are those of connections, as they stand in their files.
    """

    flows: Collection[str] | None = None
    mappings: Collection[str] | None = None
    schemas: Collection[str] | None = None
    connections: Mapping[str, str] | None = None
    policies: Collection[str] | None = None
    partners: Collection[str] | None = None
    calendars: Collection[str] | None = None
    flow_files: Mapping[str, Path] = field(default_factory=dict)
    schema_files: Mapping[str, Path] = field(default_factory=dict)
    mapping_files: Mapping[str, Path] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environment: Environment | None = None

    @classmethod
    def of(cls, pack: Pack) -> Scope:
        """Everything that the pack and its base hold; a file that cannot be read still lends its name."""
        schemas = pack.schema_names()
        return cls(
            flows=list(pack.flow_files()),
            mappings=pack.mapping_names(),
            schemas=schemas,
            connections={path.stem: word(_json(path).get("type")) for path in json_files(pack, "connections")},
            policies=[path.stem for path in json_files(pack, "policies")],
            partners=[path.stem for path in json_files(pack, "partners")],
            calendars=[path.stem for path in json_files(pack, "calendars")],
            flow_files=pack.flow_files(),
            schema_files={name: path for name in schemas if (path := pack.schema_file(name)) is not None},
            mapping_files={name: path for name in pack.mapping_names() if (path := pack.mapping_file(name))},
            settings={path.stem: entries(_json(path).get("settings")) for path in json_files(pack, "connections")},
            environment=pack.file.environment,
        )


def json_files(pack: Pack, kind: str) -> list[Path]:
    return sorted((pack.folder / kind).glob("*.json"))


def _json(path: Path) -> dict[str, Any]:
    try:
        return entries(read_json(path))
    except BadFile:
        return {}


@dataclass(frozen=True)
class Found:
    """An operation with the connector it belongs to."""

    connector: sdk.Connector
    operation: type[sdk.Operation[Any]]


def find(type: str) -> Found | None:
    """The operation called ``<connector>.<operation>``, if an installed connector has it.

    Raises one of ``BROKEN`` for a connector that is installed and cannot be imported.
    """
    name, _, verb = type.partition(".")
    if name not in sdk.names():
        return None
    connector = sdk.load(name)
    found = next((operation for operation in connector.operations if operation.name == verb), None)
    return Found(connector, found) if found is not None else None


def operation_types(roles: Collection[sdk.Role]) -> list[str]:
    """Operations of those roles, of all connectors that can be imported, as ``<connector>.<operation>``."""
    return [
        f"{connector.name}.{operation.name}"
        for connector in importable()
        for operation in connector.operations
        if operation.role in roles
    ]


def importable() -> list[sdk.Connector]:
    """The installed connectors, without those that cannot be imported: their users get a finding for it."""
    found = []
    for name in sdk.names():
        try:
            found.append(sdk.load(name))
        except BROKEN:
            continue
    return found
