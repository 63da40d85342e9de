"""The CONTRLs of a file that passes: what ``orderly edifact check --ack`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from connectors.edifact.acknowledgement import Acknowledgement, acknowledgements
from connectors.edifact.checked import Checked, CheckedInterchange, CheckedMessage, assembled
from connectors.edifact.events import Event, InterchangeBegins
from connectors.edifact.lossless import Interchange, Message
from connectors.edifact.reply import reply
from connectors.edifact.writer import write


class Answers:
    """Remembers who sent each interchange and what is wrong with it, and forgets the messages that are good."""

    def __init__(self) -> None:
        self._asked: list[Interchange] = []
        self._kept: list[Checked] = []
        self._types: set[str] = set()

    def headed(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events, on their way to the check."""
        for event in events:
            if isinstance(event, InterchangeBegins):
                self._asked.append(event.interchange)
            yield event

    def noted(self, checked: Iterable[Checked]) -> Iterator[Checked]:
        """The same results, on their way from the check. Of good messages one of each type is kept, which tells
        whether an interchange holds nothing but CONTRL."""
        for one in checked:
            if not isinstance(one, CheckedMessage):
                self._kept.append(one)
            elif not one.is_good or one.type not in self._types:
                self._types.add(one.type)
                header: Message = {"segments": one.message["segments"][:1]}
                self._kept.append(replace(one, message=header, document=None))
            if isinstance(one, CheckedInterchange):
                self._types = set()
            yield one

    def given(self) -> list[Acknowledgement]:
        """One for each interchange that is to be answered."""
        return acknowledgements(assembled(self._kept))

    def written(self, at: datetime) -> bytes:
        """All of them as interchanges. They are numbered 1, as nobody is sent them."""
        return b"".join(write(reply(self._asked[one.interchange], one, "1", at)) for one in self.given())
