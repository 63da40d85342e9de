"""The clocks of what a supplier has to send after an order: ship notice and invoice, in both standards, over SFTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runtime.model.run import RunState
from tests.e2e.supply import Open, Supply, opened

SAMPLES = Path(__file__).parents[2] / "sample_payloads" / "x12"
NOTICE, INVOICE = "ship_notice.received", "invoice.received"


@pytest.fixture(params=["x12", "edifact"])
def supply(request: pytest.FixtureRequest, workshop: Open, tmp_path: Path) -> Callable[..., Supply]:
    return lambda **awaiting: opened(workshop, tmp_path, str(request.param), awaiting=awaiting)


def received(made: Supply, number: str, receipt: str = "GR-1") -> None:
    """Goods of the order are booked."""
    told = {
        "schema": "goods_receipt/1", "receipt_number": receipt, "order_number": number,
        "received_date": "2026-12-04", "supplier": {"partner": "acme"},
        "lines": [{"line_number": "1", "quantity": "10", "unit": "BX"}],
    }  # fmt: skip
    assert made.shop.run("goods_receipt", told).state is RunState.DONE


def test_no_ship_notice_by_the_promised_date_is_overdue_until_one_comes(supply: Callable[..., Supply]) -> None:
    made = supply(ship_notice_promised="-1d")
    made.supplier.late("despatch_advice")
    number = made.order()
    made.collect("acknowledgement")
    [line] = made.shop.story(made.run("supplier_acknowledgement").id).body["lines"]
    due = datetime.fromisoformat(line["promised_date"]).replace(tzinfo=UTC) - timedelta(days=1)

    expected = made.awaited("supplier_acknowledgement", NOTICE)
    assert expected is not None
    assert (expected.event_key, expected.state) == (f"acme/{number}", "open")
    assert expected.due_at is not None
    assert abs(expected.due_at - due) < timedelta(milliseconds=2)

    made.later(seconds=(due - made.shop.now).total_seconds() - 60)
    assert made.overdue() == []
    made.later(seconds=61)
    assert made.overdue() == [NOTICE]
    [late] = [row for row in made.shop.store.exceptions().rows if row.kind == "overdue"]
    assert (late.owner, number in late.message) == ("procurement", True)

    made.supplier.release()
    made.collect("despatch_advice")
    assert made.overdue() == []
    assert made.shop.store.exception(late.id).state == "resolved"


def test_a_ship_notice_that_is_read_before_the_acknowledgement_counts(supply: Callable[..., Supply]) -> None:
    """Files of a partner are read in any order: nothing is overdue that is here already."""
    made = supply(ship_notice_promised="0d")
    made.supplier.late("acknowledgement")
    made.order()
    made.collect("despatch_advice")
    made.later(hours=1)

    made.supplier.release()
    made.collect("acknowledgement")

    expected = made.awaited("supplier_acknowledgement", NOTICE)
    assert expected is not None
    assert expected.state == "met"
    made.later(days=30)
    assert made.overdue() == []


def test_where_no_date_counts_the_clock_runs_from_the_acknowledgement(supply: Callable[..., Supply]) -> None:
    made = supply(ship_notice="10d")
    made.supplier.late("despatch_advice")
    made.order()
    made.collect("acknowledgement")

    made.later(days=10)

    assert made.overdue() == [NOTICE]


def test_where_no_acknowledgement_is_awaited_it_runs_from_the_order(supply: Callable[..., Supply]) -> None:
    made = supply(business="", ship_notice="10d")
    made.supplier.late("acknowledgement")
    made.supplier.late("despatch_advice")
    number = made.order()
    made.collect("functional_acknowledgement")

    expected = made.awaited("requisition_to_order", NOTICE)
    assert expected is not None
    assert (expected.event_key, expected.within) == (f"acme/{number}", 864_000.0)
    made.later(days=10)
    assert made.overdue() == [NOTICE]


def test_nothing_follows_an_order_that_was_rejected(supply: Callable[..., Supply]) -> None:
    made = supply(ship_notice="10d", ship_notice_promised="0d")
    made.supplier.answer("ITM-1001", "rejected")
    made.order()

    made.collect("acknowledgement")

    assert made.awaited("supplier_acknowledgement", NOTICE) is None


def test_of_a_partner_whose_profile_says_nothing_neither_is_awaited(supply: Callable[..., Supply]) -> None:
    made = supply()
    made.order()
    made.collect("acknowledgement")

    assert made.awaited("requisition_to_order", NOTICE) is None
    assert made.awaited("supplier_acknowledgement", NOTICE) is None


def test_no_invoice_after_the_receipt_is_overdue_until_one_comes(supply: Callable[..., Supply]) -> None:
    made = supply(invoice="30d")
    made.supplier.late("invoice")
    number = made.order()
    made.collect("despatch_advice")
    received(made, number)
    [booked] = made.shop.simulator("erp").journal.entries("receipt")
    assert (booked["number"], len(booked["lines"])) == (number, 1)

    made.later(days=29)
    assert made.overdue() == []
    made.later(days=1)
    assert made.overdue() == [INVOICE]

    made.supplier.release()
    made.collect("invoice")
    assert made.overdue() == []


def test_an_invoice_of_the_goods_before_says_nothing_of_the_next(supply: Callable[..., Supply]) -> None:
    """A delivery in parts, where each is invoiced."""
    made = supply(invoice="30d")
    number = made.order()
    received(made, number)
    made.collect("invoice")
    made.later(hours=1)
    assert made.overdue() == []

    received(made, number, "GR-2")

    made.later(days=30)
    assert made.overdue() == [INVOICE]


@pytest.mark.parametrize(
    ("kind", "event", "names"),
    [
        ("despatch_advice", NOTICE, {"856": "shipment_number", "DESADV": "document_number"}),
        ("invoice", INVOICE, {"810": "invoice_number", "INVOIC": "document_number"}),
    ],
)
def test_what_no_flow_processes_is_told_whole_and_goes_to_a_person(
    supply: Callable[..., Supply], kind: str, event: str, names: dict[str, str]
) -> None:
    made = supply()
    number = made.order()
    made.collect("acknowledgement")
    made.collect(kind)

    [found] = [row for row in made.shop.store.exceptions().rows if row.details["type"] in names]
    assert (found.kind, found.owner, found.details["partner"]) == ("document_not_processed", "procurement", "acme")
    assert found.details["order_numbers"] == [number]
    assert found.run is not None
    [told] = [one for one in made.shop.story(found.run).events if one.type == event]
    assert told.key == f"acme/{number}"
    type, own = found.details["type"], found.details["number"]
    assert (told.data["document"]["beginning"][names[type]], told.data["number"]) == (own, own)
    for said in (type, own, "acme", number, "No flow processes", "by hand, then resolve this exception"):
        assert said in found.message


def test_a_document_for_a_person_stops_nothing_else_of_its_file(workshop: Open, tmp_path: Path) -> None:
    made = opened(workshop, tmp_path, "x12")
    made.supplier.silent()
    number = made.order()
    made.supplier.journal.wait("order")
    acknowledged = (
        "GS*FA*ACMEMED*MERCYHOSP*20261120*1015*61*X*004010~ST*997*0001~AK1*PO*1~AK9*A*1*1*1~SE*4*0001~GE*1*61~"
    )
    invoice = (SAMPLES / "810.edi").read_text().replace("PO-1001", number)

    made.supplier.put_out("both.edi", invoice.replace("IEA*1*", f"{acknowledged}IEA*2*").encode())
    made.collect("order")

    assert made.problems() == ["document_not_processed"]
    assert made.ledger("out", "requisition_to_order") == ["accepted"]


def test_a_ship_notice_of_another_partner_that_names_the_order_does_not_end_its_clock(
    workshop: Open, tmp_path: Path
) -> None:
    bolt = {
        "partner": "bolt", "name": "Bolt", "supplier_number": "4020",
        "x12": {
            "ours": {"qualifier": "ZZ", "id": "MERCYHOSP", "group_id": "MERCYHOSP"},
            "theirs": {"qualifier": "ZZ", "id": "BOLTMED", "group_id": "BOLTMED"},
            "usage": "T", "version": "004010",
        },
    }  # fmt: skip
    made = opened(workshop, tmp_path, "x12", bolt, awaiting={"ship_notice": "10d"})
    made.supplier.late("despatch_advice")
    made.supplier.late("invoice")
    number = made.order()
    made.collect("acknowledgement")

    notice = (SAMPLES / "856.edi").read_text().replace("ACMEMED", "BOLTMED").replace("PO-1001", number)
    made.supplier.put_out("bolt.edi", notice.encode())
    made.collect("order")

    [theirs] = made.shop.store.exceptions().rows
    assert (theirs.kind, theirs.details["partner"]) == ("document_not_processed", "bolt")
    made.later(days=10)
    assert made.overdue() == [NOTICE]


def answered_again(made: Supply, **line: str) -> None:
    """The supplier answers the order once more, all its lines so."""
    first = made.run("supplier_acknowledgement")
    body = made.shop.story(first.id).body
    told = {key: value for key, value in body.items() if key != "order"}
    lines = [{**one, **line} for one in body["lines"]]
    more = {"status": line["status"]} if "status" in line else {}
    assert made.shop.run("supplier_acknowledgement", {**told, **more, "lines": lines}).state is RunState.DONE


def clocks(made: Supply) -> list[str]:
    """How each acknowledgement's clock of the ship notice stands, oldest first."""
    runs = reversed(made.shop.store.runs(flow="supplier_acknowledgement").rows)
    return [one.state for run in runs for one in made.shop.story(run.id).expectations if one.event_type == NOTICE]


