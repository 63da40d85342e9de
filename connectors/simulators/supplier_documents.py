"""What a supplier takes and gives, whatever the format it comes in: quantities and amounts are decimal text,
dates ``YYYYMMDD``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

Fields = dict[str, Any]


@dataclass(frozen=True)
class OrderLine:
    """``ids`` are all item numbers by whichever party; ``fields`` the line in the named view of its format."""

    number: str
    quantity: str
    unit: str
    price: str
    ids: tuple[str, ...]
    fields: Fields


@dataclass(frozen=True)
class Order:
    """``is_accepted`` is false where its set or message has a fault that rejects."""

    number: str
    date: str
    currency: str
    lines: tuple[OrderLine, ...]
    is_accepted: bool


@dataclass(frozen=True)
class Answered:
    """What is said to one line; ``date`` is empty where nothing will come."""

    line: OrderLine
    status: str
    quantity: str
    date: str


@dataclass(frozen=True)
class Confirmation:
    """``number`` is the supplier's own order number."""

    order: Order
    number: str
    date: str
    lines: tuple[Answered, ...]

    @property
    def statuses(self) -> list[str]:
        return [line.status for line in self.lines]

    def one_of(self, without_change: str, with_change: str, rejected: str) -> str:
        """The code for the order as a whole."""
        if all(status == "accepted" for status in self.statuses):
            return without_change
        return rejected if all(status == "rejected" for status in self.statuses) else with_change


@dataclass(frozen=True)
class Lot:
    number: str
    quantity: str
    expiry: str


@dataclass(frozen=True)
class Shipped:
    line: OrderLine
    quantity: str
    lots: tuple[Lot, ...]


@dataclass(frozen=True)
class Despatch:
    """One carton of an order's lines, marked with its SSCC; ``arrives`` is the estimated date."""

    order: Order
    number: str
    at: datetime
    arrives: str
    sscc: str
    lines: tuple[Shipped, ...]


@dataclass(frozen=True)
class Billed:
    line: OrderLine
    quantity: str
    price: str

    @property
    def amount(self) -> Decimal:
        return (Decimal(self.quantity) * Decimal(self.price)).quantize(Decimal("0.01"))


@dataclass(frozen=True)
class Invoice:
    order: Order
    number: str
    date: str
    lines: tuple[Billed, ...]

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal("0.00"))


@dataclass(frozen=True)
class Functional:
    """A 997 or CONTRL in the named view; ``facts`` go to the journal."""

    document: Fields
    facts: Fields


@dataclass(frozen=True)
class Received:
    """One interchange; ``sender`` and ``receiver`` are (qualifier, id).

    ``answers`` say what its check found, ``refusals`` that every set of it is rejected for a value in a line;
    ``acknowledged`` is what its own 997s, TA1s and CONTRLs say of what we sent.
    """

    number: str
    sender: tuple[str, str]
    receiver: tuple[str, str]
    is_test: bool
    orders: tuple[Order, ...]
    answers: tuple[Functional, ...]
    refusals: tuple[Functional, ...]
    acknowledged: tuple[Fields, ...] = ()
