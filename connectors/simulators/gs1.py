"""Keys of GS1 with right check digits (GS1 General Specifications, 7.9.1)."""

from __future__ import annotations


def check_digit(digits: str) -> str:
    """The digit that completes these: weights 3 and 1 from the right. Raises ``ValueError`` for other signs."""
    weighed = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits)))
    return str(-weighed % 10)


def is_whole(key: str) -> bool:
    """Whether the last digit of a GTIN, GLN or SSCC is the check digit of the others."""
    return key.isascii() and key.isdigit() and len(key) > 1 and check_digit(key[:-1]) == key[-1]


def sscc(prefix: str, serial: int) -> str:
    """A serial shipping container code: extension digit 3, company prefix, serial number, 18 digits in all.

    Raises ``ValueError`` for a serial number that does not fit.
    """
    room = 16 - len(prefix)
    if serial >= 10**room:
        raise ValueError(f"{serial} has more than the {room} digits that prefix {prefix} leaves")
    digits = f"3{prefix}{serial:0{room}d}"
    return digits + check_digit(digits)
