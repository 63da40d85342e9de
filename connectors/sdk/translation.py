"""Between our codes and the partner's: units of measure, codes by element, and characters of free text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.sdk.partner import Characters, Terms
from connectors.sdk.preflight import fitted

#: What becomes of the value of an element, by the element's number.
Change = Callable[[str, str], str]
Codes = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Translation:
    """``codes`` by the number of the element, ours: theirs. ``texts`` are the elements that people read; all others
    identify something."""

    codes: Codes
    texts: frozenset[str]
    characters: Characters

    @classmethod
    def of(cls, terms: Terms, codes: Codes, unit: str, texts: frozenset[str]) -> Translation:
        """``unit`` is the element of units of measure: a table that ``codes`` has for it goes before the terms'."""
        whole = {unit: terms.units, **{element: table for element, table in codes.items() if table}}
        return cls({element: table for element, table in whole.items() if table}, texts, terms.characters)

    def outward(self, may: Callable[[str], bool]) -> Change | None:
        """Makes values what the partner has; ``may`` says which characters it can take. ``None``: all stay."""

        def change(element: str, value: str) -> str:
            if element in self.texts:
                return fitted(value, may, self.characters)
            return self.codes.get(element, {}).get(value, value)

        return change if self.codes or self.characters != Characters() else None

    def inward(self) -> Change | None:
        """Makes values what we have. ``None``: all stay."""
        ours = {element: {theirs: our for our, theirs in table.items()} for element, table in self.codes.items()}
        return (lambda element, value: ours.get(element, {}).get(value, value)) if ours else None
