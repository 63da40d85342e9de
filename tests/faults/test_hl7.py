"""HL7 senders over MLLP, and a listener that is killed between storing a message and acknowledging it.

A sender that hears nothing sends the same again, as MLLP senders do; what its flow did is counted in the store.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connectors.hl7.codec import answer, read
from connectors.mllp.transport import Sender
from connectors.sdk import NotSent, OutcomeUnknown
from runtime.store.crash import Side, Step
from tests.connectors.mllp.peers import message
from tests.faults.crashes import crashing
from tests.faults.on_disk import asked
from tests.faults.server import Server
from tests.runtime.console.house import until
from tests.workshop import flow

pytestmark = pytest.mark.timeout(180)

SENDERS, EACH = 4, 25


def write_pack(folder: Path, port: int, policy: str) -> Path:
    trigger = {"type": "mllp.listen", "connection": "ward", "decode": {"type": "hl7.read"}}
    seen = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "key": "=control_id"}}
    settings = {"host": "127.0.0.1", "port": port, "acknowledge": policy}
    files: dict[str, Any] = {
        "pack.json": {"client": "mercy", "name": "Mercy"},
        "connections/ward.json": {"type": "mllp", "settings": settings},
        "flows/ward/flow.json": flow("ward", seen, trigger=trigger, keys={"control_id": "=control_id"}),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return folder


@pytest.fixture(params=["stored", "delivered"])
def policy(request: pytest.FixtureRequest) -> str:
    """When the channel acknowledges."""
    return str(request.param)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        found: int = free.getsockname()[1]
        return found


@pytest.fixture
def ward(tmp_path: Path, port: int, policy: str) -> Iterator[Server]:
    """Not started yet."""
    made = Server(write_pack(tmp_path / "pack", port, policy), tmp_path)
    yield made
    made.stop()


class Feed:
    """Senders that give up nothing before it is acknowledged."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.unanswered = 0
        self.acknowledged = threading.Semaphore(0)

    def send(self, sender: int) -> list[str]:
        """One persistent connection, made anew where it breaks; what was acknowledged."""
        done: list[str] = []
        waiting = [f"S{sender}N{number}" for number in range(EACH)]
        while waiting:
            try:
                with Sender("127.0.0.1", self.port, 20) as connection:
                    while waiting:
                        said = answer(read(connection.exchange(message(waiting[0]))))
                        assert said.code == "AA", said
                        done.append(waiting.pop(0))
                        self.acknowledged.release()
            except OutcomeUnknown:
                self.unanswered += 1
            except NotSent:
                threading.Event().wait(0.05)
        return done


def handled(server: Server) -> Counter[str]:
    """How often each message was stored as a run, by MSH-10, with what it came to."""
    rows = asked(server.data / "orderly.db", "SELECT identity, state FROM run")
    return Counter(f"{identity.rpartition('/')[2]} {state}" for identity, state in rows)


def every_one_done_once() -> Counter[str]:
    return Counter(f"S{sender}N{number} done" for sender in range(SENDERS) for number in range(EACH))


@pytest.mark.parametrize("side", list(Side))
def test_a_listener_that_dies_at_the_storing_of_a_message_loses_and_doubles_nothing(
    ward: Server, port: int, side: Side
) -> None:
    """SIGKILL right after the commit, before a byte of the acknowledgement, and right before the commit: the sender
    hears nothing and sends again, each message is one run, and its identity knows the one that was stored."""
    feed = Feed(port)

    with (
        crashing(ward, f"{Step.CREATE_RUN}.{side}:10", lambda: None),
        ThreadPoolExecutor(SENDERS) as senders,
    ):
        sent = [name for names in senders.map(feed.send, range(SENDERS)) for name in names]

    assert len(sent) == SENDERS * EACH
    assert feed.unanswered > 0, "somebody waited for the acknowledgement that was never sent"
    until(lambda: handled(ward) == every_one_done_once(), "each message to be one run that is done")


def test_a_listener_killed_again_and_again_loses_and_doubles_nothing(ward: Server, port: int) -> None:
    """Three times SIGKILL at any moment under four persistent senders."""
    feed = Feed(port)
    ward.start()

    with ThreadPoolExecutor(SENDERS) as senders:
        sending: list[Future[list[str]]] = [senders.submit(feed.send, sender) for sender in range(SENDERS)]
        for _ in range(3):
            for _ in range(15):
                assert feed.acknowledged.acquire(timeout=60), ward.log.read_text()[-2000:]
            ward.kill()
            ward.start()
        sent = [name for one in sending for name in one.result(120)]

    assert len(sent) == SENDERS * EACH
    until(lambda: handled(ward) == every_one_done_once(), "each message to be one run that is done")
