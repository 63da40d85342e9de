"""The part of a stream that is in memory: bytes as Latin-1 text, cut at segment terminators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO

from connectors.edifact.limits import Limits, past

_FIRST_BATCH, _BATCH, _BLOCK = 2_048, 65_536, 131_072


class Window:
    """``text`` from ``at`` on is not read yet. ``offset`` is the byte at which ``text`` begins.

    ``start`` is where the last batch began, negative once that is no more in ``text``.
    """

    def __init__(self, chunks: Iterable[bytes], limits: Limits) -> None:
        self._chunks = iter(chunks)
        self._limits = limits
        self._size = _FIRST_BATCH
        self.text, self.at, self.offset = "", 0, 0
        self.start = 0

    @property
    def position(self) -> int:
        return self.offset + self.at

    def fill(self) -> bool:
        """One more chunk; False at the end of the stream."""
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self.offset += self.at
        self.start -= self.at
        self.text = self.text[self.at :] + chunk.decode("latin-1")
        self.at = 0
        return True

    def has(self, length: int) -> bool:
        """Whether so many characters are left; reads on for them."""
        while len(self.text) - self.at < length:
            if not self.fill():
                return False
        return True

    def take(self, end: int) -> str:
        """The text up to ``end``, which then is read."""
        taken = self.text[self.at : end]
        self.at = end
        return taken

    def restart(self) -> None:
        """At the beginning of an interchange: small interchanges shall not pay for large batches."""
        self._size = _FIRST_BATCH

    def batch(self, terminator: str, release: str) -> str:
        """The next text that ends in a terminator; ``at`` then stands behind it, ``start`` where it begins.

        Empty where no terminator comes up to the end of the stream. Raises ``EdifactError`` where none comes
        within the limit.
        """
        size = self._size
        while (cut := self._last(terminator, release, min(self.at + size, len(self.text)))) < 0:
            if self.at + size < len(self.text):
                size *= 2
            elif not self.fill():
                self.limit(len(self.text) - self.at, self.at)
                return ""
            self.limit(min(size, len(self.text) - self.at), self.at)
        self.start = self.at
        self._size = min(max(size, self._size) * 2, _BATCH)
        return self.take(cut + 1)

    def _last(self, terminator: str, release: str, end: int) -> int:
        """The last terminator before ``end`` that is not released, or -1."""
        cut = self.text.rfind(terminator, self.at, end)
        while release and cut > self.at and self.text[cut - 1] == release:
            run = cut - 1
            while run > self.at and self.text[run - 1] == release:
                run -= 1
            if (cut - run) % 2 == 0:
                break
            cut = self.text.rfind(terminator, self.at, cut)
        return cut

    def last(self, terminator: str, release: str, end: int) -> int:
        """Behind the last terminator from ``at`` to ``end`` that is not released, else ``at``."""
        return max(self._last(terminator, release, end) + 1, self.at)

    def behind(self, place: int, length: int = 1_024) -> str:
        """So many characters, or as many as there are, from a place after ``start``, from where on all is kept."""
        ahead, read, self.at = place - self.start, self.at - self.start, self.start
        self.has(ahead + length)
        self.start, self.at = self.at, self.at + read
        return self.text[self.start + ahead : self.start + ahead + length]

    def limit(self, length: int, at: int) -> None:
        """Raises ``EdifactError`` where a segment that begins at this place of the text is too long."""
        if length > self._limits.segment + 1:
            start = repr(self.text[at : at + 12])
            message = f"a segment is longer than {self._limits.segment} bytes; what is read begins with {start}"
            raise past(message, "segment_too_long", self.offset + at)


def portions(file: BinaryIO, size: int = _BLOCK) -> Iterator[bytes]:
    """A file that is open, as a stream."""
    return iter(partial(file.read, size), b"")


def blocks(raw: bytes, size: int = _BLOCK) -> Iterator[bytes]:
    """Bytes that are in memory, as a stream."""
    return (raw[start : start + size] for start in range(0, len(raw), size))
