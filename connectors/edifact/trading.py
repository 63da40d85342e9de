"""What EDIFACT says of trading partners: its part of a profile, and what their answers tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError

from connectors.edifact import codec, schema
from connectors.edifact.charsets import checked
from connectors.edifact.codec import Envelope
from connectors.edifact.envelope import directory_of
from connectors.edifact.fault import PREFLIGHT, STANDARD
from connectors.edifact.profile import Profile, is_test_in, profile
from connectors.sdk.gs1 import wrong
from connectors.sdk.trading import Kind, Problem, Status, Told, ToldLine, misnamed, refused, same_parties, told

_KINDS: dict[str, Kind] = {
    "CONTRL": "functional_acknowledgement", "ORDRSP": "acknowledgement", "DESADV": "despatch_advice",
    "INVOIC": "invoice",
}  # fmt: skip
#: 1229 of LIN; a changed line that has a quantity of 83 is backordered.
_STATUSES: dict[str, Status] = {"1": "accepted", "5": "accepted", "3": "changed", "6": "changed", "7": "rejected"}
#: 6063 of QTY, in the order in which one is taken as the quantity of the line.
_QUANTITIES = {"ORDRSP": ("113", "83", "12", "21"), "DESADV": ("12",), "INVOIC": ("47",)}
_BACKORDERED = "83"
_GLN = "14"


class EdifactTrading:
    """``good`` are the codes of 0083 that take an interchange or message as it is."""

    profile = Profile
    order = "ORDERS"
    order_mapping = "canonical_to_edifact_orders"
    answer_mappings = {"CONTRL": "edifact_contrl_to_canonical", "ORDRSP": "edifact_ordrsp_to_canonical"}
    good = frozenset({"7", "8"})

    def problems(self, part: Mapping[str, Any], environment: str | None) -> Iterator[Problem]:
        try:
            found = Profile.model_validate(part)
        except ValidationError:
            return
        yield from misnamed("checks", found.checks, STANDARD)
        yield from misnamed("preflight", found.preflight, PREFLIGHT)
        yield from refused(lambda: is_test_in(found, environment))
        yield from _writable(found)
        for name, one in (("ours", found.ours), ("theirs", found.theirs)):
            if one.qualifier == _GLN and (told := wrong("GLN", one.id)):
                yield Problem((name, "id"), f"{one.id!r} {told}", "qualifier 14 is for a GLN")
        yield from same_parties(found.ours.party(), found.theirs.party())

    def draft(self, ours: str, theirs: str, qualifier: str, version: str) -> dict[str, Any]:
        def side(id: str) -> dict[str, Any]:
            used = qualifier or ("" if wrong("GLN", id) else _GLN)
            return {"id": id, "qualifier": used} if used else {"id": id}

        return {"ours": side(ours), "theirs": side(theirs), "version": version or "D:96A:UN:EAN008"}

    def writing(self, partner: str, document: Any) -> dict[str, Any]:
        return {"partner": partner, "message": self.order, "document": document}

    def sent(self, name: str, partner: Mapping[str, Any], document: dict[str, Any], at: datetime) -> bytes:
        to = profile(name, partner)
        envelope = Envelope(
            to.ours.party(), to.theirs.party(), "1", at, to.syntax, to.syntax_version, to.version, to.test,
            delimiters=to.signs(), with_una=to.una, encoding=to.character_set, glue="\n" if to.line_ends else "",
            checks=to.judged(),
        )  # fmt: skip
        return codec.write(codec.interchange(envelope, [(self.order, document)]))

    def told(self, read: Mapping[str, Any]) -> list[Told]:
        return [_told(one) for one in read["messages"] if one["type"] in _KINDS]

    def answers_to(self, written: Mapping[str, Any]) -> str:
        return str(written["interchange_control_number"])

    def simulator(self, partner: Mapping[str, Any]) -> dict[str, Any]:
        theirs = profile(str(partner.get("partner", "")), partner).theirs
        return {"gln": theirs.id, "gln_qualifier": theirs.qualifier}


def _writable(found: Profile) -> Iterator[Problem]:
    yield from refused(found.signs, "delimiters")
    if found.character_set:
        yield from refused(lambda: checked(found.character_set), "character_set")
    if (directory := directory_of(found.version)) not in schema.directories():
        known = ", ".join(schema.directories())
        yield Problem(("version",), f"directory {directory!r} is not declared", f"declared are: {known}")


def _told(one: Mapping[str, Any]) -> Told:
    type, document = one["type"], one["document"] or {}
    says = _acknowledged(document) if type == "CONTRL" else _business(type, document)
    return told(_KINDS[type], one, says)


def _acknowledged(document: Mapping[str, Any]) -> dict[str, Any]:
    told = document.get("interchange", {})
    messages = document.get("messages", ())
    refused = [one for one in messages if one.get("action") not in EdifactTrading.good]
    errors = [
        f"segment {segment.get('position', '')}: element {element.get('element', '')}, {element.get('error', '')}"
        for one in refused
        for segment in one.get("segments", ())
        for element in segment.get("elements", ()) or [{}]
    ]
    return {
        "number": "",
        "answers": str(told.get("control_reference", "")),
        "code": str(refused[0].get("action", "") if refused else told.get("action", "")),
        "errors": tuple(errors),
    }


def _business(type: str, document: Mapping[str, Any]) -> dict[str, Any]:
    references = {one.get("qualifier"): one.get("number", "") for one in document.get("references", ())}
    packings = document.get("packings", ())
    held = [*document.get("lines", ()), *(line for one in packings for line in one.get("lines", ()))]
    amounts = {one.get("qualifier"): one.get("amount", "") for one in document.get("total_amounts", ())}
    return {
        "number": document.get("beginning", {}).get("document_number", ""),
        "answers": references.get("ON", ""),
        "code": document.get("beginning", {}).get("function", ""),
        "lines": tuple(_line(type, line) for line in held),
        "total": _point(amounts.get("77", amounts.get("86", ""))),
        "cartons": tuple(_cartons(packings)),
    }


def _line(type: str, line: Mapping[str, Any]) -> ToldLine:
    given = {one.get("qualifier"): one for one in line.get("quantities", ())}
    taken: Mapping[str, Any] = next((given[kind] for kind in _QUANTITIES[type] if kind in given), {})
    prices = [one.get("price", "") for one in line.get("prices", ()) if one.get("qualifier") == "AAA"]
    status = _STATUSES.get(line.get("action", ""), "")
    return ToldLine(
        line.get("line_number", ""),
        _point(taken.get("quantity", "")),
        taken.get("unit", ""),
        _point(prices[0]) if prices else "",
        "backordered" if status == "changed" and _BACKORDERED in given else status,
    )


def _cartons(packings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """GIN+BJ: serial shipping container codes."""
    for packing in packings:
        for package in packing.get("packages", ()):
            for marking in package.get("markings", ()):
                for identity in marking.get("identities", ()):
                    if identity.get("qualifier") == "BJ":
                        yield from (one["first"] for one in identity.get("ids", ()) if one.get("first"))


def _point(number: str) -> str:
    """Decimal text with a point, as it stands where it is no number."""
    text = number.replace(",", ".")
    try:
        Decimal(text or "0")
    except InvalidOperation:
        return number
    return text


trading = EdifactTrading()
