"""Frames of the Minimal Lower Layer Protocol, release 1: ``<VT> message <FS> <CR>``. No I/O.

Lenient in what it takes: a missing final CR, bytes between frames, a second start block where the first message was
broken off. The end block is a lone FS: in no character set of table 0211 that sends single bytes is it text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

START, END = b"\x0b", b"\x1c"
_SILENT = b"\r\n\x00"
_BROKEN_OFF = re.compile(rb"\x0b(?=MSH|FHS|BHS)")


def frame(message: bytes) -> bytes:
    """A message ready to send."""
    return START + message + END + b"\r"


@dataclass(frozen=True)
class Frame:
    """One whole message, without its start and end block."""

    content: bytes


@dataclass(frozen=True)
class Junk:
    """``size`` bytes that belong to no message were passed over."""

    size: int


@dataclass(frozen=True)
class Oversize:
    """A message grew beyond the limit; ``beginning`` is what of it is kept. Nothing after it is read."""

    beginning: bytes


Event = Frame | Junk | Oversize


class Deframer:
    """Takes bytes as they arrive and tells what they make. One per connection."""

    def __init__(self, max_message_bytes: int) -> None:
        self._limit = max_message_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._inside = False
        self._over = False

    @property
    def inside(self) -> bool:
        """True in the middle of a message."""
        return self._inside

    def feed(self, data: bytes) -> Iterator[Event]:
        """Events in order; ``Oversize`` is the last ever."""
        self._buffer += data
        while self._buffer and not self._over:
            if not self._inside:
                junk = self._skip_to_start()
                if junk:
                    yield Junk(junk)
            found = self._next() if self._inside else None
            if found is None:
                return
            yield from [found] if isinstance(found, Oversize) else _whole(found)

    def _skip_to_start(self) -> int:
        start = self._buffer.find(START)
        between = bytes(self._buffer if start < 0 else self._buffer[:start])
        del self._buffer[: len(between) + (start >= 0)]
        self._inside, self._searched = start >= 0, 0
        return len(between.strip(_SILENT))

    def _next(self) -> bytes | Oversize | None:
        end = self._buffer.find(END, self._searched)
        self._searched = len(self._buffer)
        if (len(self._buffer) if end < 0 else end) > self._limit:
            self._over = True
            return Oversize(bytes(self._buffer[:4096]))
        if end < 0:
            return None
        content = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._inside = False
        return content


def _whole(content: bytes) -> Iterator[Event]:
    restarts = [match.end() for match in _BROKEN_OFF.finditer(content)]
    if restarts:
        yield Junk(restarts[-1])
    yield Frame(content[restarts[-1] :] if restarts else content)
