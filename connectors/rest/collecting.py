"""``rest.collect``: what is new at a REST API, one message for each item of a list."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from pydantic import Field, field_validator

from connectors.rest.paging import Fetch, NoPaging, Paging, listed, merged
from connectors.rest.transport import at, judge
from connectors.sdk import Accept, Arrival, Parameters, Rejected, seconds
from connectors.sdk.http import HttpReply
from connectors.sdk.model import Model

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")


class Since(Model):
    """How the API is asked for what is new. It should give items that are *not older* than what it is asked for:
    an item that comes again is known by its identity and starts nothing."""

    field: str = Field(
        description="field of an item, names joined by dots, that grows from one to the next: a number, or a time",
        examples=["updated_at", "meta.sequence"],
    )
    query: str = Field(description="query field that takes its value", examples=["updated_since"])
    first: str = Field(
        default="", description="its value before anything was collected; empty: it is left out", examples=["0"]
    )
    overlap: str = Field(
        default="",
        description="how far back from where the last poll came to it is asked again, for items that the API shows"
        " late: a duration for times, a whole number for numbers; what was taken before starts nothing",
        examples=["5m", "100"],
    )

    @field_validator("overlap")
    @classmethod
    def _overlaps(cls, value: str) -> str:
        if value and not value.isdecimal():
            seconds(value)
        return value

    def asked(self, come_to: Any) -> Any:
        """What the API is asked for. Raises ``Rejected`` where ``overlap`` cannot be taken off it."""
        if come_to is None:
            return self.first or None
        if not self.overlap:
            return come_to
        if self.overlap.isdecimal() and _NUMBER.fullmatch(str(come_to)):
            less = Decimal(str(come_to)) - int(self.overlap)
            return format(less, "f") if isinstance(come_to, str) else type(come_to)(less)
        try:
            return _earlier(str(come_to), seconds(self.overlap))
        except (ValueError, OverflowError) as error:
            raise Rejected(
                f"the last poll came to {str(come_to)[:60]}, from which {self.overlap} cannot be taken off",
                next_action="give since.overlap as a duration where the field is a time, else as a whole number",
            ) from error


class CollectParameters(Parameters):
    """A list that is asked for now and then."""

    path: str = Field(default="", description="path below the connection's url", examples=["/requisitions"])
    query: dict[str, str | int | float | bool | list[str]] = Field(
        default={}, description="query fields besides that of since", examples=[{"status": "approved"}]
    )
    headers: dict[str, str] = Field(default={}, description="headers besides those of auth", examples=[{}])
    paging: Paging = Field(
        default=NoPaging(),
        description="how the next page is found; where more pages than its most may be waiting, since.first or a"
        " filter in query leaves the old ones out",
        examples=[{"type": "next", "items": "items", "next": "next"}],
    )
    items: str = Field(
        default="",
        description="where the list stands, names joined by dots, without paging; empty: the reply is the list",
        examples=["items"],
    )
    since: Since | None = Field(
        default=None,
        description="how the API is asked for what is new; absent: it is asked for everything each time",
        examples=[{"field": "updated_at", "query": "updated_since"}],
    )
    id: str = Field(
        default="",
        description="field of an item, names joined by dots, that with its since is its identity where the flow"
        " declares none; empty: all of the item is",
        examples=["id"],
    )


def items_of(parameters: CollectParameters, fetch: Fetch) -> list[Any]:
    """All items, in the order in which they grew; first those that do not say where they stand; none where the API
    says that nothing has changed (304). Raises what the API's refusal means, and ``Rejected`` where no item says
    where it stands, or where they cannot be compared."""
    if isinstance(parameters.paging, NoPaging):
        reply = fetch(None)
        if reply.status == 304:
            return []
        judge(reply, ())
        found = listed(reply, parameters.items)
    else:
        reply, found = merged(fetch, parameters.paging, ())
    return found if parameters.since is None else _in_order(found, parameters.since.field, reply)


def hand_over(items: Sequence[Any], parameters: CollectParameters, accept: Accept, come_to: Any = None) -> int:
    """Each with how far the poll has come with it. Raises ``NotSent`` where the store cannot keep one.

    The poll is past a value only with the last item that has it: an API that is asked for what is newer would not
    give the others again. It never goes back from ``come_to``, whatever the overlap brings again."""
    places = [_place(item, parameters.since) for item in items]
    for index, item in enumerate(items):
        last_of_its_place = index + 1 == len(items) or places[index + 1] != places[index]
        accept(
            Arrival(
                json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode(),
                "application/json",
                identity=_identity(item, parameters),
                cursor=places[index] if last_of_its_place and not _before(places[index], come_to) else None,
            )
        )
    return len(items)


def _before(place: Any, come_to: Any) -> bool:
    if place is None or come_to is None or isinstance(place, str) != isinstance(come_to, str):
        return False
    this, that = _comparable([place, come_to])
    return bool(this < that)


def _place(item: Any, since: Since | None) -> Any:
    """Where the item stands: a number or a text; ``None`` where it does not say so."""
    found = at(item, since.field) if since is not None else None
    return found if isinstance(found, str | int | float) and not isinstance(found, bool) and found != "" else None


def _identity(item: Any, parameters: CollectParameters) -> str:
    known = at(item, parameters.id) if parameters.id else None
    if known is None:
        whole = json.dumps(item, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"
    changed = _place(item, parameters.since)
    return str(known) if changed is None else f"{known} {changed}"


def _in_order(items: list[Any], field: str, reply: HttpReply) -> list[Any]:
    """By the field: numbers by size, also as text, times by the instant, other text as it sorts."""
    since = Since(field=field, query=field)
    placed = [(place, item) for item in items if (place := _place(item, since)) is not None]
    if items and not placed:
        _refuse(reply, f"no item of the reply has a number or text at {field}")
    if len({isinstance(place, str) for place, _ in placed}) > 1:
        _refuse(reply, f"items of the reply have numbers and texts at {field}, which cannot be compared")
    keys = _comparable([place for place, _ in placed])
    in_order = sorted(zip(keys, (item for _, item in placed), strict=True), key=lambda pair: pair[0])
    return [item for item in items if _place(item, since) is None] + [item for _, item in in_order]


def _refuse(reply: HttpReply, why: str) -> NoReturn:
    raise Rejected(
        why,
        next_action="correct since.field of the trigger: nothing of this reply was taken",
        details={"status": reply.status, "excerpt": reply.excerpt()},
    )


def _comparable(places: Sequence[Any]) -> list[Any]:
    if all(not isinstance(place, str) or _NUMBER.fullmatch(place) for place in places):
        return [Decimal(str(place)) for place in places]
    try:
        return [_instant(place) for place in places]
    except ValueError:
        return list(places)


def _earlier(text: str, by: float) -> str:
    """Written as it was: the zone, the fraction and the Z of the API's own times."""
    instant = datetime.fromisoformat(text) - timedelta(seconds=by)
    if "T" not in text and " " not in text:
        return instant.date().isoformat()
    fraction = re.search(r"\.([0-9]+)", text)
    written = instant.strftime("%Y-%m-%d" + text[10] + "%H:%M:%S")
    if fraction:
        written += "." + f"{instant.microsecond:06}".ljust(len(fraction[1]), "0")[: len(fraction[1])]
    zone = re.search(r"(Z|[+-][0-9]{2}:?[0-9]{2})$", text[10:])
    return written + (zone[1] if zone else "")


def _instant(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
