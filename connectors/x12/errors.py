"""The codec's own errors; no other exception leaves it.

X12Error          bytes that are no interchange, or JSON that is no lossless view
DocumentError     a named view that breaks its set's schema; carries every fault found
"""

from __future__ import annotations

from typing import Any

from connectors.sdk import BusinessError, Rejected
from connectors.sdk.edi import Fault


class X12Error(Rejected):
    """``position`` is the offset in bytes where reading stopped, where there is one."""

    def __init__(self, message: str, *, position: int | None = None, **more: Any) -> None:
        if position is not None:
            message = f"{message} (at byte {position})"
            more.setdefault("details", {})["position"] = position
        super().__init__(message, **more)
        self.position = position


class DocumentError(BusinessError):
    """``faults`` holds all that is wrong; the message and ``field`` name the first."""

    def __init__(self, set_type: str, faults: list[Fault]) -> None:
        first = faults[0]
        rest = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(
            f"the document cannot be written as X12 {set_type}: {first.message}{rest}",
            kind="x12_document_invalid",
            field=first.name or "",
            next_action="correct the document, or the mapping that made it, and redrive",
            details={"faults": [fault.as_json() for fault in faults[:20]]},
        )
        self.faults = faults
