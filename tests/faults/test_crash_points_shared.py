"""Processes that share PostgreSQL and RabbitMQ end themselves at a crash point, and others go on."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from runtime.store.crash import Side, Step
from runtime.store.postgresql import PostgresqlStore
from tests import brokers
from tests.faults.crashes import points, reached
from tests.faults.day import TICKS
from tests.faults.day_flows import connections, flows
from tests.faults.fleet import Fleet, Process, database
from tests.faults.load import Load, load
from tests.faults.outside import Outside, set_connection, write_pack
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(400)

WORKER = {
    Step.ACQUIRE_DURABLY, Step.INTENT, Step.OUTCOME, Step.OUTCOME_AND_INTENT, Step.CHILD, Step.TIMER, Step.EVENT,
    Step.SUSPEND, Step.END, Step.ALLOCATE, Step.SEND_NONE, Step.SEND_IDEMPOTENT, Step.SEND_ONCE,
}  # fmt: skip
CLOCK = {Step.CLAIM_DUTY, Step.START_FROM_EVENT, Step.COLLECT, Step.SEND_BATCH, Step.TICK}
#: These have tests of their own below.
WEB = {Step.CREATE_RUN}
LEAVING = {Step.GIVE_UP_DUTY}
HOLDING = {Step.EXTEND, Step.KEEP_PLACES}
STOPPED = {Step.EVIDENCE}
#: Requisitions to a death.
FEW = 3


class Hospital:
    """A fleet with leases of two seconds, whose processes may be told where to die."""

    def __init__(self, folder: Path, outside: Outside, closing: ExitStack) -> None:
        self.outside = outside
        self.database, broker = closing.enter_context(database()), brokers.rabbitmq_url()
        queue = closing.enter_context(brokers.queue_of_its_own(broker))
        self.pack = write_pack(folder / "pack", outside, *flows())
        connections(self.pack, folder / "files")
        self.folder = folder
        self._shared = (self.database, broker, queue)
        self.fleet = self._fleet("fleet")
        closing.callback(self.fleet.end)
        self._closing = closing
        self.numbers: list[str] = []
        self.in_flight = 0

    def _fleet(self, name: str, point: str = "") -> Fleet:
        (self.folder / name).mkdir()
        variables = {"ORDERLY_LEASE_SECONDS": "2", "ORDERLY_CRASH_AT": point}
        return Fleet(self.folder / name, self.pack, *self._shared, variables)

    def web(self, point: str = "") -> Process:
        """Started; the portal posts there."""
        web = self.doomed("web", point) if point else self.fleet.start("web")
        self.outside.portal.connect(f"{web.facts['console']}/hooks/mercy/whole", self.outside.secret)
        return web

    def doomed(self, verb: str, point: str, *options: str) -> Process:
        """A process that dies there."""
        fleet = self._fleet(f"{verb}.{point}", point)
        self._closing.callback(fleet.end)
        return fleet.start(verb, *options)

    def check_dead(self, process: Process, point: str) -> None:
        assert process.exit_code() == -signal.SIGKILL, process.log.read_text()
        assert reached(process.log.read_text(), point), process.log.read_text()
        self.in_flight += int(self.fleet.sql(
            "SELECT count(*) FROM orderly.intent JOIN orderly.run ON run.id = intent.run"
            f" WHERE intent.state = 'open' AND intent.effect = 'idempotent' AND run.owner LIKE '{process.pid}-%'"
        )[0][0])  # fmt: skip

    def post(self, sent: Load) -> None:
        sent.accepted()
        self.numbers += sent.numbers

    def check(self) -> None:
        """Everything posted was done: 0 lost, 0 doubled, idempotent effects repeated where they were in flight."""
        whole = ("whole", "called", "heard", "together")
        done = {(flow, "done"): len(self.numbers) for flow in whole}

        def states() -> dict[tuple[str, str], int]:
            found = self.fleet.sql("SELECT flow, state, count(*) FROM orderly.run GROUP BY flow, state")
            return {
                (flow, state): count
                for flow, state, count in found
                if flow in ("whole", "called", "heard", "together")
            }

        try:
            until(lambda: states() == done, "every run to be done", 90)
        except TimeoutError as late:
            raise AssertionError(f"{late}: {states()}, not {done}") from late
        assert self.outside.ordered() == sorted(f"{n}{end}" for n in self.numbers for end in ("", "-CALLED"))
        assert len(set(self.outside.references())) == 2 * len(self.numbers)
        expected = {f"{number}{end}" for number in self.numbers for end in ("", "/1", "/2", "/3")}
        told = Counter(entry["requisition_number"] for entry in self.outside.portal.journal.entries("status"))
        told = Counter({number: count for number, count in told.items() if number.startswith("REQ")})
        assert told.keys() == expected
        assert told.total() - len(expected) <= self.in_flight
        assert self.fleet.sql("SELECT count(*) FROM orderly.intent WHERE state = 'open'") == [(0,)]


@pytest.fixture
def hospital(tmp_path: Path, outside: Outside) -> Iterator[Hospital]:
    with ExitStack() as closing:
        yield Hospital(tmp_path, outside, closing)


@pytest.mark.parametrize("side", Side)
def test_a_worker_that_dies_at_a_crash_point_leaves_its_runs_to_the_others(hospital: Hospital, side: Side) -> None:
    """SIGKILL of a worker at each of its points before (or after) a commit or send, one worker after the other, under
    load on PostgreSQL and RabbitMQ, none restarted: another one goes on; 0 lost, 0 doubled orders."""
    hospital.web()
    hospital.fleet.start("clock")

    for nth, point in enumerate(point for point in points(WORKER) if point.endswith(side)):
        worker = hospital.doomed("worker", point)
        with load(hospital.outside, FEW, first=nth * FEW) as sent:
            hospital.post(sent)
        hospital.check_dead(worker, point)
    hospital.fleet.start("worker")

    hospital.check()


@pytest.mark.parametrize("point", points(WEB))
def test_a_web_process_that_dies_over_the_commit_of_a_webhook_loses_and_doubles_nothing(
    hospital: Hospital, point: str
) -> None:
    """SIGKILL of ``orderly web`` before or after a webhook is stored, and a start: the portal, which got no answer, posts
    it again; one run, one order."""
    hospital.fleet.start("worker")
    hospital.fleet.start("clock")
    dying = hospital.web(point)

    with load(hospital.outside, FEW) as sent:
        hospital.check_dead(dying, point)
        hospital.web()
        hospital.post(sent)

    hospital.check()


def test_clocks_that_die_at_each_of_their_crash_points_start_everything_once(hospital: Hospital) -> None:
    """SIGKILL of one clock after the other, before and after it takes its duty, starts a run for an event, keeps one for
    a batch, sends the batch, and starts a run for a tick; the last one does the rest: each event and each tick
    started one run, and each event was in one batch."""
    hospital.web()
    hospital.fleet.start("worker")
    with closing(PostgresqlStore(hospital.database, data=hospital.folder)) as store:
        store.for_client("mercy").put_cursor("schedule:ticks", "2023-06-01T00:00:00+00:00")

    for point in points({Step.TICK}):
        hospital.check_dead(hospital.doomed("clock", point), point)
    for nth, point in enumerate(points(CLOCK - {Step.TICK})):
        dying = hospital.doomed("clock", point)
        with load(hospital.outside, FEW, first=nth * FEW) as sent:
            hospital.post(sent)
        hospital.check_dead(dying, point)
    hospital.fleet.start("clock")

    hospital.check()
    ticked = "SELECT count(*), count(DISTINCT identity) FROM orderly.run WHERE flow = 'ticks' AND state = 'done'"
    until(lambda: hospital.fleet.sql(ticked) == [(len(TICKS), len(TICKS))], "each tick to have had its run")


@pytest.mark.parametrize("point", points(LEAVING))
def test_a_clock_that_dies_while_it_hands_over_is_followed_by_the_next_one(hospital: Hospital, point: str) -> None:
    """SIGKILL of a clock that was told to stop, before or after it gives up its duty: the next one takes over."""
    hospital.web()
    hospital.fleet.start("worker")
    leaving = hospital.doomed("clock", point)
    leaving.wait_says("watch.on_duty")

    leaving.terminate()
    hospital.check_dead(leaving, point)
    hospital.fleet.start("clock")
    with load(hospital.outside, FEW) as sent:
        hospital.post(sent)

    hospital.check()


@pytest.mark.parametrize("point", points(HOLDING))
def test_a_worker_that_dies_over_its_lease_in_a_long_call_leaves_the_order_to_be_looked_up(
    hospital: Hospital, point: str
) -> None:
    """SIGKILL of a worker before or after it extends its lease, or its places at peers, while the ERP takes its time: the
    next worker asks the ERP whether the order was made, and it is one order."""
    set_connection(hospital.pack, "erp", {}, limits={"at_once": 4})
    web = hospital.fleet.start("web")
    hospital.fleet.start("clock")
    hospital.outside.erp.slow("CreatePurchaseOrder", 120)
    hospital.outside.portal.connect(f"{web.facts['console']}/hooks/mercy/taken_back", hospital.outside.secret)
    holding = hospital.doomed("worker", point)
    hospital.outside.portal.send(hospital.outside.requisition("BACK-1"))

    hospital.check_dead(holding, point)
    hospital.outside.erp.release()
    hospital.fleet.start("worker")

    done = "SELECT state FROM orderly.run WHERE flow = 'taken_back'"
    until(lambda: hospital.fleet.sql(done) == [("done",)], "the next worker to finish the run", 90)
    assert hospital.outside.ordered() == ["BACK-1", "BACK-1-MORE"]
    assert hospital.fleet.sql("SELECT count(*) FROM orderly.intent WHERE state = 'open'") == [(0,)]


@pytest.mark.parametrize("point", points(STOPPED))
def test_a_late_worker_that_dies_over_its_evidence_leaves_the_order_as_it_was_found(
    hospital: Hospital, point: str
) -> None:
    """SIGSTOP of a worker past its lease, SIGCONT, then SIGKILL before or after it keeps the late outcome as evidence:
    the other worker has looked the order up, and it stays one order."""
    set_connection(hospital.pack, "erp", {"timeout": "120s"})
    late = hospital.doomed("worker", point, "--threads", "1")
    web = hospital.fleet.start("web")
    hospital.fleet.start("clock")
    hospital.outside.erp.slow("CreatePurchaseOrder", 120)
    hospital.outside.portal.connect(f"{web.facts['console']}/hooks/mercy/taken_back", hospital.outside.secret)
    hospital.outside.portal.send(hospital.outside.requisition("BACK-1"))
    hospital.outside.orders.wait("purchase_order", timeout=60)
    late.pause()
    hospital.outside.erp.release()
    hospital.fleet.start("worker")
    done = "SELECT state FROM orderly.run WHERE flow = 'taken_back'"
    until(lambda: hospital.fleet.sql(done) == [("done",)], "the other worker to finish the run", 90)

    late.go_on()
    hospital.check_dead(late, point)

    assert hospital.fleet.sql(done) == [("done",)]
    assert hospital.outside.ordered() == ["BACK-1", "BACK-1-MORE"]
    assert hospital.fleet.sql("SELECT count(*) FROM orderly.intent WHERE state = 'open'") == [(0,)]
