"""Flow A: a requisition of ten lines comes by webhook, is mapped to a purchase order, which is the answer.

Every run is stored before its answer (two durable commits). The load comes from another process over ten
persistent connections; CPU seconds are user and system time of the server's process, from the operating system.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from runtime.services import Services, Settings

MAPPINGS = {
    "numbers": """{
  "documentType": "PurchaseOrder", "orderNumber": "PO-" & requisitionId, "currency": currency,
  "buyer": {"name": requester.name, "email": requester.email},
  "supplier": {"id": supplier.id, "name": supplier.name},
  "shipTo": {"code": shipTo.code, "city": shipTo.city, "country": shipTo.country},
  "lines": [lines.{
    "lineNumber": lineNo, "sku": itemNumber, "description": itemDescription, "quantity": quantity, "uom": uom,
    "unitPrice": unitPrice, "amount": quantity * unitPrice, "deliveryDate": needBy
  }],
  "total": $sum(lines.(quantity * unitPrice))
}""",
    "decimals": """(
  $lines := [lines.{
    "lineNumber": lineNo, "sku": itemNumber, "description": itemDescription, "quantity": $string(quantity), "uom": uom,
    "unitPrice": $string(unitPrice), "amount": $dec_mul($string(quantity), $string(unitPrice)), "deliveryDate": needBy
  }];
  {
    "documentType": "PurchaseOrder", "orderNumber": "PO-" & requisitionId, "currency": currency,
    "buyer": {"name": requester.name, "email": requester.email},
    "supplier": {"id": supplier.id, "name": supplier.name},
    "shipTo": {"code": shipTo.code, "city": shipTo.city, "country": shipTo.country},
    "lines": $lines, "total": $dec_sum($lines.amount)
  }
)""",
}


def requisition() -> bytes:
    lines = [
        {
            "lineNo": n, "itemNumber": f"ITM-{1000 + n}", "itemDescription": f"Nitrile examination gloves, size {n}",
            "quantity": 10 * n, "uom": "BX", "unitPrice": round(0.24 + 0.11 * n, 2), "needBy": f"2026-12-{n:02}",
            "costCenter": "CC-OR1",
        }
        for n in range(1, 11)
    ]  # fmt: skip
    head = {
        "requisitionId": "REQ-2026-000123",
        "requester": {"name": "Anna Berg", "email": "anna.berg@mercy.example"}, "currency": "USD",
        "supplier": {"id": "4010", "name": "Acme Medical Supply"},
        "shipTo": {"code": "MERCY-MAIN", "city": "Springfield", "country": "US"},
    }  # fmt: skip
    return json.dumps({**head, "lines": lines}).encode()


def write_pack(folder: Path) -> None:
    (folder / "pack.json").write_text(json.dumps({"client": "bench", "name": "Bench"}))
    for name, source in MAPPINGS.items():
        mapping = folder / "mappings" / name
        flow = folder / "flows" / name
        mapping.mkdir(parents=True)
        flow.mkdir(parents=True)
        (mapping / "mapping.jsonata").write_text(source)
        nodes = [
            {"id": "order", "type": "map", "parameters": {"mapping": name}, "into": "$"},
            {"id": "answer", "type": "respond"},
        ]
        trigger = {"type": "webhook", "reply": {"result": {"within": "10s"}}}
        document = {"flow": name, "version": "1.0.0", "owner": "bench", "trigger": trigger, "nodes": nodes}
        (flow / "flow.json").write_text(json.dumps(document))


@dataclass(frozen=True)
class Figures:
    flow: str
    requests: int
    requests_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_seconds_per_1000: float
    resident_mb_idle: float
    resident_mb_after: float
    seconds_to_first_webhook: float
    failures: int


class Server:
    """``orderly serve`` as a process of its own on a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self._pack = folder / "pack"
        self._pack.mkdir()
        write_pack(self._pack)
        self._data = folder / "data"
        services = Services(Settings(self._data, (self._pack,)))
        self.key, _ = services.access("bench").api_keys.create("load", ["hooks:*"])
        services.stop()

    def start(self) -> float:
        """Seconds from the start of the process to its first answered webhook."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("orderly")), "serve", str(self._pack), "--data", str(self._data),
             "--port", str(self.port), "--log-level", "error"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.process = psutil.Process(self._process.pid)
        until = started + 30
        while time.perf_counter() < until:
            try:
                Client(self.port, "numbers", self.key).send()
                return time.perf_counter() - started
            except OSError:
                time.sleep(0.01)
        raise TimeoutError("the server did not answer within 30 s")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def resident(self) -> float:
        return self.process.memory_info().rss / 1e6


class Client:
    """One persistent connection that posts the same requisition and reads the whole answer."""

    def __init__(self, port: int, flow: str, key: str) -> None:
        body = requisition()
        head = (
            f"POST /hooks/bench/{flow} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"X-API-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> bool:
        """Whether it was answered 200 with a purchase order."""
        self._socket.sendall(self._request)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))[15:])
        while len(body) < length:
            body += self._more()
        return head.startswith(b"HTTP/1.1 200") and b"PurchaseOrder" in body

    def _more(self) -> bytes:
        part = self._socket.recv(65536)
        if not part:
            raise ConnectionError("the server hung up")
        return part


def load(port: int, flow: str, key: str, connections: int, seconds: float) -> dict[str, Any]:
    """Runs in a process of its own: latencies in milliseconds, and failures."""
    latencies: list[float] = []
    failures = [0]
    until = time.perf_counter() + seconds

    def work() -> None:
        client = Client(port, flow, key)
        while (began := time.perf_counter()) < until:
            good = client.send()
            latencies.append((time.perf_counter() - began) * 1000)
            failures[0] += not good

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"latencies": sorted(latencies), "failures": failures[0]}


class Target(Protocol):
    """What is put under load."""

    port: int
    key: str


def measure(seconds: float = 10.0, connections: int = 10) -> list[dict[str, Any]]:
    """Both mappings in one run of the server."""
    with tempfile.TemporaryDirectory(prefix="orderly-bench-") as name:
        server = Server(Path(name))
        first = server.start()
        idle = server.resident()
        try:
            return [asdict(_measure(server, flow, seconds, connections, first, idle)) for flow in MAPPINGS]
        finally:
            server.stop()


def _measure(server: Server, flow: str, seconds: float, connections: int, first: float, idle: float) -> Figures:
    loaded(server, flow, connections, 1.0)
    before = server.cpu()
    result = loaded(server, flow, connections, seconds)
    spent = server.cpu() - before
    latencies = result["latencies"]

    def at(share: float) -> float:
        return round(latencies[int(share * (len(latencies) - 1))], 2)

    return Figures(
        flow, len(latencies), round(len(latencies) / seconds, 1), at(0.5), at(0.95), at(0.99),
        round(spent * 1000 / len(latencies), 2), round(idle, 1), round(server.resident(), 1), round(first, 2),
        result["failures"],
    )  # fmt: skip


def loaded(server: Target, flow: str, connections: int, seconds: float) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.flow_a",
        str(server.port),
        flow,
        str(connections),
        str(seconds),
    ]
    environment = {**os.environ, "ORDERLY_BENCH_KEY": server.key}
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    print(
        json.dumps(
            load(
                int(sys.argv[1]), sys.argv[2], os.environ["ORDERLY_BENCH_KEY"], int(sys.argv[3]), float(sys.argv[4])
            )
        )
    )
