"""Members of the body: one that nothing declares or sets, and that is spelt almost like one that is there.

A body is open, so this is a guess and a warning: only a name one edit away from a known one is told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from runtime.model.lints.finding import Place, Report, elements, entries, word
from runtime.model.lints.scope import Scope
from runtime.model.lints.sites import Site, walk
from runtime.model.pack import BadFile, read_json

_SHORTEST = 4
_NUMBERED = re.compile(r"[0-9]+")


def declared_members(raw: dict[str, Any], scope: Scope) -> frozenset[str]:
    """What the schema that the trigger accepts declares at its top; none where nothing can be told."""
    path = scope.schema_files.get(word(entries(raw.get("trigger")).get("accepts")))
    try:
        schema = read_json(path) if path is not None else None
    except BadFile:
        return frozenset()
    return frozenset(_properties(schema))


def _properties(schema: Any) -> Iterator[str]:
    yield from entries(entries(schema).get("properties"))
    for key in ("allOf", "anyOf", "oneOf"):
        for part in elements(entries(schema).get(key)):
            yield from _properties(part)


def set_members(nodes: list[Site]) -> frozenset[str]:
    """What nodes set by ``into``."""
    return frozenset(word(site.node.get("into")) for site in walk(nodes)) - {"", "$"}


def lint_members(
    report: Report, place: Place, unknown: Collection[str], known: Collection[str], declared: Collection[str],
    ran: Collection[str],
) -> None:  # fmt: skip
    """``unknown`` is read of the body at this place, which may have the members ``known``, those that a schema has
    ``declared`` among them; ``ran`` are the nodes that may have run."""
    for name in sorted(unknown):
        node = _near(name, ran, ())
        meant = _near(name, known, declared) or (node and f"$nodes.{node}")
        if meant:
            message = f"nothing that this flow accepts or sets is called {name!r}"
            report.warning("unknown-member", place, message, f"did you mean {meant!r}?")


def _near(name: str, known: Collection[str], declared: Collection[str]) -> str:
    """A singular beside a plural is a mistake only where a schema says which of them there is."""
    return next((other for other in sorted(known) if _alike(name, other, other in declared)), "")


def _alike(name: str, other: str, declared: bool) -> bool:
    if len(other) < _SHORTEST or not one_edit(name, other):
        return False
    numbered = _NUMBERED.sub("", name) == _NUMBERED.sub("", other)
    return not numbered and (declared or name.rstrip("s") != other.rstrip("s"))


def one_edit(one: str, other: str) -> bool:
    """Whether one character more, less or in place of another, or two in each other's place, makes one of the
    other."""
    pairs = zip(one, other, strict=False)
    same = next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
    one, other = one[same:], other[same:]
    if not one and not other:
        return False
    turned = one[:2] == other[1::-1] and one[2:] == other[2:]
    return turned or one[1:] == other or one == other[1:] or one[1:] == other[1:]
