"""Control numbers and counts: compared as numbers where they are some."""

from __future__ import annotations

from connectors.sdk.edi_numbers import is_digits


def same_number(one: str, other: str) -> bool:
    """Leading zeros do not matter."""
    if is_digits(one) and is_digits(other):
        return int(one) == int(other)
    return one == other


def is_count(text: str, count: int) -> bool:
    """Whether the text says this count."""
    return is_digits(text) and int(text) == count
