"""Where more comes in than can be worked on, senders are held back, and nothing is taken that is not stored."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import Arrival, NotSent
from runtime.console.app import create_app
from runtime.intake.accept import Intake
from runtime.intake.admission import Admission, Overloaded
from runtime.services import Services, Settings
from tests.runtime.console.house import until
from tests.workshop import flow

MOST = 3
NODE = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "key": "x"}}
HOOK = flow("hook", NODE, trigger={"type": "webhook"})
DROP = flow(
    "drop", NODE,
    trigger={"type": "file.collect", "connection": "inbox", "every": "1m",
             "parameters": {"folder": "/in", "archive": "/archive"}},
)  # fmt: skip


class Sender:
    """Posts to the webhook with its key."""

    def __init__(self, services: Services) -> None:
        key, _ = services.access("mercy").api_keys.create("portal", ["hooks:hook"])
        self._headers = {"Authorization": f"Bearer {key}"}
        self._http = create_app(services).test_client()

    def post(self, number: int) -> Any:
        return self._http.post("/hooks/mercy/hook", json={"number": number}, headers=self._headers)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Opened and not started: nobody works."""
    files = {
        "pack.json": {"client": "mercy", "name": "Mercy", "flows": []},
        "connections/inbox.json": {"type": "file", "settings": {"root": str(tmp_path)}},
        "flows/hook/flow.json": HOOK, "flows/drop/flow.json": DROP,
    }  # fmt: skip
    for name, content in files.items():
        path = tmp_path / "pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    opened = Services(Settings(tmp_path / "data", (tmp_path / "pack",), port=0, most_due=MOST))
    try:
        yield opened
    finally:
        opened.stop()


def fill(services: Services) -> None:
    """One run more than may wait; they came before anybody counted."""
    intake = Intake(services.clients["mercy"], services.ring, services.store.now)
    for number in range(MOST + 1):
        intake.take("hook", arrival(number), "test")


def drain(services: Services) -> None:
    for run in services.store.due():
        services.engine.advance(run)


def arrival(number: int) -> Arrival:
    return Arrival(json.dumps({"number": number}).encode(), "application/json")


def test_a_webhook_is_told_when_to_come_again_while_too_many_runs_wait(services: Services) -> None:
    """429 with Retry-After (RFC 9110, section 10.2.3), nothing stored; and taken once there is room."""
    sender = Sender(services)
    fill(services)

    refused = sender.post(1)
    stored = len(services.store.due(limit=1000))
    drain(services)
    until(lambda: sender.post(1).status_code == 202, "room for one more")

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.get_json()["type"] == "urn:orderly:problem:overloaded"
    assert stored == MOST + 1


def test_a_source_is_held_back_and_goes_on_when_there_is_room(services: Services) -> None:
    """Whoever hands over one message at a time reads no further one meanwhile."""
    (source,) = services.sources.all
    fill(services)
    receipts: list[Any] = []
    handing = threading.Thread(target=lambda: receipts.append(source.accept(arrival(9))))

    handing.start()
    handing.join(0.5)
    assert receipts == []
    drain(services)
    handing.join(10)

    assert [receipt.state for receipt in receipts] == ["accepted"]


def test_a_source_is_told_that_nothing_was_stored_where_that_lasts(services: Services) -> None:
    fill(services)
    intake = services.intake(services.clients["mercy"])

    with pytest.raises(NotSent, match="wait for their turn"):
        intake.take_raw("hook", arrival(9), "test", sum_of_bytes=False, patience=0.3)

    assert len(services.store.due(limit=1000)) == MOST + 1


def test_a_writer_with_too_many_in_line_is_spared() -> None:
    waiting = 11
    admission = Admission(lambda: waiting, lambda lane, most: 0, most_waiting=10, most_due=10)

    with pytest.raises(Overloaded) as refused:
        admission.check()
    waiting = 10
    admission.check()

    assert (refused.value.status, refused.value.retry_after) == (503, 2)


def test_runs_are_counted_no_further_than_the_limit_and_once_a_second_at_most() -> None:
    """However many ask."""
    asked: list[tuple[str, int]] = []

    def due(lane: str, most: int) -> int:
        asked.append((lane, most))
        return 0

    admission = Admission(lambda: 0, due, most_waiting=1, most_due=50)
    threads = [threading.Thread(target=admission.check, args=("bulk",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert asked == [("bulk", 51)]
