"""Interchanges, a partner and a document that these tests read and write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.edifact.codec import Document, Segment, read

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "edifact"

HEAD = "UNB+UNOC:3+5412345000013:14+4012345000094:14+261124:0930+REF1'"
ORDER = (
    "UNH+1+ORDERS:D:96A:UN:EAN008'BGM+220+PO-1001+9'DTM+137:20261124:102'RFF+CT:CN-2291'DTM+171:20260101:102'"
    "NAD+BY+5412345000013::9++Mercy Hospital+1 Hospital Way+Dublin++D04 X2Y3+IE'CTA+PD+:Purchasing desk'"
    "COM+orders@mercy.example:EM'NAD+SU+4012345000094::9'CUX+2:EUR:9'"
    "LIN+1++4000862141404:EN'PIA+1+AC-1001:SA'IMD+F++:::Syringe 10 ml?, sterile'QTY+21:10:PCE'PRI+AAA:7.20'"
    "LIN+2++4000862141411:EN'QTY+21:5:PCE'UNS+S'CNT+2:2'UNT+20+1'"
)
TAIL = "UNZ+1+REF1'"

INTERCHANGE = (HEAD + ORDER + TAIL).replace("ml?, ", "ml, ")

ACME: dict[str, Any] = {
    "partner": "acme",
    "name": "Acme Medical Supply",
    "edifact": {
        "ours": {"id": "5412345000013", "qualifier": "14"},
        "theirs": {"id": "4012345000094", "qualifier": "14"},
        "test": True,
    },
}

DOCUMENT: dict[str, Any] = {
    "beginning": {"document_type": "220", "document_number": "PO-1001", "function": "9"},
    "dates": [{"qualifier": "137", "value": "20261124", "format": "102"}],
    "parties": [
        {"qualifier": "BY", "id": "5412345000013", "id_agency": "9", "name": ["Mercy's + Sons: Hospital?"]},
        {"qualifier": "SU", "id": "4012345000092", "id_agency": "9"},
    ],
    "lines": [
        {
            "line_number": "1",
            "item": "4000862141404",
            "item_type": "EN",
            "additional_items": [{"function": "1", "ids": [{"item": "AC-1001", "type": "SA"}]}],
            "quantities": [{"qualifier": "21", "quantity": "10", "unit": "PCE"}],
            "prices": [{"qualifier": "AAA", "price": "7.20"}],
        }
    ],
    "section_control": {"section": "S"},
    "control_totals": [{"qualifier": "2", "value": "1"}],
}


def corpus() -> list[Path]:
    """The public files. Skips the test where they are absent."""
    if not CORPUS.is_dir():
        pytest.skip("no public EDIFACT files beside the checkout: put them in ../shared/corpus/edifact")
    return sorted(CORPUS.iterdir())


def message(body: str, *, type: str = "ORDERS:D:96A:UN", reference: str = "1") -> str:
    """UNH and UNT around these segments, with the right count."""
    return f"UNH+{reference}+{type}'{body}UNT+{body.count(chr(39)) + 2}+{reference}'"


def enclosed(*messages: str, head: str = HEAD) -> bytes:
    return (head + "".join(messages) + f"UNZ+{len(messages)}+REF1'").encode()


def first_message(raw: bytes | str) -> list[Segment]:
    document: Document = read(raw.encode() if isinstance(raw, str) else raw)
    return document["interchanges"][0]["groups"][0]["messages"][0]["segments"]


def many_orders(count: int) -> bytes:
    """One interchange of that many orders of two lines."""
    orders = (
        ORDER.replace("UNH+1+", f"UNH+{n}+").replace("UNT+20+1'", f"UNT+20+{n}'") for n in range(1, count + 1)
    )
    return (HEAD + "".join(orders) + f"UNZ+{count}+REF1'").encode()
