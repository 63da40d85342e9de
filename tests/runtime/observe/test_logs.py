"""Logs tell where something broke, and nothing of what was in hand."""

from __future__ import annotations

import errno
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path

import pytest
import structlog

from connectors.sdk import Arrival
from runtime.model.run import RunState
from runtime.observe.logs import set_up
from tests.brittle import CANARY, installed
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a process writes that logs as ``orderly serve`` does."""
    root, levels = logging.getLogger(), {}
    handlers, root.handlers = root.handlers, []
    for name in ("paramiko", "zeep", "urllib3", "waitress", "apscheduler", "alembic"):
        levels[name] = logging.getLogger(name).level
    out = io.StringIO()
    try:
        with redirect_stderr(out):
            set_up()
            yield out
    finally:
        structlog.reset_defaults()
        root.handlers = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


class Filling(io.StringIO):
    """A file on a disk that is ``full`` for a while."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_log_that_cannot_be_written_stops_no_work_and_says_later_that_lines_are_missing() -> None:
    out = Filling()
    try:
        with redirect_stderr(out):
            set_up()
            log = structlog.get_logger()
            log.info("first")
            out.full = True
            log.info("second")
            log.info("third")
            out.full = False
            log.info("fourth")
    finally:
        structlog.reset_defaults()

    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in told] == ["first", "log.gap", "fourth"]
    assert told[1]["lines"] == 2


def break_with(value: str) -> None:
    try:
        raise KeyError(value)
    except KeyError as error:
        raise ValueError(f"{value} has no number") from error


def test_an_exception_is_told_by_its_kind_and_its_frames(written: io.StringIO) -> None:
    try:
        break_with(CANARY)
    except ValueError:
        structlog.get_logger().error("it.broke", run="1", exc_info=True)

    told = json.loads(written.getvalue())
    assert CANARY not in written.getvalue()
    assert [each["type"] for each in told["where"]] == ["ValueError", "KeyError"]
    assert told["where"][0]["frames"][-1].endswith(" break_with")
    assert (
        f"runtime/observe/test_logs.py:{break_with.__code__.co_firstlineno + 4} " in told["where"][0]["frames"][-1]
    )


def test_an_exception_that_is_handed_over_is_told_the_same_way(written: io.StringIO) -> None:
    try:
        break_with(CANARY)
    except ValueError as error:
        kept = error
    structlog.get_logger().error("it.broke", exc_info=kept)
    structlog.get_logger().error("nothing.broke", exc_info=True)

    first, second = (json.loads(line) for line in written.getvalue().splitlines())
    assert CANARY not in written.getvalue()
    assert first["where"][0]["type"] == "ValueError"
    assert "where" not in second


def test_what_libraries_log_of_exceptions_is_told_the_same_way(written: io.StringIO) -> None:
    try:
        break_with(CANARY)
    except ValueError:
        logging.getLogger("somebody.else").exception("it broke")

    assert "it broke" in written.getvalue()
    assert "break_with" in written.getvalue()
    assert CANARY not in written.getvalue()


def test_for_a_person_at_a_terminal_too(written: io.StringIO) -> None:
    with redirect_stderr(written):
        set_up(pretty=True)
    try:
        break_with(CANARY)
    except ValueError:
        structlog.get_logger().error("it.broke", exc_info=True)

    assert "break_with" in written.getvalue()
    assert CANARY not in written.getvalue()


def test_a_patients_name_in_a_connectors_mistake_reaches_no_log(
    workshop: Open, written: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with installed(tmp_path, monkeypatch):
        shop = workshop(
            flow("calls", {"id": "call", "type": "brittle.call", "effect": "none", "retry": {"attempts": 1}}),
            flow(
                "reads",
                {"id": "end", "type": "end"},
                trigger={"type": "webhook", "decode": {"type": "brittle.read"}},
            ),
        )
        run = shop.run("calls", {"patient": CANARY})
        intake = shop.services.intake(shop.services.clients["mercy"])
        intake.take_raw("reads", Arrival(CANARY.encode(), "text/plain"), "webhook", sum_of_bytes=True)

    events = [json.loads(line)["event"] for line in written.getvalue().splitlines() if line.startswith("{")]
    assert run.state is RunState.DEAD
    assert {"connector.bug", "decoder.bug"} <= set(events)
    assert CANARY not in written.getvalue()
    assert "orderly_brittle.py" in written.getvalue()
