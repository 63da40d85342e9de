"""Time that stands still until it is told otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    def __init__(self) -> None:
        self._now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self._now

    def forward(self, seconds: float) -> datetime:
        self._now += timedelta(seconds=seconds)
        return self._now
