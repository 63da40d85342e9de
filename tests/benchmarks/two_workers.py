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


def settings(folder: Path, role: Role) -> Settings:
    """Store, broker and queue come from the environment, as for the processes themselves."""
    return Settings(folder / "data", (folder / "pack",), port=0, role=role, threads=THREADS, simulators=False)


def work(folder: Path) -> None:
    """A worker, until its input is closed."""
    set_up("error", False)
    services = Services(settings(folder, Role.WORKER))
    services.engine.settings = WalkSettings(
        services.settings.lease_seconds, services.settings.chance, four_effects.perform
    )
    services.start()
    print("started", flush=True)
    sys.stdin.read()
    services.stop()


class Worker:
    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.two_workers", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "started\n"
        self._seen = psutil.Process(self._process.pid)

    def cpu(self) -> float:
        times = self._seen.cpu_times()
        return times.user + times.system

    def stop(self) -> None:
        self._process.communicate()


def measure(runs: int = 10_000) -> list[dict[str, Any]]:
    """``runs`` are stored and rung before anybody works on them."""
    queue = f"orderly_bench_{secrets.token_hex(6)}"
    with database() as store, tempfile.TemporaryDirectory(prefix="orderly-bench-") as name:
        os.environ.update(ORDERLY_STORE=store, ORDERLY_BROKER=_RABBITMQ, ORDERLY_QUEUE=queue)
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
            began, before = time.perf_counter(), four_effects.done(web)
            spent = sum(worker.cpu() for worker in workers)
            four_effects.wait_done(web, runs)
            seconds, after = time.perf_counter() - began, four_effects.done(web)
            spent = sum(worker.cpu() for worker in workers) - spent
        finally:
            for worker in workers:
                worker.stop()
            clock.stop()
            web.stop()
            brokers.forget(_RABBITMQ, queue)
    return [{
        "what": f"{WORKERS} workers", "runs_queued": runs, "lost": runs - after, "runs_per_second": round((after - before) / seconds, 1),
        "cpu_seconds_per_1000": round(spent * 1000 / (after - before), 2),
    }]  # fmt: skip


if __name__ == "__main__":
    work(Path(sys.argv[1]))
