"""The supplier takes 850s over SFTP and answers each interchange once: 997 first, then 855."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sdk import Misconfigured, NotSent, load_simulator
from connectors.sftp.connector import Collect, Deliver
from connectors.sftp.settings import SftpSettings
from connectors.simulators.supplier import Supplier
from connectors.x12.codec import Envelope, Party, faults, interchange, named, parties, read, write
from tests.connectors.file.contract import Door, Place

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
HOSPITAL = Party("ZZ", "MERCYHOSP")
ACME = Party("ZZ", "ACMEMED")


@pytest.fixture
def supplier() -> Iterator[Supplier]:
    made = Supplier(now=lambda: NOW)
    made.endpoints = made.start()  # type: ignore[attr-defined]
    yield made
    made.stop()


@pytest.fixture
def place(supplier: Supplier) -> Iterator[Place]:
    settings = SftpSettings.model_validate(
        {**supplier.endpoints, "user": "orderly", "password": "supplier-demo-secret"}  # type: ignore[attr-defined]
    )
    made = Place(settings, supplier.folder, Collect(), Deliver())
    yield made
    made.close()


def order(number: int = 1, quantities: tuple[str, ...] = ("10",), receiver: Party = ACME) -> str:
    lines = [
        {
            "line_number": str(line),
            "quantity": quantity,
            "unit": "BX",
            "unit_price": "8.50",
            "product_ids": [
                {"qualifier": "BP", "id": f"ITM-100{line}"},
                {"qualifier": "VN", "id": f"AC-{line}"},
            ],
        }
        for line, quantity in enumerate(quantities, 1)
    ]
    document = {
        "beginning": {
            "purpose": "00",
            "order_type": "NE",
            "order_number": f"45000000{number:02d}",
            "order_date": "20261124",
        },
        "lines": lines,
        "totals": {"line_count": str(len(lines))},
    }
    envelope = Envelope(HOSPITAL, receiver, number, number, NOW)
    return write(interchange(envelope, [("850", document)])).decode()


def answers(place: Place) -> list[dict[str, Any]]:
    """The named views of what was collected, with the file's name; every file is free of faults."""
    door = Door()
    place.collect(door)
    found = []
    for arrival in door.arrivals:
        document = read(arrival.raw)
        assert faults(document) == []
        [one] = document["interchanges"]
        assert parties(one)[0].id == "ACMEMED"
        assert parties(one)[1].id == "MERCYHOSP"
        found.append({"file": arrival.headers["file_name"], **named(one["groups"][0]["sets"][0])})
    return sorted(found, key=lambda one: one["file"], reverse=True)


def test_it_is_found_by_name() -> None:
    """The demo and packs start it as ``supplier``."""
    assert load_simulator("supplier") is Supplier


def test_an_order_is_answered_by_997_and_then_855(supplier: Supplier, place: Place) -> None:
    """Two files with control numbers of their own; the 997 names our group, the 855 our order and lines."""
    place.deliver("/in/000000001.edi", order(1))
    supplier.journal.wait("acknowledgement", purchase_order="4500000001")

    [functional, acknowledgement] = answers(place)

    kinds = [entry["kind"] for entry in supplier.journal.entries()]
    assert kinds == ["order", "functional_acknowledgement", "acknowledgement"]
    [taken] = supplier.journal.entries("order")
    assert taken["interchange_control_number"] == "000000001"
    assert [line["quantity"] for line in taken["lines"]] == ["10"]
    assert functional["file"] == "997_000000001.edi"
    assert functional["group"] == {"functional_identifier": "PO", "group_control_number": "1"}
    assert functional["result"]["code"] == "A"
    assert acknowledgement["file"] == "855_000000002.edi"
    assert acknowledgement["beginning"]["order_number"] == "4500000001"
    assert acknowledgement["beginning"]["acknowledgement_type"] == "AD"
    [line] = acknowledgement["lines"]
    assert line["acknowledgements"][0]["status"] == "IA"
    assert line["acknowledgements"][0]["date"] == "20261127"


def test_lines_are_answered_by_rule_by_item_and_by_order(supplier: Supplier, place: Place) -> None:
    """Over 500 is backordered; ``answer`` by either party's item number or by order number says otherwise."""
    supplier.answer("ITM-1002", "rejected")
    supplier.answer("AC-3", "changed")
    place.deliver("/in/1.edi", order(1, ("501", "5", "8", "500")))
    supplier.journal.wait("acknowledgement")
    supplier.answer("4500000002", "rejected")
    place.deliver("/in/2.edi", order(2, ("600",)))
    supplier.journal.wait("acknowledgement", count=2)

    first, second = supplier.journal.entries("acknowledgement")

    assert first["statuses"] == ["backordered", "rejected", "changed", "accepted"]
    assert second["statuses"] == ["rejected"]
    by_order = {one["beginning"]["order_number"]: one for one in answers(place) if "lines" in one}
    mixed, rejected = by_order["4500000001"], by_order["4500000002"]
    answered = [line["acknowledgements"][0] for line in mixed["lines"]]
    assert [(one["status"], one["quantity"]) for one in answered] == [
        ("IB", "501"), ("IR", "5"), ("IQ", "4"), ("IA", "500"),
    ]  # fmt: skip
    assert mixed["beginning"]["acknowledgement_type"] == "AC"
    assert rejected["beginning"]["acknowledgement_type"] == "RD"


