"""EDIFACT in the exchange ledger: the keys of its documents, and what it calls what the ledger finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.edifact.fault import fault
from connectors.sdk.receiving import Wording

STANDARD = "edifact"
#: Documents that come once: others of the same key follow each other (ORDRSPs, ORDCHGs).
_ONCE = frozenset(("ORDERS", "DESADV", "INVOIC"))
#: UNB 0020 has 14 places. Partners begin again wherever they like; a step back is no gap.
_LAST = 10**14 - 1
WORDING = Wording(STANDARD, "UNB 0020", "UNB", 5, _LAST, ("0085", "26"), fault)
#: Messages that are known by the number of what they answer, by the qualifier (1153) of its reference.
_BY_REFERENCE = {"ORDRSP": "ON"}
_ANSWERS = {"ORDRSP": "ORDERS"}
#: 1225 of BGM: none, original, duplicate, copy. What says itself that it is sent again came before too.
_ORIGINAL = ("", "9", "7", "31")


def key_of(type: str, document: Mapping[str, Any] | None) -> str:
    """The number by which the business knows a document: that of BGM, of an ORDRSP that of the order."""
    found = document or {}
    if type in _BY_REFERENCE:
        references = _list(found.get("references"))
        return next((_text(one, "number") for one in references if one.get("qualifier") == _BY_REFERENCE[type]), "")
    return _text(found.get("beginning"), "document_number")


def answered_by(type: str, document: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """Type and key of what we sent that a document answers."""
    key = key_of(type, document)
    return (_ANSWERS[type], key) if key and type in _ANSWERS else None


def comes_once(type: str, document: Mapping[str, Any] | None) -> bool:
    """Whether there is one of a key, and this is an original by BGM 1225: a change or a cancellation may name a
    number that is known."""
    return type in _ONCE and _text((document or {}).get("beginning"), "function") in _ORIGINAL


def _list(found: Any) -> list[Mapping[str, Any]]:
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _text(of: Any, name: str) -> str:
    return str(of.get(name, "")) if isinstance(of, Mapping) else ""
