"""Serial numbers of GS1 as a supplier gives them out."""

from __future__ import annotations

from connectors.sdk.gs1 import check_digit, wrong

#: Of a supplier whose identification is no GLN: the prefix of 9521234600015, for demonstrations.
_OWN = "952123460"


def company_prefix(id: str) -> str:
    """The nine digits under which a supplier of that identification numbers its packages."""
    return _OWN if wrong("GLN", id) else id[:9]


def sscc(prefix: str, serial: int) -> str:
    """A serial shipping container code: extension digit 3, company prefix, serial number, 18 digits in all.

    Raises ``ValueError`` for a serial number that does not fit.
    """
    room = 16 - len(prefix)
    if serial >= 10**room:
        raise ValueError(f"{serial} has more than the {room} digits that prefix {prefix} leaves")
    digits = f"3{prefix}{serial:0{room}d}"
    return digits + check_digit(digits)
