"""Feed profiles: what a hospital does its own way, and what of a patient it lets through. Pure.

A partner's profile has it under ``hl7``::

    "hl7": {
      "application": "WARDSTOCK", "facility": "MERCY",
      "fields": {"quantity": "RQD-3"},
      "keep": [{"field": "PID-18", "reason": "charges are settled by account, agreed 2026-10-01"}]
    }
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from connectors.hl7.message import Message
from connectors.hl7.patient import always_withheld
from connectors.sdk import Misconfigured
from connectors.sdk.model import Model
from connectors.sdk.part import Part
from connectors.sdk.trading import Problem

#: A segment, or a field of it: ``ZST``, ``PID-3``, ``PID-3.1``.
Place = Annotated[
    str, Field(pattern=r"^[A-Z][A-Z0-9]{2}(-[1-9][0-9]{0,2}(\.[1-9][0-9]{0,2}(\.[1-9][0-9]{0,2})?)?)?$")
]
FieldPlace = Annotated[
    str, Field(pattern=r"^[A-Z][A-Z0-9]{2}-[1-9][0-9]{0,2}(\.[1-9][0-9]{0,2}(\.[1-9][0-9]{0,2})?)?$")
]


class Kept(Model):
    """Something about a patient that what is derived may hold, and why."""

    field: Place = Field(description="segment or field that is let through", examples=["PID-18"])
    reason: str = Field(
        min_length=10,
        max_length=500,
        description="why, for whoever audits it",
        examples=["charges are settled by account, agreed with the privacy office 2026-10-01"],
    )


class Feed(Model):
    """The ``hl7`` part of ``partners/<name>.json``."""

    application: str | None = Field(
        default=None, description="MSH-3.1 of its messages; absent: any", examples=["WARDSTOCK"]
    )
    facility: str | None = Field(
        default=None, description="MSH-4.1 of its messages; absent: any", examples=["MERCY"]
    )
    fields: dict[str, FieldPlace] = Field(
        default={},
        description="where this hospital puts what mappings ask for by name",
        examples=[{"quantity": "RQD-3"}],
    )
    keep: list[Kept] = Field(
        default=[],
        description="what is let through that is withheld else",
        examples=[[{"field": "PID-18", "reason": "charges are settled by account, agreed 2026-10-01"}]],
    )

    def matches(self, message: Message) -> bool:
        header = message.header
        return self.application in (None, header.get(3)) and self.facility in (None, header.get(4))

    @property
    def precision(self) -> int:
        """How much of the sender it names."""
        return (self.application is not None) + (self.facility is not None)


def feed_of(message: Message, partners: Mapping[str, Mapping[str, Any]]) -> tuple[str, Feed] | None:
    """The profile that names the sender most exactly, with its partner's name; ``None`` where none does. Raises
    ``Misconfigured`` for a profile that cannot be used, and where two name the same sender."""
    found = [(name, feed) for name, feed in _feeds(partners) if feed.matches(message)]
    best = max((feed.precision for _, feed in found), default=0)
    closest = [entry for entry in found if entry[1].precision == best]
    if len(closest) > 1:
        names = ", ".join(sorted(name for name, _ in closest))
        raise Misconfigured(
            f"the feed profiles of {names} name the same sender",
            field="hl7",
            next_action="tell them apart by application and facility (MSH-3, MSH-4)",
        )
    return closest[0] if closest else None


def _feeds(partners: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Feed]]:
    return [(name, _feed(name, profile["hl7"])) for name, profile in partners.items() if "hl7" in profile]


def _feed(name: str, given: Any) -> Feed:
    try:
        return Feed.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise Misconfigured(
            f"partners/{name}.json: hl7/{place}: {first['msg']}",
            field=f"hl7/{place}",
            next_action="see Feed profiles in the README of the hl7 connector",
        ) from error


def places(feed: Feed) -> dict[str, str]:
    """``fields`` as mappings read them: always with a component."""
    return {name: place if "." in place else f"{place}.1" for name, place in feed.fields.items()}


def _problems(part: Mapping[str, Any], environment: str | None) -> Iterator[Problem]:
    """Fields that no mapping will ever see."""
    feed = Feed.model_validate(part)
    kept = frozenset(entry.field for entry in feed.keep)
    for name, place in feed.fields.items():
        if always_withheld(place, kept):
            yield Problem(
                ("fields", name),
                f"{place} is withheld because it may be about a patient, so no mapping finds it there",
                f"add {place} to keep, with the reason, or name another place",
            )


def _claims(part: Mapping[str, Any]) -> str:
    feed = Feed.model_validate(part)
    return f"MSH-3 {feed.application or 'any'}, MSH-4 {feed.facility or 'any'}"


def _overlaps(parts: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Problem]]:
    """One profile names the application alone, another the facility alone: what that application sends from that
    facility fits both, and ``feed_of`` refuses it, unless a third one names both."""
    feeds = {name: Feed.model_validate(part) for name, part in parts.items()}
    exact = {(feed.application, feed.facility) for feed in feeds.values() if feed.precision == 2}
    seen: list[tuple[str, Feed]] = []
    for name, feed in feeds.items():
        for other, known in seen:
            application, facility = feed.application or known.application, feed.facility or known.facility
            crosses = feed.precision == known.precision == 1 and None not in (application, facility)
            if crosses and (application, facility) not in exact:
                yield (
                    name,
                    Problem(
                        (),
                        f"messages of {application} from {facility} fit the profile of partner {other!r} too,"
                        " and are refused",
                        f"name MSH-3 {application} and MSH-4 {facility} in one of them, or in a third",
                    ),
                )
        seen.append((name, feed))


PART = Part(Feed, _problems, _claims, _overlaps, asked={"fields": "feed.fields"})
