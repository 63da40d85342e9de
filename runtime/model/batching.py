"""When documents that are collected for a partner go together (Aggregator, Enterprise Integration Patterns)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from connectors.sdk.model import Duration, Model
from runtime.model.calendar import Calendar, TimeOfDay, next_time

#: Why a batch goes: ``alone`` where the partner's profile collects nothing, ``asked`` where a person said so.
Because = Literal["urgent", "count", "bytes", "cut_off", "within", "alone", "asked"]
#: No batch is larger, whatever a profile says.
MOST_ITEMS, MOST_BYTES = 1_000, 4 * 1024 * 1024


class Batching(Model):
    """Part of a partner's profile: a batch goes as soon as the first of these is reached. An urgent document waits
    for none."""

    count: int = Field(default=MOST_ITEMS, ge=1, le=MOST_ITEMS, description="so many documents", examples=[50])
    bytes: int = Field(
        default=MOST_BYTES, ge=1, le=MOST_BYTES, description="so many bytes of documents", examples=[500_000]
    )
    cut_off: list[TimeOfDay] = Field(
        default=[], description="at these times of a working day", examples=[["11:00", "16:00"]]
    )
    zone: str = Field(default="UTC", description="IANA time zone of the cut-offs", examples=["Europe/Berlin"])
    calendar: str = Field(
        default="", description="which days are working days: calendars/NAME.json; empty: all", examples=["bavaria"]
    )
    within: Duration | None = Field(
        default=None, description="no document waits longer, whatever the calendar says", examples=["4h"]
    )

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {zone!r}: use an IANA name, such as Europe/Berlin") from None
        return zone

    @model_validator(mode="after")
    def _comes_to_an_end(self) -> Self:
        if not self.cut_off and self.within is None:
            raise ValueError("give cut_off or within: with neither a single document would wait for ever")
        if self.calendar and not self.cut_off:
            raise ValueError("a calendar says on which days a cut-off holds: give cut_off too")
        return self


@dataclass(frozen=True)
class Collection:
    """What is collected for one partner. ``oldest`` is when the first of it was published; ``restored`` are further
    documents, which nobody has let go since a restore."""

    flow: str
    partner: str
    count: int
    bytes: int
    urgent: int
    oldest: datetime
    restored: int = 0


@dataclass(frozen=True)
class BatchRules:
    """What a profile says, with the calendar that it names; ``given`` is ``None`` where it collects nothing."""

    given: Batching | None
    calendar: Calendar | None = None

    def due_at(self, of: Collection) -> datetime | None:
        """When it goes at the latest; ``None`` where a year brings no working day, or nothing of it may go."""
        if not of.count:
            return None
        if self.given is None or of.urgent:
            return of.oldest
        ends = [next_time(self.given.cut_off, self.given.zone, self.calendar, of.oldest)]
        if self.given.within is not None:
            ends.append(of.oldest + self.given.within)
        return min((end for end in ends if end is not None), default=None)

    def why_now(self, of: Collection, due: datetime | None, now: datetime) -> Because | None:
        """``due`` as ``due_at`` gives it; ``None`` where it waits on."""
        if not of.count:
            return None
        if self.given is None:
            return "alone"
        if of.urgent:
            return "urgent"
        if of.count >= self.given.count:
            return "count"
        if of.bytes >= self.given.bytes:
            return "bytes"
        if due is None or due > now:
            return None
        within = self.given.within
        return "within" if within is not None and of.oldest + within <= now else "cut_off"
