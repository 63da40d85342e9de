"""What a connector reads of a partner's profile: the part of ``partners/NAME.json`` under the connector's name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from connectors.sdk.connector import load, names
from connectors.sdk.trading import Problem, load_trading


@dataclass(frozen=True)
class Part:
    """``profile`` is its shape; ``problems(part, environment)`` tells what is wrong with one whose shape is right.

    ``claims`` says in words what only one partner may say (a sender); ``""`` claims nothing. ``together`` is given
    the parts of all partners by name, and tells what is doubtful only beside another one, with the partner's name.
    ``asked`` names objects of the part whose keys are names that mappings look up, each with the expression by
    which they do.
    """

    profile: type[BaseModel]
    problems: Callable[[Mapping[str, Any], str | None], Iterator[Problem]]
    claims: Callable[[Mapping[str, Any]], str] = lambda _: ""
    together: Callable[[Mapping[str, Mapping[str, Any]]], Iterator[tuple[str, Problem]]] = lambda _: iter(())
    asked: Mapping[str, str] = field(default_factory=dict)


def load_part(name: str) -> Part | None:
    """``None`` for a connector that reads nothing of profiles; that of an EDI standard is part of its trading."""
    place = load(name).part
    if place is None:
        trading = load_trading(name)
        return Part(trading.profile, trading.problems) if trading is not None else None
    module, _, attribute = place.partition(":")
    found: Part = getattr(importlib.import_module(module), attribute)
    return found


def parts() -> list[str]:
    """Connectors that have a part in partners' profiles, by name."""
    return [name for name in names() if load(name).part is not None or load(name).trading is not None]
