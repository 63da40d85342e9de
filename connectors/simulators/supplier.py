"""A supplier: an SFTP server whose EDI robot reads orders from ``/in`` and puts its answers into ``/out``.

Orders are X12 850s or EDIFACT ORDERS, answers of the same kind: a 997 or CONTRL, then an 855 or ORDRSP and, where
the settings ask for them, an 856 or DESADV and an 810 or INVOIC.

Journal: ``order`` (purchase_order, interchange_control_number, lines as in the order),
``functional_acknowledgement`` (code, group_control_number and answers: what it answers; interchange_control_number,
file: its own), ``acknowledgement`` (purchase_order, statuses of the lines, answers, interchange_control_number,
file), ``despatch_advice`` (purchase_order, shipment, sscc, lots and the same), ``invoice`` (purchase_order,
invoice, total, prices and the same), ``answered`` (type, code and of: the number it answers; what came was a 997,
TA1 or CONTRL), ``withheld`` (of, and the facts of what was not sent),
``duplicate_interchange`` (interchange_control_number, path), ``unreadable`` (path, problem). What was sent wrong
says so: ``wrong``.
"""

from __future__ import annotations

import posixpath
import queue
import shutil
import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.sdk import ConnectorError, Misconfigured, Simulator
from connectors.simulators.sftp_endpoint import Misbehaviour, SftpEndpoint
from connectors.simulators.supplier_outbox import Outbox
from connectors.simulators.supplier_robot import Reply, Robot
from connectors.simulators.supplier_rules import ANSWERS, KINDS, Rules


class Supplier(Simulator):
    """Settings: ``user`` (orderly), ``password`` (supplier-demo-secret), ``port`` (0: a free one); ``id`` and
    ``qualifier`` of its X12 interchanges (ACMEMED, ZZ), ``gln`` and ``gln_qualifier`` of its EDIFACT ones
    (9521234600015, 14); ``sends``: which of ``despatch_advice`` and ``invoice`` it sends too (none); ``lots`` of
    each line despatched (1); ``wrong``: what it does wrong from the start, as ``{kind: [damage, ...]}``; ``now``
    (its clock). Endpoints: ``host``, ``port``, ``host_key`` (the line to pin)."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        rules = Rules(lots=int(settings.get("lots", 1)))
        rules.sends |= set(settings.get("sends", ()))
        if unknown := rules.sends - set(KINDS):
            raise Misconfigured(f"a supplier sends no {sorted(unknown)}", next_action=f"use some of {KINDS[2:]}")
        x12 = (settings.get("qualifier", "ZZ"), settings.get("id", "ACMEMED"))
        edifact = (settings.get("gln_qualifier", "14"), settings.get("gln", "9521234600015"))
        now = settings.get("now", lambda: datetime.now(UTC))
        self.robot = Robot(x12, edifact, rules, self.journal, now)
        for kind, damages in settings.get("wrong", {}).items():
            for damage in damages:
                self.send_wrong(damage, kind)
        self._arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._outbox = Outbox(self._put)

    def start(self) -> Mapping[str, str]:
        self.folder = Path(tempfile.mkdtemp(prefix="orderly-supplier-"))
        for name in ("in", "out"):
            (self.folder / name).mkdir()
        self.sftp = SftpEndpoint(
            self.folder,
            self.settings.get("user", "orderly"),
            self.settings.get("password", "supplier-demo-secret"),
            self._take,
        )
        port = self.sftp.open(self.settings.get("port", 0))
        self._worker = threading.Thread(target=self._work, name="supplier-robot")
        self._worker.start()
        return {"host": "127.0.0.1", "port": str(port), "host_key": self.sftp.host_key}

    def stop(self) -> None:
        """Ends all threads and removes the folder; what is late is never sent."""
        self.sftp.close()
        self._arrived.put(None)
        self._worker.join()
        self._outbox.close()
        shutil.rmtree(self.folder)

    def answer(self, key: str, status: str) -> None:
        """From now on lines with this item number (ours or theirs), or all lines of this order, are answered
        ``accepted``, ``changed`` (half the quantity), ``backordered`` or ``rejected``."""
        if status not in ANSWERS:
            raise Misconfigured(f"no answer called {status!r}", next_action=f"use one of {', '.join(ANSWERS)}")
        self.robot.rules.by_key[key] = status

    def invoice_at(self, key: str, price: str) -> None:
        """From now on lines with this item number, or all lines of this order, are invoiced at this unit price."""
        self.robot.rules.prices[key] = price

    def silent(self, on: bool = True) -> None:
        """Takes orders and answers nothing."""
        self.robot.rules.silent = on

    def refuse_next(self) -> None:
        """The next interchange with an order is rejected, down to an element of its first line: 997 with R and
        AK3/AK4, or CONTRL with UCM 4, UCS and UCD; nothing else follows."""
        self.robot.rules.refuse_next()

    def send_wrong(self, damage: str, kind: str = "acknowledgement", times: int = 1) -> None:
        """The next replies of this kind are ``duplicate`` (the same file again), ``other_content`` (the same
        control numbers again around another document), ``truncated``, ``wrong_count`` (SE01, UNT 0074),
        ``wrong_total`` (IEA01, UNZ 0036), ``unknown_reference`` (an order or group nobody sent),
        ``other_environment`` (the test indicator turned round) or ``bad_set`` (one behind the first good one).

        Raises ``Misconfigured`` for another damage or kind."""
        self.robot.rules.do_wrong(damage, kind, times)

    def withhold(self, kind: str = "functional_acknowledgement", times: int = 1) -> None:
        """The next replies of this kind are never sent, the others are."""
        self.robot.rules.withhold(kind, times)

    def late(self, kind: str = "functional_acknowledgement", seconds: float = 3600.0) -> None:
        """From now on replies of this kind are put out only after so many seconds, or ``release()``."""
        self._outbox.delay(kind, seconds)

    def release(self) -> None:
        """What is late is put out now, and nothing is late any more."""
        self._outbox.release()

    @property
    def wrong(self) -> Misbehaviour:
        """What is wrong with the SFTP server; set its fields."""
        return self.sftp.wrong

    def put_out(self, name: str, content: bytes) -> None:
        """A file appears in ``/out`` at once: written under a temporary name, then renamed."""
        temporary = self.folder / "out" / f".{name}.part"
        temporary.write_bytes(content)
        temporary.rename(self.folder / "out" / name)

    def _take(self, path: str) -> None:
        folder, name = posixpath.split(path)
        if folder == "/in" and not name.startswith(".") and not name.endswith((".part", ".tmp")):
            self._arrived.put(path)

    def _work(self) -> None:
        while (path := self._arrived.get()) is not None:
            try:
                raw = (self.folder / path.lstrip("/")).read_bytes()
            except FileNotFoundError:
                self.journal.write("unreadable", path=path, problem="taken away before it was read")
                continue
            try:
                for reply in self.robot.answer(raw, path):
                    self._outbox.put(reply)
            except ConnectorError as error:
                self.journal.write("unreadable", path=path, problem=f"cannot be answered: {error}")

    def _put(self, reply: Reply) -> None:
        self.put_out(reply.name, reply.content)
        for facts in reply.facts:
            self.journal.write(reply.kind, **facts)
