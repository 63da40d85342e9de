"""Typed settings, parameters and outputs: each field is described once, everything else is derived."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr


class Model(BaseModel):
    """Strict about unknown fields, immutable once built."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Settings(Model):
    """Settings of a connection. Secrets are ``SecretStr`` fields and may be given as references."""

    model_config = ConfigDict(hide_input_in_errors=True)


class Parameters(Model):
    """Parameters of an operation, after expressions were evaluated."""


class Output(Model):
    """Output of an operation, as the flow sees it. ``extra="allow"`` where a peer decides the shape."""


def _as_list(value: Any) -> Any:
    """JSONata collapses a one-element sequence to its element and an empty one to nothing."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


#: ``OneOrMany[T]``-like: a list parameter that takes back what JSONata collapsed.
Coerced = BeforeValidator(_as_list)

Strings = Annotated[list[str], Coerced]

_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(duration: str) -> float:
    """Seconds of ``"250ms"``, ``"10s"``, ``"4h"``, ``"2d"``. Raises ``ValueError`` otherwise."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"{duration!r} is not a duration: write a whole number and ms, s, m, h or d, like 10s")
    return int(match[1]) * _UNITS[match[2]]


def written(length: timedelta) -> str:
    """A duration as people write it: in the largest unit that it is a whole number of."""
    milliseconds = length // timedelta(milliseconds=1)
    size, unit = next(
        (size, unit)
        for unit, factor in sorted(_UNITS.items(), key=lambda one: -one[1])
        if milliseconds % (size := round(factor * 1000)) == 0
    )
    return f"{milliseconds // size}{unit}"


def _duration(value: Any) -> Any:
    if isinstance(value, str):
        return timedelta(seconds=seconds(value))
    return value


#: A field written as ``"10s"`` and read as ``timedelta``.
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=Annotated[str, Field(pattern=r"^\d+(ms|s|m|h|d)$")]),
]


class BlobRef(BaseModel):
    """Claim check: bytes never stand in a message body, this reference does."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid", serialize_by_alias=True)

    blob: str = Field(alias="$blob", pattern=r"^sha256:[0-9a-f]{64}$", description="SHA-256 of the bytes")
    size: int = Field(ge=0, description="size in bytes")
    type: str = Field(default="application/octet-stream", description="media type")


#: Bytes to be sent: a stored blob, or text that is sent as UTF-8.
Content = BlobRef | str

__all__ = [
    "BlobRef", "Coerced", "Content", "Duration", "Model", "Output", "Parameters", "SecretStr", "Settings",
    "Strings", "seconds",
]  # fmt: skip
