"""The documents of one procurement in any order, doubled, late, in the middle of trouble: always the same end."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from connectors.sdk import Arrival
from connectors.simulators.erp import FIRST_NUMBER
from runtime.intake.accept import Intake
from runtime.model.run import FINISHED, Run, RunState
from runtime.services import Services, Settings
from runtime.store import tables
from runtime.store.statements import Statement
from tests.faults.fleet import database
from tests.faults.outside import Outside, opened, write_pack

pytestmark = pytest.mark.timeout(300)

#: How many orders of things are tried; the same ones each time, unless ORDERLY_TEST_EXAMPLES asks for others.
EXAMPLES = int(os.environ.get("ORDERLY_TEST_EXAMPLES", "0"))
PROFILE: dict[str, Any] = {
    "deadline": None, "database": None, "derandomize": not EXAMPLES,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    "phases": [Phase.explicit, Phase.generate, Phase.shrink],
}  # fmt: skip
_LAST_NUMBERS = Statement(select(tables.control_series.c.series, tables.control_series.c.number))
_GROUPS = "x12/ZZ:MERCYHOSP/ZZ:ACMEMED/T/gs"
_ENVELOPE = (
    "ISA*00*          *00*          *ZZ*ACMEMED        *ZZ*MERCYHOSP      *261124*0800*U*00401*{n:09}*0*T*>~\n"
    "GS*{group}*ACMEMED*MERCYHOSP*20261124*0800*{n}*X*004010~\nST*{type}*0001~\n{body}SE*{segments}*0001~\n"
    "GE*1*{n}~\nIEA*1*{n:09}~\n"
)
_997 = "AK1*PO*{answers}~\nAK2*850*0001~\nAK5*A~\nAK9*A*1*1*1~\n"
_855 = (
    "BAK*00*AD*{order}*20261124****ACME-{order}*20261124~\n"
    "PO1*1*1*BX*11.20**VN*AC-GLV-M*BP*ITM-1001*UK*09521234300014~\nACK*IA*1*BX*067*20261127~\nCTT*1~\n"
)

#: What every order of things comes to. ``PO`` stands for the number that the ERP gave, ``GS`` for our group's.
THE_END: dict[str, Any] = {
    "runs": {
        ("requisition_intake", "done", "done"): 1, ("requisition_to_order", "done", "done"): 1,
        ("supplier_inbox", "done", "done"): 3, ("supplier_inbox", "done", "duplicate"): 1,
        ("x12_answer", "done", "done"): 2, ("functional_acknowledgement", "done", "done"): 1,
        ("supplier_acknowledgement", "done", "done"): 1,
    },
    "ordered in the ERP": [("PO", "11.20")],
    "received by the supplier": ["PO"],
    "confirmed in the ERP": {"PO"},
    "told to the portal": {"ordered", "accepted"},
    "expectations": {("x12.997", "GS", "met"), ("purchase_order.acknowledged", "PO", "met")},
    "events": {("x12.997", "GS"): 1, ("purchase_order.acknowledged", "PO"): 1, ("purchase_order.issued", "PO"): 1},
    "open exceptions": [],
}  # fmt: skip


class House:
    """The shipped flows in one process whose time somebody moves; peers that are there all the while."""

    def __init__(self, folder: Path, outside: Outside, store: str) -> None:
        self.outside = outside
        self.now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
        self.numbers = count(1)
        pack = write_pack(folder / "pack", outside)
        wants_no_997(pack / "partners" / "acme.json")
        self._settings = Settings(folder / "data", (pack,), port=0, clock=lambda: self.now, store=store)
        self.services = Services(self._settings)
        outside.supplier.silent()

    @property
    def store(self) -> Any:
        return self.services.clients["mercy"].store

    def take_webhook(self, flow: str, content: bytes) -> str:
        arrival = Arrival(content, "application/json")
        return self._intake.take_raw(flow, arrival, "webhook", sum_of_bytes=False).state

    def take_file(self, flow: str, content: bytes, name: str) -> str:
        """As ``sftp.collect`` hands it over."""
        arrival = Arrival(content, "application/edi-x12", {"file_name": name}, identity=name)
        return self._intake.take_raw(flow, arrival, "sftp.collect", sum_of_bytes=True).state

    @property
    def _intake(self) -> Intake:
        return self.services.intake(self.services.clients["mercy"])

    def last_number(self, series: str) -> int:
        found = self.services.store.read(lambda tx: tx.all(_LAST_NUMBERS))
        return next((number for name, number in found if name == series), 0)

    def restart(self) -> None:
        self.services.stop()
        self.services = Services(self._settings)


@contextmanager
def house(folder: Path, store: str = "") -> Iterator[House]:
    with opened() as outside:
        made = House(folder, outside, store)
        try:
            yield made
        finally:
            made.services.stop()


def wants_no_997(partner: Path) -> None:
    """Nothing but an order takes a group control number, so that it is known before the order is written."""
    profile = json.loads(partner.read_text())
    partner.write_text(json.dumps({**profile, "x12": {**profile["x12"], "acknowledge": {"functional": False}}}))


class Procurement:
    """One requisition and its documents, which may be delivered at any time, in any order, any number of times.

    The supplier's answers name numbers that are given out later: they are known here because nobody else orders.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        house.outside.erp.come_up()
        self.drain()
        self.number = f"REQ-{next(house.numbers):04}"
        ordered = house.outside.orders.entries("purchase_order")
        self.order = str(FIRST_NUMBER + len(ordered))
        self.group = str(house.last_number(_GROUPS) + 1)
        self.before = max((run.id for run in house.store.runs(limit=1).rows), default="")
        self.requisition = json.dumps(house.outside.requisition(self.number)).encode()
        own = 3 * int(self.number[-4:])
        self.files = {
            "997": _interchange(own, "FA", "997", _997.format(answers=self.group)),
            "855": _interchange(own + 1, "PR", "855", _855.format(order=self.order)),
            "the 855 in a new envelope": _interchange(own + 2, "PR", "855", _855.format(order=self.order)),
            "the 997 under a new name": _interchange(own, "FA", "997", _997.format(answers=self.group)),
        }
        self.delivered: set[str] = set()

    # what may happen, at any time

    def deliver(self, document: str) -> None:
        if document == "requisition":
            told = self.house.take_webhook("requisition_intake", self.requisition)
        else:
            told = self.house.take_file("supplier_inbox", self.files[document], f"{self.number} {document}.edi")
        assert told == ("duplicate" if document in self.delivered else "accepted")
        self.delivered.add(document)

    def step(self) -> None:
        """The first run that is due goes one advance further."""
        for run in self.house.services.store.due(limit=1):
            self.house.services.engine.advance(run)

    def drain(self) -> None:
        while due := self.house.services.store.due():
            for run in due:
                self.house.services.engine.advance(run)
        self.house.services.store.overdue()

    def worker_dies(self) -> None:
        """It has just taken the first run that is due, and nobody hears of it again."""
        for run in self.house.services.store.due(limit=1):
            self.house.services.store.acquire(run, "a worker that died", 30.0)

    def redrive(self) -> None:
        for run in self.runs(RunState.DEAD, RunState.EXCEPTION):
            self.house.services.repair("mercy").redrive(run.id, "omar")

    def pass_time(self, **duration: float) -> None:
        self.house.now += timedelta(**duration)
        self.house.services.store.overdue()

    # how it ends

    def runs(self, *states: RunState) -> list[Run]:
        found = self.house.store.runs(states=states, limit=100).rows
        return [run for run in found if run.id > self.before]

    def settle(self) -> None:
        """The peers are there, every document has come, and people redrive what stands still."""
        self.house.outside.erp.come_up()
        for document in ("requisition", *self.files):
            if document not in self.delivered:
                self.deliver(document)
        for _ in range(60):
            self.drain()
            if all(run.state in FINISHED for run in self.runs()):
                break
            self.redrive()
            self.pass_time(seconds=10)
        self.pass_time(days=3)

    def summary(self) -> dict[str, Any]:
        stories = [self.house.store.story(run.id) for run in self.runs()]
        erp, portal, supplier = self.house.outside.erp, self.house.outside.portal, self.house.outside.supplier
        ordered = erp.journal.entries("purchase_order", requisition_number=self.number)
        known = {self.order: "PO", f"acme/{self.group}": "GS"}
        supplier.journal.wait("order", purchase_order=self.order)
        return {
            "runs": Counter((story.run.flow, str(story.run.state), story.run.outcome) for story in stories),
            "ordered in the ERP": [(known.get(order["number"]), order["total"]) for order in ordered],
            "received by the supplier": [
                known[order["purchase_order"]]
                for order in supplier.journal.entries("order", purchase_order=self.order)
            ],
            "confirmed in the ERP": {
                known[entry["number"]] for entry in erp.journal.entries("confirmed", number=self.order)
            },
            "told to the portal": {
                entry["status"] for entry in portal.journal.entries("status", requisition_number=self.number)
            },
            "expectations": {
                (row.event_type, known.get(row.event_key), row.state)
                for story in stories
                for row in story.expectations
            },
            "events": Counter((event.type, known.get(event.key)) for story in stories for event in story.events),
            "open exceptions": [
                (row.kind, row.message) for story in stories for row in story.exceptions if row.state == "open"
            ],
        }


