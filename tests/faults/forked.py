"""Programs as processes of their own, forked from one that has imported what they need: most of the time that a start
takes is imports, and each death needs a start.

A program is ``module:function``, called without arguments, with ``sys.argv`` and the environment of its own; the
crash points are read from that environment, as at any start.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.day_flows import ROOT

_LONGEST = 120


@dataclass(frozen=True)
class Ended:
    """``code`` is negative where a signal ended it."""

    code: int
    output: str
    errors: str


class Forks:
    """One process at a time."""

    def __init__(self, server: subprocess.Popen[str], folder: Path) -> None:
        self._server = server
        self._out, self._err = folder / "out", folder / "err"

    def run(self, program: str, *arguments: str, **variables: str) -> Ended:
        """Returns when it has ended; after two minutes SIGALRM ends it."""
        asked = {"program": program, "arguments": arguments, "variables": {**os.environ, **variables}}
        asked |= {"out": str(self._out), "err": str(self._err)}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        said = self._server.stdout.readline()
        assert said, f"the process that forks ended with {self._server.wait()}"
        return Ended(int(said), self._out.read_text(), self._err.read_text())


@contextmanager
def forks(*modules: str) -> Iterator[Forks]:
    """``modules`` are imported once, for all that are run."""
    command = [sys.executable, "-m", "tests.faults.forked", *modules]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
    ):  # fmt: skip
        yield Forks(server, Path(folder))


def _serve() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.flush()
        if (pid := os.fork()) == 0:
            _child(asked)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _child(asked: dict[str, Any]) -> None:
    code = 1
    try:
        signal.alarm(_LONGEST)
        with Path(asked["out"]).open("wb") as out, Path(asked["err"]).open("wb") as err:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
        os.environ.clear()
        os.environ.update(asked["variables"])
        code = _ended(asked["program"], asked["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _ended(program: str, arguments: list[str]) -> int:
    try:
        importlib.reload(importlib.import_module("runtime.store.crash"))
        module, _, function = program.partition(":")
        sys.argv = [program, *arguments]
        getattr(importlib.import_module(module), function)()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  the border of this process
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    _serve()
