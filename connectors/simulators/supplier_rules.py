"""How a supplier decides: what it says to each line, what it sends, and what it does wrong on request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import count

from connectors.sdk import Misconfigured
from connectors.simulators.gs1 import sscc
from connectors.simulators.supplier_damage import DAMAGES
from connectors.simulators.supplier_documents import (
    Answered,
    Billed,
    Confirmation,
    Despatch,
    Invoice,
    Lot,
    Order,
    OrderLine,
    Shipped,
)

#: What a line may be answered with, and when it will be delivered.
ANSWERS: dict[str, timedelta | None] = {
    "accepted": timedelta(days=3),
    "changed": timedelta(days=3),
    "backordered": timedelta(days=14),
    "rejected": None,
}
#: What a supplier sends, in this order; of these the last two only where its settings ask for them.
KINDS = ("functional_acknowledgement", "acknowledgement", "despatch_advice", "invoice")
_SHELF_LIFE = timedelta(days=730)


@dataclass
class Rules:
    """How orders are answered: ``by_key`` by order number or by any product id of a line, else by quantity.

    ``prices`` are what is invoiced instead of the ordered price, by the same keys; ``wrong`` and ``withheld``
    what becomes of the next replies of a kind.
    """

    backorder_over: Decimal = Decimal(500)
    by_key: dict[str, str] = field(default_factory=dict)
    prices: dict[str, str] = field(default_factory=dict)
    lots: int = 1
    sends: frozenset[str] = frozenset(KINDS[:2])
    silent: bool = False
    refuse: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)
    withheld: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def line(self, order_number: str, line: OrderLine) -> str:
        """One of ``ANSWERS``; a rule for the item goes before one for the order."""
        for key in (*line.ids, order_number):
            if key in self.by_key:
                return self.by_key[key]
        return "backordered" if _decimal(line.quantity) > self.backorder_over else "accepted"

    def price(self, order_number: str, line: OrderLine) -> str:
        """What one unit is invoiced at."""
        changed = [self.prices[key] for key in (*line.ids, order_number) if key in self.prices]
        return changed[0] if changed else line.price or "0.00"

    def do_wrong(self, damage: str, kind: str, times: int) -> None:
        """Raises ``Misconfigured`` for a damage or a kind that there is not."""
        _one_of("damage", damage, DAMAGES)
        _one_of("kind of reply", kind, KINDS)
        with self._lock:
            self.wrong.setdefault(kind, []).extend([damage] * times)

    def withhold(self, kind: str, times: int) -> None:
        """Raises ``Misconfigured`` for a kind that there is not."""
        _one_of("kind of reply", kind, KINDS)
        with self._lock:
            self.withheld[kind] = self.withheld.get(kind, 0) + times

    def refuse_next(self) -> None:
        with self._lock:
            self.refuse += 1

    def refuses(self) -> bool:
        """Whether this interchange is rejected; uses up one request."""
        with self._lock:
            self.refuse, asked = max(0, self.refuse - 1), self.refuse
            return asked > 0

    def withholds(self, kind: str) -> bool:
        """Whether this reply stays unsent; uses up one request."""
        with self._lock:
            asked = self.withheld.get(kind, 0)
            self.withheld[kind] = max(0, asked - 1)
            return asked > 0

    def damage(self, kind: str) -> str:
        """What is wrong with this reply, empty where nothing is; uses up one request."""
        with self._lock:
            waiting = self.wrong.get(kind)
            return waiting.pop(0) if waiting else ""


def _one_of(what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise Misconfigured(f"no {what} called {name!r}", next_action=f"use one of {', '.join(known)}")


class Clerk:
    """Makes the supplier's documents, each under a number of its own. One thread at a time."""

    def __init__(self, rules: Rules, now: Callable[[], datetime], company_prefix: str) -> None:
        self._rules = rules
        self._now = now
        self._company_prefix = company_prefix
        self._orders = count(800001)
        self._shipments = count(700001)
        self._invoices = count(600001)

    def confirm(self, order: Order) -> Confirmation:
        lines = [self._answered(line, self._rules.line(order.number, line)) for line in order.lines]
        return Confirmation(order, f"ACME-{next(self._orders)}", self._date(), tuple(lines))

    def despatch(self, confirmation: Confirmation) -> Despatch | None:
        """What is in stock, in one carton; ``None`` where nothing is."""
        going = _delivered(confirmation)
        if not going:
            return None
        serial = next(self._shipments)
        return Despatch(
            confirmation.order,
            f"SHP-{serial}",
            self._now(),
            going[0].date,
            sscc(self._company_prefix, serial),
            tuple(Shipped(one.line, one.quantity, tuple(self._lots(one, serial))) for one in going),
        )

    def invoice(self, confirmation: Confirmation) -> Invoice | None:
        """For what is delivered; ``None`` where nothing is."""
        going = _delivered(confirmation)
        if not going:
            return None
        number = confirmation.order.number
        lines = [Billed(one.line, one.quantity, self._rules.price(number, one.line)) for one in going]
        return Invoice(confirmation.order, f"INV-{next(self._invoices)}", self._date(), tuple(lines))

    def _answered(self, line: OrderLine, status: str) -> Answered:
        delay = ANSWERS[status]
        quantity = _half(line.quantity) if status == "changed" else line.quantity or "0"
        return Answered(line, status, quantity, "" if delay is None else self._date(delay))

    def _lots(self, one: Answered, serial: int) -> list[Lot]:
        """The quantity over as many lots as the rules say, each expiring a month after the one before."""
        whole = Decimal(one.quantity)
        lots = max(1, min(self._rules.lots, int(whole)))
        share = Decimal(int(whole / lots))
        sizes = [share] * (lots - 1) + [whole - share * (lots - 1)]
        return [
            Lot(
                f"L{serial}-{one.line.number}-{number}",
                f"{size:f}",
                self._date(_SHELF_LIFE + timedelta(days=30 * (number - 1))),
            )
            for number, size in enumerate(sizes, 1)
        ]

    def _date(self, later: timedelta = timedelta()) -> str:
        return f"{self._now() + later:%Y%m%d}"


def _delivered(confirmation: Confirmation) -> list[Answered]:
    return [
        line
        for line in confirmation.lines
        if line.status in ("accepted", "changed") and _decimal(line.quantity) > 0
    ]


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text or "0")
    except InvalidOperation:
        return Decimal(0)


def _half(quantity: str) -> str:
    return str(max(1, int(_decimal(quantity) / 2)))
