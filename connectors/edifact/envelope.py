"""Building an interchange around messages given in the named view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from connectors.edifact import schema
from connectors.edifact.charsets import REPERTOIRES, encoding_of
from connectors.edifact.delimiters import REPETITION_SINCE, Delimiters
from connectors.edifact.fault import AS_USUAL, Checks
from connectors.edifact.lossless import Document, Element, Group, Interchange, Message, Segment, text_of
from connectors.edifact.unnamed import from_named
from connectors.edifact.values import Repertoire
from connectors.sdk import Misconfigured

#: A message's named view, or the segments between its UNH and UNT.
Content = dict[str, Any] | list[Segment]


@dataclass(frozen=True)
class Party:
    """A trading partner's interchange id (0004 or 0010), its qualifier (0007), the address behind it (0008 or
    0014) and the id used in groups (0040 or 0044), which defaults to the first."""

    id: str
    qualifier: str = ""
    internal_id: str = ""
    group_id: str = ""

    def is_same(self, other: Party) -> bool:
        """Whether both are one partner to the interchange; the address behind the id does not count."""
        return (self.id, self.qualifier) == (other.id, other.qualifier)


@dataclass(frozen=True)
class Envelope:
    """Who sends to whom, under which numbers, and when (``at`` is written as it stands, without zone).

    ``group_reference`` is the number of the first group (0048); None writes no groups. ``version`` is UNH S009
    after the message type: version, release, agency and, where agreed, association code.
    """

    sender: Party
    receiver: Party
    control_reference: str
    at: datetime
    syntax: str = "UNOC"
    syntax_version: str = "3"
    version: str = "D:96A:UN"
    is_test: bool = False
    group_reference: int | None = None
    application_reference: str = ""
    agreement: str = ""
    acknowledgement_requested: bool = False
    delimiters: Delimiters = field(default_factory=Delimiters)
    with_una: bool = True
    encoding: str = ""
    glue: str = "\n"
    checks: Checks = AS_USUAL

    @property
    def directory(self) -> str:
        """``D96A``. Raises ``Misconfigured`` for a version that has no release or agency."""
        return directory_of(self.version)

    def written_in(self) -> str:
        """The encoding, that of the character set unless another one is given."""
        return self.encoding or encoding_of(self.syntax)

    def repertoire(self) -> Repertoire:
        """The characters that may be sent."""
        return Repertoire(self.written_in(), REPERTOIRES.get(self.syntax))


def directory_of(version: str) -> str:
    """``D96A`` of ``D:96A:UN:EAN008``. Raises ``Misconfigured`` where it has no release or agency."""
    parts = version.split(":")
    if not 3 <= len(parts) <= 4 or not all(parts):
        raise Misconfigured(
            f"{version!r} is no version of a message",
            next_action="write version, release, agency and perhaps association code, such as D:96A:UN:EAN008",
            field="edifact.version",
        )
    return parts[0] + parts[1]


def interchange(envelope: Envelope, messages: Sequence[tuple[str, Content]]) -> Document:
    """A lossless document, for ``write``, of one interchange that holds these (message type, named view).

    Instead of the view there may be the segments between UNH and UNT, which are then not looked at again.
    Messages are numbered from 1. With groups, neighbours of one type share one, numbered upward from the
    envelope's number. CONTRL has its own version. Raises ``DocumentError`` and ``Misconfigured`` as
    ``from_named``.
    """
    numbered = [
        (type, _message(envelope, str(number), type, document))
        for number, (type, document) in enumerate(messages, 1)
    ]
    groups: list[Group] = []
    if envelope.group_reference is None:
        groups = [_group(None, [message for _, message in numbered], None)]
    else:
        for index, (type, members) in enumerate(groupby(numbered, lambda one: one[0])):
            reference = str(envelope.group_reference + index)
            groups.append(_named_group(envelope, type, reference, [message for _, message in members]))
    count = len(numbered) if envelope.group_reference is None else len(groups)
    whole: Interchange = {
        "before": "",
        "una": envelope.delimiters.una() if envelope.with_una else None,
        "encoding": envelope.written_in(),
        "delimiters": envelope.delimiters.as_json(),
        "glue": envelope.glue,
        "wrapped": False,
        "header": _header(envelope),
        "segments": [],
        "groups": groups,
        "trailer": _segment("UNZ", str(count), envelope.control_reference),
    }
    if envelope.with_una and envelope.glue:
        whole["header"] = {**_header(envelope), "glue": envelope.glue}
    return {"interchanges": [whole], "trailing": envelope.glue}


def parties(of: Interchange) -> tuple[Party, Party]:
    """Sender and receiver of an interchange that was read; without ids where it has no UNB."""
    header = of["header"]
    sender = Party(text_of(header, 2), text_of(header, 2, 2), text_of(header, 2, 3))
    return sender, Party(text_of(header, 3), text_of(header, 3, 2), text_of(header, 3, 3))


def _header(envelope: Envelope) -> Segment:
    return _segment(
        "UNB",
        [envelope.syntax, envelope.syntax_version],
        _party(envelope.sender),
        _party(envelope.receiver),
        _time(envelope),
        envelope.control_reference,
        "",
        envelope.application_reference,
        "",
        "1" if envelope.acknowledgement_requested else "",
        envelope.agreement,
        "1" if envelope.is_test else "",
    )


def _time(envelope: Envelope) -> Element:
    date = "%Y%m%d" if envelope.syntax_version >= REPETITION_SINCE else "%y%m%d"
    return [envelope.at.strftime(date), f"{envelope.at:%H%M}"]


def _party(party: Party) -> Element:
    return _shortened([party.id, party.qualifier, party.internal_id])


def _named_group(envelope: Envelope, type: str, reference: str, members: list[Message]) -> Group:
    sender, receiver = envelope.sender, envelope.receiver
    version, release, agency, *association = version_of(envelope.version, envelope.syntax_version, type).split(":")
    header = _segment(
        "UNG",
        type,
        _shortened([sender.group_id or sender.id, sender.qualifier]),
        _shortened([receiver.group_id or receiver.id, receiver.qualifier]),
        _time(envelope),
        reference,
        agency,
        [version, release, *association],
    )
    return _group(header, members, _segment("UNE", str(len(members)), reference))


def _group(header: Segment | None, members: list[Message], trailer: Segment | None) -> Group:
    return {"header": header, "segments": [], "messages": members, "trailer": trailer}


def _message(envelope: Envelope, reference: str, type: str, content: Content) -> Message:
    version = version_of(envelope.version, envelope.syntax_version, type)
    body = (
        content
        if isinstance(content, list)
        else from_named(
            type, content, directory_of(version), envelope.delimiters, envelope.repertoire(), envelope.checks
        )
    )
    header = _segment("UNH", reference, [type, *version.split(":")])
    return {"segments": [header, *body, _segment("UNT", str(len(body) + 2), reference)]}


def version_of(version: str, syntax_version: str, type: str) -> str:
    """A message that belongs to the syntax and not to a directory (CONTRL) has its version from the syntax."""
    if type not in schema.message_types("41"):
        return version
    return "4:1:UN" if syntax_version >= REPETITION_SINCE else "D:3:UN"


def _segment(id: str, *elements: Element) -> Segment:
    given = list(elements)
    while given and not given[-1]:
        given.pop()
    return {"id": id, "elements": given}


def _shortened(parts: list[str]) -> Element:
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts if len(parts) > 1 else parts[0]
