"""Control numbers that were seen, in little memory however many there are."""

from __future__ import annotations

_LONGEST = 20


def is_digits(text: str) -> bool:
    """Whether it can be taken as a number: not so long that computing with it takes time."""
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST


class Numbers:
    """Of numbers that count up only the first and last are kept, for each length, as 07 and 7 are two."""

    def __init__(self) -> None:
        self._runs: dict[int, list[int]] = {}
        self._others: set[str] = set()

    def add(self, number: str) -> bool:
        """False where it was there before."""
        if is_digits(number):
            value = int(number)
            run = self._runs.setdefault(len(number), [value, value - 1])
            if run[0] <= value <= run[1]:
                return False
            if value == run[1] + 1 and number not in self._others:
                run[1] = value
                return True
        if number in self._others:
            return False
        self._others.add(number)
        return True
