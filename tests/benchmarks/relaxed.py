"""How many runs a second an SQLite store takes, each acknowledged after its commit: flushed, and relaxed.

``python -m tests.benchmarks.relaxed [FOLDER]``; the folder is where the disk is measured, by default the temporary one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runtime.model.run import NewRun
from runtime.store.sqlite import SqliteStore

_RUNS = 1000
_BODY = {"note": "x" * 1000}


def rate(folder: Path, callers: int, *, relaxed: bool) -> float:
    """Runs a second with so many callers at one time."""
    store = SqliteStore(folder / f"{callers}-{relaxed}.db", relaxed=relaxed)
    mercy = store.for_client("mercy")
    begun = time.perf_counter()
    with ThreadPoolExecutor(callers) as threads:
        list(threads.map(lambda _: mercy.create_run(NewRun("f", "1", "r", _BODY, "d", "bench")), range(_RUNS)))
    took = time.perf_counter() - begun
    store.close()
    return _RUNS / took


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        print(f"{'':8} {'1 caller':>10} {'10 callers':>10}   runs/s")
        for relaxed in (False, True):
            found = [rate(Path(place), callers, relaxed=relaxed) for callers in (1, 10)]
            print(f"{'relaxed' if relaxed else 'flushed':8} {found[0]:10.0f} {found[1]:10.0f}")


if __name__ == "__main__":
    main()
