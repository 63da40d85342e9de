"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Callable[..., Workshop]]:
    """Opens a runtime in immediate mode over the flows given; closed when the test ends."""
    opened: list[Workshop] = []

    def open_workshop(*flows: dict[str, Any], **more: Any) -> Workshop:
        made = Workshop(tmp_path, list(flows), **more)
        opened.append(made)
        return made

    yield open_workshop
    for made in opened:
        made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """On a user's machine a test that cannot run is skipped with its reason; in CI that is a failure."""
    report: Any = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing may be: {report.longrepr[2]}"
    return report
