"""What a partner would refuse is refused here: a document is looked at before it is numbered and sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from connectors.sdk import Context
from connectors.sdk.edi import Fault
from connectors.sdk.partner import Terms
from connectors.sdk.preflight import (
    Facts,
    Found,
    Key,
    Line,
    PartyId,
    Ready,
    Spot,
    Unit,
    examine,
    marked,
    sent_before,
    units_as_ordered,
)
from connectors.x12 import codec, schema
from connectors.x12.delimiters import Delimiters
from connectors.x12.errors import DocumentError, X12Error
from connectors.x12.events import SetRead
from connectors.x12.fault import PREFLIGHT, fault
from connectors.x12.ledger import STANDARD, key_of
from connectors.x12.lossless import Segment, text_of
from connectors.x12.named import set_type
from connectors.x12.profile import Profile
from connectors.x12.schema import Composite, SegmentSchema
from connectors.x12.translation import translate, translation
from connectors.x12.unnamed import drafted
from connectors.x12.values import Repertoire

#: Element 235, of the GTINs: their lengths.
_GTINS = {"EN": (13,), "EO": (8,), "UK": (14,), "UP": (12,)}
#: Element 235: by which scheme an item is named.
_SCHEMES = {
    **dict.fromkeys(_GTINS, "gtin"), **dict.fromkeys(("UA", "UD", "UI", "UN"), "gtin"),
    **dict.fromkeys(("VA", "VC", "VN", "VP"), "supplier"), **dict.fromkeys(("BP", "CB", "IN", "SK"), "buyer"),
    **dict.fromkeys(("MF", "MG", "MN"), "manufacturer"), **dict.fromkeys(("N1", "N2", "N3", "N4", "ND"), "ndc"),
}  # fmt: skip
#: Element 66: by which scheme a party is named.
_PARTIES = {"UL": "gln", "21": "hin", "1": "duns", "9": "duns"}
#: Element 98: who is meant.
_SIDES = {"BY": "ours", "SE": "theirs", "SU": "theirs", "VN": "theirs"}
#: Element 88 of the SSCC: 18 digits, or with the application identifier 00 before them.
_SSCC = "GM"
_LINES = ("PO1", "POC", "IT1", "LIN")
#: Where a set names the order that it is about.
_ORDERS = {
    "855": ("BAK", 3), "856": ("PRF", 1), "810": ("BIG", 4), "860": ("BCH", 3), "865": ("BCA", 3),
}  # fmt: skip
_ORDER = "850"
#: The purpose (353) of an original.
_ORIGINAL = ("", "00")
_TOTAL, _CENT = "TT", Decimal("0.005")


def preflight(
    type: str, document: dict[str, Any], to: Profile, terms: Terms, partner: str, key: str, context: Context
) -> Ready[Segment]:
    """Raises ``DocumentError`` with everything that is wrong, and its segments marked."""
    signs = to.signs()
    repertoire = Repertoire(signs.characters(), to.encoding, to.repertoire)
    change = translation(to, terms).outward(repertoire.may)
    segments, faults = drafted(
        type, document, to.version, signs, repertoire,
        lambda made: translate(made, to.version, change),
    )  # fmt: skip
    found = [
        *_rules(type, segments, to, terms),
        *_other_documents(type, segments, document, to, partner, key, context),
    ]
    judged = list(_judged([*faults, *(one.fault(fault) for one in found)], to))
    rejected = [one for one in judged if one.severity == "reject"]
    if rejected:
        raise DocumentError(type, rejected, marked(segments, rejected, partial(_text, signs)))
    return Ready(segments, judged)


def _judged(faults: list[Fault], to: Profile) -> Iterator[Fault]:
    """The checks of ``PREFLIGHT`` refuse, unless the profile says otherwise; others are what they are."""
    for one in faults:
        verdict = to.preflight.get(one.code, "reject") if one.code in PREFLIGHT else one.severity
        if verdict != "ignore":
            yield one if verdict == one.severity else replace(one, severity=verdict)


def _rules(type: str, segments: list[Segment], to: Profile, terms: Terms) -> Iterator[Found]:
    yield from examine(facts_of(segments, to.version), terms.identifiers, terms.items)
    yield from _total(segments)


def facts_of(segments: list[Segment], version: str) -> Facts:
    """The keys, parties, lines and units of a set's segments, of which the first stands behind ST."""
    facts = Facts()
    line = ""
    counts = dict.fromkeys((*_LINES, "N1"), 0)
    for position, segment in enumerate(segments, 2):
        declared = schema.segment(segment["id"], version)
        if declared is None:
            continue
        spot = Spot(position, segment["id"])
        if segment["id"] in counts:
            counts[segment["id"]] += 1
        numbers = _texts(segment, declared, "350")
        if segment["id"] in _LINES or (segment["id"] == "SN1" and numbers):
            line = numbers[0][1] if numbers else str(counts.get(segment["id"], 0) or "")
        _keys(facts, segment, declared, spot, line)
        for element, unit in _texts(segment, declared, "355")[:1]:
            if line and segment["id"] in (*_LINES, "ACK", "SN1"):
                facts.units.append(Unit(line, unit, replace(spot, element=element, reference="355")))
    return facts


