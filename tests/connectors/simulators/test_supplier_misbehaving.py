"""What the supplier does wrong on request, in X12 and in EDIFACT; each is found by what the hospital reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from connectors.edifact.codec import EdifactError
from connectors.sdk import Misconfigured
from connectors.sftp.connector import Collect, Deliver
from connectors.sftp.settings import SftpSettings
from connectors.simulators.supplier import Supplier
from connectors.x12.codec import X12Error
from tests.connectors.file.contract import Door, Place
from tests.connectors.simulators.supplier_formats import FORMATS, NOW, Answer, Format

KINDS = ("functional_acknowledgement", "acknowledgement", "despatch_advice", "invoice")


@pytest.fixture
def supplier() -> Iterator[Supplier]:
    made = Supplier(now=lambda: NOW, sends=KINDS[2:])
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


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def wrong(supplier: Supplier, place: Place, format: Format, kind: str, damage: str) -> list[Answer]:
    """What is there of this kind after two orders, the first answered with the damage; the second is sound."""
    supplier.send_wrong(damage, kind)
    place.deliver("/in/1.edi", format.orders(1, ("10", "4")))
    place.deliver("/in/2.edi", format.orders(2, ("10", "4")))
    supplier.journal.wait("invoice", answers="000000002" if format is FORMATS["x12"] else "2")
    assert [entry["wrong"] for entry in supplier.journal.entries(kind) if "wrong" in entry] == [damage]
    *damaged, sound = [one for one in format.collected(place) if one.type == format.types[kind]]
    assert sound.faults == ()
    return damaged


def test_the_same_file_comes_twice(supplier: Supplier, place: Place, format: Format, kind: str) -> None:
    first, again = wrong(supplier, place, format, kind, "duplicate")

    assert first.raw == again.raw
    assert first.file != again.file


def test_a_number_comes_again_with_other_content(
    supplier: Supplier, place: Place, format: Format, kind: str
) -> None:
    first, again = wrong(supplier, place, format, kind, "other_content")

    assert first.control_number == again.control_number
    assert first.document != again.document
    assert first.faults == again.faults == ()


def test_a_count_of_segments_is_wrong(supplier: Supplier, place: Place, format: Format, kind: str) -> None:
    [damaged] = wrong(supplier, place, format, kind, "wrong_count")

    assert damaged.faults == (
        "set_segment_count" if format is FORMATS["x12"] else "message_segment_count",
    )  # fmt: skip


def test_the_count_of_the_interchange_is_wrong(supplier: Supplier, place: Place, format: Format, kind: str) -> None:
    [damaged] = wrong(supplier, place, format, kind, "wrong_total")

    assert damaged.faults == ("interchange_group_count" if format is FORMATS["x12"] else "interchange_count",)


def test_it_answers_what_nobody_sent(supplier: Supplier, place: Place, format: Format, kind: str) -> None:
    [damaged] = wrong(supplier, place, format, kind, "unknown_reference")

    told = str(damaged.document)
    assert ("999999" if kind == "functional_acknowledgement" else "PO-NOBODY-SENT") in told
    assert "PO-1-1" not in told
    assert damaged.faults == ()


def test_a_test_document_comes_to_production(supplier: Supplier, place: Place, format: Format, kind: str) -> None:
    supplier.send_wrong("other_environment", kind)
    place.deliver("/in/1.edi", format.orders(1, ("10",), test=False))
    place.deliver("/in/2.edi", format.orders(2, ("10",), test=True))
    supplier.journal.wait("invoice", 2)

    first, second = [one for one in format.collected(place) if one.type == format.types[kind]]

    assert (first.is_test, second.is_test) == (True, True)


def test_a_production_document_comes_to_test(supplier: Supplier, place: Place, format: Format, kind: str) -> None:
    [damaged] = wrong(supplier, place, format, kind, "other_environment")

    assert damaged.is_test is False
    assert damaged.faults == ()


def test_a_bad_set_stands_among_good_ones(supplier: Supplier, place: Place, format: Format) -> None:
    """Three orders of one interchange are acknowledged in one; the set behind the first is spoilt."""
    supplier.send_wrong("bad_set")
    place.deliver("/in/1.edi", format.orders(1, ("10",), ("4",), ("6",)))
    supplier.journal.wait("acknowledgement", 3)

    found = [one for one in format.collected(place) if one.type == format.types["acknowledgement"]]

    assert len({one.file for one in found}) == 1
    assert ["MANY" in str(one.document) for one in found] == [False, True, False, False]
    assert len(found[0].faults) >= 1
    spoilt = [fault for fault in found[0].faults if "count" in fault]
    assert spoilt == []


def test_a_bad_set_is_all_that_is_rejected(supplier: Supplier, place: Place, kind: str, format: Format) -> None:
    first, spoilt = wrong(supplier, place, format, kind, "bad_set")

    assert first.file == spoilt.file
    assert first.document != spoilt.document
    assert first.faults


def test_a_file_is_cut_off(supplier: Supplier, place: Place, format: Format, kind: str) -> None:
    supplier.send_wrong("truncated", kind)
    place.deliver("/in/1.edi", format.orders(1, ("10", "4")))
    [entry] = supplier.journal.wait(kind, wrong="truncated")
    supplier.journal.wait("invoice")
    door = Door()
    place.collect(door)
    [arrival] = [one for one in door.arrivals if one.headers["file_name"] == entry["file"]]

    try:
        found = format.read(entry["file"], arrival.raw)
    except (X12Error, EdifactError) as error:
        assert error.next_action
    else:
        assert all(one.faults for one in found)


def test_a_refusal_names_segment_and_element(supplier: Supplier, place: Place) -> None:
    """997 with AK3 and AK4 for PO102, and no 855."""
    supplier.refuse_next()
    place.deliver("/in/1.edi", FORMATS["x12"].orders(1, ("10",), ("4",)))

    [refused] = FORMATS["x12"].answers(supplier, place, "functional_acknowledgement")

    assert refused.document["result"]["code"] == "R"
    assert [one["set_control_number"] for one in refused.document["sets"]] == ["0001", "0002"]
    [note] = refused.document["sets"][0]["segments"]
    assert (note["segment_id"], note["position"], note["code"]) == ("PO1", "4", "8")
    assert note["elements"] == [{"place": {"element": "2"}, "reference": "330", "code": "6", "value": "10"}]
    assert refused.faults == ()


def test_a_refusing_contrl_names_message_segment_and_component(supplier: Supplier, place: Place) -> None:
    """UCM 4, UCS with the place of the first QTY, UCD for its second component; no ORDRSP."""
    supplier.refuse_next()
    place.deliver("/in/1.edi", FORMATS["edifact"].orders(1, ("10",), ("4",)))
    place.deliver("/in/2.edi", FORMATS["edifact"].orders(2, ("10",)))

    refused, taken = FORMATS["edifact"].answers(supplier, place, "functional_acknowledgement", 2)

    assert [one["reference"] for one in refused.document["messages"]] == ["1", "2"]
    told = refused.document["messages"][0]
    assert (told["message_type"], told["action"]) == ("ORDERS", "4")
    assert told["segments"] == [{"position": "7", "elements": [{"error": "12", "element": "2", "component": "2"}]}]
    assert refused.faults == ()
    assert "messages" not in taken.document
    supplier.journal.wait("acknowledgement")
    assert [one["purchase_order"] for one in supplier.journal.entries("acknowledgement")] == ["PO-2-1"]


def test_a_faulty_order_is_rejected_by_its_own_faults_and_the_others_are_taken(
    supplier: Supplier, place: Place, format: Format
) -> None:
    raw = format.orders(1, ("10",), ("44",), ("6",)).replace("*44*", "*MANY*").replace(":44:", ":MANY:")

    place.deliver("/in/1.edi", raw)
    supplier.journal.wait("acknowledgement", 2)

    [told] = supplier.journal.entries("functional_acknowledgement")
    assert told["code"] == ("P" if format is FORMATS["x12"] else "7")
    taken = [one["purchase_order"] for one in supplier.journal.entries("acknowledgement")]
    assert taken == ["PO-1-1", "PO-1-3"]


def test_what_is_withheld_never_comes_and_the_rest_does(
    supplier: Supplier, place: Place, format: Format, kind: str
) -> None:
    supplier.withhold(kind)
    place.deliver("/in/1.edi", format.orders(1, ("10",)))
    place.deliver("/in/2.edi", format.orders(2, ("10",)))
    supplier.journal.wait(KINDS[-1], 1 if kind == KINDS[-1] else 2)

    found = [one.type for one in format.collected(place)]

    assert [entry["of"] for entry in supplier.journal.entries("withheld")] == [kind]
    assert found.count(format.types[kind]) == 1
    assert len(found) == 7


def test_what_is_late_comes_after_the_rest(supplier: Supplier, place: Place, format: Format) -> None:
    supplier.late()
    place.deliver("/in/1.edi", format.orders(1, ("10",)))
    supplier.journal.wait("invoice")
    before = {one.type for one in format.collected(place)}

    supplier.release()

    [late] = supplier.journal.wait("functional_acknowledgement")
    assert before == {format.types[one] for one in KINDS[1:]}
    assert late["interchange_control_number"] == "000000001"
    assert [one.type for one in format.collected(place)] == [format.types["functional_acknowledgement"]]


def test_what_is_late_comes_by_itself_in_time(supplier: Supplier, place: Place, format: Format) -> None:
    supplier.late("acknowledgement", 0.05)
    place.deliver("/in/1.edi", format.orders(1, ("10",)))

    [entry] = supplier.journal.wait("acknowledgement")

    assert entry["purchase_order"] == "PO-1-1"


def test_stop_ends_what_is_late() -> None:
    before = set(threading.enumerate())
    supplier = Supplier(now=lambda: NOW)
    settings = SftpSettings.model_validate(
        {**supplier.start(), "user": "orderly", "password": "supplier-demo-secret"}
    )
    place = Place(settings, supplier.folder, Collect(), Deliver())
    supplier.late()
    place.deliver("/in/1.edi", FORMATS["x12"].orders(1, ("10",)))
    supplier.journal.wait("acknowledgement")

    supplier.stop()
    place.close()

    assert set(threading.enumerate()) <= before
    assert supplier.journal.entries("functional_acknowledgement") == []


def test_a_silent_supplier_answers_nothing(supplier: Supplier, place: Place, format: Format) -> None:
    supplier.silent()
    place.deliver("/in/1.edi", format.orders(1, ("10",)))
    supplier.journal.wait("order")
    supplier.silent(False)
    place.deliver("/in/2.edi", format.orders(2, ("10",)))
    supplier.journal.wait("invoice")

    assert {entry["purchase_order"] for entry in supplier.journal.entries("acknowledgement")} == {"PO-2-1"}


def test_settings_ask_for_misbehaviour_too(format: Format) -> None:
    """As a pack would, from the start; each once."""
    supplier = Supplier(now=lambda: NOW, wrong={"acknowledgement": ["duplicate", "truncated"]})

    names = [
        reply.name
        for number in (1, 2, 3)
        for reply in supplier.robot.answer(format.orders(number, ("10",)).encode(), "/in/1.edi")
        if reply.kind == "acknowledgement"
    ]

    assert len(names) == 4
    assert names[1].endswith("_again.edi")


@pytest.mark.parametrize(("damage", "kind"), [("burnt", "acknowledgement"), ("truncated", "letter")])
def test_a_misbehaviour_that_there_is_not_is_refused(damage: str, kind: str) -> None:
    with pytest.raises(Misconfigured, match=r"burnt|letter"):
        Supplier().send_wrong(damage, kind)
