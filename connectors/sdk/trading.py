"""What a connector of an EDI standard says of trading partners, beyond reading and writing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from connectors.sdk.connector import load, names
from connectors.sdk.edi import Verdict, policy
from connectors.sdk.errors import ConnectorError, Misconfigured

Kind = Literal["functional_acknowledgement", "acknowledgement", "despatch_advice", "invoice"]
#: What a line is answered with.
Status = Literal["accepted", "changed", "backordered", "rejected", ""]


@dataclass(frozen=True)
class Problem:
    """Something wrong with a part of a profile that its shape does not show; ``place`` is within that part."""

    place: tuple[str | int, ...]
    message: str
    advice: str = ""


@dataclass(frozen=True)
class ToldLine:
    """Quantities and prices are decimal text; empty where the document does not say."""

    number: str
    quantity: str = ""
    unit: str = ""
    price: str = ""
    status: Status = ""


@dataclass(frozen=True)
class Told:
    """What one document of a partner says. ``answers`` is the order's number, of a functional acknowledgement
    the control number of what it answers; ``code`` its verdict. ``accepted`` and ``faults`` are our check's,
    ``entry`` is the document as ``read`` put it out, which mappings take."""

    kind: Kind
    type: str
    number: str
    answers: str
    code: str = ""
    accepted: bool = True
    faults: tuple[str, ...] = ()
    lines: tuple[ToldLine, ...] = ()
    total: str = ""
    cartons: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Trading(Protocol):
    """A module-level object of the connector; ``profile`` is its part of ``partners/NAME.json``, ``order`` the type
    of an order. ``order_mapping`` and ``answer_mappings`` (by type) ship; ``good`` are the codes that take what
    was sent as it is."""

    profile: type[BaseModel]
    order: str
    order_mapping: str
    answer_mappings: Mapping[str, str]
    good: frozenset[str]

    def problems(self, part: Mapping[str, Any], environment: str | None) -> Iterator[Problem]:
        """What is wrong with a part whose shape is right."""

    def draft(self, ours: str, theirs: str, qualifier: str, version: str) -> dict[str, Any]:
        """A profile's part for these identifiers; empty qualifier and version are the usual ones."""

    def writing(self, partner: str, document: Any) -> dict[str, Any]:
        """Parameters of the connector's ``write`` for an order."""

    def sent(self, name: str, partner: Mapping[str, Any], document: dict[str, Any], at: datetime) -> bytes:
        """The interchange of an order, under the number 1."""

    def told(self, read: Mapping[str, Any]) -> list[Told]:
        """What the documents say that the connector's ``read`` put out."""

    def answers_to(self, written: Mapping[str, Any]) -> str:
        """The control number that a functional acknowledgement of what ``write`` put out must name."""

    def simulator(self, partner: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a supplier simulator that stands in for this partner."""


def refused(action: Callable[[], object], *place: str) -> Iterator[Problem]:
    """The problem where ``action`` raises an error: in this place, or in the field that ``Misconfigured`` names."""
    try:
        action()
    except ConnectorError as error:
        named = tuple(error.field.split(".")) if isinstance(error, Misconfigured) else ()
        yield Problem(place or named, error.message, error.next_action)


def misnamed(part: str, verdicts: Mapping[str, Verdict], known: Collection[str]) -> Iterator[Problem]:
    """Each code among the verdicts of this part that no check has."""
    for code, verdict in verdicts.items():
        yield from refused(partial(policy, {code: verdict}, known, field=part), part, code)


def same_parties(ours: object, theirs: object) -> Iterator[Problem]:
    """Nobody trades with themselves."""
    if ours == theirs:
        yield Problem(("theirs", "id"), "we and the partner have the same identifiers", "one of them is wrong")


def told(kind: Kind, entry: Mapping[str, Any], says: Mapping[str, Any]) -> Told:
    """A document as ``read`` put it out, with what it says, by the names of ``Told``."""
    faults = tuple(found["message"] for found in entry["faults"])
    return Told(kind, entry["type"], accepted=entry["accepted"], faults=faults, entry=entry, **says)


def load_trading(name: str) -> Trading | None:
    """What a connector says of trading partners; ``None`` where it speaks of none."""
    place = load(name).trading
    if place is None:
        return None
    module, _, attribute = place.partition(":")
    found: Trading = getattr(importlib.import_module(module), attribute)
    return found


def standards() -> list[str]:
    """Connectors that have a part in partners' profiles, by name."""
    return [name for name in names() if load(name).trading is not None]
