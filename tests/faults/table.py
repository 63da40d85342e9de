"""The fault suite as a page: ``python -m tests.faults.table`` writes README.md from what the tests say of themselves.

A module's docstring names the fault, a test's docstring what holds; where a test has none its name is the sentence.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from runtime.store.crash import Step
from tests.faults import test_crash_points as alone
from tests.faults import test_crash_points_administration as around
from tests.faults import test_crash_points_shared as shared

HERE = Path(__file__).parent
PAGE = HERE / "README.md"
#: Which test passes which steps.
LOOPS = {
    "one server, SQLite": alone.DAY,
    "people at the desk, SQLite": alone.DESK,
    "users, keys, secrets and sign-ins, SQLite": set(around.ACCOUNTS),
    "the exchange ledger, SQLite": set(around.EXCHANGE),
    "runs in line before a peer, SQLite": set(around.LINE),
    "retention, SQLite": set(around.RETENTION),
    "large bytes, PostgreSQL": set(around.LARGE),
    "`orderly restore`": {around.RESTORE},
    "`orderly runs release`": {around.RELEASE, around.RELEASE_ALL},
    "`orderly test`": {around.TRIAL},
    "a worker, PostgreSQL and RabbitMQ": shared.WORKER | shared.HOLDING,
    "a clock": shared.CLOCK | shared.LEAVING,
    "`orderly web`": shared.WEB,
    "a worker after a standstill": shared.STOPPED,
}
_HEAD = """# What is broken here, and what holds

Written by `python -m tests.faults.table`, or `make generate`, from the tests' docstrings; a test fails where it is stale.

`make test TESTS=tests/faults` runs the suite. Processes are real processes ended with SIGKILL or stopped with SIGSTOP,
databases, brokers and disks are real, and what was ordered is counted in the journal that the ERP simulator keeps on
the other side of its socket. Where PostgreSQL, Redis or RabbitMQ is not installed the tests that need it are skipped
with a line that says how to get it; in CI a skip is a failure.

`ORDERLY_FAULTS_RUNS`, `ORDERLY_FAULTS_KILLS` and `ORDERLY_FAULTS_SEED` make the random kills longer, or the same again;
`ORDERLY_TEST_EXAMPLES` tries more permutations.
"""
_STEPS = """
## Crash points

`ORDERLY_CRASH_AT=<step>.before|after[:n]` ends a process with SIGKILL when it passes there for the n-th time
(`runtime/store/crash.py`). Each step below is a commit or a send; the tests loop over both sides of all of them.
Nothing is committed under no name: a test compares them with the sources, and a process with the switch set ends where it
comes to a unit that has none.

Not among them, because no unit of the store carries them: copying the rows of a backup, filling an empty PostgreSQL from
one, bringing a database to a newer schema. Each is one transaction, or a folder made aside and renamed.

| step | where a process dies there |
| --- | --- |
"""


def page() -> str:
    """What README.md has to be."""
    return _HEAD + "".join(_sections()) + _STEPS + "".join(_steps())


def uncovered() -> set[Step]:
    """Steps at which no process dies in any test."""
    return set(Step) - set().union(*LOOPS.values())


def _sections() -> Iterator[str]:
    for path in sorted(HERE.glob("test_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        tests = [
            node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        ]
        if path.name == "test_table.py" or not tests:
            continue
        title, _, _more = (ast.get_docstring(module) or path.stem).partition("\n\n")
        name = path.stem.removeprefix("test_").replace("_", " ").capitalize()
        yield f"\n## {name}\n\n{title}\n\n| what holds | test in `{path.name}` |\n| --- | --- |\n"
        yield from (f"| {_sentence(test)} | `{test.name}` |\n" for test in tests)


def _sentence(test: ast.FunctionDef) -> str:
    """Its docstring in one line."""
    said = ast.get_docstring(test) or test.name.removeprefix("test_").replace("_", " ").capitalize() + "."
    return re.sub(r"\s+", " ", said).replace("``", "`").replace("|", "\\|")


def _steps() -> Iterator[str]:
    for step in Step:
        yield f"| `{step}` | {'; '.join(where for where, steps in LOOPS.items() if step in steps)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
