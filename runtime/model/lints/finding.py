"""What a lint says, and how it says where."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

Place = tuple[str | int, ...]
Severity = Literal["error", "warning"]

_SHOWN = 12


@dataclass(frozen=True)
class Finding:
    """One mistake. ``code`` is a stable word, ``pointer`` an RFC 6901 JSON pointer (empty: the whole file).

    An error keeps the file from being used, a warning does not. ``line`` and ``column`` count from 1 and are
    0 where they are not known. ``excerpt`` are lines of an expression, with a mark below the place.
    """

    code: str
    severity: Severity
    file: str
    pointer: str
    message: str
    suggestion: str = ""
    line: int = 0
    column: int = 0
    excerpt: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        advice = f" ({self.suggestion})" if self.suggestion else ""
        return f"{where}: {self.pointer or '/'}: {self.severity} {self.code}: {self.message}{advice}"


@dataclass
class Report:
    """Collects the findings of one file; two findings of one code at one place are one."""

    file: str
    findings: list[Finding] = field(default_factory=list)

    def error(self, code: str, place: Place, message: str, suggestion: str = "", **where: Any) -> None:
        """``where`` are line, column and excerpt of the finding, where they are known."""
        self._add(Finding(code, "error", self.file, pointer(place), message, suggestion, **where))

    def warning(self, code: str, place: Place, message: str, suggestion: str = "") -> None:
        self._add(Finding(code, "warning", self.file, pointer(place), message, suggestion))

    def unknown(
        self, code: str, place: Place, what: str, name: str, known: Collection[str], remedy: str = ""
    ) -> None:
        """A name that nothing has; suggests the nearest one that something has."""
        self.error(code, place, f"there is no {what} {name!r}", did_you_mean(name, known) or remedy)

    def _add(self, finding: Finding) -> None:
        if all((known.code, known.pointer) != (finding.code, finding.pointer) for known in self.findings):
            self.findings.append(finding)


def pointer(place: Place) -> str:
    """RFC 6901 section 3: ``~`` and ``/`` in a key are written ``~0`` and ``~1``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The nearest known name, or all of them where none is near; empty where there are none."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    names = sorted(known)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"known: {', '.join(names[:_SHOWN])}{more}" if names else ""


def entries(value: Any) -> dict[str, Any]:
    """The members of a JSON object; none where it is something else, which is another lint's finding."""
    return value if isinstance(value, dict) else {}


def elements(value: Any) -> list[Any]:
    """The elements of a JSON array; none where it is something else."""
    return value if isinstance(value, list) else []


def word(value: Any) -> str:
    """A string, or the empty one where it is something else."""
    return value if isinstance(value, str) else ""


def at(document: Any, place: Place) -> Any:
    """The value at a place that exists."""
    for part in place:
        document = document[part]
    return document