def test_the_clock_moves_with_the_promised_date(supply: Callable[..., Supply]) -> None:
    made = supply(ship_notice_promised="0d")
    made.supplier.late("despatch_advice")
    made.order()
    made.collect("acknowledgement")
    later = (made.shop.now + timedelta(days=60)).date()

    answered_again(made, promised_date=later.isoformat())

    assert clocks(made) == ["moved", "open"]
    made.later(
        seconds=(datetime(later.year, later.month, later.day, tzinfo=UTC) - made.shop.now).total_seconds() - 1
    )
    assert made.overdue() == []
    made.later(seconds=2)
    assert made.overdue() == [NOTICE]


def test_what_is_late_is_so_no_longer_once_a_later_date_is_promised(supply: Callable[..., Supply]) -> None:
    made = supply(ship_notice_promised="0d")
    made.supplier.late("despatch_advice")
    made.order()
    made.collect("acknowledgement")
    made.later(days=60)
    [late] = [row for row in made.shop.store.exceptions().rows if row.kind == "overdue"]

    answered_again(made, promised_date=(made.shop.now + timedelta(days=5)).date().isoformat())

    assert made.overdue() == []
    assert made.shop.store.exception(late.id).note == "it is expected by another time now"


def test_an_order_that_is_rejected_later_is_awaited_no_more(supply: Callable[..., Supply]) -> None:
    made = supply(ship_notice_promised="0d")
    made.supplier.late("despatch_advice")
    made.order()
    made.collect("acknowledgement")

    answered_again(made, status="rejected")

    assert clocks(made) == ["moved"]
    made.later(days=60)
    assert made.overdue() == []


def test_an_answer_that_names_no_date_leaves_the_clock_as_it_is(supply: Callable[..., Supply]) -> None:
    made = supply(ship_notice_promised="0d")
    made.supplier.late("despatch_advice")
    made.order()
    made.collect("acknowledgement")
    first = made.run("supplier_acknowledgement")
    body = made.shop.story(first.id).body
    told = {key: value for key, value in body.items() if key != "order"}
    lines = [{key: value for key, value in one.items() if key != "promised_date"} for one in body["lines"]]

    assert made.shop.run("supplier_acknowledgement", {**told, "lines": lines}).state is RunState.DONE

    assert clocks(made) == ["open"]
