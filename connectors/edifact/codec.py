"""The EDIFACT codec: pure, without I/O, usable as a library.

Errors: EdifactError (bytes or JSON that cannot be read), DocumentError (a named view that breaks its schema),
Misconfigured (a message, check, version or delimiters that cannot work).
"""

from __future__ import annotations

from typing import Any

from connectors.edifact import schema
from connectors.edifact.acknowledgement import Acknowledgement, acknowledge, acknowledgements, is_acknowledgement
from connectors.edifact.checked import CheckedGroup, CheckedInterchange, CheckedMessage, assembled
from connectors.edifact.delimiters import Delimiters
from connectors.edifact.envelope import Content, Envelope, Party, interchange, parties
from connectors.edifact.errors import DocumentError, EdifactError
from connectors.edifact.events import Event, MessageRead, events_of, gathered
from connectors.edifact.examine import examine, examining, faults
from connectors.edifact.fault import Checks
from connectors.edifact.limits import Limits
from connectors.edifact.lossless import Document, Message, Segment
from connectors.edifact.named import directory, message_type, view
from connectors.edifact.reader import read, stream
from connectors.edifact.reply import reply
from connectors.edifact.unnamed import declared, from_named
from connectors.edifact.window import blocks, portions
from connectors.edifact.writer import write, write_stream
from connectors.sdk.edi import Fault, Place

__all__ = [
    "Acknowledgement", "CheckedGroup", "CheckedInterchange", "CheckedMessage", "Checks", "Content", "Delimiters",
    "Document", "DocumentError", "EdifactError", "Envelope", "Event", "Fault", "Limits", "Message", "MessageRead",
    "Party", "Place", "Segment", "acknowledge", "acknowledgements", "assembled", "blocks", "directory", "events_of",
    "examine", "examining", "faults", "from_named", "gathered", "interchange", "is_acknowledgement",
    "message_type", "named", "parties", "portions", "read", "reply", "stream", "write", "write_stream",
]  # fmt: skip


def named(message: Message) -> dict[str, Any]:
    """The named view of a message by its declared schema, that of the nearest directory where its own is not
    declared; faults in it are ``faults``' business. Raises ``Misconfigured`` for a message not declared."""
    type = message_type(message)
    by = schema.nearest(directory(message), type) or directory(message)
    return view(message, declared(type, by))[0]
