"""What the profile of a trading partner says whatever the standard: identifiers, items, units, characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from connectors.sdk.gs1 import wrong
from connectors.sdk.model import seconds
from connectors.sdk.profile import invalid

#: A duration, or nothing. With six digits, and years up to 9999, no sum leaves the range of times.
_LENGTH: Final = r"^(\d{1,6}(ms|s|m|h|d))?$"
_SIGNED_LENGTH: Final = r"^(-?\d{1,6}(ms|s|m|h|d))?$"
_LONGEST: Final = timedelta(days=999_999)

#: What keeps test and production apart: a pack runs in one of them.
Environment = Literal["test", "production"]
#: How lines name what is ordered; which qualifiers that is, each standard says.
Scheme = Literal["gtin", "supplier", "buyer", "manufacturer", "ndc"]


def _gln(value: str) -> str:
    if value and (told := wrong("GLN", value)):
        raise ValueError(f"{value} {told}")
    return value


def _both_ways(table: dict[str, str]) -> dict[str, str]:
    """Raises ``ValueError`` where a code of theirs would stand for two of ours: it could not be read back."""
    ours: dict[str, str] = {}
    for one, theirs in table.items():
        if theirs in ours:
            raise ValueError(f"{ours[theirs]} and {one} are both {theirs!r} to them: it could not be read back")
        ours[theirs] = one
    return table


#: Our code -> theirs; read the other way round in what they send.
CodeMap = Annotated[dict[str, str], AfterValidator(_both_ways)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Identifiers(_Part):
    """One side's numbers by scheme; empty where it has none."""

    gln: Annotated[str, AfterValidator(_gln)] = Field(
        default="", description="Global Location Number (GS1), 13 digits", examples=["9521234600015"]
    )
    hin: str = Field(
        default="",
        pattern=r"^([A-Z0-9]{9})?$",
        description="Health Industry Number (HIBCC)",
        examples=["1A2B3C400"],
    )
    duns: str = Field(
        default="", pattern=r"^([0-9]{9}([0-9]{4})?)?$", description="D-U-N-S number, with or without +4",
        examples=["123456789"],
    )  # fmt: skip


class Sides(_Part):
    """Who the buyer and the supplier are in documents that name them by a scheme."""

    ours: Identifiers = Field(default=Identifiers(), description="our numbers, as this partner knows us")
    theirs: Identifiers = Field(default=Identifiers(), description="the partner's numbers")


class Items(_Part):
    """How the lines of what is sent name their items."""

    all_of: list[Scheme] = Field(
        default=[], description="each line must have all of these", examples=[["supplier"]]
    )
    one_of: list[Scheme] = Field(default=[], description="each line must have one of these", examples=[["gtin"]])


class Characters(_Part):
    """What becomes of characters they cannot take. An identifier is never changed, only free text."""

    outside: Literal["refuse", "replace"] = Field(
        default="refuse", description="replace: by the table, else without accents, else in capitals; refused then"
    )
    replace: dict[Annotated[str, Field(min_length=1, max_length=1)], str] = Field(
        default={}, description="what stands for a character in free text", examples=[{"€": "EUR"}]
    )


class Awaiting(_Part):
    """How long they may take to answer what they are sent and to send what has to follow, as a duration; empty:
    it is not awaited."""

    interchange: str = Field(default="", pattern=_LENGTH, description="TA1, or CONTRL of receipt")
    functional: str = Field(default="4h", pattern=_LENGTH, description="997, or CONTRL")
    business: str = Field(default="2d", pattern=_LENGTH, description="855, or ORDRSP")
    ship_notice: str = Field(
        default="",
        pattern=_LENGTH,
        description="856, or DESADV, where no date is promised: after the acknowledgement, or after the order where"
        " none is awaited",
    )
    ship_notice_promised: str = Field(
        default="",
        pattern=_SIGNED_LENGTH,
        description="856, or DESADV, after the first date that the acknowledgement promises begins (UTC); -1d: a"
        " day before it",
    )
    invoice: str = Field(default="", pattern=_LENGTH, description="810, or INVOIC, after the goods were received")

    @property
    def functional_within(self) -> timedelta | None:
        """``None`` where no answer is asked for."""
        return timedelta(seconds=seconds(self.functional)) if self.functional else None

    def ship_notice_within(self, promised: Iterable[date], now: datetime) -> timedelta | None:
        """How long from now a ship notice may take, once the order is acknowledged; nothing where its time is over.
        ``None`` where none is awaited. The earliest date that was promised counts, a far one as 999,999
        days."""
        first = min(promised, default=None)
        if first is not None and self.ship_notice_promised:
            until = datetime.combine(first, time(), UTC) - now
            return min(max(until + _signed(self.ship_notice_promised), timedelta()), _LONGEST)
        return timedelta(seconds=seconds(self.ship_notice)) if self.ship_notice else None


class Delivery(_Part):
    """Where what they are sent is put."""

    connection: str = Field(
        min_length=1, description="name of the connection through which they are reached", examples=["acme_sftp"]
    )
    folder: str = Field(
        default="/in", pattern=r"^/([^/]+(/[^/]+)*)?$", description="folder there, from its root", examples=["/in"]
    )


def _signed(duration: str) -> timedelta:
    length = timedelta(seconds=seconds(duration.removeprefix("-")))
    return -length if duration.startswith("-") else length


class Terms(BaseModel):
    """The part of a partner's file that all standards share."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    identifiers: Sides = Field(default=Sides(), description="numbers of the parties that documents name")
    items: Items = Field(default=Items(), description="how lines name items")
    units: CodeMap = Field(default={}, description="units of measure, ours: theirs", examples=[{"BX": "CT"}])
    characters: Characters = Field(default=Characters(), description="characters they cannot take")
    delivery: Delivery | None = Field(
        default=None,
        description="where what they are sent is put; absent: the flow that sends says it",
        examples=[{"connection": "acme_sftp", "folder": "/in"}],
    )
    awaiting: Awaiting = Field(default=Awaiting(), description="how long they may take to answer")


def terms_of(name: str, partner: Mapping[str, Any]) -> Terms:
    """The shared part of a profile. Raises ``Misconfigured`` naming the field that is wrong."""
    try:
        return Terms.model_validate(partner)
    except ValidationError as error:
        raise invalid(name, error) from None


def environment_of(partner: Mapping[str, Any]) -> Environment | None:
    """The environment that the runtime took the profile for; ``None`` where nobody says."""
    given = partner.get("environment")
    return given if given in ("test", "production") else None
