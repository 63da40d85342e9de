"""What a partner would refuse is refused here: a document is looked at before it is numbered and sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from connectors.edifact import codec
from connectors.edifact.acknowledgement import MESSAGE
from connectors.edifact.charsets import REPERTOIRES, encoding_of
from connectors.edifact.codec import Checks
from connectors.edifact.envelope import directory_of, version_of
from connectors.edifact.errors import DocumentError, EdifactError
from connectors.edifact.events import MessageRead
from connectors.edifact.fault import PREFLIGHT, fault
from connectors.edifact.ledger import STANDARD
from connectors.edifact.lossless import Segment, parts_of, text_of
from connectors.edifact.named import message_type
from connectors.edifact.profile import Profile
from connectors.edifact.reply import ECHOED
from connectors.edifact.segment import Signs
from connectors.edifact.translation import translate, translation
from connectors.edifact.unnamed import drafted
from connectors.edifact.values import Repertoire
from connectors.sdk import Context
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

#: 7143 of the GTINs: their lengths.
_GTINS = {"EN": (8, 13, 14), "SRV": (8, 12, 13, 14), "UP": (8, 12)}
#: 7143: by which scheme an item is named.
_SCHEMES = {
    **dict.fromkeys(_GTINS, "gtin"), "SA": "supplier", "BP": "buyer", "IN": "buyer", "MF": "manufacturer",
}  # fmt: skip
#: 3055: by which scheme a party is named.
_PARTIES = {"9": "gln", "16": "duns"}
#: 3035: who is meant.
_SIDES = {"BY": "ours", "SE": "theirs", "SU": "theirs"}
_SSCC = "BJ"
_ORDER, _OF_ORDER = "ORDERS", "ON"
_ANSWERS = frozenset({"ORDRSP", "ORDCHG", "DESADV", "RECADV", "INVOIC"})
#: Documents that come once, and 1225 of an original.
_ONCE, _ORIGINAL = frozenset({"ORDERS", "DESADV", "INVOIC"}), ("", "9")
#: 5025 of MOA: amount of a line, and the sum of all lines.
_LINE_AMOUNT, _LINES_AMOUNT, _CENT = "203", "79", Decimal("0.005")


def preflight(
    type: str, document: dict[str, Any], to: Profile, terms: Terms, partner: str, key: str, context: Context
) -> Ready[Segment]:
    """Raises ``DocumentError`` with everything that is wrong, and its segments marked."""
    directory = directory_of(version_of(to.version, to.syntax_version, type))
    repertoire = Repertoire(to.character_set or encoding_of(to.syntax), REPERTOIRES.get(to.syntax))
    if type == MESSAGE:
        segments, faults = drafted(type, document, directory, to.signs(), repertoire, ECHOED)
    else:
        checks = Checks({**to.checks, **{code: to.preflight.get(code, "reject") for code in PREFLIGHT}})
        change = translation(to, terms).outward(lambda one: _may(one, repertoire))
        segments, faults = drafted(
            type, document, directory, to.signs(), repertoire, checks,
            lambda made: translate(made, directory, change),
        )  # fmt: skip
        found = [*examine(facts_of(segments), terms.identifiers, terms.items), *_amounts(segments)]
        found += _other_documents(type, segments, to, partner, key, context)
        judged = (checks.judged(one.fault(fault)) for one in found)
        faults += [one for one in judged if one is not None]
    rejected = [one for one in faults if one.severity == "reject"]
    if rejected:
        raise DocumentError(type, rejected, marked(segments, rejected, partial(_text, Signs(to.signs()))))
    return Ready(segments, faults)


def _may(character: str, repertoire: Repertoire) -> bool:
    pattern = repertoire.pattern
    return repertoire.bad(character) is None and (pattern is None or pattern.fullmatch(character) is not None)


def facts_of(segments: list[Segment]) -> Facts:
    """The keys, parties, lines and units of a message's segments, of which the first stands behind UNH."""
    facts = Facts()
    line, lines = "", 0
    for position, segment in enumerate(segments, 2):
        spot = Spot(position, segment["id"])
        match segment["id"]:
            case "LIN":
                lines += 1
                line = text_of(segment, 1) or str(lines)
                facts.lines.append(Line(line, frozenset(), spot))
                _item(facts, text_of(segment, 3), text_of(segment, 3, 2), replace(spot, element=3, component=1))
            case "UNS":
                line = ""
            case "PIA" if line:
                for element in range(2, len(segment["elements"]) + 1):
                    place = replace(spot, element=element, component=1)
                    _item(facts, text_of(segment, element), text_of(segment, element, 2), place)
            case "QTY" if line:
                place = replace(spot, element=1, component=3, reference="6411")
                facts.units.append(Unit(line, text_of(segment, 1, 3), place))
            case "NAD" | "LOC":
                _party(facts, segment, replace(spot, element=2, component=1))
            case "GIN" if text_of(segment, 1) == _SSCC:
                for element in range(2, len(segment["elements"]) + 1):
                    for component, value in enumerate(parts_of(segment["elements"][element - 1]), 1):
                        if value:
                            place = replace(spot, element=element, component=component, reference="7402")
                            facts.keys.append(Key("SSCC", value.removeprefix("00"), place))
    return facts


