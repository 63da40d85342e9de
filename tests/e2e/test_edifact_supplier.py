"""The shipped flows with a supplier who speaks EDIFACT: from the requisition to its answers, over SFTP.

The demo's pack, but for its supplier: master data say ``edifact``, and ``supplier_inbox_edifact`` takes its files.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.edifact.codec import Message, message_type, named, read
from connectors.edifact.lossless import text_of
from connectors.sdk import BlobRef, Poll
from runtime.model.lint import lint_pack
from runtime.model.pack import Pack, demo_folder, read_json
from runtime.model.run import Run, RunState
from tests.workshop import Workshop, flow

FLOWS = (
    "requisition_to_order", "supplier_inbox_edifact", "edifact_answer", "functional_acknowledgement",
    "supplier_acknowledgement",
)  # fmt: skip


@pytest.fixture
def shop(workshop: Callable[..., Workshop], tmp_path: Path) -> Workshop:
    demo = demo_folder()
    shutil.copytree(demo, tmp_path / "pack")
    suppliers = "code,name,partner,status,edi\n4010,Acme Medical Supply,acme,approved,edifact\n"
    return workshop(
        simulators=read_json(demo / "pack.json")["simulators"], masterdata={"supplier": suppliers}, enabled=FLOWS
    )


def order(shop: Workshop, number: str = "REQ-1", quantity: str = "10") -> Run:
    """A requisition of the ward that needs no approval, ordered."""
    line = {"item_number": "ITM-1001", "description": "Nitrile gloves", "quantity": quantity, "unit": "BX"}
    run = shop.run(
        "requisition_to_order",
        {
            "schema": "requisition/1", "requisition_number": number, "revision": "0",
            "requester": {"name": "Anna Berg", "email": "anna.berg@mercy.example", "department": "Ward 3"},
            "facility": "MERCY-MAIN", "cost_center": "CC-WARD3", "need_by": "2026-12-04", "urgency": "routine",
            "category": "consumables", "currency": "USD", "total": "69.00", "source": {"system": "ward"},
            "lines": [{"line_number": "1", **line}],
        },
    )  # fmt: skip
    assert run.state is RunState.DONE, shop.story(run.id).exceptions
    return run


def collect(shop: Workshop, kind: str = "acknowledgement", count: int = 1) -> list[Run]:
    """What the supplier has put out by then, one run for each file, oldest first."""
    shop.simulator("supplier").journal.wait(kind, count)
    [source] = [one for one in shop.services.sources.all if one.flow.flow == "supplier_inbox_edifact"]
    operation = source.operation()
    assert issubclass(operation, Poll)
    before = {run.id for run in shop.store.runs(flow=source.flow.flow).rows}
    operation().poll(*source.prepared(), source.accept)
    shop.drain()
    return [run for run in reversed(shop.store.runs(flow=source.flow.flow).rows) if run.id not in before]


def sent(shop: Workshop) -> list[str]:
    """What became of each order, oldest first."""
    rows = [row for row in shop.store.interchanges.listed(direction="out").rows if row["flow"] != "edifact_answer"]
    return [row["state"] for row in reversed(rows)]


def answers(shop: Workshop) -> list[tuple[str, str, str]]:
    """Of each CONTRL that lies with the supplier: what it answers, 0083 and 0085, oldest first."""
    files = sorted((shop.simulator("supplier").folder / "in").iterdir(), key=lambda file: int(file.stem))
    found = [named(one) for file in files for one in messages(file.read_bytes()) if message_type(one) == "CONTRL"]
    told = [one["interchange"] for one in found]
    return [(one["control_reference"], one["action"], one.get("error", "")) for one in told]


def messages(raw: bytes) -> list[Message]:
    return [one for each in read(raw)["interchanges"] for group in each["groups"] for one in group["messages"]]


def came(shop: Workshop) -> list[str]:
    return [row["state"] for row in reversed(shop.store.interchanges.listed(direction="in").rows)]


def problems(shop: Workshop) -> list[str]:
    return sorted(row.kind for row in shop.store.exceptions().rows)


def confirmations(shop: Workshop) -> list[str]:
    """Numbers of the orders that the ERP was told are confirmed."""
    return [entry["number"] for entry in shop.simulator("erp").journal.entries("confirmed")]


def test_an_order_goes_as_orders_and_comes_back_acknowledged_in_every_way(shop: Workshop) -> None:
    run = order(shop)

    [received] = shop.simulator("supplier").journal.wait("order")
    [row] = shop.store.interchanges.listed(direction="out").rows
    raw = shop.store.blobs.read(BlobRef.model_validate(row["content"]))
    [interchange] = read(raw)["interchanges"]
    assert (text_of(interchange["header"], 3), text_of(interchange["header"], 11)) == ("9521234600015", "1")
    number = shop.story(run.id).keys["purchase_order"]
    assert (received["purchase_order"], row["number"], row["usage"], row["state"]) == (number, "1", "T", "written")
    assert shop.store.interchanges.one(row["id"])["sets"][0]["key"] == number
    waiting = {(one.event_type, one.event_key): one.state for one in shop.story(run.id).expectations}
    assert waiting == {("edifact.contrl", "acme/1"): "open", ("purchase_order.acknowledged", number): "open"}

    collect(shop)

    assert (sent(shop), came(shop), problems(shop)) == (["acknowledged"], ["received", "received"], [])
    assert {one.state for one in shop.story(run.id).expectations} == {"met"}
    after = shop.store.interchanges.one(row["id"])
    assert {note["kind"] for note in after["acknowledgements"]} == {"CONTRL", "ORDRSP"}
    assert confirmations(shop) == [number]
    assert answers(shop) == [("2", "7", "")], "the order response is answered, its CONTRL is not"


def test_a_contrl_alone_says_that_it_was_accepted(shop: Workshop) -> None:
    shop.simulator("supplier").robot.rules.withhold("acknowledgement", 1)
    order(shop)

    collect(shop, "withheld")

    assert sent(shop) == ["accepted"]


def test_a_refused_order_is_an_exception_that_says_where_and_why(shop: Workshop) -> None:
    shop.simulator("supplier").refuse_next()
    run = order(shop)

    collect(shop, "functional_acknowledgement")

    assert sent(shop) == ["rejected"]
    [found] = shop.store.exceptions().rows
    assert (found.kind, found.flow) == ("rejected_by_partner", "functional_acknowledgement")
    assert "acme rejected interchange 1" in found.message
    assert shop.story(run.id).keys["purchase_order"] in found.message
    assert "a value is not valid (UCD 12)" in found.message
    assert found.details["run"] == run.id


def test_a_contrl_of_nothing_that_was_sent_is_an_exception(shop: Workshop) -> None:
    shop.simulator("supplier").send_wrong("unknown_reference", "functional_acknowledgement")
    order(shop)

    collect(shop)

    assert problems(shop) == ["acknowledgement_unmatched"]
    assert sent(shop) == ["acknowledged"], "the order response came all the same"


@pytest.mark.parametrize("kind", ["functional_acknowledgement", "acknowledgement"])
def test_a_file_that_comes_twice_is_taken_once(shop: Workshop, kind: str) -> None:
    shop.simulator("supplier").send_wrong("duplicate", kind)
    order(shop)

    runs = collect(shop, kind, 2) + collect(shop)

    assert sorted(str(run.outcome) for run in runs) == ["done", "done", "duplicate"]
    assert sorted(came(shop)) == ["duplicate", "received", "received"]
    assert (problems(shop), sent(shop)) == ([], ["acknowledged"])
    assert len(confirmations(shop)) == 1
    assert answers(shop) == [("2", "7", "")], "the stored CONTRL is sent again under its own name"


def test_the_same_number_with_other_content_is_quarantined_and_changes_nothing(shop: Workshop) -> None:
    """A CONTRL that accepts, then one of the same number that rejects."""
    shop.simulator("supplier").send_wrong("other_content", "functional_acknowledgement")
    order(shop)

    collect(shop)

    assert problems(shop) == ["interchange_number_reused"]
    assert sorted(came(shop)) == ["quarantined", "received", "received"]
    assert sent(shop) == ["acknowledged"]


def test_a_partner_is_told_that_the_number_was_used_before(shop: Workshop) -> None:
    shop.simulator("supplier").send_wrong("other_content", "acknowledgement")
    order(shop)

    collect(shop, "acknowledgement", 2)

    assert problems(shop) == ["interchange_number_reused"]
    assert answers(shop) == [("2", "7", ""), ("2", "4", "26")]
    assert len(confirmations(shop)) == 1


@pytest.mark.parametrize("kind", ["functional_acknowledgement", "acknowledgement"])
def test_what_is_for_production_does_not_cross_into_test(shop: Workshop, kind: str) -> None:
    shop.simulator("supplier").send_wrong("other_environment", kind)
    order(shop)

    collect(shop)

    assert problems(shop) == ["faulty_message"]
    states = {row["usage"]: row["state"] for row in shop.store.interchanges.listed(direction="in").rows}
    assert states == {"T": "received", "P": "rejected"}
    assert sent(shop) == ["accepted" if kind == "acknowledgement" else "acknowledged"]


def test_one_bad_message_never_stops_the_others_of_its_interchange(shop: Workshop) -> None:
    shop.simulator("supplier").send_wrong("bad_set", "acknowledgement")
    run = order(shop)

    collect(shop)

    assert problems(shop) == ["faulty_message"]
    assert confirmations(shop) == [shop.story(run.id).keys["purchase_order"]]
    assert sent(shop) == ["acknowledged"]


def test_a_wrong_count_of_the_interchange_takes_nothing_of_it(shop: Workshop) -> None:
    shop.simulator("supplier").send_wrong("wrong_total", "acknowledgement")
    order(shop)

    collect(shop)

    assert problems(shop) == ["faulty_message"]
    [found] = shop.store.exceptions().rows
    assert "UNZ says" in found.message
    assert (sent(shop), confirmations(shop)) == (["accepted"], [])


def test_a_number_that_never_came_is_a_warning_in_the_next(shop: Workshop) -> None:
    """The supplier's CONTRL is lost between two of its files."""
    order(shop, "REQ-1")
    collect(shop)
    shop.simulator("supplier").withhold()
    order(shop, "REQ-2")

    [run] = collect(shop, "acknowledgement", 2)

    outcome = shop.outcome(run.id, "read")
    assert outcome is not None
    assert [one["code"] for one in outcome.output["faults"]] == ["control_number_gap"]
    assert run.state is RunState.DONE


