"""Time-ordered ids and derived keys, all of ``[a-z0-9]``."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
import uuid

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Ten bits at a time: half the steps.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _base32(number: int, length: int) -> str:
    """``length`` is even."""
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(5 * length - 10, -1, -10)])


class _Maker:
    """Ids of one process sort in the order in which they were made, also within one millisecond."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def make(self) -> int:
        drawn = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
        with self._lock:
            self._last = drawn if drawn >> 80 > self._last >> 80 else self._last + 1 + secrets.randbits(32)
            return self._last


_MAKER = _Maker()


def new_id() -> str:
    """26 characters that sort by time of making: the layout of a ULID, in lower case."""
    return _base32(_MAKER.make(), 26)


def effect_key(run: str, node: str, iteration: str) -> str:
    """Stands for (run, node, iteration) towards peers: opaque, 26 characters, stable over retries."""
    digest = hashlib.sha256(f"{run}:{node}:{iteration}".encode()).digest()
    return _base32(int.from_bytes(digest[:17], "big") >> 6, 26)


def derived_uuid(run: str, node: str, iteration: str, call: int) -> str:
    """``$uuid()`` of an expression: equal however often the expression is evaluated again."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"orderly:{run}:{node}:{iteration}:{call}"))
