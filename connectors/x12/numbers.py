"""Control numbers and counts: compared as numbers where they are some, and remembered in runs."""

from __future__ import annotations


def same_number(one: str, other: str) -> bool:
    """Leading zeros do not matter."""
    if _is_digits(one) and _is_digits(other):
        return int(one) == int(other)
    return one == other


def is_count(text: str, count: int) -> bool:
    """Whether the text says this count."""
    return _is_digits(text) and int(text) == count


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20


class Numbers:
    """Numbers that were seen. One after the other they take no memory, however many there are."""

    def __init__(self) -> None:
        self._first = self._last = 0
        self._width = 0
        self._others: set[str] = set()

    def add(self, number: str) -> bool:
        """False where it was there before."""
        if _is_digits(number) and self._in_run(number):
            return False
        if number in self._others:
            return False
        if _is_digits(number) and self._follows(number):
            self._last = int(number)
        else:
            self._others.add(number)
        return True

    def _in_run(self, number: str) -> bool:
        return len(number) == self._width and self._first <= int(number) <= self._last

    def _follows(self, number: str) -> bool:
        if not self._width:
            self._width, self._first = len(number), int(number)
            return True
        return len(number) == self._width and int(number) == self._last + 1
