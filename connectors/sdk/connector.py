"""What a connector declares, and how the runtime finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from connectors.sdk.context import ConnectionContext
from connectors.sdk.errors import Misconfigured
from connectors.sdk.model import Settings
from connectors.sdk.operation import Operation

if TYPE_CHECKING:
    from connectors.sdk.trading import Problem

CONNECTORS = "orderly.connectors"


@dataclass(frozen=True)
class Check:
    """The answer of ``check()``: what was found, in one sentence, and what to do next if it is bad."""

    ok: bool
    message: str
    next_action: str = ""


@dataclass(frozen=True)
class Connector:
    """One declaration from which validation, schema, forms, reference and conformance tests are derived.

    ``check`` reaches the peer without changing anything there; it is required where there are ``settings``.
    ``pages`` names a function (``module:attribute``) that gives further pages of reference, Markdown by file
    name; ``trading`` names what an EDI standard says of trading partners (``sdk.trading``), ``part`` what another
    connector reads of their profiles (``sdk.part``). ``doubts`` tells what of well-formed settings cannot work
    together, without reaching anything. Verbs such as ``orderly x12 read`` are entry points of
    ``orderly.commands``.
    """

    name: str
    title: str
    operations: tuple[type[Operation[Any]], ...]
    settings: type[Settings] | None = None
    check: Callable[[ConnectionContext], Check] | None = None
    pages: str | None = None
    trading: str | None = None
    part: str | None = None
    doubts: Callable[[Any], Iterator[Problem]] | None = None

    def operation(self, name: str) -> type[Operation[Any]]:
        """Raises ``Misconfigured`` for a name it does not have."""
        for operation in self.operations:
            if operation.name == name:
                return operation
        known = ", ".join(operation.name for operation in self.operations)
        raise Misconfigured(
            f"connector {self.name} has no operation {name!r}", next_action=f"use one of: {known}", field="type"
        )


@cache
def _entries() -> Mapping[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=CONNECTORS):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise Misconfigured(
                f"two connectors are called {entry.name!r}: {other.value} and {entry.value}",
                next_action="uninstall or rename one of them",
            )
    return found


def names() -> list[str]:
    """Names of the installed connectors; none is imported."""
    return sorted(_entries())


@cache
def load(name: str) -> Connector:
    """Imports a connector on first use. Raises ``Misconfigured`` for one that is not installed."""
    entry = _entries().get(name)
    if entry is None:
        raise Misconfigured(
            f"no connector called {name!r} is installed", next_action=f"installed are: {', '.join(names())}"
        )
    connector = entry.load()
    if not isinstance(connector, Connector):
        raise Misconfigured(f"entry point {entry.value} is not a Connector")
    return connector
