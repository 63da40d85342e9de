"""An order to try a partner with: invented, canonical, one line for each answer that a supplier may give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

#: Item, its number at the supplier, GTIN, what it is, quantity, unit, unit price; and how it shall be answered.
_LINES = (
    ("ITM-1001", "AC-GLV-M", "09506000134352", "Nitrile gloves, size M", "20", "BX", "7.20"),
    ("ITM-1002", "AC-SYR-10", "09506000149301", "Syringe 10 ml, luer lock", "10", "BX", "11.50"),
    ("ITM-1003", "AC-SUT-3", "09521101530018", "Suture set, sterile", "30", "EA", "4.10"),
    ("ITM-2001", "AC-PMP-1", "09506000117843", "Infusion pump", "1", "EA", "950.00"),
)
ANSWERS = ("accepted", "changed", "backordered", "rejected")


def sample_order(
    number: str, partner: Mapping[str, Any], at: datetime, *, lines: int = len(_LINES)
) -> dict[str, Any]:
    """A ``canonical/purchase_order`` of that many lines, in units that the profile has a code for."""
    made = [
        _line(str(place), *one, units=partner.get("units") or {}) for place, one in enumerate(_LINES[:lines], 1)
    ]
    theirs = (partner.get("supplier_number") or "4010")[:20]
    return {
        "schema": "purchase_order/1",
        "order_number": number,
        "order_date": f"{at:%Y-%m-%d}",
        "currency": "USD",
        "requisition_number": f"REQ-{number}",
        "buyer": {"name": "Sample Hospital", "facility": "MAIN", "cost_center": "CC-1"},
        "supplier": {"number": theirs, "name": str(partner.get("name", ""))[:60], "partner": partner["partner"]},
        "ship_to": {"facility": "MAIN", "name": "Sample Hospital, dock 2"},
        "need_by": f"{at + timedelta(days=7):%Y-%m-%d}",
        "lines": made,
        "total": f"{sum((Decimal(one['amount']) for one in made), Decimal('0.00')):f}",
    }


def _line(
    number: str, item: str, theirs: str, gtin: str, what: str, quantity: str, unit: str, price: str,
    *, units: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    known = unit if not units or unit in units else next(iter(units))
    return {
        "line_number": number, "item_number": item, "supplier_item_number": theirs, "gtin": gtin,
        "description": what, "quantity": quantity, "unit": known, "unit_price": price,
        "amount": f"{Decimal(quantity) * Decimal(price):.2f}",
    }  # fmt: skip
