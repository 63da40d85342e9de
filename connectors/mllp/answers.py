"""Which acknowledgement a message gets (HL7 v2.5.1, 2.9.2 original and 2.9.3 enhanced mode, table 0155)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.hl7.codec import TABLE_0357, Code, Fault, Hl7Error, Message, acknowledge, is_acknowledgement
from connectors.sdk import NotSent, Receipt

_ENHANCED: dict[Code, Code] = {"AA": "CA", "AE": "CE", "AR": "CR"}
#: Table 0155: the second letters of the answers that are wanted always, on error, on success.
_WANTED = {"AL": "AER", "ER": "ER", "SU": "A"}


def answer_codes(message: Message, code: Code) -> tuple[Code, ...]:
    """The answers that the sender asked for, in order; ``code`` is what original mode says.

    MSH-15 asks for CA, CE or CR, MSH-16 for an application acknowledgement. Who asks for both is told whether the
    message was stored and then, as a message of its own, what became of it. Who asks for the first alone is told
    both by it. Without MSH-15 the answer is that of original mode.
    """
    if is_acknowledgement(message):
        return ()
    asked, application = message.header.get(15) or "", message.header.get(16) or ""
    if not asked or asked not in (*_WANTED, "NE"):
        return (code,)
    if application not in _WANTED:
        return _of(asked, _ENHANCED[code])
    accepted = _of(asked, "CR" if code == "AR" else "CA")
    unstored = asked != "NE" and code == "AR"
    return accepted + (() if unstored else _of(application, code))


def _of(wanted: str, code: Code) -> tuple[Code, ...]:
    return (code,) if code[1] in _WANTED.get(wanted, "") else ()


def answer(message: Message | None, code: Code, fault: Fault | None, at: datetime) -> list[bytes]:
    """The acknowledgements to send, if any. CA has no fault to tell."""
    wanted = (code,) if message is None else answer_codes(message, code)
    return [_answer(message, one, None if one == "CA" else fault, at) for one in wanted]


def _answer(message: Message | None, code: Code, fault: Fault | None, at: datetime) -> bytes:
    text = fault.message if fault else ""
    return acknowledge(message, code, text, fault, at=at, control_id=uuid.uuid4().hex[:20])


def for_receipt(receipt: Receipt, policy: str) -> tuple[Code, Fault | None]:
    """A duplicate is acknowledged like the first. An exception is stored, so it is AE: do not send it again; where
    only the storing is acknowledged it is no matter of the sender's."""
    if receipt.state != "excepted" or policy == "stored":
        return "AA", None
    problem = receipt.problem or {}
    location = str(problem.get("field", ""))
    return "AE", Fault(
        code=_condition(problem),
        location=location if "-" in location else "",
        message=_short(problem.get("title")) or "stored, but it cannot be processed",
        diagnostic=_short(problem.get("detail")),
    )


def _condition(problem: Mapping[str, Any]) -> str:
    code = str(problem.get("code", ""))
    return code if code in TABLE_0357 and code != "0" else "207"


def _short(text: object) -> str:
    return str(text or "")[:250]


def for_not_sent(error: NotSent) -> Fault:
    """Answer AR: nothing was stored."""
    return Fault(message="not stored, send again", diagnostic=_short(error.message))


def for_bug(error: Exception) -> Fault:
    """Answer AR: it may be stored or not; sent again, it is taken once."""
    return Fault("207", message="not taken because of a mistake here, send again", diagnostic=type(error).__name__)


def for_unreadable(error: Hl7Error) -> Fault:
    """Answer AR: there is no message to store."""
    return Fault(error.code, error.field if "-" in error.field else "", "not stored, not readable", error.message)
