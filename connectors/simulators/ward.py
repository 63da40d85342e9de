"""A ward's stock system: sends requisitions as HL7 v2 over MLLP and waits for each acknowledgement."""

from __future__ import annotations

import random
import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Group, Message, Segment
from hl7apy.exceptions import HL7apyException

from connectors.hl7 import codec
from connectors.mllp.transport import Sender
from connectors.sdk import Misconfigured, OutcomeUnknown, Simulator
from connectors.simulators.ward_faults import FAULTS, Sent, chosen

_ITEMS = [
    {"item_number": "ITM-1001", "description": "Nitrile gloves, medium", "unit": "BX"},
    {"item_number": "ITM-1002", "description": "Syringes 10 ml", "unit": "BX"},
    {"item_number": "ITM-1003", "description": "Suture set", "unit": "EA"},
]


@dataclass(frozen=True)
class Person:
    """Who asks: goes into ORC-12, and the mail address into ORC-14."""

    id: str = "ABERG"
    family: str = "Berg"
    given: str = "Anna"
    email: str = "anna.berg@mercy.example"


class Ward(Simulator):
    """Settings: ``application`` (MSH-3, default WARDSTOCK), ``hospital`` (MSH-4, default MERCY) and ``timeout``
    in seconds (default 10). It is a client: ``start`` listens to nothing, ``connect`` names the listener. Its
    ``folder`` is for files of messages, with ``in``, ``out``, ``reject`` and ``archive``, and goes with it.

    Journal: ``sent`` and ``acknowledged`` with ``control_id``; the latter with ``code``, ``text``, ``error``.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._peer: tuple[str, int] | None = None
        self._sender: Sender | None = None
        self._one_at_a_time = threading.Lock()
        self._files: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> Mapping[str, str]:
        self._files = tempfile.TemporaryDirectory(prefix="orderly-ward-")
        folder = Path(self._files.name)
        for name in ("in", "out", "reject", "archive"):
            (folder / name).mkdir()
        return {"folder": str(folder)}

    def connect(self, host: str, port: int) -> None:
        """Where ``send`` sends to; the connection is made by the first message and kept."""
        with self._one_at_a_time:
            self._hang_up()
        self._peer = (host, port)

    def stop(self) -> None:
        """Hangs up, and takes its folder away."""
        with self._one_at_a_time:
            self._hang_up()
        if self._files is not None:
            self._files.cleanup()
            self._files = None

    def _hang_up(self) -> None:
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def send(self, message: bytes) -> dict[str, str]:
        """Sends bytes as they are, in a frame; returns the acknowledgement as ``{code, control_id, text, error}``.

        Raises ``NotSent`` where nobody listens and ``OutcomeUnknown`` where no acknowledgement came.
        """
        control_id = _control_id(message)
        with self._one_at_a_time:
            sender = self._connected()
            self.journal.write("sent", control_id=control_id, bytes=len(message))
            try:
                reply = sender.exchange(message)
            except OutcomeUnknown:
                self._hang_up()
                raise
        said = codec.answer(codec.read(reply))
        facts = {"code": said.code, "control_id": said.control_id, "text": said.text, "error": said.error}
        self.journal.write("acknowledged", **facts)
        return facts

    def traffic(
        self, messages: int, *, faults: Mapping[str, float] | None = None, seed: int = 0, first: int = 1
    ) -> list[Sent]:
        """A day of requisitions of one to three lines, one after the other. ``faults``: the probability of each
        (``ward_faults.FAULTS``); the same ``seed`` sends the same day. Journal: ``traffic`` with ``control_id``,
        ``fault`` and ``codes``. Raises ``OSError`` where an answer does not come, ``Misconfigured``."""
        chance = random.Random(seed)  # noqa: S311 - a day, not a secret
        return [self._one(number, faults or {}, chance) for number in range(first, first + messages)]

    def _one(self, number: int, faults: Mapping[str, float], chance: random.Random) -> Sent:
        lines = [
            {**item, "quantity": str(chance.randint(1, 40))} for item in chance.sample(_ITEMS, chance.randint(1, 3))
        ]
        control_id, urgent = f"DAY{number:06d}", chance.random() < 0.1
        message = self.requisition(f"WR-DAY-{number:06d}", lines, control_id=control_id, urgent=urgent)
        fault = chosen(faults, chance)
        with self._one_at_a_time:
            sender = self._connected()
            replies = FAULTS[fault](sender, message) if fault else [sender.exchange(message)]
        sent = Sent(control_id, fault, tuple(codec.answer(codec.read(reply)).code for reply in replies))
        self.journal.write("traffic", control_id=control_id, fault=fault, codes=list(sent.codes))
        return sent

    def _connected(self) -> Sender:
        if self._peer is None:
            raise Misconfigured("the ward does not know where to send to", next_action="call connect first")
        if self._sender is None:
            self._sender = Sender(*self._peer, timeout=float(self.settings.get("timeout", 10.0)))
        return self._sender

    def requisition(
        self,
        number: str,
        lines: Sequence[Mapping[str, str]],
        *,
        cost_center: str = "CC-WARD3",
        facility: str = "MERCY-MAIN",
        department: str = "Ward 3",
        requester: Person | None = None,
        need_by: str = "2026-12-01",
        urgent: bool = False,
        note: str = "",
        control_id: str | None = None,
        at: datetime | None = None,
    ) -> bytes:
        """A stock requisition OMS^O05 (HL7 v2.5.1, 4.10.1): per line an ORC, an RQD and, with a note, an NTE.

        Lines are ``{item_number, description, quantity, unit, note?}``; ``need_by`` is ISO 8601. The
        requisition's number is placer order number and placer group number (ORC-2, ORC-4), the facility ORC-21,
        the department ORC-17, the item the hospital item code (RQD-4), the cost centre RQD-7. There is no
        patient. Raises ``Hl7Error`` where the text built does not say what was asked for.
        """
        person = requester or Person()
        try:
            message = Message("OMS_O05", version="2.5.1", validation_level=VALIDATION_LEVEL.STRICT)
            self._header(message.msh, control_id or uuid.uuid4().hex[:20].upper(), at or datetime.now(UTC))
            if note:
                _note(message.add_segment("NTE"), note)
            for count, line in enumerate(lines, 1):
                order = message.add_group("OMS_O05_ORDER")
                _common_order(order.add_segment("ORC"), number, facility, department, person)
                if urgent:
                    _urgent(order)
                _detail(order.add_segment("RQD"), str(count), line, cost_center, need_by)
                if line.get("note"):
                    _note(order.add_segment("NTE"), line["note"])
            message.validate()
            text: str = message.to_er7()
        except (HL7apyException, ValueError) as error:
            raise codec.Hl7Error(
                f"OMS^O05 cannot say this: {error}", code="102", next_action="see the field's type in chapter 4"
            ) from error
        return _checked(text.rstrip("\r") + "\r", number, lines)

    def _header(self, msh: Segment, control_id: str, at: datetime) -> None:
        msh.msh_3 = str(self.settings.get("application", "WARDSTOCK"))
        msh.msh_4 = str(self.settings.get("hospital", "MERCY"))
        msh.msh_5, msh.msh_6 = "ORDERLY", str(self.settings.get("hospital", "MERCY"))
        msh.msh_7 = at.strftime("%Y%m%d%H%M%S")
        msh.msh_9, msh.msh_10, msh.msh_11 = "OMS^O05^OMS_O05", control_id, "P"
        msh.msh_18 = "UNICODE UTF-8"


def _common_order(orc: Segment, number: str, facility: str, department: str, requester: Person) -> None:
    orc.orc_1, orc.orc_2, orc.orc_4 = "NW", _leaf(number), _leaf(number)
    orc.orc_12.orc_12_1, orc.orc_12.orc_12_3 = _leaf(requester.id), _leaf(requester.given)
    orc.orc_12.orc_12_2.fn_1 = _leaf(requester.family)
    if requester.email:
        orc.orc_14.orc_14_2, orc.orc_14.orc_14_3, orc.orc_14.orc_14_4 = "NET", "Internet", _leaf(requester.email)
    orc.orc_17.orc_17_2 = _leaf(department)
    orc.orc_21.orc_21_10 = _leaf(facility)


def _urgent(order: Group) -> None:
    timing = order.add_group("OMS_O05_TIMING").add_segment("TQ1")
    timing.tq1_1, timing.tq1_9.tq1_9_1 = "1", "S"


def _detail(rqd: Segment, count: str, line: Mapping[str, str], cost_center: str, need_by: str) -> None:
    rqd.rqd_1 = count
    rqd.rqd_4.rqd_4_1, rqd.rqd_4.rqd_4_2 = _leaf(line["item_number"]), _leaf(line["description"])
    rqd.rqd_5, rqd.rqd_6.rqd_6_1 = line["quantity"], _leaf(line["unit"])
    rqd.rqd_7, rqd.rqd_10 = _leaf(cost_center), need_by.replace("-", "")


def _note(nte: Segment, text: str) -> None:
    for line in text.splitlines():
        nte.add_field("NTE_3").value = _leaf(line)


def _leaf(text: str) -> str:
    """Escaped beforehand, because hl7apy takes a delimiter in a value for a delimiter."""
    return codec.escape(text, codec.Delimiters(), "utf-8")


def _checked(text: str, number: str, lines: Sequence[Mapping[str, str]]) -> bytes:
    """The text as UTF-8, read back with our own reader. Raises ``Hl7Error`` where a value became another."""
    raw = text.encode()
    message = codec.read(raw)
    for at, line in enumerate(lines):
        meant = (number, line["item_number"], line["description"], line["quantity"], line["unit"])
        places = (f"ORC[{at}]-2", f"RQD[{at}]-4", f"RQD[{at}]-4.2", f"RQD[{at}]-5", f"RQD[{at}]-6")
        for place, value in zip(places, meant, strict=True):
            if (message.get(place) or "") != value:
                raise codec.Hl7Error(
                    f"built {message.get(place)!r} where {value!r} was meant",
                    field=place,
                    code="102",
                    next_action="leave out what this field's type does not allow",
                )
    return raw


def _control_id(message: bytes) -> str:
    try:
        return codec.read(message).control_id
    except codec.Hl7Error:
        return ""
