"""From bytes to the lossless view: as a stream of events, or as a whole tree."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.x12.buffer import Buffer, Limits, Source, chunks
from connectors.x12.errors import X12Error
from connectors.x12.events import Event, InterchangeBegins, StreamEnds, document_of
from connectors.x12.finding import next_interchange
from connectors.x12.header import decodes
from connectors.x12.lossless import Document
from connectors.x12.placing import Placing


def read(source: Source, limits: Limits = Limits()) -> Document:  # noqa: B008 - immutable
    """The lossless view of a file of one or more interchanges; ``write`` gives the same bytes back.

    Wrong counts, numbers and missing trailers are no errors here (see ``faults``). Raises ``X12Error`` where
    the file does not begin with a readable ISA segment or goes past the limits. ``source`` is as in ``stream``;
    of bytes all is UTF-8 or all Latin-1.
    """
    encoding = None
    if isinstance(source, bytes):
        encoding = "utf-8" if decodes(source, "utf-8") else "latin-1"
    return document_of(stream(_within(chunks(source), limits.size), limits, encoding))


def _within(portions: Iterator[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for portion in portions:
        size += len(portion)
        if size > most:
            raise X12Error(
                f"the file has more than the {most} bytes allowed",
                code="too_large",
                next_action="ask the sender to split it into several interchanges",
            )
        yield portion


def stream(
    source: Source,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    encoding: str | None = None,
) -> Iterator[Event]:
    """The same as events, with one transaction set in memory at a time.

    ``source`` is bytes, a binary file or portions of bytes of any size. Without ``encoding`` text is UTF-8,
    and a segment that is not is read as Latin-1 and says so. Raises ``X12Error`` as ``read``, when it gets there.
    """
    buffer = Buffer(source)
    is_first, last = True, "utf-8"
    while (found := next_interchange(buffer, limits, encoding, is_first)) is not None:
        is_first = False
        interchange, scanner = found
        last = interchange["encoding"]
        yield InterchangeBegins(interchange)
        yield from Placing(buffer, scanner, limits).events()
    trailing = buffer.take(buffer.ahead)
    if decodes(trailing, last):
        yield StreamEnds(trailing.decode(last))
    else:
        yield StreamEnds(trailing.decode("latin-1"), "latin-1")
