"""When to try again: exponential backoff with full jitter, and the peer's own wish above it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from runtime.model.flow import Retry


def next_try(
    retry: Retry, attempts: int, now: datetime, asked: float | None, chance: random.Random
) -> datetime | None:
    """The time of the next try after ``attempts`` failed ones, or ``None`` where they are used up.

    Full jitter: evenly spread between nothing and ``first * 2^(attempts-1)``, at most ``longest``; never before
    the ``asked`` seconds of a Retry-After.
    """
    if attempts >= retry.attempts:
        return None
    ceiling = min(retry.longest.total_seconds(), retry.first.total_seconds() * 2 ** min(attempts - 1, 32))
    return now + timedelta(seconds=max(chance.uniform(0, ceiling), asked or 0.0))
