"""Interchanges made for a test: an envelope around segments that are written as X12 writes them."""

from __future__ import annotations

from connectors.x12.codec import Document, TransactionSet, read


def interchange(
    *sets: str,
    identifier: str = "PO",
    version: str = "004010",
    isa11: str = "U",
    isa14: str = "0",
    between: str = "",
) -> bytes:
    """Each set is ``850|BEG*00…~CUR…~``: its type, and the segments between ST and SE, all with terminators."""
    bodies = "".join(_set(number, *one.split("|", 1)) for number, one in enumerate(sets, 1))
    isa = (
        "ISA*00*          *00*          *ZZ*ACMEMED        *ZZ*MERCYHOSP      *261120*0930*"
        f"{isa11}*{version[:5]}*000000007*{isa14}*T*>~"
    )
    group = f"GS*{identifier}*ACMEMED*MERCYHOSP*20261120*0930*7*X*{version}~{bodies}GE*{len(sets)}*7~"
    return f"{isa}{between}{group}IEA*1*000000007~".encode()


def _set(number: int, set_type: str, body: str) -> str:
    return f"ST*{set_type}*{number:04d}~{body}SE*{body.count('~') + 2}*{number:04d}~"


def only_set(raw: bytes) -> TransactionSet:
    """The one set of the one group of the one interchange."""
    document: Document = read(raw)
    [interchange] = document["interchanges"]
    [group] = interchange["groups"]
    [one] = group["sets"]
    return one
