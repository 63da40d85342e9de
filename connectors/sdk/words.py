"""Codes of acknowledgements in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PLACE = (("segment", "segment"), ("position", "at"), ("element", "element"), ("component", "component"))


class Words:
    """``tables`` are the words of each element's codes: ``{"AK403": {"7": "a code is not valid"}}``."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        self._tables = tables
        self._code = re.compile(rf"({'|'.join(tables)}) (\w+)")

    def of(self, error: Any) -> str:
        """One error as the partner told it (``AK403 7``, or with segment, position, element, value) in words."""
        if not isinstance(error, Mapping):
            return self._told(str(error))
        place = " ".join(f"{label} {error[name]}" for name, label in _PLACE if error.get(name))
        value = f" ({error['value']!r})" if error.get("value") else ""
        told = f"{self._told(str(error.get('code', '')))}{value}"
        return f"{place}: {told}" if place else told

    def _told(self, code: str) -> str:
        found = self._code.fullmatch(code)
        words = self._tables[found[1]].get(found[2]) if found else None
        return f"{words} ({code})" if words else code
