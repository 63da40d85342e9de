"""What a named view must be so that segments can be made of it, whatever the standard."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any

from connectors.sdk.edi import Fault

#: Where a value stands in its segment: a name, an entry of its list, a name in that entry.
Path = tuple[str | int, ...]


class Drafting:
    """``faults`` are those of names and shapes, by the name of their place (``lines/0/quantity``).

    ``fault`` makes one of a code, as the standard's own checks do; the codes are ``name_unknown``, ``value_shape``
    and ``elements_too_many``.
    """

    def __init__(self, fault: Callable[..., Fault]) -> None:
        self.faults: list[Fault] = []
        self._fault = fault

    def _note(self, code: str, message: str, name: str) -> None:
        self.faults.append(self._fault(code, message, name=name))

    def _object(self, value: Any, name: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._wrong(name or "document", "an object", value)
        return {}

    def _text(self, value: Any, name: str, path: Path) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            self._wrong("/".join([name, *map(str, path)]), "text", value)
            return ""
        return value

    def _wrong(self, name: str, expected: str, value: Any) -> None:
        self._note("value_shape", f"{name} must be {expected}, it is {value!r:.60}", name)

    def _unknown_names(self, fields: Mapping[str, Any], names: Collection[str], prefix: str) -> None:
        for key in fields:
            if key not in names:
                close = get_close_matches(str(key), names, 1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(names))}"
                self._note("name_unknown", f"{prefix}{key} is not a name of this view; {hint}", f"{prefix}{key}")

    def _too_many(self, given: Collection[Any], places: int, name: str) -> None:
        """Entries of a list within a segment for which there is no place."""
        if len(given) > places:
            message = f"{name} has {len(given)} entries, at most {places} have a place"
            self._note("elements_too_many", message, name)


def many(value: Any) -> list[Any]:
    """What may be given once or several times."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def value_at(fields: Mapping[str, Any], path: Path) -> Any:
    """``None`` where there is none."""
    value = fields.get(str(path[0]))
    if len(path) == 1:
        return value
    given = many(value)
    entry = given[int(path[1])] if int(path[1]) < len(given) else None
    if len(path) == 2:
        return entry
    return entry.get(str(path[2])) if isinstance(entry, dict) else None
