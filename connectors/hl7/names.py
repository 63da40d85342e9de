"""Names and cardinalities of standard segments and fields, as hl7apy has them (imported on first use)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

#: Read by these tables where MSH-12 names a version that hl7apy does not know.
USUAL = "2.5.1"


@dataclass(frozen=True)
class FieldName:
    """``name`` reads like ``Requisition quantity``; ``repeats`` is true for any number of repetitions."""

    number: int
    name: str
    data_type: str
    required: bool
    repeats: bool


@cache
def known_version(version: str) -> str:
    """The version whose tables are used for a message of ``version``."""
    from hl7apy import SUPPORTED_LIBRARIES

    return version if version in SUPPORTED_LIBRARIES else USUAL


@cache
def fields(version: str, segment: str) -> tuple[FieldName, ...] | None:
    """Fields of a segment in order; ``None`` for a Z segment and one the version does not have."""
    from hl7apy import load_library

    reference = load_library(known_version(version)).SEGMENTS.get(segment)
    if reference is None:
        return None
    found = []
    for name, definition, (least, most), *_ in reference[1]:
        title = str(definition[3] or "").replace("_", " ").capitalize()
        found.append(
            FieldName(int(name.rpartition("_")[2]), title, str(definition[2] or ""), least > 0, most == -1)
        )
    return tuple(found)


def field_name(version: str, segment: str, number: int) -> str:
    """``""`` where there is none."""
    return next((field.name for field in fields(version, segment) or () if field.number == number), "")
