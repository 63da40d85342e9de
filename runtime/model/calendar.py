"""Which days people work, and when the next of some times of a working day is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from connectors.sdk.model import Model
from runtime.model.cron import Cron

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: A time of day, on a clock of 24 hours.
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
_WINDOW, _WINDOWS = timedelta(days=8), 50


class Calendar(Model):
    """``calendars/NAME.json``: the working days of a client or of a partner."""

    schema_: str = Field(
        default="", alias="$schema", description="where editors find the schema", examples=["calendar.schema.json"]
    )
    title: str = Field(default="", description="what people see", examples=["Bavaria"])
    closed: list[Weekday] = Field(
        default=["sat", "sun"], max_length=6, description="days of the week on which nobody works"
    )
    holidays: list[date] = Field(
        default=[], description="days on which nobody works, as YYYY-MM-DD", examples=[["2026-12-25"]]
    )

    def works(self, day: date) -> bool:
        return _WEEKDAYS[day.weekday()] not in self.closed and day not in self.holidays


def next_time(times: Sequence[TimeOfDay], zone: str, calendar: Calendar | None, since: datetime) -> datetime | None:
    """The first of these times, on the wall clock of the zone, at or after the instant and on a working day; every
    day is one where there is no calendar. ``None`` where a year brings none. Raises ``ZoneInfoNotFoundError``."""
    clocks = [Cron(f"{int(time[3:])} {int(time[:2])} * * *", zone) for time in times]
    after = since - timedelta(microseconds=1)
    for _ in range(_WINDOWS):
        found = sorted(at for clock in clocks for at in clock.between(after, after + _WINDOW, len(times) * 20))
        for at in found:
            if calendar is None or calendar.works(at.astimezone(ZoneInfo(zone)).date()):
                return at
        after += _WINDOW
    return None
