"""A hospital's feed through the running system: who the patient is lies nowhere but in the sealed bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.mllp.transport import Sender
from connectors.sdk import BlobRef
from runtime.governance.housekeeper import Housekeeper
from runtime.model.run import RunState
from tests.connectors.hl7.corpus import sample
from tests.runtime.intake.test_hl7_files import ORDERS, SHIPPED, shipped
from tests.workshop import Workshop

Open = Callable[..., Workshop]
SAMPLES = ("siu_s12_booked", "dft_p03_used", "adt_a02_transfer", "oms_o05_with_patient")
PATIENT = (b"990017", b"Invented", b"Sample Way", b"V-20261124-01", b"anxious", b"M17.11", b"about the patient")
SETTINGS = {"host": "127.0.0.1", "port": 0, "acknowledge": "delivered", "max_message_bytes": 200_000}


@pytest.fixture
def hospital(workshop: Open) -> Workshop:
    return workshop(
        shipped("hospital_feed"), ORDERS, *map(shipped, SHIPPED),
        connections={"hospital_mllp": {"type": "mllp", "settings": SETTINGS}},
    )  # fmt: skip


@contextmanager
def listening(shop: Workshop) -> Iterator[Sender]:
    """The listener of the pack, with a sender that is connected to it."""
    (source,) = shop.services.sources.all
    parameters, context = source.prepared()
    listening = source.operation()().listen(parameters, context, source.accept)  # type: ignore[attr-defined]
    host, _, port = listening.address.rpartition(":")
    try:
        with Sender(host, int(port), 30) as sender:
            yield sender
    finally:
        listening.close()


def send(shop: Workshop, *messages: bytes) -> list[str]:
    """Over a real socket; the answers as text."""
    with listening(shop) as sender:
        return [sender.exchange(message).decode() for message in messages]


def large(message: bytes) -> bytes:
    """Beyond what is kept beside the rows."""
    return message + b"ZZZ|" + b"x" * 60_000 + b"\r"


def everything(folder: Path) -> bytes:
    """All files of the data folder: database, its log, blobs."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_no_file_of_the_data_folder_says_who_the_patient_is(
    hospital: Workshop, capfd: pytest.CaptureFixture[str]
) -> None:
    """Rows, events, blobs small and large, the log; and what was answered. The bytes are there for who may see."""
    messages = [
        *(sample(f"{name}.hl7") for name in SAMPLES),
        large(sample("adt_a02_transfer.hl7").replace(b"ADT0001", b"L1")),
    ]

    answers = send(hospital, *messages)
    hospital.drain()

    assert all("MSA|AA|" in answer for answer in answers), answers
    assert {run.state for run in hospital.store.runs(limit=100).rows} == {RunState.DONE}
    told = everything(hospital.settings.data) + "".join(answers).encode() + "".join(capfd.readouterr()).encode()
    assert not [word for word in PATIENT if word in told]
    raw = [hospital.story(run.id).raw for run in hospital.store.runs(flow="hospital_feed").rows]
    kept = [hospital.store.blobs.read(BlobRef(blob=blob, size=0)) for blob in raw if blob]
    assert sorted(kept) == sorted(messages)


FOUND = (
    b"PID|1||990017||Sample^Invented||19500101|F|||1 Sample Way\nInvented^IL|US|V-20261124-01||||990017\r",
    b"PID|1||990017||Sample\nSample Way|V-20261124-01\r",
    b" PID|1||990017||Sample^Invented\r",
    b"\tPID|1||990017||Sample^Invented\r",
    b"pid|1||990017||Sample^Invented\r",
    b"PID|1\rADD|990017^Invented\r",
    b"PIX|990017|Invented\r",
    b"FAM|1|Invented^Next\r",
    b"QRD|20261124|R|I|Q1|||1^RD|990017^Sample^Invented|DEM\r",
    b"OBR|1|||LAB|||||||||anxious" + b"|" * 18 + b"M17.11\r",
    b"TXA|1|CN|TX|20261124|||||||||||||||||Invented\r",
    b"Invented Sample lives at 1 Sample Way\r",
)


def test_identity_that_stands_where_nobody_expects_it_is_in_the_sealed_bytes_alone(
    hospital: Workshop, capfd: pytest.CaptureFixture[str]
) -> None:
    """Cut lines, segments by another name, unknown ones; each after a head with a note about the patient."""
    head, _, rest = sample("oms_o05_one_line.hl7").partition(b"\r")
    messages = [
        head.replace(b"WARD0001", b"F%d" % number) + b"\rNTE|1||about the patient\r" + found
        + rest.replace(b"WR-2026-0417", b"WR-%d" % number)
        for number, found in enumerate(FOUND)
    ]  # fmt: skip

    answers = send(hospital, *messages)
    hospital.drain()

    assert all("MSA|AA|" in answer for answer in answers), answers
    assert len(hospital.store.runs(flow="hospital_feed").rows) == len(FOUND)
    told = everything(hospital.settings.data) + "".join(answers).encode() + "".join(capfd.readouterr()).encode()
    assert not [word for word in PATIENT if word in told]


def test_a_message_that_cannot_be_taken_says_nothing_of_its_patient_either(hospital: Workshop) -> None:
    """The exception names kind and place; its bytes are sealed."""
    broken = sample("oms_o05_with_patient.hl7").replace(b"ORC|NW|", b"ORC|CA|")

    (answer,) = send(hospital, broken)

    (kept,) = hospital.store.exceptions().rows
    assert "MSA|AE|" in answer
    assert kept.raw is not None
    assert hospital.store.blobs.read(BlobRef(blob=kept.raw, size=0)) == broken
    told = everything(hospital.settings.data) + answer.encode()
    assert not [word for word in PATIENT if word in told]


def test_the_bytes_have_a_retention_of_their_own(hospital: Workshop) -> None:
    """Gone after ten days, with everything made of them still there; a duplicate stays a duplicate."""
    messages = [sample("dft_p03_used.hl7"), large(sample("siu_s12_booked.hl7"))]
    send(hospital, *messages)
    hospital.drain()
    file = json.loads((hospital.pack / "pack.json").read_text())
    hospital._write("pack.json", {**file, "retention": {"raw": {"application/hl7-v2": "10d"}}})
    hospital.again()
    hospital.now += timedelta(days=9)
    assert keep(hospital).raw == 0

    hospital.now += timedelta(days=2)
    removed = keep(hospital)

    assert (removed.raw, removed.runs) == (2, 0)
    runs = hospital.store.runs(flow="hospital_feed").rows
    assert [hospital.story(run.id).raw for run in runs] == [None, None]
    assert all(hospital.story(run.id).body["document"] for run in runs)
    assert "MSA|AA|" in send(hospital, messages[0])[0]
    assert len(hospital.store.runs(flow="hospital_feed").rows) == 2


def keep(shop: Workshop) -> Any:
    services = shop.services
    places = lambda client: services.store.blobs(client).places  # noqa: E731
    keeper = Housekeeper(services.clients, services.retention, places, services.store.now, pause=0.0)
    return keeper.keep(services.clients["mercy"])
