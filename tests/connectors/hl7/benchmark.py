"""Messages per second of CPU time: ``python -m tests.connectors.hl7.benchmark``."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

from connectors.hl7.codec import Batch, read, view, write
from tests.connectors.hl7.corpus import sample

SMALL = sample("oms_o05_one_line.hl7")
_FOR = 2.0


def rate(action: Callable[[], object], each: int = 1) -> int:
    """How many messages a CPU second, ``each`` of them in one call."""
    begun, done = time.process_time(), 0
    while time.process_time() - begun < _FOR:
        for _ in range(10):
            action()
        done += 10 * each
    return round(done / (time.process_time() - begun))


def route() -> object:
    message = read(SMALL)
    return message.type, message.control_id


def main() -> None:
    batch = SMALL * 1_000
    rows = {
        "bare split": lambda: [line.split("|") for line in SMALL.decode().split("\r")],
        "read lazily": lambda: read(SMALL),
        "read, type and control id": route,
        "read, one field": lambda: read(SMALL).get("RQD-5"),
        "read and write": lambda: write(read(SMALL)),
        "read and view": lambda: view(read(SMALL)),
    }
    print(f"a message of {len(SMALL)} bytes; messages per CPU second")
    for name, action in rows.items():
        print(f"{name:<28}{rate(action):>10,}")
    print(f"{'batch of 1,000, streamed':<28}{rate(lambda: list(Batch(io.BytesIO(batch))), 1_000):>10,}")


if __name__ == "__main__":
    main()
