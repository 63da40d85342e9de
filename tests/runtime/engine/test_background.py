"""Tasks beside the runs: they outlive mistakes, end when they are told to, and say so when they died."""

from __future__ import annotations

import sys
import threading

import pytest

from runtime.engine.background import Background
from runtime.engine.pool import Pool
from tests.runtime.console.house import until

ends_a_thread = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def test_a_mistake_does_not_end_the_task() -> None:
    done = threading.Semaphore(0)
    mistakes = [ValueError("once"), KeyError("twice")]

    def work() -> float:
        if mistakes:
            raise mistakes.pop()
        done.release()
        return 0.0

    task = Background("test", work)
    task.start()

    assert done.acquire(timeout=20)
    assert task.alive
    task.stop()
    assert task.alive, "it was told to"
    assert "test" not in {thread.name for thread in threading.enumerate()}


def test_one_that_was_never_started_is_not_dead_and_can_be_stopped() -> None:
    task = Background("test", lambda: 0.0)

    assert task.alive
    task.stop()


@ends_a_thread
def test_a_thread_that_is_ended_from_inside_is_dead() -> None:
    """``sys.exit`` of some library ends the thread it is called on, whoever's that is."""
    task = Background("test", sys.exit)
    task.start()

    until(lambda: not task.alive, "the task to be found dead")


@ends_a_thread
def test_a_pool_that_lost_a_worker_is_not_alive() -> None:
    pool = Pool(2)
    pool.serve(lambda _run: sys.exit())
    assert pool.alive

    pool.ring("one")

    until(lambda: not pool.alive, "the worker to be missed")
    pool.close()
    assert pool.alive, "closed on purpose"


def test_a_run_that_breaks_costs_no_worker() -> None:
    seen = threading.Semaphore(0)

    def advance(run: str) -> None:
        if run == "bad":
            raise ValueError(run)
        seen.release()

    pool = Pool(1)
    pool.serve(advance)
    pool.ring("bad")
    pool.ring("good")

    assert seen.acquire(timeout=10)
    assert pool.alive
    pool.close()