def test_an_unknown_answer_is_refused(supplier: Supplier) -> None:
    """A typing error in a demo would otherwise go unnoticed."""
    with pytest.raises(Misconfigured, match="perhaps"):
        supplier.answer("ITM-1001", "perhaps")


def test_the_same_interchange_is_never_answered_twice(supplier: Supplier, place: Place) -> None:
    """Neither delivered again under its name nor under another; the journal tells each time."""
    place.deliver("/in/1.edi", order(1))
    place.deliver("/in/1.edi", order(1))
    place.deliver("/in/other.edi", order(1))

    supplier.journal.wait("duplicate_interchange", count=2, interchange_control_number="000000001")

    assert len(supplier.journal.entries("order")) == 1
    assert len(supplier.journal.entries("acknowledgement")) == 1


def test_a_refused_interchange_gets_a_997_with_r_and_no_855(supplier: Supplier, place: Place) -> None:
    """Once; the next one is taken again."""
    supplier.refuse_next()
    place.deliver("/in/1.edi", order(1))
    place.deliver("/in/2.edi", order(2))
    supplier.journal.wait("acknowledgement")

    codes = [entry["code"] for entry in supplier.journal.entries("functional_acknowledgement")]
    acknowledged = [entry["purchase_order"] for entry in supplier.journal.entries("acknowledgement")]

    assert codes == ["R", "A"]
    assert acknowledged == ["4500000002"]
    refused = [one for one in answers(place) if one["file"] == "997_000000001.edi"]
    assert refused[0]["sets"][0]["result"] == {"code": "R", "errors": [{"code": "5"}]}


def test_a_faulty_order_is_refused_by_its_own_faults(supplier: Supplier, place: Place) -> None:
    """The 997 comes from the codec's check, and there is no 855."""
    content = order(1).replace("BEG*00*NE*", "BEG*00**")

    place.deliver("/in/1.edi", content)
    [functional] = supplier.journal.wait("functional_acknowledgement")
    place.deliver("/in/2.edi", order(2))
    supplier.journal.wait("acknowledgement")

    assert functional["code"] == "R"
    assert [one["purchase_order"] for one in supplier.journal.entries("acknowledgement")] == ["4500000002"]


def test_a_silent_supplier_takes_orders_and_answers_nothing(supplier: Supplier, place: Place) -> None:
    """So that overdue acknowledgements can be shown."""
    supplier.silent()
    place.deliver("/in/1.edi", order(1))
    supplier.journal.wait("order")
    supplier.silent(False)
    place.deliver("/in/2.edi", order(2))
    supplier.journal.wait("acknowledgement")

    answered = {entry["answers"] for entry in supplier.journal.entries("functional_acknowledgement")}

    assert answered == {"000000002"}


@pytest.mark.parametrize("content", ["", "not EDI at all", "ISA*00*", order(9, receiver=Party("ZZ", "NORTHWIND"))])
def test_what_it_cannot_read_or_is_not_for_it_is_told(supplier: Supplier, place: Place, content: str) -> None:
    """It goes on with the next file."""
    place.deliver("/in/odd.edi", content)
    place.deliver("/in/1.edi", order(1))

    supplier.journal.wait("acknowledgement", purchase_order="4500000001")

    [odd] = supplier.journal.entries("unreadable")
    assert odd["path"] == "/in/odd.edi"
    assert odd["problem"]


def test_an_interrupted_delivery_is_not_taken_for_an_order(supplier: Supplier, place: Place) -> None:
    """Only what has its final name is read."""
    supplier.wrong.hang_up_after_bytes = 1

    with pytest.raises(NotSent):
        place.deliver("/in/1.edi", order(1))
    place.deliver("/in/1.edi", order(1))
    supplier.journal.wait("acknowledgement")

    assert [entry["kind"] for entry in supplier.journal.entries()] == [
        "order", "functional_acknowledgement", "acknowledgement",
    ]  # fmt: skip


def test_stop_ends_all_threads_and_removes_the_folder() -> None:
    """The demo starts and stops it in the serving process."""
    before = set(threading.enumerate())
    supplier = Supplier()
    settings = SftpSettings.model_validate(
        {**supplier.start(), "user": "orderly", "password": "supplier-demo-secret"}
    )
    place = Place(settings, supplier.folder, Collect(), Deliver())
    place.deliver("/in/1.edi", order(1))
    supplier.journal.wait("acknowledgement")

    supplier.stop()
    place.close()

    assert set(threading.enumerate()) <= before
    assert not supplier.folder.exists()


def test_its_folder_can_be_listed_while_files_appear_in_it(supplier: Supplier, place: Place) -> None:
    names = [f"{number:03}.edi" for number in range(300)]
    putting = threading.Thread(target=lambda: [supplier.put_out(name, b"ISA") for name in names])
    putting.start()
    while putting.is_alive():
        place.collect(Door())
    putting.join()

    assert set(names) <= {path.name for path in (place.folder / "out").rglob("*")}
