"""``orderly audit``: who did what to which."""

from __future__ import annotations

from typing import Any

from tests.runtime.cli.command import Desk


def listed(desk: Desk, *options: str) -> list[tuple[Any, ...]]:
    rows = desk.answer("audit", "list", *options)["entries"]
    return [(row["action"], row["subject"]) for row in rows]


def test_what_was_done_is_listed_newest_first_and_found(either: Desk) -> None:
    """By what, by whom, to which, and when."""
    for verb in (("pause", "outbox", "--reason", "it moves"), ("resume", "outbox")):
        done = either.orderly("connection", *verb)
        assert done.returncode == 0, done.stderr
    entries = either.answer("audit", "list")["entries"]
    actor, at = entries[0]["actor"], entries[1]["at"]

    assert listed(either) == [("connection.resumed", "outbox"), ("connection.paused", "outbox")]
    assert listed(either, "--action", "connection.paused", "--actor", actor) == [("connection.paused", "outbox")]
    assert listed(either, "--subject", "crm") == []
    assert listed(either, "--until", at) == []
    assert len(listed(either, "--since", at, "--limit", "1")) == 1
    shown = either.orderly("audit", "list").stdout
    assert "connection.paused" in shown and actor in shown


def test_what_is_no_time_is_told(either: Desk) -> None:
    problem = either.problem("audit", "list", "--since", "yesterday")

    assert "is no time" in problem["detail"]
