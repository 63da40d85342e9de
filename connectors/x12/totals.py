"""Totals that must balance, declared with a set: what an element says against what the segments add up to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.x12.lossless import Segment, text_of


@dataclass(frozen=True)
class Term:
    """What each segment of one id adds: one, an element, or a product of elements.

    ``decimals`` are implied (type N2 is 2). ``sign`` is an element and what its codes multiply by; other codes
    add nothing. ``basis`` is an element and the codes under which this can be computed at all.
    """

    segment_id: str
    factors: tuple[int, ...] = ()
    decimals: int = 0
    sign: tuple[int, dict[str, int]] | None = None
    basis: tuple[int, tuple[str, ...]] | None = None

    def amount(self, segment: Segment) -> Decimal | None:
        """None where it cannot be computed."""
        if self.basis is not None and text_of(segment, self.basis[0]) not in ("", *self.basis[1]):
            return None
        product = Decimal(1)
        for factor in self.factors:
            value = _decimal(text_of(segment, factor) or "0")
            if value is None:
                return None
            product *= value
        sign = 1 if self.sign is None else self.sign[1].get(text_of(segment, self.sign[0]), 0)
        return product.scaleb(-self.decimals) * sign


@dataclass(frozen=True)
class Total:
    """An element that says a sum. ``tolerance`` is for each segment of the first term (rounding of lines).

    Where partners count differently, any of the ``others`` will do.
    """

    code: str
    segment_id: str
    element: int
    decimals: int
    terms: tuple[Term, ...]
    tolerance: Decimal
    others: tuple[tuple[Term, ...], ...] = ()

    def unbalanced(self, segments: Sequence[Segment]) -> Iterator[tuple[int, Decimal, Decimal]]:
        """Where a total stands (index), what it says and what there is; nothing that cannot be computed."""
        for index, segment in enumerate(segments):
            if segment["id"] == self.segment_id and (text := text_of(segment, self.element)):
                said, sums = _decimal(text), [_sum(terms, segments) for terms in (self.terms, *self.others)]
                if said is None or any(one is None for one in sums):
                    continue
                said = said.scaleb(-self.decimals)
                room = self.tolerance * sum(one["id"] == self.terms[0].segment_id for one in segments)
                if all(abs(said - one) > room for one in sums if one is not None):
                    yield index, said, sums[0] or Decimal(0)


def _sum(terms: Sequence[Term], segments: Sequence[Segment]) -> Decimal | None:
    """None where it cannot be computed."""
    whole = Decimal(0)
    by_id = {term.segment_id: term for term in terms}
    for segment in segments:
        term = by_id.get(segment["id"])
        if term is None:
            continue
        amount = term.amount(segment)
        if amount is None:
            return None
        whole += amount
    return whole


def total(data: dict[str, Any]) -> Total:
    """From the ``totals`` of a set's file."""
    return Total(
        data["code"],
        data["total"],
        data["element"],
        data.get("decimals", 0),
        tuple(_term(one) for one in data["of"]),
        Decimal(data.get("tolerance", "0")),
        tuple((_term(one),) for one in data.get("or", ())),
    )


def _term(data: dict[str, Any]) -> Term:
    sign, basis = data.get("sign"), data.get("basis")
    return Term(
        data["segment"],
        tuple(data.get("product", ())),
        data.get("decimals", 0),
        (sign["element"], sign["codes"]) if sign else None,
        (basis["element"], tuple(basis["codes"])) if basis else None,
    )


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text) if len(text) <= 20 else None
    except InvalidOperation:
        return None
    return value if value is not None and value.is_finite() else None
