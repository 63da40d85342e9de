"""The CONTRL that answers what was read (ISO 9735-4; for syntax versions 1 to 3, message CONTRL D.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from connectors.edifact.checked import CheckedGroup, CheckedInterchange, CheckedMessage
from connectors.edifact.delimiters import REPETITION_SINCE
from connectors.edifact.fault import STANDARD
from connectors.edifact.lossless import Segment, text_of
from connectors.edifact.named import header_of
from connectors.sdk.edi import Fault

MESSAGE = "CONTRL"
_REJECTED, _ACKNOWLEDGED, _RECEIVED = "4", "7", "8"
_MOST_SEGMENTS, _MOST_ELEMENTS = 999, 99


@dataclass(frozen=True)
class Acknowledgement:
    """``document`` is the named view of one CONTRL; ``interchange`` indexes what it answers.

    ``syntax_version`` is that of the interchange, whose answer is written in the same one.
    """

    interchange: int
    control_reference: str
    syntax_version: str
    document: dict[str, Any]

    @property
    def action(self) -> str:
        """0083 of UCI: 4 rejected, 7 acknowledged but for what is rejected below, 8 received."""
        return str(self.document["interchange"]["action"])


def acknowledgements(checked: Iterable[CheckedInterchange], *, receipt_only: bool = False) -> list[Acknowledgement]:
    """One CONTRL for every interchange but those that hold nothing but CONTRL themselves, or whose UNB does not
    say who sent it under which number.

    ``receipt_only`` says that it arrived (8) unless its envelope is to be rejected.
    """
    return [
        Acknowledgement(
            number,
            one.control_reference,
            text_of(one.header, 1, 2),
            acknowledge(one, receipt_only=receipt_only),
        )
        for number, one in enumerate(checked)
        if one.control_reference and text_of(one.header, 2) and not is_acknowledgement(one)
    ]


def is_acknowledgement(one: CheckedInterchange) -> bool:
    """Whether it holds CONTRL and nothing else: such is never acknowledged."""
    types = {message.type for group in one.groups for message in group.messages}
    return types - {""} == {MESSAGE}


def acknowledge(one: CheckedInterchange, *, receipt_only: bool = False) -> dict[str, Any]:
    """The named CONTRL of a checked interchange: what has a fault that rejects is rejected, the rest accepted."""
    header, rejects = one.header, _rejects(one.faults, "interchange")
    action = _REJECTED if rejects else _RECEIVED if receipt_only else _ACKNOWLEDGED
    answered: dict[str, Any] = {
        "interchange": {
            "control_reference": one.control_reference,
            **_parties(header, one),
            "action": action,
            **_error(rejects),
        }
    }
    if action != _ACKNOWLEDGED:
        return answered
    for group in one.groups:
        if group.header is None:
            answered.setdefault("messages", []).extend(_messages(group))
        elif (told := _group(group)) is not None:
            answered.setdefault("groups", []).append(told)
    return {key: value for key, value in answered.items() if value}


def _is_four(one: CheckedInterchange) -> bool:
    return text_of(one.header, 1, 2) >= REPETITION_SINCE


def _parties(header: Segment | None, one: CheckedInterchange) -> dict[str, str]:
    four = _is_four(one)
    names = ("", "_qualifier", "_internal_id", *(("_internal_sub_id",) if four else ()))
    longest = 35 if four else 14
    found = {
        f"{role}{name}": text_of(header, element, component)
        for role, element in (("sender", 2), ("receiver", 3))
        for component, name in enumerate(names, 1)
    }
    short = {key: value[:longest] if "internal" in key else value for key, value in found.items()}
    return {key: value for key, value in short.items() if value}


def _group(group: CheckedGroup) -> dict[str, Any] | None:
    rejects = _rejects(group.faults, "group")
    messages = [] if rejects else _messages(group)
    if not rejects and not messages:
        return None
    header = group.header
    told: dict[str, Any] = {
        "reference": group.reference,
        "sender": text_of(header, 2),
        "sender_qualifier": text_of(header, 2, 2),
        "receiver": text_of(header, 3),
        "receiver_qualifier": text_of(header, 3, 2),
        "action": _REJECTED if rejects else _ACKNOWLEDGED,
        **_error(rejects),
        "messages": messages,
    }
    return {key: value for key, value in told.items() if value}


def _messages(group: CheckedGroup) -> list[dict[str, Any]]:
    return [
        _message(one)
        for one in group.messages
        if one.type != MESSAGE and header_of(one.message) is not None and not one.is_good
    ]


def _message(one: CheckedMessage) -> dict[str, Any]:
    header = header_of(one.message)
    names = ("message_type", "version", "release", "agency", "association_code")
    identified = {name: text_of(header, 2, component) for component, name in enumerate(names, 1)}
    told: dict[str, Any] = {
        "reference": one.reference,
        **identified,
        "action": _REJECTED,
        **_error(_rejects(one.faults, "message")),
        "segments": _segments(one.faults),
    }
    return {key: value for key, value in told.items() if value}


def _rejects(faults: Iterable[Fault], level: str) -> list[Fault]:
    return [one for one in faults if one.severity == "reject" and STANDARD[one.code].level == level]


def _error(rejects: list[Fault]) -> dict[str, Any]:
    """Code, service segment and position of the first: the message has place for one."""
    if not rejects:
        return {}
    first = rejects[0]
    told: dict[str, Any] = {"error": STANDARD[first.code].code}
    if first.segment_id:
        told["service_segment"] = first.segment_id[:3]
        if first.element:
            told["element_position"] = _position(first)
            if first.component:
                told["component_position"] = str(first.component)
    return told


def _segments(faults: list[Fault]) -> list[dict[str, Any]]:
    """By segment; 0096 counts from UNH as 1."""
    noted = [
        one
        for one in faults
        if one.severity == "reject" and one.segment and STANDARD[one.code].level in ("segment", "element")
    ]
    noted.sort(key=lambda one: one.segment or 0)
    told: list[dict[str, Any]] = []
    for position, of in groupby(noted, lambda one: one.segment):
        told += _segment(str(position), list(of))
    return told[:_MOST_SEGMENTS]


def _segment(position: str, faults: list[Fault]) -> list[dict[str, Any]]:
    """One entry for each fault of the segment itself; those of its elements stand in the first."""
    codes = list(dict.fromkeys(STANDARD[one.code].code for one in faults if _is_whole(one)))
    elements = [_element(one) for one in faults if not _is_whole(one)][:_MOST_ELEMENTS]
    entries = [{"position": position, "error": code} for code in codes]
    if not elements:
        return entries
    first: dict[str, Any] = entries[0] if entries else {"position": position}
    return [first | {"elements": elements}, *entries[1:]]


def _is_whole(one: Fault) -> bool:
    return STANDARD[one.code].level == "segment" or one.element is None


def _element(one: Fault) -> dict[str, str]:
    told = {"error": STANDARD[one.code].code, "element": _position(one)}
    return told | ({"component": str(one.component)} if one.component else {})


def _position(one: Fault) -> str:
    """0098 counts the segment's tag as 1."""
    return str((one.element or 0) + 1)
