"""The one error of the HL7 codec."""

from __future__ import annotations

from connectors.sdk import Rejected


class Hl7Error(Rejected):
    """A message that cannot be read or built as it stands; the same bytes would be refused again.

    ``code`` is of table 0357 (message error condition): 100 a segment that is missing or out of place, 101 a
    missing value, 102 one that is malformed or too long; never 207, which is a mistake of ours. ``field`` is a
    path such as ``MSH-10``.
    """

    def __init__(self, message: str, *, field: str = "MSH", code: str = "102", next_action: str) -> None:
        super().__init__(message, code=code, next_action=next_action, details={"field": field})
        self.field = field
