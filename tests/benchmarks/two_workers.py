"""The run of four effects over PostgreSQL and RabbitMQ by two worker processes: runs that were queued, drained.

Each worker has the engine, store and dispatcher that ``orderly worker`` has; its peer takes no time.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg

from runtime.cli import one_cpu
from runtime.cli.lifetime import settle
from runtime.engine.walk import Settings as WalkSettings
from runtime.observe.logs import set_up
from runtime.services import Role, Services, Settings
from tests import brokers
from tests.benchmarks import four_effects

WORKERS, THREADS = 2, 16
_POSTGRESQL = os.environ.get("ORDERLY_TEST_POSTGRESQL") or "postgresql://postgres@127.0.0.1:5432/postgres"
_RABBITMQ = os.environ.get("ORDERLY_TEST_RABBITMQ") or "amqp://guest:guest@127.0.0.1:5672"


@contextmanager
def database() -> Iterator[str]:
    """The URL of an empty one."""
    name = f"orderly_bench_{secrets.token_hex(6)}"
    with psycopg.connect(_POSTGRESQL, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(_POSTGRESQL)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def settings(folder: Path, role: Role) -> Settings:
    """Store, broker and queue come from the environment, as for the processes themselves."""
    return Settings(folder / "data", (folder / "pack",), port=0, role=role, threads=THREADS, simulators=False)


def work(folder: Path) -> None:
    """A worker: begins when it is told to, ends when its input is closed. On one CPU, as ``orderly worker`` is."""
    set_up("error", False)
    with one_cpu.kept(True):
        services = Services(settings(folder, Role.WORKER))
        services.engine.settings = WalkSettings(
            services.settings.lease_seconds, services.settings.chance, four_effects.perform
        )
        print("ready", flush=True)
        sys.stdin.readline()
        services.start()
        settle()
        sys.stdin.read()
        services.stop()


class Worker:
    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.two_workers", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        self._seen = psutil.Process(self._process.pid)

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def cpu(self) -> float:
        times = self._seen.cpu_times()
        return times.user + times.system

    def stop(self) -> None:
        self._process.communicate()


def measure(runs: int = 10_000) -> list[dict[str, Any]]:
    """``runs`` are stored and rung before anybody works on them."""
    queue = f"orderly_bench_{secrets.token_hex(6)}"
    with (
        database() as store,
        environment(ORDERLY_STORE=store, ORDERLY_BROKER=_RABBITMQ, ORDERLY_QUEUE=queue),
        tempfile.TemporaryDirectory(prefix="orderly-bench-") as name,
    ):
        folder = Path(name)
        four_effects.write_pack(folder / "pack")
        web = Services(settings(folder, Role.WEB))
        clock = Services(settings(folder, Role.CLOCK))
        web.start()
        clock.start()
        workers: list[Worker] = []
        try:
            four_effects.take(web, runs)
            workers += [Worker(folder) for _ in range(WORKERS)]
            began, spent = time.perf_counter(), sum(worker.cpu() for worker in workers)
            for worker in workers:
                worker.begin()
            four_effects.wait_done(web)
            seconds, done = time.perf_counter() - began, four_effects.done(web)
            spent = sum(worker.cpu() for worker in workers) - spent
        finally:
            for worker in workers:
                worker.stop()
            clock.stop()
            web.stop()
            brokers.forget(_RABBITMQ, queue)
    return [{
        "what": f"{WORKERS} workers", "runs_queued": runs, "lost": runs - done,
        "runs_per_second": round(done / seconds, 1), "cpu_seconds_per_1000": round(spent * 1000 / max(done, 1), 2),
    }]  # fmt: skip


if __name__ == "__main__":
    work(Path(sys.argv[1]))
