"""The acknowledgements of a file that passes, as bytes: what ``orderly x12 check --ack`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from connectors.x12 import schema
from connectors.x12.acknowledgement import functional, interchange_acknowledgement
from connectors.x12.checked import Checked, CheckedGroup
from connectors.x12.delimiters import Delimiters, has_repetition
from connectors.x12.envelope import Envelope, Party, interchange, parties
from connectors.x12.events import Event, InterchangeBegins
from connectors.x12.lossless import text_of
from connectors.x12.outcome import Gathering, InterchangeOutcome
from connectors.x12.writer import write


@dataclass
class _Sender:
    sender: Party
    receiver: Party
    usage: str
    version: str = schema.DEFAULT_VERSION

    def reply(self, number: int, at: datetime) -> Envelope:
        signs = Delimiters(repetition="^") if has_repetition(self.version[:5]) else Delimiters()
        return Envelope(self.receiver, self.sender, number, number, at, self.usage, self.version, signs)


class Answers:
    """Remembers who sent each interchange and what became of it."""

    def __init__(self) -> None:
        self._senders: list[_Sender] = []
        self._outcomes: list[InterchangeOutcome] = []

    def headed(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events, on their way to the check."""
        for event in events:
            if isinstance(event, InterchangeBegins):
                sender, receiver = parties(event.interchange)
                usage = text_of(event.interchange["header"], 15)
                self._senders.append(_Sender(sender, receiver, usage if usage in ("T", "P", "I") else "T"))
            yield event

    def noted(self, checked: Iterable[Checked]) -> Iterator[Checked]:
        """The same results, on their way from the check."""
        gathering = Gathering()
        for one in checked:
            if isinstance(one, CheckedGroup) and one.header is not None:
                self._senders[len(self._outcomes)].version = schema.nearest(text_of(one.header, 8))
            if (outcome := gathering.take(one)) is not None:
                self._outcomes.append(outcome)
            yield one

    def written(self, at: datetime) -> bytes:
        """An interchange for each one that is to be answered, numbered from 1.

        A TA1 stands where ISA14 asks for it or the interchange is rejected; then there is no 997.
        """
        parts: list[bytes] = []
        for sender, outcome in zip(self._senders, self._outcomes, strict=True):
            wants = outcome.acknowledgement_requested or not outcome.is_good
            ta1 = interchange_acknowledgement(outcome) if wants else None
            sets = [("997", one.document) for one in functional(outcome)] if outcome.is_good or ta1 is None else []
            if ta1 is not None or sets:
                envelope = sender.reply(len(parts) + 1, at)
                parts.append(write(interchange(envelope, sets, [ta1] if ta1 is not None else [])))
        return b"".join(parts)
