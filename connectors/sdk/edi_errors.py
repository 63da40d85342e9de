"""What an EDI codec raises. Each standard has its own of both, and no other exception leaves its codec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.sdk.edi import Fault
from connectors.sdk.errors import BusinessError, Rejected


class Unreadable(Rejected):
    """``position`` is the offset in bytes where reading stopped, where there is one."""

    def __init__(self, message: str, *, position: int | None = None, **more: Any) -> None:
        if position is not None:
            message = f"{message} (at byte {position})"
            more.setdefault("details", {})["position"] = position
        super().__init__(message, **more)
        self.position = position


class Unwritable(BusinessError):
    """``faults`` holds all that is wrong; the message and ``field`` name the first. ``marked`` are the segments in
    which something is, as they would have been sent: their position, text and the elements that are wrong."""

    standard: ClassVar[str]

    def __init__(self, type: str, faults: list[Fault], marked: Sequence[Mapping[str, Any]] = ()) -> None:
        first = faults[0]
        rest = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(
            f"the document cannot be written as {self.standard} {type}: {first.message}{rest}",
            kind=f"{self.standard.lower()}_document_invalid",
            field=first.name or "",
            next_action="correct the document, or the mapping that made it, and redrive",
            details={
                "faults": [fault.as_json() for fault in faults[:20]],
                **({"segments": list(marked[:20])} if marked else {}),
            },
        )
        self.faults = faults
