"""Bytes that come in portions, looked at as if they lay in one piece."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from connectors.x12.errors import X12Error

#: Bytes asked of a file at a time.
PORTION = 64 * 1024
#: Bytes that must lie ahead before anything is decided: an ISA in the widest encoding.
AHEAD = 1024

Source = bytes | BinaryIO | Iterable[bytes]


@dataclass(frozen=True)
class Limits:
    """What one file may hold; beyond it reading stops with an error instead of filling memory.

    ``size`` is in bytes and for a tree that is held whole; ``segment`` in bytes of one segment, or of text
    between two; ``binary`` in bytes of the data in BIN and BDS; ``outside`` in bytes that belong to no interchange;
    ``segments`` and ``set_size`` (bytes) are for one transaction set, ``segments`` also for those outside sets.
    """

    size: int = 256 * 1024 * 1024
    segment: int = 65_536
    binary: int = 16 * 1024 * 1024
    outside: int = 1024 * 1024
    elements: int = 1_000
    segments: int = 200_000
    set_size: int = 32 * 1024 * 1024


class Buffer:
    """What was read and not yet taken: ``raw`` from ``at`` on. Taking is moving ``at``."""

    def __init__(self, source: Source) -> None:
        self._chunks = chunks(source)
        self._before = 0
        self.raw = b""
        self.at = 0
        self.is_whole = False

    @property
    def position(self) -> int:
        """Offset of ``at`` in the source."""
        return self._before + self.at

    @property
    def ahead(self) -> int:
        """How many bytes lie ahead without reading on."""
        return len(self.raw) - self.at

    def need(self, size: int) -> bool:
        """Reads on until ``size`` bytes lie ahead; false where the source has fewer."""
        if len(self.raw) - self.at < size and not self.is_whole:
            self._more(size)
        return len(self.raw) - self.at >= size

    def _more(self, size: int) -> None:
        parts = [self.raw[self.at :]]
        total = len(parts[0])
        while total < max(size, PORTION) and not self.is_whole:
            chunk = next(self._chunks, None)
            self.is_whole = chunk is None
            parts.append(chunk or b"")
            total += len(parts[-1])
        self._before += self.at
        self.raw, self.at = b"".join(parts), 0

    def find(self, wanted: bytes, limit: int) -> int:
        """How far ``wanted`` is ahead; -1 where it does not come, or not within ``limit`` bytes."""
        looked = 0
        while (found := self.raw.find(wanted, self.at + looked, self.at + limit + len(wanted))) < 0:
            ahead = self.ahead
            if self.is_whole or ahead >= limit + len(wanted):
                return -1
            looked = max(ahead - len(wanted) + 1, 0)
            self.need(ahead + 1)
        return found - self.at

    def take(self, size: int) -> bytes:
        taken = self.raw[self.at : self.at + size]
        self.at += size
        return taken


def chunks(source: Source) -> Iterator[bytes]:
    """The portions of a source, none of them empty."""
    if isinstance(source, bytes | bytearray):
        yield bytes(source)
    elif isinstance(source, io.IOBase) or hasattr(source, "read"):
        while chunk := source.read(PORTION):
            yield bytes(chunk)
    else:
        yield from (bytes(chunk) for chunk in source if chunk)


def too_long(message: str, buffer: Buffer) -> X12Error:
    """Reading stops here: going on would fill memory."""
    return X12Error(
        message,
        position=buffer.position,
        code="segment_too_long",
        next_action="check that the file is complete and its segment terminator is the one ISA names",
    )
