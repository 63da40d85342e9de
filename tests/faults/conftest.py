"""A server under test and the world around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.forked import Forks, forks
from tests.faults.outside import ORDER, Outside, opened, write_pack
from tests.faults.server import Server


@pytest.fixture(scope="session")
def forked() -> Iterator[Forks]:
    """Starts programs that are to die, and verbs of the command line."""
    programs = ("tests.faults.desk", "tests.faults.administration")
    with forks(*programs, "runtime.cli.housekeeping", "runtime.cli.testing") as made:
        yield made


@pytest.fixture
def outside() -> Iterator[Outside]:
    with opened() as world:
        yield world


@pytest.fixture
def server(tmp_path: Path, outside: Outside) -> Iterator[Server]:
    """Not started yet."""
    made = Server(write_pack(tmp_path / "pack", outside, ORDER), tmp_path)
    yield made
    made.stop()
