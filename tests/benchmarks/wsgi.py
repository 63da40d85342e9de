"""Flow A behind each WSGI server that can be in the process of the store's writer, on threads.

Servers that bring processes of their own (gunicorn, granian, uWSGI) are not among them: an SQLite store belongs to one
process, and every webhook commits in it. One that is not installed is left out.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from flask import Flask

from runtime.cli import one_cpu
from runtime.cli.lifetime import settle
from runtime.console.app import create_app
from runtime.intake.server import Server
from runtime.observe.logs import set_up
from runtime.services import Services, Settings
from tests.benchmarks import flow_a

THREADS, CONNECTIONS, TURNS = 12, 10, 3


#: Its port, and what ends it.
Opened = tuple[int, Callable[[], Any]]


def _waitress(app: Flask) -> Opened:
    server = Server(app, "web", THREADS, host="127.0.0.1", port=0)
    return server.port, server.close


def _cheroot(app: Flask) -> Opened:
    wsgi: Any = importlib.import_module("cheroot.wsgi")
    server = wsgi.Server(("127.0.0.1", 0), app, numthreads=THREADS)
    server.prepare()
    threading.Thread(target=server.serve, daemon=True).start()
    return int(server.bind_addr[1]), server.stop


SERVERS: dict[str, Callable[[Flask], Opened]] = {"waitress": _waitress, "cheroot": _cheroot}


class Serving:
    """One of them as a process; ``port``, ``key`` and ``cpu`` are what ``flow_a`` asks of a server."""

    def __init__(self, name: str, folder: Path) -> None:
        pack, data = folder / "pack", folder / "data"
        pack.mkdir()
        flow_a.write_pack(pack)
        services = Services(Settings(data, (pack,)))
        self.key, _ = services.access("bench").api_keys.create("load", ["hooks:*"])
        services.stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.wsgi", name, str(pack), str(data)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._seen = psutil.Process(self._process.pid)

    def cpu(self) -> float:
        times = self._seen.cpu_times()
        return times.user + times.system

    def stop(self) -> None:
        self._process.communicate()


def serve(name: str, pack: Path, data: Path) -> None:
    """Until its input is closed."""
    set_up("error", False)
    with one_cpu.kept(True):
        services = Services(Settings(data, (pack,)))
        services.start()
        port, close = SERVERS[name](create_app(services))
        print(port, flush=True)
        settle()
        sys.stdin.read()
        close()
        services.stop()


def measure(seconds: float = 5.0) -> list[dict[str, Any]]:
    """All of them in turns; of each the middle turn counts."""
    names = [name for name in SERVERS if importlib.util.find_spec(name) is not None]
    turns = [_turn(name, seconds) for _ in range(TURNS) for name in names]
    return [
        {
            "what": name,
            **{
                figure: round(median(turn[figure] for turn in turns if turn["what"] == name), 2)
                for figure in ("requests_per_second", "p50_ms", "p99_ms", "cpu_seconds_per_1000")
            },
            "failures": sum(turn["failures"] for turn in turns if turn["what"] == name),
        }
        for name in names
    ]


def _turn(name: str, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="orderly-bench-") as folder:
        serving = Serving(name, Path(folder))
        try:
            flow_a.loaded(serving, "numbers", CONNECTIONS, 1.0)
            before = serving.cpu()
            result = flow_a.loaded(serving, "numbers", CONNECTIONS, seconds)
            spent = serving.cpu() - before
        finally:
            serving.stop()
    latencies = result["latencies"]
    return {
        "what": name, "requests_per_second": len(latencies) / seconds, "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[int(0.99 * (len(latencies) - 1))], "cpu_seconds_per_1000": spent * 1000 / len(latencies),
        "failures": result["failures"],
    }  # fmt: skip


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