def _interchange(n: int, group: str, type: str, body: str) -> bytes:
    segments = body.count("~") + 2
    return _ENVELOPE.format(n=n, group=group, type=type, body=body, segments=segments).encode()


DOCUMENTS = ("requisition", "997", "855", "the 855 in a new envelope", "the 997 under a new name")
HAPPENINGS: dict[str, Callable[[Procurement], object]] = {
    **{document: partial(Procurement.deliver, document=document) for document in DOCUMENTS},
    "one step": Procurement.step,
    "all steps": Procurement.drain,
    "a worker dies": Procurement.worker_dies,
    "a restart": lambda p: p.house.restart(),
    "somebody redrives": Procurement.redrive,
    "six seconds pass": lambda p: p.pass_time(seconds=6),
    "five hours pass": lambda p: p.pass_time(hours=5),
    "three days pass": lambda p: p.pass_time(days=3),
    "the ERP is out": lambda p: p.house.outside.erp.go_down(),
    "the ERP is back": lambda p: p.house.outside.erp.come_up(),
    "the ERP orders and hangs up": lambda p: p.house.outside.erp.hang_up_after("CreatePurchaseOrder"),
}


@st.composite
def schedules(draw: st.DrawFn) -> list[str]:
    """Each document once and some again, anything else in between."""
    documents = draw(st.permutations(DOCUMENTS[1:]))
    others = draw(st.lists(st.sampled_from(list(HAPPENINGS)), max_size=20))
    for document in documents:
        others.insert(draw(st.integers(0, len(others))), document)
    return others


