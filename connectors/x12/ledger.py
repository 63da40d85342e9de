"""What was read and written goes through the exchange ledger: duplicates, reused numbers, gaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.sdk import BlobRef, BusinessError, Context
from connectors.sdk.edi import Fault
from connectors.sdk.exchange import Exchanged, Reception, Rules, SetEntry
from connectors.x12.checked import CheckedGroup, CheckedSet
from connectors.x12.fault import fault
from connectors.x12.received import Received

STANDARD = "x12"
LAST = 999_999_999
#: Where a set has its business key, in ``beginning`` of the named view.
_KEYS = {
    "850": "order_number", "855": "order_number", "860": "order_number", "865": "order_number",
    "856": "shipment_number", "810": "invoice_number",
}  # fmt: skip
#: Documents that come once: others of the same key follow each other (855s, 860s).
_ONCE = {"850", "856", "810"}
_ANSWERS = {"855": "850", "865": "860"}
_ORIGINAL = ("", "00")


def key_of(type: str, document: Mapping[str, Any] | None) -> str:
    """The number by which the business knows a document; empty where it has none."""
    return str(_beginning(document).get(_KEYS.get(type, ""), ""))


def _beginning(document: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found = (document or {}).get("beginning")
    return found if isinstance(found, Mapping) else {}


def enter(received: Sequence[Received], raw: BlobRef, context: Context) -> list[Reception]:
    """What the ledger says of each interchange; its faults are added to theirs. Raises ``BusinessError`` where
    nothing is left to take, because each has a control number that came before with other content."""
    told = [_enter(one, ordinal, raw, context) for ordinal, one in enumerate(received)]
    if all(reception.reused and _refuses(one) for one, reception in zip(received, told, strict=True)):
        raise _reused(received[0], told[0])
    return told


def _enter(one: Received, ordinal: int, raw: BlobRef, context: Context) -> Reception:
    sets = one.read_sets()
    accepted = one.checked.is_good
    rules = Rules(LAST, one.profile.duplicates.window, _refuses(one))
    entries = [_entry(group, found, accepted) for group, found in sets]
    came = Exchanged(STANDARD, one.partner, one.usage, one.number, one.digest, raw, entries, ordinal, accepted)
    reception = context.exchange.received(came, rules)
    one.is_duplicate = reception.duplicate_of is not None
    judged = (one.judged(found) for found in _faults(one, reception))
    one.checked.faults.extend(found for found in judged if found is not None)
    for place, (_, found) in enumerate(sets):
        if place in reception.known:
            found.faults.extend(_business(one, found, reception.known[place].number))
    return reception


def _entry(group: CheckedGroup, one: CheckedSet, is_open: bool) -> SetEntry:
    key = key_of(one.type, one.document)
    answered = _ANSWERS.get(one.type)
    return SetEntry(
        one.type,
        one.control_number,
        group.control_number,
        key,
        (answered, key) if answered and key else None,
        is_open and group.is_good and one.is_good,
    )


def _refuses(one: Received) -> bool:
    judged = one.judged(_reused_fault(one, ""))
    return judged is not None and judged.severity == "reject"


def _faults(one: Received, reception: Reception) -> Iterator[Fault]:
    if reception.reused is not None:
        yield _reused_fault(one, f" in run {reception.reused.run}")
    if reception.missing:
        count = "1 number is" if reception.missing == 1 else f"{reception.missing} numbers are"
        message = f"{count} missing between interchange {reception.after} and {one.number} of partner {one.partner}"
        yield fault("control_number_gap", message, one.checked.place, segment_id="ISA", element=13)


def _reused_fault(one: Received, where: str) -> Fault:
    message = f"interchange number {one.number} came from partner {one.partner} before{where}, with other content"
    return fault("interchange_number_reused", message, one.checked.place, segment_id="ISA", element=13)


def _reused(one: Received, reception: Reception) -> BusinessError:
    earlier = reception.reused
    assert earlier is not None, "it was refused for an earlier one"
    return BusinessError(
        f"partner {one.partner} used interchange number {one.number} before, at "
        f"{earlier.at.isoformat(timespec='seconds')} in run {earlier.run}, with other content: it was not taken",
        kind="interchange_number_reused",
        field="ISA13",
        next_action="ask the partner to send it under a new number; where they use numbers again on purpose, set"
        f" x12.checks.interchange_number_reused to warn in partners/{one.partner}.json and reprocess",
        details={"number": one.number, "first_run": earlier.run, "TA105": "025"},
    )


def _business(one: Received, found: CheckedSet, number: str) -> Iterator[Fault]:
    """A document that came before under another number, as the profile takes it."""
    verdict = one.profile.duplicates.business
    is_original = str(_beginning(found.document).get("purpose", "")) in _ORIGINAL
    if verdict != "ignore" and found.type in _ONCE and is_original:
        key = key_of(found.type, found.document)
        message = f"{found.type} {key} came from partner {one.partner} before, in interchange {number}"
        made = fault("business_duplicate", message, found.place)
        yield Fault(made.code, made.message, made.place, verdict, value=key)
