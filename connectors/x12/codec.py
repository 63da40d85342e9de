"""The X12 codec: pure, without I/O, usable as a library.

Errors: X12Error (bytes or JSON that cannot be read), DocumentError (a named view that breaks its schema),
Misconfigured (a set or delimiters that cannot work).
"""

from __future__ import annotations

from typing import Any

from connectors.sdk.edi import Fault, Place, Policy
from connectors.x12 import schema
from connectors.x12.acknowledgement import (
    Acknowledgement,
    acknowledge,
    acknowledgements,
    functional,
    interchange_acknowledgement,
)
from connectors.x12.buffer import Limits
from connectors.x12.checked import CheckedGroup, CheckedInterchange, CheckedSet
from connectors.x12.delimiters import Delimiters
from connectors.x12.envelope import Envelope, Party, interchange, parties
from connectors.x12.errors import DocumentError, X12Error
from connectors.x12.examine import check, examine, faults
from connectors.x12.lossless import Document, Segment, TransactionSet
from connectors.x12.named import set_type, view
from connectors.x12.outcome import gathered, outcomes
from connectors.x12.reader import read, stream
from connectors.x12.unnamed import declared, from_named
from connectors.x12.writer import write

__all__ = [
    "Acknowledgement", "CheckedGroup", "CheckedInterchange", "CheckedSet", "Delimiters", "Document",
    "DocumentError", "Envelope", "Fault", "Limits", "Party", "Place", "Policy", "Segment", "TransactionSet",
    "X12Error", "acknowledge", "acknowledgements", "check", "examine", "faults", "from_named", "functional",
    "gathered", "interchange", "interchange_acknowledgement", "named", "outcomes", "parties", "read", "set_type",
    "stream", "write",
]  # fmt: skip


def named(transaction_set: TransactionSet, version: str = schema.DEFAULT_VERSION) -> dict[str, Any]:
    """The named view of a set by its declared schema; faults in it are ``faults``' business.

    Raises ``Misconfigured`` for a set that is not declared.
    """
    return view(transaction_set, declared(set_type(transaction_set), version))[0]
