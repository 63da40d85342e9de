"""HL7 over MLLP: ADT messages of 1 KB over persistent connections, each stored durably and then acknowledged AA.

The load comes from another process, one message at a time on each connection, as MLLP senders do; a message counts
once an AA with its own MSA-2 came. ``keep``: the flow keeps the message as it is and is over. ``census``: the message
is decoded and mapped before it is stored, and its run publishes an event. Runs go on meanwhile in the same process;
``runs not over`` is how many were still to be advanced when the load ended. CPU seconds are user and system time of
the server's process, from the operating system. ``read lazily`` is the codec alone, messages per second of CPU time.
"""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

from connectors.hl7.codec import answer, read
from connectors.mllp.transport import Sender
from tests.connectors.hl7.benchmark import SMALL, rate

SENDERS, _WARM_UP = 10, 1.0
_MAPPING = """{
  "event": segments[id='EVN'].fields.`1.1`, "location": segments[id='PV1'].fields.`3.1`, "control_id": control_id
}"""
_DECODED = {"decode": {"type": "hl7.read"}, "mapping": "census"}
FLOWS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "keep": ({}, [{"id": "kept", "type": "end"}]),
    "census": (_DECODED, [{"id": "moved", "type": "publish", "parameters": {"event": "moved", "data": "=$"}}]),
}


def adt(control_id: str) -> bytes:
    """An ADT^A02 (HL7 v2.5.1, 3.3.2) of an invented patient: 1,024 bytes."""
    lines = [
        f"MSH|^~\\&|ADT|MERCY|ORDERLY|MERCY|20261124081500||ADT^A02^ADT_A02|{control_id}|P|2.5.1||||||UNICODE UTF-8",
        "EVN|A02|20261124081500||||20261124081000",
        "PID|1||990017^^^MERCY^MR||Sample^Invented^Q^^^^L||19500101|F|||1 Sample Way^^Springfield^IL^62701^US^H",
        "PV1|1|I|ICU^201^A^MERCY^^^MAIN|U||MED3^310^B^MERCY|1001^Adams^Ada^^^DR|||MED||||1|||1001^Adams^Ada^^^DR|IP",
    ]
    text = "\r".join(lines) + "\r"
    note = "NTE|1||"
    return (text + note + "x" * (1_023 - len(text) - len(note)) + "\r").encode()


def write_pack(folder: Path, name: str) -> int:
    """One flow behind a listener; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    more, nodes = FLOWS[name]
    trigger = {"type": "mllp.listen", "connection": "feed", **more}
    flow = {"flow": name, "version": "1.0.0", "owner": "bench", "trigger": trigger, "nodes": nodes}
    files: dict[str, Any] = {
        "pack.json": {"client": "bench", "name": "Bench"},
        "connections/feed.json": {"type": "mllp", "settings": {"host": "127.0.0.1", "port": port}},
        f"flows/{name}/flow.json": flow,
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(content))
    (folder / "mappings/census").mkdir(parents=True)
    (folder / "mappings/census/mapping.jsonata").write_text(_MAPPING)
    return port


@contextmanager
def served(pack: Path, data: Path) -> Iterator[psutil.Process]:
    """``orderly serve`` as a process of its own, up."""
    orderly = str(Path(sys.executable).with_name("orderly"))
    command = [orderly, "serve", str(pack), "--data", str(data), "--port", "0", "--json", "--log-level", "error"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def load(port: int, senders: int, seconds: float, run: str) -> dict[str, Any]:
    """Runs in a process of its own: latencies in milliseconds, and answers that were not AA."""
    latencies: list[float] = []
    failures = [0]
    until = time.perf_counter() + seconds

    def work(sender: int) -> None:
        number = 0
        with Sender("127.0.0.1", port, 30) as connection:
            while (began := time.perf_counter()) < until:
                number += 1
                said = answer(read(connection.exchange(adt(f"{run}-{sender}-{number}"))))
                latencies.append((time.perf_counter() - began) * 1000)
                failures[0] += said.code != "AA"

    threads = [threading.Thread(target=work, args=(sender,)) for sender in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"latencies": sorted(latencies), "failures": failures[0]}


def measure(seconds: float) -> list[dict[str, Any]]:
    rows = [_measured(name, seconds) for name in FLOWS]
    return [*rows, {"flow": "read lazily", "messages_per_cpu_second": rate(lambda: read(SMALL))}]


def _measured(name: str, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="orderly-bench-") as folder:
        pack, data = Path(folder) / "pack", Path(folder) / "data"
        port = write_pack(pack, name)
        with served(pack, data) as process:
            warm = _loaded(port, _WARM_UP, "warm")
            before = sum(process.cpu_times()[:2])
            result = _loaded(port, seconds, "load")
            spent = sum(process.cpu_times()[:2]) - before
            left = _counted(data, "state NOT IN ('done')")
        sent = len(warm["latencies"]) + len(result["latencies"])
        stored = _counted(data, "1 = 1")
    latencies = result["latencies"]

    def at(share: float) -> float:
        return round(latencies[int(share * (len(latencies) - 1))], 2)

    return {
        "flow": name, "messages": len(latencies), "messages_per_second": round(len(latencies) / seconds, 1),
        "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99),
        "cpu_seconds_per_1000": round(spent * 1000 / len(latencies), 2), "runs_not_over": left,
        "not_acknowledged": result["failures"], "acknowledged_and_not_stored": sent - stored,
    }  # fmt: skip


def _counted(data: Path, condition: str) -> int:
    with closing(sqlite3.connect(f"file:{data / 'orderly.db'}?mode=ro", uri=True)) as database:
        (count,) = database.execute(f"SELECT count(*) FROM run WHERE {condition}").fetchone()
    return int(count)


def _loaded(port: int, seconds: float, run: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.hl7", str(port), str(SENDERS), str(seconds), run]
    done = subprocess.run(command, capture_output=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    print(json.dumps(load(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])))
