"""Everything wrong with a file, all of it: envelope counts and numbers, and each message against its schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from connectors.edifact import schema
from connectors.edifact.charsets import ENCODINGS, REPERTOIRES
from connectors.edifact.check import check_message
from connectors.edifact.checked import Checked, CheckedGroup, CheckedInterchange, CheckedMessage, assembled
from connectors.edifact.detect import has_byte_order_mark
from connectors.edifact.events import (
    Event,
    GroupBegins,
    GroupEnds,
    InterchangeBegins,
    InterchangeEnds,
    LooseSegment,
    MessageRead,
    Rest,
    events_of,
)
from connectors.edifact.fault import AS_USUAL, Checks, fault
from connectors.edifact.fields import check_segment
from connectors.edifact.lossless import Document, Interchange, Message, Segment, text_of
from connectors.edifact.named import directory, header_of, message_type
from connectors.edifact.values import Repertoire
from connectors.sdk.edi import NOWHERE, Fault, Place, cut_off, other_separator, text_outside
from connectors.sdk.edi_numbers import Numbers, is_digits

_DECLARED_VERSIONS = ("1", "2", "3", "4")


def examine(document: Document, checks: Checks = AS_USUAL, *, first: int = 0) -> list[CheckedInterchange]:
    """Every interchange with its groups, messages and their faults.

    Text after the last interchange is a fault of that interchange. ``first`` is the index that the first one has
    in the file, for the pointers in faults.
    """
    return assembled(examining(events_of(document), checks, first=first))


def faults(document: Document, checks: Checks = AS_USUAL) -> list[Fault]:
    """Every fault of a file, interchange by interchange."""
    return [found for one in examine(document, checks) for found in one.all_faults()]


def examining(
    events: Iterable[Event],
    checks: Checks | Callable[[Interchange], Checks] = AS_USUAL,
    *,
    messages: bool = True,
    first: int = 0,
) -> Iterator[Checked]:
    """The same as a stream: each message, each group after its messages (without them), each interchange after
    its groups (without them). ``messages=False`` checks their envelopes only and gives no named view. ``checks``
    may be what gives them for an interchange when it begins."""
    examining = _Examining(checks, messages, first)
    for event in events:
        yield from examining.take(event)
    yield from examining.finish()


class _Examining:
    """Keeps of each interchange what its trailers are compared with."""

    def __init__(self, checks: Checks | Callable[[Interchange], Checks], with_messages: bool, first: int) -> None:
        self._checks_of = (lambda _: checks) if isinstance(checks, Checks) else checks
        self._checks, self._with_messages = AS_USUAL, with_messages
        self._number = first - 1
        self._open: CheckedInterchange | None = None
        self._done: CheckedInterchange | None = None
        self._position: int | None = 0

    def take(self, event: Event) -> Iterator[Checked]:
        match event:
            case MessageRead(message):
                yield self._message(message)
            case InterchangeBegins(interchange):
                yield from self.finish()
                self._begin(interchange)
            case GroupBegins(header):
                self._begin_group(header)
            case LooseSegment(segment):
                self._loose(segment)
            case GroupEnds(trailer):
                yield self._end_group(trailer)
            case InterchangeEnds(trailer, position):
                self._end(trailer, position)
            case Rest(text):
                if self._done is not None:
                    self._outside(self._done, text, Place(path="/trailing"))

    def finish(self) -> Iterator[CheckedInterchange]:
        """The interchange that is complete; what follows the last one is a fault of it."""
        if self._done is not None:
            yield self._done
        self._done = None

    def _begin(self, interchange: Interchange) -> None:
        self._number += 1
        self._tree, self._checks = interchange, self._checks_of(interchange)
        header = interchange["header"]
        reference = text_of(header, 5)
        place = Place(interchange=reference or None, path=f"/interchanges/{self._number}")
        self._open = one = CheckedInterchange(header, reference, place)
        self._groups = self._named_groups = self._messages = 0
        self._bare = False
        self._group: CheckedGroup | None = None
        self._references, self._group_references = Numbers(), Numbers()
        pattern = REPERTOIRES.get(text_of(header, 1))
        self._repertoire = Repertoire(pattern=pattern)
        self._check_beginning(interchange, one)

    def _check_beginning(self, interchange: Interchange, one: CheckedInterchange) -> None:
        before = interchange["before"]
        if has_byte_order_mark(before):
            self._note(one, "byte_order_mark", "the file begins with a byte order mark", one.place)
        self._outside(one, before.replace("\xef\xbb\xbf", "   "), one.place.within("/before"))
        header, where = one.header, one.place.within("/header")
        if header is None:
            self._note(one, "interchange_header_missing", "there is no UNB before the first message", one.place)
            return
        if interchange["wrapped"]:
            self._note(one, "lines_wrapped", "lines are broken in the midst of segments", one.place)
        if interchange["una"] is None and interchange["delimiters"]["segment"] in "\r\n":
            message = "segments end in line ends instead of an apostrophe, and no UNA says so"
            self._note(one, "terminator_unannounced", message, where, segment_id="UNB")
        syntax, version = text_of(header, 1), text_of(header, 1, 2)
        if syntax not in ENCODINGS:
            message = f"character set {syntax!r} is none of the standard; read as {interchange['encoding']}"
            self._note(one, "character_set_unknown", message, where, segment_id="UNB", element=1, component=1)
        if version not in _DECLARED_VERSIONS:
            message = f"syntax version {version!r} is not known; read as version 3"
            self._note(one, "syntax_unknown", message, where, segment_id="UNB", element=1, component=2)
        self._check_service(one, header, where, "interchange_header_element")

    def _check_service(
        self, of: CheckedInterchange | CheckedGroup, header: Segment, place: Place, code: str
    ) -> None:
        declared = schema.segment("UNB" if isinstance(of, CheckedInterchange) else "UNG")
        assert declared is not None
        for found in check_segment(header, declared, place)[1]:
            where = {"element": found.element, "component": found.component, "reference": found.reference}
            self._note(of, code, found.message, place, segment_id=header["id"], value=found.value, **where)

    def _begin_group(self, header: Segment | None) -> None:
        one = self._opened()
        reference = text_of(header, 5)
        place = replace(one.place.within(f"/groups/{self._groups}"), group=reference or None)
        self._groups += 1
        self._group = group = CheckedGroup(header, reference, place)
        self._index = self._in_group = 0
        self._types: set[str] = set()
        if header is None:
            self._bare = True
            return
        self._named_groups += 1
        self._check_service(group, header, place.within("/header"), "group_header_element")
        if reference and not self._group_references.add(reference):
            message = f"group number {reference} occurs twice in this interchange"
            self._note(group, "group_number_repeated", message, place, segment_id="UNG", element=5)

    def _loose(self, segment: Segment) -> None:
        told = other_separator(segment["id"], self._tree["delimiters"]["element"], "UNA or UNB")
        message = f"segment {segment['id'][:12]!r} stands outside any message{told}"
        of: CheckedInterchange | CheckedGroup = self._opened()
        self._note(of, "segment_outside_message", message, (self._group or of).place)

    def _message(self, message: Message) -> CheckedMessage:
        group = self._group
        assert group is not None
        place = group.place.within(f"/messages/{self._index}")
        self._index += 1
        header = header_of(message)
        if header is None:
            first = message["segments"][0]["id"][:12] if message["segments"] else "nothing"
            text = f"segments from {first!r} on stand outside any message"
            self._note(self._opened(), "segment_outside_message", text, place)
            return CheckedMessage("", "", "", place, message, None, [])
        self._messages += 1
        self._in_group += 1
        reference, type = text_of(header, 1), message_type(message)
        place = place.in_set(reference or None)
        self._types.add(type)
        found_faults = list(self._message_envelope(message, reference, place))
        document: dict[str, Any] | None = None
        if self._with_messages:
            document, more = check_message(message, place, self._checks, self._repertoire)
            found_faults += more
        return CheckedMessage(type, reference, directory(message), place, message, document, found_faults)

    def _message_envelope(self, message: Message, reference: str, place: Place) -> Iterator[Fault]:
        segments = message["segments"]
        count, trailer = len(segments), segments[-1]
        if not reference:
            text = "UNH does not give the message a number"
            yield from self._faults("message_number_missing", text, place, segment_id="UNH", segment=1, element=1)
        elif not self._references.add(reference):
            text = f"message number {reference} occurs twice in this interchange"
            yield from self._faults("message_number_repeated", text, place, segment_id="UNH", segment=1, element=1)
        if trailer["id"] != "UNT":
            text = f"message {reference} has no UNT: it is cut off, or its end was lost"
            yield from self._faults("message_trailer_missing", text, place, segment_id="UNT", segment=count)
            return
        said, again = text_of(trailer, 1), text_of(trailer, 2)
        place = place.within(f"/segments/{count - 1}")
        if again != reference:
            text = f"UNH says message {reference}, UNT says {again}"
            where = {"segment_id": "UNT", "segment": count, "element": 2}
            yield from self._faults("message_number_mismatch", text, place, value=again, **where)
        if not _is_count(said, count):
            text = f"UNT says {said!r} segments, there are {count}"
            where = {"segment_id": "UNT", "segment": count, "element": 1}
            yield from self._faults("message_segment_count", text, place, value=said, **where)

    def _end_group(self, trailer: Segment | None) -> CheckedGroup:
        group = self._group
        assert group is not None
        self._group = None
        header, place = group.header, group.place
        if header is None:
            if trailer is not None:
                message = "UNE ends a group that no UNG began"
                self._note(self._opened(), "group_header_missing", message, place, segment_id="UNE")
            return group
        if not self._in_group:
            self._note(group, "group_empty", f"group {group.reference} holds no message", place)
        if len(self._types) > 1 or self._types - {text_of(header, 1)}:
            types = ", ".join(sorted(self._types))
            message = f"UNG says the group holds {text_of(header, 1)}, it holds {types}"
            self._note(group, "group_types_mixed", message, place, segment_id="UNG", element=1)
        if trailer is None:
            message = f"group {group.reference} has no UNE: it is cut off, or its end was lost"
            self._note(group, "group_trailer_missing", message, place, segment_id="UNE")
            return group
        place = place.within("/trailer")
        if text_of(trailer, 2) != group.reference:
            message = f"UNG says group {group.reference}, UNE says {text_of(trailer, 2)}"
            self._note(group, "group_number_mismatch", message, place, segment_id="UNE", element=2)
        if not _is_count(text_of(trailer, 1), self._in_group):
            message = f"UNE says {text_of(trailer, 1)!r} messages, there are {self._in_group}"
            self._note(group, "group_count", message, place, segment_id="UNE", element=1)
        return group

    def _end(self, trailer: Segment | None, position: int | None) -> None:
        one = self._opened()
        self._open, self._done, self._position = None, one, position
        if self._named_groups and self._bare:
            message = "the interchange holds groups and, beside them, messages in no group"
            self._note(one, "groups_and_messages_mixed", message, one.place)
        if not self._messages:
            self._note(one, "interchange_empty", "the interchange holds no message", one.place)
        if trailer is None:
            which = f"interchange {one.control_reference}" if one.control_reference else "the interchange"
            message = cut_off(f"{which} has no UNZ", position)
            self._note(one, "interchange_trailer_missing", message, one.place, segment_id="UNZ")
            return
        place = one.place.within("/trailer")
        if one.header is not None and text_of(trailer, 2) != one.control_reference:
            message = f"UNB says interchange {one.control_reference}, UNZ says {text_of(trailer, 2)}"
            self._note(one, "interchange_number_mismatch", message, place, segment_id="UNZ", element=2)
        count = self._named_groups or self._messages
        what = "groups" if self._named_groups else "messages"
        if not _is_count(text_of(trailer, 1), count):
            message = f"UNZ says {text_of(trailer, 1)!r} {what}, there are {count}"
            self._note(one, "interchange_count", message, place, segment_id="UNZ", element=1)

    def _outside(self, one: CheckedInterchange, text: str, place: Place) -> None:
        """Of text (as Latin-1) before or behind an interchange."""
        parts = re.compile(rf"(?:\b|_)UN[ABEGHTZ]{re.escape(self._tree['delimiters']['element'])}")
        told = text_outside(text, text.encode("latin-1", "replace"), self._position, parts)
        if told is not None:
            self._note(one, *told, place)

    def _opened(self) -> CheckedInterchange:
        assert self._open is not None
        return self._open

    def _note(
        self, of: CheckedInterchange | CheckedGroup, code: str, message: str, place: Place, **where: Any
    ) -> None:
        of.faults.extend(self._faults(code, message, place, **where))

    def _faults(self, code: str, message: str, place: Place = NOWHERE, **where: Any) -> list[Fault]:
        return self._judge([fault(code, message, place, **where)])

    def _judge(self, found: list[Fault]) -> list[Fault]:
        return [judged for one in found if (judged := self._checks.judged(one)) is not None]


def _is_count(text: str, count: int) -> bool:
    return is_digits(text) and int(text) == count
