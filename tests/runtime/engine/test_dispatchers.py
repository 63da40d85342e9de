"""What every dispatcher promises, and what becomes of rings while a broker is away."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.sdk import Misconfigured
from runtime.engine.brokered import BrokeredDispatcher
from runtime.engine.brokers import where
from runtime.engine.dispatcher import Dispatcher, shares
from runtime.engine.pool import Pool
from runtime.engine.ringer import Ringer
from runtime.engine.sweeper import Sweeper
from runtime.store.sqlite import SqliteStore
from tests import brokers
from tests.relay import Relay
from tests.runtime.console.house import until
from tests.runtime.store.rows import new

SOON = 20.0


class Work:
    """An ``advance`` that remembers. A run in ``held`` is not finished before ``release``."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._held: set[str] = set()

    def hold(self, *runs: str) -> None:
        self._held.update(runs)

    def release(self) -> None:
        with self._changed:
            self._held.clear()
            self._changed.notify_all()

    def advance(self, run: str) -> None:
        with self._changed:
            self.begun[run] += 1
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: run not in self._held, 60)
            if run.startswith("broken"):
                raise RuntimeError("this advance is broken")
            self.ended[run] += 1
            self._changed.notify_all()

    def wait_begun(self, run: str, times: int = 1) -> None:
        with self._changed:
            came = self._changed.wait_for(lambda: self.begun[run] >= times, SOON)
        assert came, f"{run} was begun {self.begun[run]} times"

    def wait_ended(self, *runs: str, times: int = 1) -> None:
        with self._changed:
            came = self._changed.wait_for(lambda: all(self.ended[run] >= times for run in runs), SOON)
        assert came, {run: self.ended[run] for run in runs if self.ended[run] < times}


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.release()


class DispatcherSuite:
    """Each kind of dispatcher inherits this and says how it is made."""

    @pytest.fixture
    def dispatcher(self) -> Iterator[Dispatcher]:
        raise NotImplementedError

    def test_a_run_that_is_rung_is_advanced_once(self, dispatcher: Dispatcher, work: Work) -> None:
        dispatcher.serve(work.advance)

        dispatcher.ring("first")
        dispatcher.ring("last")
        work.wait_ended("first", "last")

        assert work.begun == Counter(first=1, last=1)

    def test_what_is_rung_before_anybody_serves_is_advanced_by_who_does(
        self, dispatcher: Dispatcher, work: Work
    ) -> None:
        dispatcher.ring("early")

        dispatcher.serve(work.advance)

        work.wait_ended("early")

    def test_a_run_that_is_rung_while_it_is_advanced_is_advanced_again(
        self, dispatcher: Dispatcher, work: Work
    ) -> None:
        """What it was rung for may have come after the advance had looked."""
        work.hold("busy")
        dispatcher.serve(work.advance)
        dispatcher.ring("busy")
        work.wait_begun("busy")

        dispatcher.ring("busy")
        work.release()

        work.wait_ended("busy", times=2)

    def test_doubled_rings_keep_nobody_else_from_being_advanced(self, dispatcher: Dispatcher, work: Work) -> None:
        dispatcher.serve(work.advance)
        runs = [f"run{number}" for number in range(50)]

        for run in runs * 3:
            dispatcher.ring(run)

        work.wait_ended(*runs)

    def test_bulk_work_of_any_length_keeps_no_urgent_and_no_normal_run_waiting(
        self, dispatcher: Dispatcher, work: Work
    ) -> None:
        lines = [f"line{number}" for number in range(500)]
        work.hold(*lines)
        for line in lines:
            dispatcher.ring(line, "bulk")
        dispatcher.serve(work.advance)
        work.wait_begun("line0")

        dispatcher.ring("operating room", "urgent")
        dispatcher.ring("ward", "normal")
        work.wait_ended("operating room", "ward")

        assert sum(work.ended[line] for line in lines) == 0
        work.release()
        work.wait_ended(*lines)

    def test_normal_work_that_hangs_keeps_no_urgent_run_waiting(self, dispatcher: Dispatcher, work: Work) -> None:
        wards = [f"ward{number}" for number in range(50)]
        work.hold(*wards)
        dispatcher.serve(work.advance)
        for ward in wards:
            dispatcher.ring(ward)
        work.wait_begun("ward0")

        dispatcher.ring("operating room", "urgent")

        work.wait_ended("operating room")

    def test_an_advance_that_breaks_leaves_the_others_alone(self, dispatcher: Dispatcher, work: Work) -> None:
        """More of them than there are threads."""
        dispatcher.serve(work.advance)

        for number in range(10):
            dispatcher.ring(f"broken{number}")
        dispatcher.ring("sound")

        work.wait_ended("sound")

    def test_closing_lets_what_is_under_way_finish(self, dispatcher: Dispatcher, work: Work) -> None:
        work.hold("long")
        dispatcher.serve(work.advance)
        dispatcher.ring("long")
        work.wait_begun("long")

        closing = threading.Thread(target=dispatcher.close)
        closing.start()
        closing.join(0.3)
        assert closing.is_alive(), "it waits"
        work.release()
        closing.join(SOON)

        assert not closing.is_alive()
        assert work.ended["long"] == 1

    def test_closing_waits_no_longer_than_it_may(self, dispatcher: Dispatcher, work: Work) -> None:
        work.hold("endless")
        dispatcher.serve(work.advance)
        dispatcher.ring("endless")
        work.wait_begun("endless")

        began = time.monotonic()
        dispatcher.close(0.5)

        assert time.monotonic() - began < 10
        assert work.ended["endless"] == 0

    def test_a_ring_after_the_end_is_taken_and_forgotten(self, dispatcher: Dispatcher, work: Work) -> None:
        """The sweeper of another process rings again."""
        dispatcher.serve(work.advance)
        dispatcher.close()

        dispatcher.ring("late")

        assert work.begun["late"] == 0


