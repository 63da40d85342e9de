"""How much memory a command needs for a file, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import resource, sys
from importlib import import_module
command = import_module(sys.argv[1]).group
try:
    command(sys.argv[2:], standalone_mode=False)
except Exception as error:
    print(error, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, file=sys.stderr)
"""


def megabytes(group: str, *arguments: str, to: Path) -> float:
    """At the highest point; what the command prints goes to this file."""
    with to.open("wb") as printed:
        command = [sys.executable, "-c", _PROGRAM, group, *arguments]
        done = subprocess.run(command, stdout=printed, stderr=subprocess.PIPE, check=True, text=True)
    return float(done.stderr.split()[-1])