def comes_to_the_end(house: House, schedule: list[str]) -> None:
    """The requisition goes first, because the others answer what becomes of it, and as far as the order's own run:
    from there on its answers may overtake everything."""
    procurement = Procurement(house)
    procurement.deliver("requisition")
    procurement.step()

    for happening in schedule:
        HAPPENINGS[happening](procurement)
    procurement.settle()

    assert procurement.summary() == THE_END


@pytest.fixture
def world(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


@pytest.fixture
def shared_world(tmp_path: Path) -> Iterator[House]:
    with database() as store, house(tmp_path, store) as made:
        yield made


@settings(max_examples=EXAMPLES or 75, **PROFILE)
@given(schedule=schedules())
def test_any_order_of_the_documents_of_a_procurement_ends_in_the_same_state(
    world: House, schedule: list[str]
) -> None:
    """Requisition, acceptance, 855 and 997 in any order, doubled, before what they answer or after their deadline,
    with restarts, dead workers, outages and redrives in between, end in one order and in the same state."""
    comes_to_the_end(world, schedule)


@settings(max_examples=EXAMPLES or 12, **PROFILE)
@given(schedule=schedules())
def test_any_order_ends_in_the_same_state_on_postgresql_too(shared_world: House, schedule: list[str]) -> None:
    """What any order of the documents ends in does not depend on the store."""
    comes_to_the_end(shared_world, schedule)