class TestPool(DispatcherSuite):
    @pytest.fixture
    def dispatcher(self) -> Iterator[Dispatcher]:
        pool = Pool(4)
        yield pool
        pool.close(5)

    def test_a_run_that_waits_is_advanced_once_however_often_it_is_rung(
        self, dispatcher: Dispatcher, work: Work
    ) -> None:
        for _ in range(5):
            dispatcher.ring("impatient")

        dispatcher.serve(work.advance)
        work.wait_ended("impatient")
        dispatcher.close()

        assert work.begun["impatient"] == 1


class BrokerSuite(DispatcherSuite):
    """``url`` is that of the broker."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def queue(self, url: str) -> Iterator[str]:
        with brokers.queue_of_its_own(url) as name:
            yield name

    @pytest.fixture
    def opened(self, url: str, queue: str) -> Iterator[list[BrokeredDispatcher]]:
        """All that the test has open, closed at its end."""
        with ExitStack() as closing:
            made = [BrokeredDispatcher(url, queue=queue, lanes=shares(4)) for _ in range(2)]
            for each in made:
                closing.callback(each.close, 5)
            yield made

    @pytest.fixture
    def dispatcher(self, opened: list[BrokeredDispatcher]) -> Iterator[Dispatcher]:
        yield opened[0]

    def test_what_one_process_rings_another_one_advances(
        self, opened: list[BrokeredDispatcher], work: Work
    ) -> None:
        web, worker = opened
        worker.serve(work.advance)

        web.ring("there")

        work.wait_ended("there")

    def test_a_message_says_which_run_and_nothing_of_what_is_in_it(
        self, url: str, queue: str, opened: list[BrokeredDispatcher]
    ) -> None:
        opened[0].ring("01ABC")
        opened[0].close()

        (message,) = brokers.messages(url, f"{queue}.normal")

        told = json.loads(message)
        assert told["args"] == ["01ABC"]
        assert (told["kwargs"], told["queue_name"]) == ({}, f"{queue}.normal")

    def test_lanes_are_queues_with_threads_of_their_own(self, url: str, queue: str, work: Work) -> None:
        """Bulk that fills its lane leaves the others free."""
        with ExitStack() as closing:
            dispatcher = BrokeredDispatcher(url, queue=queue, lanes={"urgent": 1, "normal": 1, "bulk": 1})
            closing.callback(dispatcher.close, 5)
            closing.callback(work.release)
            work.hold("catalogue")
            dispatcher.serve(work.advance)
            dispatcher.ring("catalogue", "bulk")
            work.wait_begun("catalogue")

            dispatcher.ring("more of it", "bulk")
            dispatcher.ring("operating room", "urgent")
            dispatcher.ring("ward")
            work.wait_ended("operating room", "ward")

            assert work.begun["more of it"] == 0

    def test_while_the_broker_is_away_rings_return_at_once_and_are_sent_when_it_is_back(
        self, url: str, queue: str, work: Work
    ) -> None:
        with Relay(url) as relay, ExitStack() as closing:
            dispatcher = BrokeredDispatcher(relay.url, queue=queue, lanes={"normal": 2})
            closing.callback(dispatcher.close, 5)
            dispatcher.serve(work.advance)
            dispatcher.ring("before")
            work.wait_ended("before")

            relay.cut()
            began = time.monotonic()
            for number in range(100):
                dispatcher.ring(f"during{number}")
            assert time.monotonic() - began < 0.5
            relay.restore()

            work.wait_ended("during99")
            dispatcher.ring("after")
            work.wait_ended("after")

    def test_closing_while_the_broker_is_away_ends(self, url: str, queue: str, work: Work) -> None:
        with Relay(url) as relay:
            dispatcher = BrokeredDispatcher(relay.url, queue=queue, lanes={"normal": 2})
            dispatcher.serve(work.advance)
            dispatcher.ring("before")
            work.wait_ended("before")
            until(lambda: not brokers.messages(url, f"{queue}.normal"), "the message to be acknowledged")
            relay.cut()
            dispatcher.ring("lost")

            began = time.monotonic()
            dispatcher.close(5)
            assert time.monotonic() - began < 15


class TestRabbitmq(BrokerSuite):
    @pytest.fixture
    def url(self) -> str:
        return brokers.rabbitmq_url()

    def test_a_message_is_acknowledged_only_after_the_advance(
        self, opened: list[BrokeredDispatcher], work: Work
    ) -> None:
        """What a worker had in hand as it was cut off comes to another one."""
        cut_off, other = opened
        work.hold("in hand")
        cut_off.serve(work.advance)
        cut_off.ring("in hand")
        work.wait_begun("in hand")

        cut_off.close(0.2)
        other.serve(work.advance)
        work.wait_begun("in hand", times=2)
        work.release()

        work.wait_ended("in hand", times=2)

    def test_connections_that_the_server_closes_are_opened_again(self, url: str, work: Work) -> None:
        with brokers.virtual_host(url) as own, ExitStack() as closing:
            dispatcher = BrokeredDispatcher(own, queue="orderly", lanes={"normal": 2})
            closing.callback(dispatcher.close, 5)
            dispatcher.serve(work.advance)
            dispatcher.ring("before")
            work.wait_ended("before")

            brokers.rabbitmqctl("close_all_connections", "-p", own.rpartition("/")[2], "test")
            for number in range(5):
                dispatcher.ring(f"after{number}")

            work.wait_ended(*(f"after{number}" for number in range(1, 5)))


class TestRedis(BrokerSuite):
    @pytest.fixture
    def url(self) -> str:
        return brokers.redis_url()


def test_a_url_that_says_nothing_to_us_is_refused_without_its_password() -> None:
    with pytest.raises(Misconfigured) as refused:
        BrokeredDispatcher("kafka://orderly:topsecret@broker:9092")

    assert "kafka" in refused.value.message
    assert "topsecret" not in refused.value.message
    assert "amqp://" in refused.value.next_action
    assert where("amqp://orderly:topsecret@broker:5672/erp") == "amqp://broker:5672/erp"


def test_a_ringer_keeps_the_newest_rings_each_once_while_nothing_can_be_sent() -> None:
    """Memory stays bounded; what is dropped is rung again by the sweeper."""
    sent: list[str] = []
    down, tried, finished = threading.Event(), threading.Event(), threading.Event()
    down.set()

    def send(run: str, lane: str) -> None:
        tried.set()
        if down.is_set():
            raise OSError("no route to host")
        sent.append(run)
        if run == "19":
            finished.set()

    ringer = Ringer(send, lambda: None, (OSError,), most=5)
    ringer.ring("0", "normal")
    assert tried.wait(SOON)
    for number in [*range(20), 19, 18]:
        ringer.ring(str(number), "normal")
    down.clear()
    assert finished.wait(SOON)
    ringer.close(5)

    assert set(sent) - {"0"} == {"15", "16", "17", "18", "19"}
    assert len(sent) == len(set(sent))


class Bell:
    def __init__(self) -> None:
        self.rung: list[str] = []

    def ring(self, run: str, lane: str = "") -> None:
        self.rung.append(run)


def test_a_sweeper_with_grace_leaves_alone_what_was_made_ready_just_now(tmp_path: Path) -> None:
    """Whoever made it ready rang it; through a broker every ring costs a message."""
    store = SqliteStore(tmp_path / "orderly.db")
    bell = Bell()
    fresh = store.for_client("mercy").create_run(new()).run
    waiting = store.for_client("mercy").create_run(new()).run
    lease = store.acquire(waiting, "gone", 0.0)
    assert lease is not None

    Sweeper(store, bell.ring, grace=60).sweep()
    first = list(bell.rung)
    Sweeper(store, bell.ring).sweep()
    store.close()

    assert first == [waiting], "its lease ran out, and nobody rings for that"
    assert set(bell.rung[1:]) == {fresh, waiting}


def test_a_sweeper_with_grace_rings_once_what_stays_due(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "orderly.db")
    bell = Bell()
    run = store.for_client("mercy").create_run(new()).run
    assert store.acquire(run, "gone", 0.0) is not None
    sweeper = Sweeper(store, bell.ring, grace=60)

    assert [sweeper.sweep(), sweeper.sweep()] == [1, 0]
    lease = store.acquire(run, "here", 30.0)
    assert lease is not None
    assert sweeper.sweep() == 0
    assert list(store.extend([lease], 0.0)) == [lease]
    again = sweeper.sweep()
    store.close()

    assert again == 1, "it was taken meanwhile, so this is another time"
    assert bell.rung == [run, run]


def test_a_sweeper_rings_what_is_urgent_although_older_bulk_work_is_due(tmp_path: Path) -> None:
    """More of it than one pass takes, and each at the workers of its lane."""
    store = SqliteStore(tmp_path / "orderly.db")
    mercy = store.for_client("mercy")
    lines = [mercy.create_run(replace(new(), lane="bulk")).run for _ in range(150)]
    urgent = mercy.create_run(replace(new(), lane="urgent")).run
    rung: dict[str, str] = {}

    Sweeper(store, rung.__setitem__).sweep()
    store.close()

    assert rung.pop(urgent) == "urgent"
    assert list(rung) == lines[:100]
    assert set(rung.values()) == {"bulk"}


def test_a_sweeper_that_is_not_on_duty_does_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "orderly.db")
    rung = threading.Event()
    store.for_client("mercy").create_run(new())
    asked = threading.Event()

    def on_duty() -> bool:
        asked.set()
        return False

    sweeper = Sweeper(store, lambda run, lane="": rung.set(), longest=0.01, on_duty=on_duty)
    sweeper.start()
    assert asked.wait(SOON)
    asked.clear()
    assert asked.wait(SOON), "a whole round passed"
    sweeper.stop()
    store.close()

    assert not rung.is_set()
