"""Keys of GS1 and their check digits (GS1 General Specifications, 7.9.1)."""

from __future__ import annotations

#: Digits of a key, check digit included: GTIN-8, -12, -13 and -14, GLN, SSCC.
LENGTHS = {"GTIN": (8, 12, 13, 14), "GLN": (13,), "SSCC": (18,)}


def check_digit(digits: str) -> str:
    """The digit that completes these: weights 3 and 1 from the right. Raises ``ValueError`` for other signs."""
    weighed = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits)))
    return str(-weighed % 10)


def is_whole(key: str) -> bool:
    """Whether the last digit of a GTIN, GLN or SSCC is the check digit of the others."""
    return key.isascii() and key.isdigit() and len(key) > 1 and check_digit(key[:-1]) == key[-1]


def wrong(kind: str, key: str, lengths: tuple[int, ...] = ()) -> str:
    """What is wrong with a GTIN, GLN or SSCC, as the rest of a sentence that begins with it; empty if nothing is.
    ``lengths`` narrows those that the kind has."""
    allowed = lengths or LENGTHS[kind]
    if not (key.isascii() and key.isdigit()):
        return f"is no {kind}: it must be digits only"
    if len(key) not in allowed:
        counts = " or ".join(map(str, allowed))
        return f"is no {kind}: it has {len(key)} digits, not {counts}"
    if not is_whole(key):
        return (
            f"is no {kind}: its check digit is {key[-1]}, for the other digits it would be {check_digit(key[:-1])}"
        )
    return ""