def _keys(facts: Facts, segment: Segment, declared: SegmentSchema, spot: Spot, line: str) -> None:
    schemes = set()
    for qualifier, element, value in _pairs(segment, declared, "235", "234"):
        schemes.add(_SCHEMES.get(qualifier, ""))
        if qualifier in _GTINS:
            place = replace(spot, element=element, reference="234", name=f"line {line}" if line else "")
            facts.keys.append(Key("GTIN", value, place, _GTINS[qualifier]))
    if segment["id"] in _LINES:
        facts.lines.append(Line(line, frozenset(schemes), spot))
    for qualifier, element, value in _pairs(segment, declared, "66", "67"):
        if scheme := _PARTIES.get(qualifier):
            place = replace(spot, element=element, reference="67")
            side = _SIDES.get(text_of(segment, 1), "") if segment["id"] == "N1" else ""
            facts.parties.append(PartyId(side, scheme, value, place))
            if scheme == "gln":
                facts.keys.append(Key("GLN", value, place))
    for qualifier, element, value in _pairs(segment, declared, "88", "87"):
        if qualifier == _SSCC:
            bare = value[2:] if len(value) == 20 and value.startswith("00") else value
            facts.keys.append(Key("SSCC", bare, replace(spot, element=element, reference="87")))


def _texts(segment: Segment, declared: SegmentSchema, reference: str) -> list[tuple[int, str]]:
    """Element numbers and values of that element, a composite's first component included."""
    found = []
    for element, slot in enumerate(declared.slots, 1):
        one = slot.declared.components[0] if isinstance(slot.declared, Composite) else slot.declared
        if one.reference == reference and (value := text_of(segment, element)):
            found.append((element, value))
    return found


def _pairs(segment: Segment, declared: SegmentSchema, qualifier: str, value: str) -> Iterator[tuple[str, int, str]]:
    """Qualifiers with the element number and text of what follows them."""
    references = [getattr(slot.declared, "reference", "") for slot in declared.slots]
    for index, reference in enumerate(references[:-1]):
        if reference == qualifier and references[index + 1] == value:
            given, text = text_of(segment, index + 1), text_of(segment, index + 2)
            if given and text:
                yield given, index + 2, text


def _total(segments: list[Segment]) -> Iterator[Found]:
    """AMT with TT says the sum of quantity times price of the lines, where each has both and no price basis."""
    lines = [segment for segment in segments if segment["id"] == "PO1"]
    said = [(at, one) for at, one in enumerate(segments, 2) if one["id"] == "AMT" and text_of(one, 1) == _TOTAL]
    if not lines or not said or any(text_of(one, 5) not in ("", "PE", "EA", "UM", "NC") for one in lines):
        return
    if any(segment["id"] in ("SAC", "TXI") for segment in segments):
        return
    try:
        whole = sum(Decimal(text_of(one, 2)) * Decimal(text_of(one, 4)) for one in lines)
        at, segment = said[0]
        amount = Decimal(text_of(segment, 2))
    except InvalidOperation:
        return
    if abs(amount - whole) > _CENT * len(lines):
        message = f"the total is given as {amount:f}, the lines add up to {whole:f}"
        yield Found("order_total_unbalanced", message, Spot(at, "AMT", 2, reference="782"), text_of(segment, 2))


def _other_documents(
    type: str, segments: list[Segment], document: Mapping[str, Any], to: Profile, partner: str, key: str,
    context: Context,
) -> Iterator[Found]:  # fmt: skip
    """What the ledger knows: that the document was sent before, and the order it is about."""
    beginning = document.get("beginning") if isinstance(document, Mapping) else None
    purpose = beginning.get("purpose", "") if isinstance(beginning, Mapping) else ""
    declared = schema.transaction_set(type, to.version)
    comes_once = declared is not None and declared.once
    if comes_once and key and purpose in _ORIGINAL and to.preflight.get("duplicate_document") != "ignore":
        known = context.exchange.known(STANDARD, partner, to.usage, type, key, to.duplicates.window)
        yield from sent_before(known, type, key, partner, Spot(2, segments[0]["id"] if segments else ""))
    if type in _ORDERS and to.preflight.get("unit_not_as_ordered") != "ignore":
        order = _order_of(type, segments)
        ordered = _ordered(order, to, partner, context) if order else {}
        yield from units_as_ordered(facts_of(segments, to.version), ordered, order)


def _order_of(type: str, segments: list[Segment]) -> str:
    """The order's number; empty where a set names several, which only a despatch advice does."""
    segment_id, element = _ORDERS[type]
    numbers = {text_of(one, element) for one in segments if one["id"] == segment_id}
    return numbers.pop() if len(numbers) == 1 else ""


def _ordered(order: str, to: Profile, partner: str, context: Context) -> dict[str, str]:
    """The unit of each line of the order as it was sent or received last; nothing where it is not known."""
    for one in context.exchange.known(STANDARD, partner, to.usage, _ORDER, order, to.duplicates.window)[:1]:
        try:
            with context.blobs.open(one.content) as file:
                for event in codec.stream(file):
                    if isinstance(event, SetRead) and set_type(event.transaction_set) == _ORDER:
                        held = event.transaction_set["segments"]
                        if key_of(_ORDER, {"beginning": {"order_number": text_of(held[1], 3)}}) == order:
                            return {unit.line: unit.unit for unit in facts_of(held[1:-1], to.version).units}
        except X12Error:
            return {}
    return {}


def _text(signs: Delimiters, segment: Segment) -> str:
    parts = [
        element if isinstance(element, str) else signs.component.join(element) if isinstance(element, list) else "…"
        for element in segment["elements"]
    ]
    return signs.element.join([segment["id"], *parts])
