"""The page of the fault suite is what the tests say, and no crash point is left out."""

from __future__ import annotations

from tests.faults.table import PAGE, page, uncovered


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.faults.table writes it anew"


def test_a_process_dies_at_every_crash_point_somewhere() -> None:
    assert uncovered() == set()
