"""The exchange ledger in memory, for running one connector operation without the runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.sdk import BlobRef
from connectors.sdk.exchange import Answer, Earlier, Exchanged, Known, Reception, Reconciled, Rules


@dataclass
class Entry:
    """``by`` is the effect key of the execution that entered it."""

    one: Exchanged
    by: str
    at: datetime
    answer: BlobRef | None = None
    answers: tuple[Answer, ...] = ()

    @property
    def earlier(self) -> Earlier:
        return Earlier(self.one.number, self.at, self.by)

    def is_same(self, other: Exchanged) -> bool:
        names = ("standard", "partner", "usage", "number")
        return all(getattr(self.one, name) == getattr(other, name) for name in names)


class MemoryExchange:
    """``sent`` and ``came`` are what was entered, oldest first. What a run reprocesses it knows nothing of."""

    def __init__(self, key: Callable[[], str], clock: Callable[[], datetime]) -> None:
        self._key, self._clock = key, clock
        self.sent: list[Entry] = []
        self.came: list[Entry] = []

    def written(self, sent: Exchanged) -> None:
        if not any(entry.is_same(sent) and entry.by == self._key() for entry in self.sent):
            self.sent.append(Entry(sent, self._key(), self._clock()))

    def known(
        self, standard: str, partner: str, usage: str, type: str, key: str, window: timedelta
    ) -> Sequence[Known]:
        return [
            Known(direction, entry.one.number, entry.at, entry.by, entry.one.content)
            for direction, entries in (("out", self.sent), ("in", self.came))
            for entry in reversed(entries)
            if (entry.one.standard, entry.one.partner, entry.one.usage) == (standard, partner, usage)
            if any((one.type, one.key) == (type, key) for one in entry.one.sets)
            if entry.by != self._key() and self._clock() - entry.at <= window
        ]

    def received(self, came: Exchanged, rules: Rules) -> Reception:
        mine = next((entry for entry in self.came if entry.one == came and entry.by == self._key()), None)
        before = self.came[: self.came.index(mine)] if mine is not None else list(self.came)
        if mine is None:
            self.came.append(Entry(came, self._key(), self._clock()))
        holders = [entry for entry in before if entry.is_same(came)]
        same = [entry for entry in holders if entry.one.digest == came.digest]
        if same:
            return Reception(duplicate_of=same[0].earlier, answer=same[0].answer)
        known = {
            place: entry.earlier
            for place, one in enumerate(came.sets)
            for entry in before
            if one.key and any((other.type, other.key) == (one.type, one.key) for other in entry.one.sets)
        }
        missing = 0
        if rules.last is not None and before and came.number.isdigit():
            missing = max(0, int(came.number) - int(before[-1].one.number) - 1)
        return Reception(
            reused=holders[-1].earlier if holders else None,
            missing=missing,
            after=before[-1].one.number if before else "",
            known=known,
        )

    def answered(self, standard: str, partner: str, usage: str, numbers: Sequence[str], answer: BlobRef) -> None:
        for entry in self.came:
            if (entry.one.standard, entry.one.partner, entry.one.usage) == (standard, partner, usage):
                entry.answer = answer if entry.one.number in numbers else entry.answer

    def answer_to(self, standard: str, partner: str, usage: str, number: str) -> BlobRef | None:
        of = (standard, partner, usage, number)
        found = (e for e in self.came if (e.one.standard, e.one.partner, e.one.usage, e.one.number) == of)
        return next((entry.answer for entry in found if entry.answer is not None), None)

    def reconcile(self, answer: Answer) -> Reconciled | None:
        for entry in reversed(self.sent):
            numbers = [one.group for one in entry.one.sets] if answer.level == "group" else [entry.one.number]
            if entry.one.partner == answer.partner and answer.number.lstrip("0") in [
                number.lstrip("0") for number in numbers
            ]:
                entry.answers += (replace(answer),)
                sets = [{"type": one.type, "number": one.number, "key": one.key} for one in entry.one.sets]
                return Reconciled("i1", entry.one.number, entry.by, answer.verdict, sets)
        return None
