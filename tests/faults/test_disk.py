"""The disk is full under `orderly serve`, and then it is not: nothing that was accepted is lost, and nobody has to
start anything again."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sdk.webhooks import sign
from tests.faults.load import load
from tests.faults.outside import ORDER, Outside, set_connection, write_pack
from tests.faults.server import ORDERLY, Server
from tests.faults.small_disk import SmallDisk, limited, may_mount, mounted
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(180)

UNDER_WAY, LATER = 4, 8
KINDS = [limited, mounted] if may_mount() else [limited]


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    opened: Callable[[Path], AbstractContextManager[SmallDisk]] = request.param
    with opened(folder) as made:
        yield made


@pytest.fixture
def server(tmp_path: Path, outside: Outside, disk: SmallDisk) -> Iterator[Server]:
    pack = write_pack(tmp_path / "pack", outside, ORDER)
    set_connection(pack, "erp", {"timeout": "2m"})
    made = Server(pack, disk.folder, variables={"ORDERLY_LEASE_SECONDS": "3"})
    made.start()
    outside.portal.connect(made.hook("order"), outside.secret)
    yield made
    made.stop()


def asked(server: Server, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{server.url}/health/{path}", timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def doctor(server: Server) -> list[dict[str, str]]:
    """What it found to be wrong."""
    done = subprocess.run(
        [str(ORDERLY), "doctor", "--data", str(server.data), "--json"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    findings: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    return [found for found in findings if found["status"] == "error"]


def post(server: Server, outside: Outside, number: str) -> requests.Response:
    """A webhook as it goes over the wire."""
    body = json.dumps(outside.requisition(number)).encode()
    signed = sign(outside.secret, f"msg_{number}", datetime.now(UTC), body)
    headers = {"Content-Type": "application/json", **signed}
    return requests.post(server.hook("order"), data=body, headers=headers, timeout=30)


def post_until_refused(server: Server, outside: Outside) -> tuple[list[str], requests.Response]:
    """What was taken before, on space that had been won earlier, and the refusal."""
    taken: list[str] = []
    for count in range(500):
        answer = post(server, outside, f"REQ-FULL-{count:03}")
        if answer.status_code != 202:
            return taken, answer
        taken.append(f"REQ-FULL-{count:03}")
    raise AssertionError("everything was taken")


def test_a_full_disk_refuses_what_comes_keeps_what_came_and_goes_on_when_it_is_freed(
    server: Server, disk: SmallDisk, outside: Outside
) -> None:
    """On a full disk webhooks get a 503 that says when to try again and why, readiness and the doctor say so, the
    process lives on; when there is space again, everything accepted is done without a restart, once."""
    outside.erp.slow("CreatePurchaseOrder", 120)
    with load(outside, UNDER_WAY) as before:
        before.accepted()
    outside.orders.wait("purchase_order", UNDER_WAY)

    disk.fill(server.pid)
    outside.erp.release()
    taken, refusal = post_until_refused(server, outside)
    ready, live, ailments = asked(server, "ready"), asked(server, "live"), doctor(server)
    disk.free(server.pid)
    until(lambda: asked(server, "ready")[0] == 200, f"the server to be ready again: {ready, live}")
    again = post(server, outside, f"REQ-FULL-{len(taken):03}")
    with load(outside, LATER, first=UNDER_WAY) as after:
        after.accepted()
    numbers = sorted([*before.numbers, *after.numbers, *taken, f"REQ-FULL-{len(taken):03}"])
    until(lambda: done(server) == len(numbers), f"every run to be done: {server.runs()}", 90)

    problem = refusal.json()
    assert (refusal.status_code, problem["type"]) == (503, "urn:orderly:problem:unavailable")
    assert int(refusal.headers["Retry-After"]) > 0
    assert "nothing was stored" in problem["detail"]
    assert "disk" in problem["detail"]
    assert (ready[0], live[0]) == (503, 200), (ready, live)
    assert "disk" in f"{ready[1]['title']} {ready[1]['detail']}"
    assert [found["check"] for found in ailments if found["check"] in ("disk", "store")], ailments
    assert all(found["next_action"] for found in ailments)
    assert again.status_code == 202, "the same webhook is taken now"
    assert outside.ordered() == numbers


def done(server: Server) -> int:
    return sum(run["state"] == "done" for run in server.runs())