def test_the_example_of_the_connectors_readme_answers_a_file_and_a_duplicate_alike(
    workshop: Callable[..., Workshop], tmp_path: Path
) -> None:
    """Read, acknowledge, deliver: the partner finds one CONTRL, whose bytes are the same the second time."""
    demo = demo_folder()
    shutil.copytree(demo, tmp_path / "pack")
    text = (demo.parents[1] / "connectors" / "edifact" / "README.md").read_text(encoding="utf-8")
    [nodes] = re.findall(r"```json\n(\{\"id\": \"read\".*?)```", text, re.S)
    answering = flow("answering", *json.loads(f"[{nodes}]"))
    shop = workshop(answering, simulators={"supplier": {"type": "supplier"}})
    invoice = (demo.parents[1] / "sample_payloads" / "edifact" / "invoic.edi").read_text(encoding="utf-8")

    contrls = []
    for _ in range(2):
        assert shop.run("answering", {"content": invoice}).state is RunState.DONE
        contrls.append((shop.simulator("supplier").folder / "in" / "1.edi").read_bytes())

    assert contrls[0] == contrls[1]
    assert b"UCI+" in contrls[0]
    assert len(list((shop.simulator("supplier").folder / "in").iterdir())) == 1
    findings = [one for one in lint_pack(Pack.read(tmp_path / "pack")) if "answering" in one.file]
    assert [str(one) for one in findings if one.severity == "error"] == []
