"""A flow's nodes as they stand in raw JSON, so that one mistake never hides another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runtime.model.flow import CONTROL
from runtime.model.lints.finding import Place, elements, entries, word
from runtime.model.lints.scope import BROKEN, Found, find


@dataclass(frozen=True)
class Branch:
    """Nested nodes: ``kind`` is ``case``, ``otherwise``, ``branch``, ``nodes``, ``on`` or ``on_error``."""

    kind: str
    name: str
    place: Place
    nodes: list[Site]


@dataclass(frozen=True)
class Site:
    """A node and where it stands."""

    place: Place
    node: dict[str, Any]

    @property
    def id(self) -> str:
        return word(self.node.get("id"))

    @property
    def type(self) -> str:
        return word(self.node.get("type"))

    @property
    def parameters(self) -> dict[str, Any]:
        return entries(self.node.get("parameters"))

    @property
    def is_control(self) -> bool:
        return self.type in CONTROL

    @cached_property
    def found(self) -> Found | None:
        """The connector's operation; ``None`` for a control node and for a type that cannot be found."""
        return operation_of(self.type)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The names that ``on`` may have; empty where there can be no ``on`` or the type is not known."""
        if self.type in OUTCOMES:
            return OUTCOMES[self.type]
        return self.found.operation.outcomes if self.found else ()

    @cached_property
    def branches(self) -> list[Branch]:
        return [Branch(*about, sites(place, raw)) for about, place, raw in self._branches()]

    def _branches(self) -> Iterator[tuple[tuple[str, str, Place], Place, Any]]:
        node = self.node
        for index, case in enumerate(elements(node.get("cases"))):
            if isinstance(case, dict):
                yield self._branch("case", str(index), ("cases", index, "nodes"), case.get("nodes"))
        if self.type == "route":
            yield self._branch("otherwise", "", ("otherwise",), node.get("otherwise"))
        for name, nodes in entries(node.get("branches")).items():
            yield self._branch("branch", name, ("branches", name), nodes)
        if "nodes" in node:
            yield self._branch("nodes", "", ("nodes",), node["nodes"])
        for name, nodes in entries(node.get("on")).items():
            yield self._branch("on", name, ("on", name), nodes)
        if node.get("on_error") is not None:
            yield self._branch("on_error", "", ("on_error",), node["on_error"])

    def _branch(self, kind: str, name: str, inner: Place, raw: Any) -> tuple[tuple[str, str, Place], Place, Any]:
        place = (*self.place, *inner)
        return (kind, name, place), place, raw


OUTCOMES = {"approve": ("approved", "rejected", "expired"), "wait": ("done", "timed_out")}


def operation_of(type: str) -> Found | None:
    """As ``find``, but a connector that cannot be imported is like one that is not there."""
    try:
        return find(type)
    except BROKEN:
        return None


def sites(place: Place, raw: Any) -> list[Site]:
    """The nodes of one list; what is no object there is left to the lint of shapes."""
    return [Site((*place, index), node) for index, node in enumerate(elements(raw)) if isinstance(node, dict)]


def walk(nodes: list[Site]) -> Iterator[Site]:
    """Every node, in reading order."""
    for site in nodes:
        yield site
        for branch in site.branches:
            yield from walk(branch.nodes)


def finishes(nodes: list[Site]) -> bool:
    """Whether the list never goes on to what follows it: all its ways lead to an ``end`` or a ``raise``."""
    return any(_finishes(site) for site in nodes)


def _finishes(site: Site) -> bool:
    if any(branch.kind == "on_error" and not finishes(branch.nodes) for branch in site.branches):
        return False
    if site.type in ("end", "raise"):
        return True
    if site.type == "route":
        return all(finishes(branch.nodes) for branch in site.branches if branch.kind != "on_error")
    if site.type == "group":
        return any(finishes(branch.nodes) for branch in site.branches if branch.kind == "nodes")
    first = site.outcomes[:1]
    return any(branch.kind == "on" and (branch.name,) == first and _all_outcomes(site) for branch in site.branches)


def _all_outcomes(site: Site) -> bool:
    return all(finishes(branch.nodes) for branch in site.branches if branch.kind == "on")