def _item(facts: Facts, value: str, kind: str, spot: Spot) -> None:
    """An item's number in LIN or PIA, noted for the line that was begun last."""
    if not value:
        return
    last = facts.lines[-1]
    facts.lines[-1] = replace(last, ids=last.ids | {_SCHEMES.get(kind, "")})
    if kind in _GTINS:
        place = replace(spot, reference="7140", name=f"line {last.number}")
        facts.keys.append(Key("GTIN", value, place, _GTINS[kind]))


def _party(facts: Facts, segment: Segment, spot: Spot) -> None:
    scheme, value = _PARTIES.get(text_of(segment, 2, 3), ""), text_of(segment, 2)
    if not scheme or not value:
        return
    place = replace(spot, reference="3039" if segment["id"] == "NAD" else "3225")
    side = _SIDES.get(text_of(segment, 1), "") if segment["id"] == "NAD" else ""
    facts.parties.append(PartyId(side, scheme, value, place))
    if scheme == "gln":
        facts.keys.append(Key("GLN", value, place))


def _amounts(segments: list[Segment]) -> Iterator[Found]:
    """MOA 79 says the sum of the amounts of the lines (MOA 203), where each line has one."""
    whole, given, lines, in_lines = Decimal(0), 0, 0, False
    for position, segment in enumerate(segments, 2):
        if segment["id"] == "LIN":
            lines, in_lines = lines + 1, True
        elif segment["id"] == "UNS":
            in_lines = False
        elif segment["id"] == "MOA":
            kind, amount = text_of(segment, 1), _decimal(text_of(segment, 1, 2))
            if in_lines and kind == _LINE_AMOUNT and amount is not None:
                whole, given = whole + amount, given + 1
            elif not in_lines and kind == _LINES_AMOUNT and amount is not None and lines == given > 0:
                yield from _unlike(amount, whole, lines, position, text_of(segment, 1, 2))


def _unlike(said: Decimal, whole: Decimal, lines: int, position: int, value: str) -> Iterator[Found]:
    if abs(said - whole) > _CENT * lines:
        message = f"the lines are said to come to {said:f}, they add up to {whole:f}"
        yield Found("amount_unbalanced", message, Spot(position, "MOA", 1, 2, "5004"), value)


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", ".")) if 0 < len(text) <= 30 else None
    except InvalidOperation:
        return None


def _other_documents(
    type: str, segments: list[Segment], to: Profile, partner: str, key: str, context: Context
) -> Iterator[Found]:
    """What the ledger knows: that the document was sent before, and the order it is about."""
    first = segments[0] if segments and segments[0]["id"] == "BGM" else None
    if type in _ONCE and key and text_of(first, 3) in _ORIGINAL and _wants(to, "duplicate_document"):
        known = context.exchange.known(STANDARD, partner, to.usage, type, key, to.duplicates.window)
        yield from sent_before(known, type, key, partner, Spot(2, "BGM", 2, reference="1004"))
    if type in _ANSWERS and _wants(to, "unit_not_as_ordered"):
        named = {text_of(one, 1, 2) for one in segments if one["id"] == "RFF" and text_of(one, 1) == _OF_ORDER}
        order = named.pop() if len(named) == 1 else ""
        ordered = _ordered(order, to, partner, context) if order else {}
        yield from units_as_ordered(facts_of(segments), ordered, order)


def _wants(to: Profile, code: str) -> bool:
    return to.preflight.get(code) != "ignore"


def _ordered(order: str, to: Profile, partner: str, context: Context) -> dict[str, str]:
    """The unit of each line of the order as it was sent or received last; nothing where it is not known."""
    for one in context.exchange.known(STANDARD, partner, to.usage, _ORDER, order, to.duplicates.window)[:1]:
        try:
            raw = context.blobs.read(one.content)
            for event in codec.stream(codec.blocks(raw), encoding=to.character_set or None):
                if isinstance(event, MessageRead) and message_type(event.message) == _ORDER:
                    held = event.message["segments"]
                    if any(text_of(each, 2) == order for each in held if each["id"] == "BGM"):
                        return {unit.line: unit.unit for unit in facts_of(held[1:-1]).units}
        except EdifactError:
            return {}
    return {}


def _text(signs: Signs, segment: Segment) -> str:
    try:
        return signs.join(segment)
    except EdifactError:
        return segment["id"]
