"""A process keeps to one CPU, and gives way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runtime.cli import one_cpu
from runtime.cli.one_cpu import Keeper, Look, freest, kept
from tests.runtime.cli.command import serving, write_pack

several = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="it takes two CPUs to keep to one: run it on a machine that has them",
)
ALL = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}


def looks(mine: float, idle: dict[int, float]) -> tuple[Look, Look]:
    """A second apart: seconds of this process, and idle ones of each CPU."""
    return Look(10.0, dict.fromkeys(idle, 5.0), 1.0), Look(
        11.0, {cpu: 5.0 + s for cpu, s in idle.items()}, 1.0 + mine
    )


def test_the_idlest_comes_first() -> None:
    assert freest(*looks(0.0, {0: 0.2, 1: 0.9, 2: 0.5})) == [1, 2, 0]


def test_what_the_process_uses_itself_is_no_reason_to_leave() -> None:
    assert freest(*looks(0.9, {0: 0.1, 1: 1.0}), mine=0)[0] == 0


def test_a_cpu_that_others_want_is_left_for_one_that_idles() -> None:
    assert freest(*looks(0.4, {0: 0.0, 1: 0.9}), mine=0)[0] == 1


def test_nobody_moves_for_a_little_more() -> None:
    assert freest(*looks(0.5, {0: 0.1, 1: 0.8}), mine=0)[0] == 0


def stat(path: Path) -> Callable[[dict[int, int]], None]:
    """A /proc/stat that says how many ticks each CPU was idle."""

    def write(idle: dict[int, int]) -> None:
        lines = [f"cpu{cpu} 100 0 50 {ticks} 0 0 0 0 0 0" for cpu, ticks in idle.items()]
        path.write_text("\n".join(["cpu  200 0 100 0 0 0 0 0 0 0", *lines, "ctxt 5", ""]))

    return write


@several
def test_it_moves_with_all_its_threads_when_its_cpu_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = stat(tmp_path / "stat")
    monkeypatch.setattr(one_cpu, "_STAT", tmp_path / "stat")
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    first, second, *_ = sorted(ALL)
    write({first: 0, second: 0})
    keeper = Keeper({first, second})
    here = keeper.cpu
    there = second if here == first else first
    try:
        write({here: 0, there: 10**9})
        keeper.look()

        assert keeper.cpu == there
        assert other.native_id is not None
        assert {frozenset(os.sched_getaffinity(thread)) for thread in (0, other.native_id)} == {frozenset({there})}
    finally:
        over.set()
        other.join()
        keeper.close()
        one_cpu._move_all(ALL)


@several
def test_afterwards_the_process_has_all_its_cpus_again() -> None:
    with kept(True):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == ALL


def test_who_does_not_want_it_is_left_alone() -> None:
    with kept(False):
        assert not hasattr(os, "sched_getaffinity") or os.sched_getaffinity(0) == ALL


@several
def test_processes_keep_to_one_each_as_long_as_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of this test alone: other processes of this machine have theirs."""
    monkeypatch.setattr(one_cpu, "_NAME", f"\0orderly-test-{os.getpid()}-{{}}")
    allowed = set(sorted(ALL)[:2])
    keepers: list[Keeper] = []
    try:
        keepers += [Keeper(allowed), Keeper(allowed)]
        apart = {keeper.cpu for keeper in keepers}
        keepers.append(Keeper(allowed))
        keepers[0].close()
        instead = Keeper(allowed)
        keepers.append(instead)
    finally:
        for keeper in keepers:
            keeper.close()
        one_cpu._move_all(ALL)

    assert apart == allowed
    assert keepers[2].cpu in allowed
    assert instead.cpu == keepers[0].cpu


@several
@pytest.mark.parametrize(("options", "cpus"), [([], 1), (["--all-cpus"], len(ALL))])
def test_serve_keeps_to_one_unless_it_is_told_otherwise(tmp_path: Path, options: list[str], cpus: int) -> None:
    with serving(
        write_pack(tmp_path / "pack", tmp_path / "out"), data=tmp_path / "data", options=options
    ) as server:
        threads = psutil.Process(server.process.pid).threads()

        assert {len(os.sched_getaffinity(thread.id)) for thread in threads} == {cpus}


def test_where_the_system_says_nothing_of_its_cpus_it_stays() -> None:
    assert freest(*looks(0.1, {}), mine=0) == []


@several
def test_a_cpu_that_the_system_refuses_is_not_moved_to() -> None:
    here = os.sched_getaffinity(0)

    assert one_cpu._move_all({100_000}) is False
    assert os.sched_getaffinity(0) == here
