"""Due times of cron expressions in a time zone, through changes of its clock.

APScheduler counts on a clock on the wall that never changes; here its wall times become instants. Where the zone's
clock is put forward, a due time in the hour that is left out comes as much later; where it is put back, one in the
hour that comes twice is due the first time, and both times where the hour field is ``*`` (as in Vixie cron).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: More than any zone's clock is changed by.
_CHANGE = timedelta(hours=3)
_WINDOWS = [timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=370)]


class Cron:
    """Five fields; days of the week count from Sunday, which is 0 or 7 (POSIX crontab), or have names.

    Raises ``ValueError`` for an expression that is none, ``ZoneInfoNotFoundError`` for an unknown zone.
    """

    def __init__(self, expression: str, zone: str = "UTC") -> None:
        *fields, days = expression.split()
        self._wall = CronTrigger.from_crontab(" ".join([*fields, _named(days)]), timezone=UTC)
        self._twice = len(fields) == 4 and fields[1].startswith("*")
        self._zone = ZoneInfo(zone)

    def between(self, after: datetime, until: datetime, most: int) -> list[datetime]:
        """Due times after the one and up to the other instant, oldest first, about ``most`` of them."""
        found: set[datetime] = set()
        for wall in self._walls(self._local(after, -1), self._local(until, +1)):
            if len(found) >= most and not self._changes(wall.replace(tzinfo=self._zone)):
                break
            found |= {instant for instant in self._instants(wall) if after < instant <= until}
        return sorted(found)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last due time in between; looks back from the end, because there may be very many."""
        for window in _WINDOWS:
            start = max(after, until - window)
            if found := self.between(start, until, 1_000_000):
                return found[-1]
            if start == after:
                return None
        found = self.between(after, until, 1_000_000)
        return found[-1] if found else None

    def _local(self, at: datetime, towards: int) -> datetime:
        """The time on the wall, moved far enough ``towards`` past or future where the clock changes about then."""
        wall = at.astimezone(self._zone).replace(tzinfo=None)
        return wall + towards * _CHANGE if self._changes(at) else wall

    def _changes(self, at: datetime) -> bool:
        instant = at.astimezone(UTC)
        before, after = (moved.astimezone(self._zone) for moved in (instant - _CHANGE, instant + _CHANGE))
        return before.utcoffset() != after.utcoffset()

    def _walls(self, start: datetime, end: datetime) -> Iterator[datetime]:
        after, last = start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
        while True:
            due = self._wall.get_next_fire_time(None, after)
            if due is None or due > last:
                return
            yield due.replace(tzinfo=None)
            after = due + timedelta(microseconds=1)

    def _instants(self, wall: datetime) -> set[datetime]:
        first, second = (wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return {first, second} if self._twice and first < second else {first}


def _named(days: str) -> str:
    """The field with names for numbers: APScheduler counts from Monday, crontab from Sunday."""
    return ",".join(_named_part(part) for part in days.split(","))


def _named_part(part: str) -> str:
    match = re.fullmatch(r"(\*|(\d)(-(\d))?)(/(\d+))?", part)
    if match is None or part == "*":
        return part
    first, last = (0, 6) if match[1] == "*" else (int(match[2]), int(match[4] or match[2]))
    if match[5] and not match[4]:
        last = 6
    if last > 7 or first > last or match[6] == "0":
        raise ValueError(f"{part!r} is no day of the week: write 0 to 7, or sun to sat")
    return ",".join(dict.fromkeys(_DAYS[day % 7] for day in range(first, last + 1, int(match[6] or 1))))
