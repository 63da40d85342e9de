"""The views of an EDI file as JSON while it streams. ``documents`` is the name of the list of sets or messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.sdk.edi import Fault
from connectors.sdk.spool import Spool

_NOTHING: Mapping[str, Any] = {}


class LosslessPrinting:
    """``_lists`` are the names of the lists that are open, one for each interchange and group that is open."""

    def __init__(self, to: Spool, documents: str) -> None:
        self._to, self._documents = to, documents
        self._lists: list[str] = []
        to.begin("{")
        to.begin("[", "interchanges")

    def begin_interchange(self, head: Mapping[str, Any]) -> None:
        """``head`` is what stands before its segments, by name."""
        self._to.begin("{")
        for key, value in head.items():
            self._to.put(value, key)
        self._begin("segments")

    def begin_group(self, header: Mapping[str, Any] | None) -> None:
        self._go_on_with("groups")
        self._to.begin("{")
        self._to.put(header, "header")
        self._begin("segments")

    def segment(self, segment: Mapping[str, Any]) -> None:
        """One that stands in no set or message."""
        self._to.put(segment)

    def document(self, document: Mapping[str, Any]) -> None:
        """A set or message."""
        self._go_on_with(self._documents)
        self._to.put(document)

    def end_group(self, trailer: Mapping[str, Any] | None) -> None:
        self._go_on_with(self._documents)
        self._trailer(trailer)

    def end_interchange(self, trailer: Mapping[str, Any] | None, ends_at: int | None) -> None:
        """``ends_at`` is the byte behind it, where that is known."""
        self._go_on_with("groups")
        self._trailer(trailer, {} if ends_at is None else {"ends_at": ends_at})

    def end(self) -> None:
        """Of the list of interchanges; what follows it is put by its name."""
        self._to.end()

    def _go_on_with(self, name: str) -> None:
        """The next list of what is open, where that is not the one being written."""
        if self._lists[-1] != name:
            self._end()
            self._begin(name)

    def _trailer(self, segment: Mapping[str, Any] | None, behind: Mapping[str, Any] = _NOTHING) -> None:
        self._end()
        self._to.put(segment, "trailer")
        for key, value in behind.items():
            self._to.put(value, key)
        self._to.end()

    def _begin(self, name: str) -> None:
        self._to.begin("[", name)
        self._lists.append(name)

    def _end(self) -> None:
        self._to.end()
        self._lists.pop()


class NamedPrinting:
    """What is checked, in its order. What is wrong with envelopes stands behind the sets or messages in them."""

    def __init__(self, to: Spool, documents: str) -> None:
        self._to, self._documents = to, documents
        self._is_open = False
        self._of_groups: list[dict[str, Any]] = []
        to.begin("{")
        to.begin("[", "interchanges")

    def document(self, document: Mapping[str, Any]) -> None:
        """A set or message, by names and with its faults."""
        self._open()
        self._to.put(document)

    def end_group(self, faults: Iterable[Fault]) -> None:
        self._open()
        self._of_groups += (found.as_json() for found in faults)

    def end_interchange(self, control_number: str, faults: Iterable[Fault]) -> None:
        self._open()
        self._to.end()
        self._to.put(control_number, "interchange_control_number")
        self._to.put([*(found.as_json() for found in faults), *self._of_groups], "faults")
        self._to.end()
        self._is_open, self._of_groups = False, []

    def _open(self) -> None:
        if not self._is_open:
            self._to.begin("{")
            self._to.begin("[", self._documents)
            self._is_open = True
