"""``rest.collect``: what is new at a REST API, one message for each item of a list."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from pydantic import Field

from connectors.rest.transport import Fetch, NoPaging, Paging, at, judge, listed, merged
from connectors.sdk import Accept, Arrival, Parameters, Rejected
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


class CollectParameters(Parameters):
    """A list that is asked for now and then."""

    path: str = Field(default="", description="path below the connection's url", examples=["/requisitions"])
    query: dict[str, str | int | float | bool | list[str]] = Field(
        default={}, description="query fields besides that of since", examples=[{"status": "approved"}]
    )
    headers: dict[str, str] = Field(default={}, description="headers besides those of auth", examples=[{}])
    paging: Paging = Field(
        default=NoPaging(),
        description="how the next page is found; at most 100 pages are read at a time: where more may be waiting,"
        " since.first or a filter in query leaves the old ones out",
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
    """All items, in the order in which they grew; first those that do not say where they stand. Raises what the
    API's refusal means, and ``Rejected`` where no item says it, or where they cannot be compared."""
    if isinstance(parameters.paging, NoPaging):
        reply = fetch(None)
        judge(reply, ())
        found = listed(reply, parameters.items)
    else:
        reply, found = merged(fetch, parameters.paging, ())
    return found if parameters.since is None else _in_order(found, parameters.since.field, reply)


def hand_over(items: Sequence[Any], parameters: CollectParameters, accept: Accept) -> int:
    """Each with how far the poll has come with it. Raises ``NotSent`` where the store cannot keep one.

    The poll is past a value only with the last item that has it: an API that is asked for what is newer would not
    give the others again."""
    places = [_place(item, parameters.since) for item in items]
    for index, item in enumerate(items):
        last_of_its_place = index + 1 == len(items) or places[index + 1] != places[index]
        accept(
            Arrival(
                json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode(),
                "application/json",
                identity=_identity(item, parameters),
                cursor=places[index] if last_of_its_place else None,
            )
        )
    return len(items)


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


def _instant(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
