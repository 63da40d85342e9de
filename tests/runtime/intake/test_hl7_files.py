"""Files of HL7 messages through the shipped flow: collected, taken apart, acknowledged, handed on, put aside."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.hl7.codec import Batch, answer, read
from connectors.sdk import Poll
from connectors.simulators.sftp_endpoint import SftpEndpoint
from runtime.model.run import RunState
from tests.connectors.hl7.corpus import ROOT, sample
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
SHIPPED = (
    "hl7_document",
    "case_cart_demand",
    "consumption",
    "inventory_update",
    "item_master_update",
    "location_census",
)
ORDERS = flow("requisition_to_order", {"id": "asked", "type": "publish", "parameters": {"event": "asked"}})
BROKEN = b"MSH|^^^|this is no message\r"


def shipped(name: str) -> Any:
    return json.loads((ROOT / f"flows/{name}/flow.json").read_text(encoding="utf-8").replace("../../runtime", ""))


@dataclass
class Inbox:
    """A folder to put files into, and a poll of it on this thread."""

    shop: Workshop
    folder: Path

    def put(self, name: str, content: bytes) -> None:
        (self.folder / "in" / name).write_bytes(content)

    def poll(self) -> None:
        (source,) = self.shop.services.sources.all
        parameters, context = source.prepared()
        operation = source.operation()
        assert issubclass(operation, Poll)
        operation().poll(parameters, context, source.accept)
        self.shop.drain()

    def file(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def done(self, flow: str) -> list[RunState]:
        return [run.state for run in self.shop.store.runs(flow=flow).rows]


@pytest.fixture(params=["file", "sftp"])
def inbox(request: pytest.FixtureRequest, workshop: Open, tmp_path: Path) -> Iterator[Inbox]:
    """The shipped flow on a local folder, and the same flow with ``sftp`` in place of ``file``."""
    folder = tmp_path / "exchange"
    for name in ("in", "out", "reject", "archive"):
        (folder / name).mkdir(parents=True)
    collecting = json.loads(json.dumps(shipped("hospital_file_inbox")).replace('"file.', f'"{request.param}.'))
    collecting["trigger"]["parameters"]["stable"] = "0s"
    endpoint = SftpEndpoint(folder, "orderly", "s3cret-of-the-test", lambda path: None)
    endpoint.open()
    settings = {
        "file": {"root": str(folder)},
        "sftp": {
            "host": "127.0.0.1", "port": endpoint.port, "user": "orderly", "password": "s3cret-of-the-test",
            "host_key": endpoint.host_key,
        },
    }  # fmt: skip
    connections = {"hospital_files": {"type": request.param, "settings": settings[request.param]}}
    shop = workshop(collecting, ORDERS, *map(shipped, SHIPPED), connections=connections)
    yield Inbox(shop, folder)
    endpoint.close()


def test_every_message_of_a_file_goes_to_its_flow_and_the_file_is_acknowledged(inbox: Inbox) -> None:
    """One AA for each in a batch beside the file; the file is archived."""
    batch = b"BHS|^~\\&|ENGINE|MERCY|ORDERLY|MERCY|20261124||||B1|BATCH7\r"
    batch += sample("siu_s12_booked.hl7") + sample("dft_p03_used.hl7") + b"BTS|2\r"
    inbox.put("night.hl7", batch)

    inbox.poll()

    assert inbox.done("hospital_file_inbox") == [RunState.DONE]
    assert (inbox.done("case_cart_demand"), inbox.done("consumption")) == ([RunState.DONE], [RunState.DONE])
    raised = inbox.shop.store.events_after(0, ["case_cart.raised"])
    assert [event.key for event in raised] == ["C-2026-0917"]
    answers = [part for part in Batch(io.BytesIO(inbox.file("out/night.hl7.ack"))) if part.kind == "MSH"]
    assert [answer(part.message).control_id for part in answers if part.message] == ["SURG0001", "CHG0001"]
    assert inbox.file("archive/night.hl7") == batch
    assert not list((inbox.folder / "reject").iterdir())


def test_what_cannot_be_read_lies_in_the_reject_file_and_holds_up_nobody(inbox: Inbox) -> None:
    """Byte for byte; its answer is AR, and a person is told which file and how many."""
    inbox.put("night.hl7", sample("adt_a02_transfer.hl7") + BROKEN + sample("dft_p03_reversed.hl7"))

    inbox.poll()

    assert inbox.file("reject/night.hl7") == BROKEN
    answers = [part for part in Batch(io.BytesIO(inbox.file("out/night.hl7.ack"))) if part.kind == "MSH"]
    said = [answer(part.message) for part in answers if part.message]
    assert [(one.code, one.error) for one in said] == [("AA", ""), ("AR", "102"), ("AA", "")]
    assert (inbox.done("location_census"), inbox.done("consumption")) == ([RunState.DONE], [RunState.DONE])
    (told,) = inbox.shop.store.exceptions().rows
    assert (told.kind, told.field) == ("unreadable_messages", "MSH-2")
    assert told.message.startswith("1 of 3 messages of night.hl7")


def test_a_message_that_comes_in_two_files_is_handled_once(inbox: Inbox) -> None:
    """By MSH-3, MSH-4 and MSH-10, as over MLLP."""
    inbox.put("first.hl7", sample("dft_p03_used.hl7"))
    inbox.poll()
    inbox.put("second.hl7", b"\r\n" + sample("dft_p03_used.hl7"))
    inbox.poll()

    assert inbox.done("hospital_file_inbox") == [RunState.DONE, RunState.DONE]
    assert len(inbox.done("consumption")) == 1


def test_one_message_that_cannot_be_mapped_does_not_hold_up_the_others(inbox: Inbox) -> None:
    """Its file is an exception of its own; redrive takes that message again, and not the others."""
    inbox.put("night.hl7", sample("oms_o05_cancel.hl7") + sample("adt_a02_transfer.hl7"))

    inbox.poll()

    assert inbox.done("location_census") == [RunState.DONE]
    assert inbox.done("hospital_file_inbox") != [RunState.DONE]


def test_nothing_derived_from_a_file_says_who_the_patient_is(inbox: Inbox) -> None:
    """Bodies, outcomes, events, exceptions; the bytes as they came are another matter."""
    inbox.put(
        "night.hl7", sample("siu_s12_booked.hl7") + sample("dft_p03_used.hl7") + sample("adt_a02_transfer.hl7")
    )

    inbox.poll()

    runs = inbox.shop.store.runs(limit=100).rows
    told = json.dumps([_all(inbox.shop, run.id) for run in runs], default=str)
    assert len(runs) > 6
    assert not [
        word for word in ("990017", "Invented", "Sample Way", "V-20261124-01", "anxious", "M17") if word in told
    ]


def _all(shop: Workshop, run: str) -> list[Any]:
    story = shop.story(run)
    return [story.body, story.headers, [row.output for row in story.outcomes], story.run.why]


def test_the_acknowledgement_can_be_read_back(inbox: Inbox) -> None:
    """It is a batch, and each answer names its message."""
    inbox.put("one.hl7", sample("mfn_m15_inventory.hl7"))

    inbox.poll()

    (part,) = [part for part in Batch(io.BytesIO(inbox.file("out/one.hl7.ack"))) if part.kind == "MSH"]
    assert part.message is not None
    assert read(part.raw).get("MSA-1") == "AA"
    assert [event.key for event in inbox.shop.store.events_after(0, ["inventory.changed"])] == [
        "ITM-1001",
        "ITM-1009",
    ]
