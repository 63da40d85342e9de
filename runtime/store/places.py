"""How hard a peer with bounds is worked, over all processes: who asks it, who was called, and who asked lately.

A place belongs to the process that took it and lapses with it, as a lease does; a run that is called from the line
has one kept for a moment, so that nobody who just came takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, bindparam, case, delete, func, or_, select, update

from runtime.model.ids import new_id
from runtime.model.limits import Called, Limits, Taken
from runtime.store import tables
from runtime.store.bound import Bound
from runtime.store.shapes import instant
from runtime.store.statements import Statement, Tx, insert, word
from runtime.store.turns import next_in_line

_MINUTE = 60_000_000
_SOON = timedelta(milliseconds=200)
#: In microseconds: how long a place is kept for a run that was called.
_KEPT = 2_000_000
#: In microseconds: how far ahead of ours another's time may be. What lies further ahead was written before the
#: clock was set back.
_AHEAD = 1_000_000
_place = tables.connection_place
_MINE = (_place.c.client == bindparam("of_client"), _place.c.name == bindparam("of_name"))
_LIVE = _place.c.until > bindparam("now")
_LATELY = and_(
    _place.c.state != word("called"), _place.c.asked_at > bindparam("since"), _place.c.asked_at <= bindparam("soon")
)
_INSERT = insert(_place, otherwise="replace")
_COUNT = Statement(
    select(
        func.count(case((and_(_LIVE, _place.c.state == word("asking")), 1))),
        func.count(case((and_(_LIVE, _place.c.state == word("called"), _place.c.run != bindparam("run")), 1))),
        func.count(case((_LATELY, 1))),
        func.min(case((_LATELY, _place.c.asked_at))),
    ).where(*_MINE)
)
_FORGET = Statement(
    delete(_place).where(
        *_MINE, ~_LIVE, or_(_place.c.state == word("called"), _place.c.asked_at <= bindparam("since"))
    )
)
_TAKE_UP = Statement(
    delete(_place).where(*_MINE, _place.c.state == word("called"), _place.c.run == bindparam("run"))
)
_LEAVE = Statement(
    update(_place).where(*_MINE, _place.c.id == bindparam("id")).values(state=word("asked"), until=bindparam("now"))
)
_DROP = Statement(delete(_place).where(*_MINE, _place.c.id == bindparam("id")))
_EMPTY = Statement(delete(_place).where(_place.c.state != word("asked")))


@dataclass(frozen=True)
class _Crowd:
    """``first``: in microseconds, when the earliest of those who asked within the last minute did."""

    asking: int
    coming: int
    lately: int
    first: int | None

    def free(self, bounds: Limits) -> int:
        """How many more may ask now."""
        places = [
            _rest(bounds.at_once, self.asking + self.coming),
            _rest(bounds.per_minute, self.lately + self.coming),
        ]
        return min(place for place in places if place is not None)

    def refusal(self, bounds: Limits, now: int) -> Taken:
        most = bounds.at_once
        if most is not None and self.asking + self.coming >= most:
            return Taken(None, f"has {most} of {most} calls under way", instant(now) + _SOON)
        due = instant(now) + _SOON if self.first is None else instant(self.first + _MINUTE)
        most = bounds.per_minute
        return Taken(None, f"was called {most} of {most} times within the last minute", due)


class Places(Bound):
    """Of connections that are bounded: ``at_once`` or ``per_minute`` is set."""

    def take_place(self, name: str, bounds: Limits, run: str, owner: str, seconds: float) -> Taken:
        """A place at the peer, for as long as ``keep_places`` is called for it, or until it is left."""

        def unit(tx: Tx) -> Taken:
            tx.lock(self._lock(name))
            crowd = self._crowd(tx, name, run)
            if crowd.free(bounds) <= 0:
                return crowd.refusal(bounds, tx.now)
            tx.many(_TAKE_UP, [{**self._of(name), "run": run}])
            id, until = new_id(), tx.now + int(seconds * 1_000_000)
            tx.many(_INSERT, [self._row(name, id, owner, run, "asking", tx.now, until)])
            return Taken(id)

        return self._backend.transact(unit, durable=False)

    def leave_places(self, name: str, bounds: Limits, ids: Sequence[str], most: int) -> Called:
        """They are free; of those in the line as many as may ask now, at most ``most``, come at once."""

        def unit(tx: Tx) -> Called:
            tx.lock(self._lock(name))
            if bounds.per_minute is None:
                tx.many(_DROP, [{**self._of(name), "id": id} for id in ids])
            else:
                tx.many(_LEAVE, [{**self._of(name), "id": id, "now": tx.now} for id in ids])
            tx.many(_FORGET, [{**self._of(name), "now": tx.now, "since": tx.now - _MINUTE}])
            crowd = self._crowd(tx, name, "")
            wanted = max(0, min(most, crowd.free(bounds)))
            runs = next_in_line(tx, self.client, f"connection:{name}", wanted, None) if wanted else []
            called = [self._row(name, run, "", run, "called", 0, tx.now + _KEPT) for run, _ in runs]
            if called:
                tx.many(_INSERT, called)
            exhausted = bounds.per_minute is not None and crowd.lately >= bounds.per_minute
            later = instant(crowd.first + _MINUTE) if exhausted and crowd.first is not None else None
            return Called(tuple(runs), len(runs) == wanted, later)

        return self._backend.transact(unit, durable=False)

    def _crowd(self, tx: Tx, name: str, run: str) -> _Crowd:
        row = tx.one(_COUNT, {**self._of(name), **_times(tx.now), "run": run})
        assert row is not None
        return _Crowd(*row)

    def _of(self, name: str) -> dict[str, str]:
        return {"of_client": self.client, "of_name": name}

    def _lock(self, name: str) -> str:
        return f"places:{self.client}:{name}"

    def _row(
        self, name: str, id: str, owner: str, run: str, state: str, asked_at: int, until: int
    ) -> dict[str, str | int]:
        return {
            "client": self.client, "name": name, "id": id, "owner": owner, "run": run, "state": state,
            "asked_at": asked_at, "until": until,
        }  # fmt: skip


def keep_places(tx: Tx, owner: str, ids: Sequence[str], seconds: float) -> int:
    """Those of one process, for so long from now."""
    kept = update(_place).where(
        _place.c.owner == owner, _place.c.id.in_(list(ids)), _place.c.state == word("asking")
    )
    return tx.run(Statement(kept.values(until=tx.now + int(seconds * 1_000_000))))


def empty_places(tx: Tx) -> int:
    """For a store that one process has at a time, as it opens: whoever asked is gone."""
    return tx.run(_EMPTY)


def _rest(bound: int | None, used: int) -> int | None:
    return None if bound is None else bound - used


def _times(now: int) -> dict[str, int]:
    return {"now": now, "since": now - _MINUTE, "soon": now + _AHEAD}
