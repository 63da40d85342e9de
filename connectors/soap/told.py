"""Replies that say no without a SOAP fault: rules of a connection find them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from connectors.sdk import Model, Strings


class ErrorRule(Model):
    """Where a reply says that a call failed, and what it says of it.

    SAP's BAPIRET2: ``{"at": "Return.item", "field": "Type", "is": ["E", "A"], "code": "Number", "message":
    "Message"}``; NetSuite: ``{"at": "writeResponse.status", "field": "isSuccess", "is": ["false"], "code":
    "statusDetail.code", "message": "statusDetail.message"}``.
    """

    at: str = Field(
        default="",
        description="element that tells, names joined by dots; of a list each is looked at; empty: the whole reply",
        examples=["Return.item"],
    )
    field: str = Field(description="its field that tells, names joined by dots", examples=["Type", "isSuccess"])
    values: Strings = Field(
        alias="is", min_length=1, description="values that mean failure", examples=[["E", "A"], ["false"]]
    )
    code: str = Field(
        default="",
        description="field with the peer's own code, which faults are matched by; empty: the value itself",
        examples=["Number", "statusDetail.code"],
    )
    message: str = Field(
        default="", description="field with the reason in words", examples=["Message", "statusDetail.message"]
    )
    means: Literal["refused", "broken"] = Field(
        default="refused",
        description="refused: the peer says no and did nothing; broken: it may have acted, which a look-up tells",
        examples=["refused"],
    )


@dataclass(frozen=True)
class Told:
    """What a reply said. Texts are cut: they are for people."""

    code: str
    message: str
    means: str


def told(reply: Any, rules: Sequence[ErrorRule]) -> Told | None:
    """The first failure that a rule finds, in the order of the rules."""
    for rule in rules:
        for element in _all(reply, rule.at):
            value = next(iter(_texts(element, rule.field)), "")
            if value in rule.values:
                code = next(iter(_texts(element, rule.code)), "") if rule.code else ""
                reasons = _texts(element, rule.message) if rule.message else []
                return Told(code or value, "; ".join(reasons)[:500] or "no reason given", rule.means)
    return None


def _all(value: Any, path: str) -> Iterator[Any]:
    """What stands there; lists on the way are looked through."""
    if isinstance(value, list):
        for item in value:
            yield from _all(item, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        name, _, rest = path.partition(".")
        if name in value:
            yield from _all(value[name], rest)


def _texts(value: Any, path: str) -> list[str]:
    """A boolean as XML writes it."""
    found = [one for one in _all(value, path) if isinstance(one, str | int | float)]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in found]
