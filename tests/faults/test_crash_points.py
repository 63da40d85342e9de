"""The process ends itself at each named point before and after each commit and each send."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runtime.store.crash import Side, Step
from tests.faults.crashes import crashing, died, points
from tests.faults.day import Day
from tests.faults.day_flows import connections
from tests.faults.desk import flows as desk_flows
from tests.faults.forked import Forks
from tests.faults.outside import Outside, opened, write_pack

pytestmark = pytest.mark.timeout(600)

#: What a day of one embedded server passes.
DAY = {
    Step.CREATE_RUN, Step.START_FROM_EVENT, Step.COLLECT, Step.SEND_BATCH, Step.TICK, Step.PUT_CURSOR, Step.RAISE_EXCEPTION,
    Step.ACQUIRE, Step.INTENT, Step.OUTCOME, Step.OUTCOME_AND_INTENT, Step.NOT_DONE, Step.UNCERTAIN, Step.CHILD,
    Step.TIMER, Step.EVENT, Step.REPLY, Step.UNDONE, Step.SUSPEND, Step.FAIL, Step.END,
    Step.ALLOCATE, Step.CONNECTION_STATE, Step.OVERDUE,
    Step.END_LEASES, Step.REGISTER_CLIENT, Step.PUT_RELEASE,
    Step.SEND_NONE, Step.SEND_IDEMPOTENT, Step.SEND_ONCE, Step.SEND_LOOK_UP, Step.SEND_UNDO,
}  # fmt: skip
#: What people do, and what comes of it.
DESK = {
    Step.APPROVAL, Step.DECIDE, Step.SETTLE, Step.REDRIVE, Step.STEP_ASIDE, Step.CANCEL, Step.ASSIGN,
    Step.RESOLVE, Step.AUDIT,
}  # fmt: skip
PAUSE_AND_RESUME = [f"{Step.CONNECTION_STATE}.{side}:{nth}" for nth in (1, 2) for side in Side]
AT_ONCE = 4


def live(point: str) -> None:
    """One day of a hospital of its own, whose server dies there."""
    with tempfile.TemporaryDirectory() as folder, opened() as outside:
        day = Day(outside, Path(folder))
        day.trouble()
        try:
            with crashing(day.server, point, day.count):
                day.live()
            day.check()
        finally:
            day.server.stop()


@pytest.fixture(scope="module")
def lives(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """A day for each point that is asked for, some of them side by side."""
    asked = [item.callspec.params["point"] for item in request.session.items if "lives" in item.fixturenames]
    living = ThreadPoolExecutor(AT_ONCE)
    try:
        yield {point: living.submit(live, point) for point in asked}
    finally:
        living.shutdown(cancel_futures=True)


def desk(forked: Forks, folder: Path, outside: Outside, points: Sequence[str]) -> dict[str, Any]:
    """The desk's work, with a death at each of the points, and then to its end; what it came to."""
    pack = write_pack(folder / "pack", outside, *desk_flows())
    connections(pack, folder / "files")
    (folder / "files" / "out").mkdir()
    for number in ("DEAD-1", "DEAD-2"):
        (folder / "files" / "out" / number).write_text("a file that is in the way")
    outside.erp.hang_up_after("CreatePurchaseOrder", 1, RequisitionNumber="UNSURE-1")
    command = ["tests.faults.desk:main", *map(str, (pack, folder / "data", folder / "files"))]
    for point in points:
        died(forked.run(*command, ORDERLY_CRASH_AT=point), point)
    done = forked.run(*command)
    assert done.code == 0, done.errors
    came_to: dict[str, Any] = json.loads(done.output)
    return {**came_to, "ordered": outside.ordered()}


@pytest.mark.parametrize("point", points(DAY))
def test_what_was_accepted_is_done_once_though_the_server_dies_there(
    lives: dict[str, Future[None]], point: str
) -> None:
    """SIGKILL at this point of a day, and a start without the switch: 0 lost, 0 doubled orders, idempotent effects
    repeated at most where they were in flight, nothing left open."""
    lives[point].result()


@pytest.fixture(scope="module")
def undisturbed(forked: Forks, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the desk comes to when nothing dies."""
    with opened() as outside:
        return desk(forked, tmp_path_factory.mktemp("desk"), outside, [])


@pytest.mark.parametrize("point", [*points(DESK), *PAUSE_AND_RESUME])
def test_a_decision_or_repair_is_made_whole_and_once_though_the_process_dies_there(
    forked: Forks, undisturbed: dict[str, Any], tmp_path: Path, outside: Outside, point: str
) -> None:
    """SIGKILL at this point of the work of people who decide, settle, redrive, pass, cancel, resume, assign and
    resolve; they look how far things are and go on: the same end, and each deed is in the audit once."""
    assert desk(forked, tmp_path, outside, [point]) == undisturbed
