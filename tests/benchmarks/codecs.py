"""The EDI codecs over one generated interchange of many orders, streamed from a file.

Megabytes per second of processor time: the lossless view with its envelopes checked, and the named view with each set
checked against its schema. ``memory grown`` is how much larger the process was at its largest than before it read.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from connectors.edifact.examine import examining
from connectors.edifact.reader import stream as edifact_stream
from connectors.x12.examine import check
from connectors.x12.reader import stream as x12_stream

LINES = 10
_BLOCK = 128 * 1024


def x12(orders: int) -> Iterator[str]:
    """850s of version 4010 in one group."""
    yield (
        "ISA*00*          *00*          *ZZ*MERCYHOSP      *ZZ*ACMEMED        *261124*0930*U*00401*000000001*0*T*>~\n"
        "GS*PO*MERCYHOSP*ACMEMED*20261124*0930*1*X*004010~\n"
    )
    for number in range(1, orders + 1):
        body = [
            f"ST*850*{number:09}", f"BEG*00*NE*PO-{number:07}**20261124", "CUR*BY*USD", "REF*DP*OR-1",
            "DTM*002*20261201", "N1*ST*Mercy General Hospital*91*MERCY-MAIN", "N3*1 Hospital Way",
            "N4*Springfield*IL*62701*US",
        ]  # fmt: skip
        for line in range(1, LINES + 1):
            body += [
                f"PO1*{line}*{line * 10}*BX*{line}.25**VC*AC-{1000 + line}*BP*ITM-{1000 + line}",
                "PID*F****Nitrile examination gloves, size M",
            ]
        body += [f"CTT*{LINES}", f"SE*{len(body) + 2}*{number:09}"]
        yield "~\n".join(body) + "~\n"
    yield f"GE*{orders}*1~\nIEA*1*000000001~\n"


def edifact(orders: int) -> Iterator[str]:
    """ORDERS of D.96A."""
    yield "UNB+UNOC:3+5412345000013:14+4012345000094:14+261124:0930+REF1'\n"
    for number in range(1, orders + 1):
        body = [
            f"UNH+{number}+ORDERS:D:96A:UN:EAN008", f"BGM+220+PO-{number:07}+9", "DTM+137:20261124:102",
            "NAD+BY+5412345000013::9++Mercy Hospital+1 Hospital Way+Dublin++D04 X2Y3+IE", "NAD+SU+4012345000094::9",
            "CUX+2:EUR:9",
        ]  # fmt: skip
        for line in range(1, LINES + 1):
            body += [
                f"LIN+{line}++4000862141404:EN", f"PIA+1+AC-{1000 + line}:SA",
                "IMD+F++:::Syringe 10 ml?, sterile", f"QTY+21:{line * 10}:PCE", f"PRI+AAA:{line}.20",
            ]  # fmt: skip
        body += ["UNS+S", f"CNT+2:{LINES}", f"UNT+{len(body) + 3}+{number}"]
        yield "'\n".join(body) + "'\n"
    yield f"UNZ+{orders}+REF1'\n"


def _x12_envelopes(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        yield from check(x12_stream(file), named=False)


def _x12_named(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        yield from check(x12_stream(file))


def _edifact(path: Path, messages: bool) -> Iterator[Any]:
    with path.open("rb") as file:
        yield from examining(edifact_stream(iter(partial(file.read, _BLOCK), b"")), messages=messages)


READINGS: dict[str, tuple[Callable[[int], Iterator[str]], Callable[[Path], Iterator[Any]]]] = {
    "X12, lossless, envelopes checked": (x12, _x12_envelopes),
    "X12, named and checked": (x12, _x12_named),
    "EDIFACT, lossless, envelopes checked": (edifact, partial(_edifact, messages=False)),
    "EDIFACT, named and checked": (edifact, partial(_edifact, messages=True)),
}


def measure(orders: int = 10_000) -> list[dict[str, Any]]:
    """Each in a process of its own, so that one's memory is not another's."""
    rows = []
    for name in READINGS:
        command = [sys.executable, "-m", "tests.benchmarks.codecs", name, str(orders)]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        rows.append({"what": name, **json.loads(done.stdout)})
    return rows


def _measured(name: str, orders: int) -> dict[str, Any]:
    made, reading = READINGS[name]
    with tempfile.TemporaryDirectory(prefix="orderly-bench-") as folder:
        path = Path(folder) / "orders"
        with path.open("w") as file:
            file.writelines(made(orders))
        size = path.stat().st_size / 1e6
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        faults = read = 0
        for one in reading(path):
            read += 1
            faults += len(one.faults)
        spent = time.process_time() - began
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    return {
        "orders": orders, "mb": round(size, 1), "mb_per_cpu_second": round(size / spent, 1),
        "memory_grown_mb": round(grown, 1), "units_read": read, "faults": faults,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[1], int(sys.argv[2]))))
