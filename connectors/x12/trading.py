"""What X12 says of trading partners: its part of a profile, and what their answers tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from connectors.sdk.trading import Kind, Problem, Status, Told, ToldLine, misnamed, refused, same_parties, told
from connectors.x12 import codec, schema
from connectors.x12.codec import Envelope
from connectors.x12.derive import load
from connectors.x12.fault import PREFLIGHT, STANDARD
from connectors.x12.outgoing import delimiters_of
from connectors.x12.profile import Profile, profile, usage_of

_KINDS: dict[str, Kind] = {
    "997": "functional_acknowledgement", "855": "acknowledgement", "856": "despatch_advice", "810": "invoice",
}  # fmt: skip
#: ACK01 (element 668).
_STATUSES: dict[str, Status] = {
    "IA": "accepted", "AC": "changed", "DR": "changed", "IC": "changed", "IP": "changed", "IQ": "changed",
    "IS": "changed", "IB": "backordered", "BP": "backordered", "IR": "rejected", "R1": "rejected", "ID": "rejected",
}  # fmt: skip


class X12Trading:
    """``good`` are the codes of AK501 and AK901 that take a set as it is."""

    profile = Profile
    order = "850"
    order_mapping = "canonical_to_x12_850"
    answer_mappings = {"997": "x12_997_to_canonical", "855": "x12_855_to_canonical"}
    good = frozenset({"A", "E"})

    def problems(self, part: Mapping[str, Any], environment: str | None) -> Iterator[Problem]:
        try:
            found = Profile.model_validate(part)
        except ValidationError:
            return
        yield from misnamed("checks", found.checks, STANDARD)
        yield from misnamed("preflight", found.preflight, PREFLIGHT)
        yield from refused(lambda: usage_of(found, environment))
        yield from _writable(found)
        yield from _identities(found)

    def draft(self, ours: str, theirs: str, qualifier: str, version: str) -> dict[str, Any]:
        qualifier = qualifier or "ZZ"
        return {
            "ours": {"qualifier": qualifier, "id": ours},
            "theirs": {"qualifier": qualifier, "id": theirs},
            "version": version or schema.DEFAULT_VERSION,
            "delimiters": {"element": "*", "component": ">", "segment": "~"},
        }

    def writing(self, partner: str, document: Any) -> dict[str, Any]:
        return {"partner": partner, "set": self.order, "document": document}

    def sent(self, name: str, partner: Mapping[str, Any], document: dict[str, Any], at: datetime) -> bytes:
        to = profile(name, partner)
        envelope = Envelope(
            to.ours.party(), to.theirs.party(), 1, 1, at, to.usage, to.version, delimiters_of(to, name),
            encoding=to.encoding,
        )  # fmt: skip
        return codec.write(codec.interchange(envelope, [(self.order, document)]))

    def told(self, read: Mapping[str, Any]) -> list[Told]:
        return [_told(one) for one in read["sets"] if one["type"] in _KINDS]

    def answers_to(self, written: Mapping[str, Any]) -> str:
        return str(written["group_control_number"])

    def simulator(self, partner: Mapping[str, Any]) -> dict[str, Any]:
        theirs = profile(str(partner.get("partner", "")), partner).theirs
        return {"id": theirs.id, "qualifier": theirs.qualifier}


def _writable(found: Profile) -> Iterator[Problem]:
    yield from refused(found.signs, "delimiters")
    if found.version[:6] not in schema.versions():
        known = ", ".join(schema.versions())
        yield Problem(("version",), f"version {found.version!r} is not declared", f"use one of: {known}")
    known_elements = {element for version in schema.versions() for element in load(version, "elements")}
    for element in found.codes:
        if element not in known_elements:
            yield Problem(
                ("codes", element), f"there is no element {element!r}", "give the number of X12.3, like 355"
            )


def _identities(found: Profile) -> Iterator[Problem]:
    sides = (("ours", found.ours), ("theirs", found.theirs))
    for name, one in sides:
        for key in ("id", "group_id"):
            value = getattr(one, key)
            if not value.isascii() or not value.isprintable() or value != value.strip():
                yield Problem((name, key), f"{value!r} cannot be written in ISA or GS", "use letters and digits")
            elif any(sign in value for sign in found.delimiters.model_dump().values() if sign):
                yield Problem((name, key), f"{value!r} holds one of the delimiters", "choose another delimiter")
    yield from same_parties(found.ours.party(), found.theirs.party())


def _told(one: Mapping[str, Any]) -> Told:
    tell = {"997": _acknowledged, "855": _confirmed, "856": _despatched, "810": _invoiced}[one["type"]]
    return told(_KINDS[one["type"]], one, tell(one["document"] or {}))


def _acknowledged(document: Mapping[str, Any]) -> dict[str, Any]:
    errors = [
        f"{note.get('segment_id', '')} at {note.get('position', '')}, element "
        f"{place.get('place', {}).get('element', '')}, code {place.get('code', note.get('code', ''))}"
        for each in document.get("sets", ())
        for note in each.get("segments", ())
        for place in note.get("elements", ()) or [{}]
    ]
    return {
        "number": "",
        "answers": str(document.get("group", {}).get("group_control_number", "")),
        "code": str(document.get("result", {}).get("code", "")),
        "errors": tuple(errors),
    }


def _confirmed(document: Mapping[str, Any]) -> dict[str, Any]:
    beginning = document.get("beginning", {})
    return {
        "number": beginning.get("supplier_order_number", ""),
        "answers": beginning.get("order_number", ""),
        "code": beginning.get("acknowledgement_type", ""),
        "lines": tuple(_line(line) for line in document.get("lines", ())),
    }


def _line(line: Mapping[str, Any]) -> ToldLine:
    answered: Mapping[str, Any] = next(iter(line.get("acknowledgements", ())), {})
    return ToldLine(
        line.get("line_number", ""),
        answered.get("quantity", line.get("quantity", "")),
        answered.get("unit", line.get("unit", "")),
        line.get("unit_price", ""),
        _STATUSES.get(answered.get("status", ""), ""),
    )


def _despatched(document: Mapping[str, Any]) -> dict[str, Any]:
    lines: dict[str, ToldLine] = {}
    cartons: list[str] = []
    orders = [order for each in document.get("shipments", ()) for order in each.get("orders", ())]
    for level in _levels(document.get("shipments", ())):
        cartons += [mark["value"][-18:] for mark in level.get("marks", ()) if mark.get("qualifier") == "GM"]
        shipped = level.get("shipped")
        if shipped:
            number = shipped.get("line_number") or level.get("item", {}).get("line_number", "")
            before = lines.get(number, ToldLine(number, "0", shipped.get("unit", "")))
            total = Decimal(before.quantity) + Decimal(shipped.get("quantity", "0"))
            lines[number] = ToldLine(number, f"{total:f}", shipped.get("unit", ""))
    return {
        "number": document.get("beginning", {}).get("shipment_number", ""),
        "answers": next((one.get("order", {}).get("order_number", "") for one in orders), ""),
        "lines": tuple(lines.values()),
        "cartons": tuple(cartons),
    }


def _levels(levels: Any) -> Iterator[Mapping[str, Any]]:
    """Every HL level of a tree, whatever it is called."""
    for level in levels:
        yield level
        for name in ("orders", "tares", "packs", "items", "other_levels"):
            yield from _levels(level.get(name, ()))


def _invoiced(document: Mapping[str, Any]) -> dict[str, Any]:
    beginning = document.get("beginning", {})
    lines = [
        ToldLine(
            line.get("line_number", ""), line.get("quantity", ""), line.get("unit", ""), line.get("unit_price", "")
        )
        for line in document.get("lines", ())
    ]
    total = document.get("totals", {}).get("total", "")
    return {
        "number": beginning.get("invoice_number", ""),
        "answers": beginning.get("order_number", ""),
        "lines": tuple(lines),
        "total": f"{Decimal(total).scaleb(-2):f}" if total else "",
    }


trading = X12Trading()
