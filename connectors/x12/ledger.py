"""X12 in the exchange ledger: the keys of its documents, and what it calls what the ledger finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sdk.receiving import Wording
from connectors.x12 import schema
from connectors.x12.fault import fault

STANDARD = "x12"
WORDING = Wording(STANDARD, "ISA13", "ISA", 13, 999_999_999, ("TA105", "025"), fault)
_ORIGINAL = ("", "00")


def key_of(type: str, document: Mapping[str, Any] | None, version: str = schema.DEFAULT_VERSION) -> str:
    """The number by which the business knows a document; empty where it has none."""
    declared = schema.transaction_set(type, version)
    return _text(document, declared.key) if declared is not None and declared.key else ""


def answered_by(type: str, document: Mapping[str, Any] | None, version: str) -> tuple[str, str] | None:
    """Type and key of what we sent that a document answers."""
    declared, key = schema.transaction_set(type, version), key_of(type, document, version)
    return (declared.answers, key) if declared is not None and declared.answers and key else None


def comes_once(type: str, document: Mapping[str, Any] | None, version: str) -> bool:
    """Whether there is one of a key, and this is an original by BEG01 and its like: 855s and 860s of the same key
    follow each other."""
    declared = schema.transaction_set(type, version)
    return declared is not None and declared.once and _text(document, ("beginning", "purpose")) in _ORIGINAL


def _text(document: Mapping[str, Any] | None, path: tuple[str, ...]) -> str:
    found: Any = document
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return "" if found is None or isinstance(found, Mapping) else str(found)
