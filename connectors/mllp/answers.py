"""Which acknowledgement a message gets (HL7 v2.5.1, 2.9.2 original and 2.9.3 enhanced mode, table 0155)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from connectors.hl7.codec import (
    TABLE_0357,
    Code,
    Fault,
    Hl7Error,
    Message,
    acknowledge,
    is_acknowledgement,
    read,
)
from connectors.hl7.codec import answer as what_it_says
from connectors.sdk import BlobRef, Blobs, NotSent, Receipt

_ENHANCED: dict[Code, Code] = {"AA": "CA", "AE": "CE", "AR": "CR"}
#: Table 0155: the second letters of the answers that are wanted always, on error, on success.
_WANTED = {"AL": "AER", "ER": "ER", "SU": "A"}

_HL7_PLACE = re.compile(r"[A-Z][A-Z0-9]{2}(?:$|[-\[])")


@dataclass(frozen=True)
class Verdict:
    """``code`` is what original mode says; ``stored`` whether the message is on disk. ``written`` is the flow's own
    application acknowledgement (an ORS, an ORN), which goes out in place of ours."""

    code: Code
    fault: Fault | None = None
    stored: bool = False
    written: bytes | None = None


def answer_codes(message: Message, code: Code, stored: bool) -> tuple[Code, ...]:
    """The answers that the sender asked for, in order.

    MSH-15 asks for CA, CE or CR, MSH-16 for an application acknowledgement. Who asks for both is told whether the
    message was stored and then, as a message of its own, what became of it. Who asks for the first alone is told
    both by it. Without MSH-15 the answer is that of original mode. An application acknowledgement is told that it
    was stored where its MSH-15 asks, and nothing else.
    """
    asked, application = message.header.get(15) or "", message.header.get(16) or ""
    if is_acknowledgement(message):
        return _of(asked, "CA" if stored else "CR") if answers_an_application(message) else ()
    if not asked or asked not in (*_WANTED, "NE"):
        return (code,)
    if application not in _WANTED:
        return _of(asked, _ENHANCED[code])
    accepted = _of(asked, "CA" if stored else "CR")
    unstored = asked != "NE" and not stored
    return accepted + (() if unstored else _of(application, code))


def answers_an_application(message: Message) -> bool:
    """Whether it is an application acknowledgement (AA, AE, AR) of a message that it names."""
    try:
        said = what_it_says(message)
    except Hl7Error:
        return False
    return said.code in _ENHANCED and bool(said.control_id)


def asks_for_both(message: Message) -> bool:
    """Whether CA says that it was committed and an application acknowledgement may say what became of it."""
    return message.header.get(15) in _WANTED and message.header.get(16) in _WANTED


def silence_is_success(message: Message) -> bool:
    """Whether an application acknowledgement comes on error alone."""
    return message.header.get(16) == "ER"


def asks_for_success(message: Message) -> bool:
    """Whether a receiver that took it says so: not where MSH-15 and MSH-16 want no answer or one on error alone,
    and not to an acknowledgement, unless its MSH-15 asks."""
    asked, application = message.header.get(15) or "", message.header.get(16) or ""
    if asked not in (*_WANTED, "NE"):
        return not is_acknowledgement(message)
    return any("A" in _WANTED.get(wanted, "") for wanted in (asked, application))


def _of(wanted: str, code: Code) -> tuple[Code, ...]:
    return (code,) if code[1] in _WANTED.get(wanted, "") else ()


def at_once(message: Message, at: datetime) -> list[bytes]:
    """What goes out once the message is stored, while its sender waits for the application acknowledgement."""
    codes = answer_codes(message, "AA", True) if asks_for_both(message) else ()
    return [_answer(message, code, None, at) for code in codes if code == "CA"]


def answer(message: Message | None, verdict: Verdict, at: datetime, told: bool = False) -> list[bytes]:
    """The acknowledgements to send, if any; ``told`` where CA went out before. CA has no fault to tell."""
    wanted = (verdict.code,) if message is None else answer_codes(message, verdict.code, verdict.stored)
    return [
        verdict.written
        if verdict.written is not None and one.startswith("A")
        else _answer(message, one, None if one == "CA" else verdict.fault, at)
        for one in wanted
        if not (told and one == "CA")
    ]


def _answer(message: Message | None, code: Code, fault: Fault | None, at: datetime) -> bytes:
    text = fault.message if fault else ""
    return acknowledge(message, code, text, fault, at=at, control_id=uuid.uuid4().hex[:20])


def for_receipt(receipt: Receipt, policy: str) -> Verdict:
    """A duplicate is acknowledged like the first. An exception is stored, so it is AE: do not send it again; where
    only the storing is acknowledged it is no matter of the sender's. What is not delivered in time is AR: sent
    again it is taken once, and its sender hears what became of it."""
    if receipt.ended == "open":
        told = f"run {receipt.run} is not over yet"
        return Verdict("AR", Fault("207", "", "stored, not delivered yet: send it again to hear more", told), True)
    if receipt.ended == "failed":
        told = f"run {receipt.run}: a person sees to it"
        problem = receipt.problem or {}
        fault = Fault(_condition(problem), _place(problem), "stored, but it could not be delivered", told)
        return Verdict("AE", fault, True)
    if receipt.state != "excepted" or policy == "stored":
        return Verdict("AA", stored=True)
    problem = receipt.problem or {}
    fault = Fault(
        code=_condition(problem),
        location=_place(problem),
        message=_short(problem.get("title")) or "stored, but it cannot be processed",
        diagnostic=_short(problem.get("detail")),
    )
    return Verdict("AE", fault, stored=True)


def of_the_flow(verdict: Verdict, reply: Mapping[str, Any], message: Message, blobs: Blobs) -> Verdict:
    """Where the flow responds with an HL7 message (``hl7.write``'s ``content``) that acknowledges this one, that is
    the answer and its MSA-1 the code. Any other body is the flow's own business."""
    raw = _written(reply.get("body"), blobs)
    if raw is None:
        return verdict
    try:
        said = what_it_says(read(raw))
    except Hl7Error:
        return verdict
    code = next((code for code in _ENHANCED if code == said.code), None)
    if code is None or said.control_id != message.control_id:
        told = "the flow's answer acknowledges another message, or does not say AA, AE or AR"
        return Verdict("AE", Fault("207", "MSA-1", "stored, but the answer to it is unusable", told), True)
    return replace(verdict, code=code, written=raw)


def _written(body: object, blobs: Blobs) -> bytes | None:
    content = body.get("content", body) if isinstance(body, Mapping) else body
    if isinstance(content, str):
        return content.encode() if content.startswith("MSH") else None
    try:
        return blobs.read(BlobRef.model_validate(content))
    except ValidationError:
        return None


def _condition(problem: Mapping[str, Any]) -> str:
    """A code of table 0357, or what it is where a document does not meet its schema: 101 or 102."""
    code = str(problem.get("code", ""))
    if problem.get("kind") == "invalid_document" and code:
        return "101" if code == "required" else "102"
    return code if code in TABLE_0357 and code != "0" else "207"


def _place(problem: Mapping[str, Any]) -> str:
    """The field where it is a place of HL7 (``RQD``, ``MSH-9``), no pointer into a document."""
    place = str(problem.get("field", ""))
    return place if _HL7_PLACE.match(place) else ""


def _short(text: object) -> str:
    return str(text or "")[:250]


def for_not_sent(error: NotSent) -> Verdict:
    """Nothing was stored."""
    return Verdict("AR", Fault(message="not stored, send again", diagnostic=_short(error.message)))


def for_bug(error: Exception) -> Verdict:
    """It may be stored or not; sent again, it is taken once."""
    told = type(error).__name__
    return Verdict("AR", Fault("207", message="not taken because of a mistake here, send again", diagnostic=told))


def for_unreadable(error: Hl7Error) -> Verdict:
    """There is no message to store."""
    field = error.field if "-" in error.field else ""
    return Verdict("AR", Fault(error.code, field, "not stored, not readable", error.message))
