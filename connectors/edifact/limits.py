"""How much of one thing a file may hold; past it reading stops with an error instead of filling memory."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.edifact.errors import EdifactError


@dataclass(frozen=True)
class Limits:
    """``size`` is in bytes and holds for ``read`` only, ``segment`` in bytes of one segment,
    ``outside`` in bytes that belong to no interchange.

    ``segments`` are those of one message, which is what a stream keeps in memory.
    """

    size: int = 256 * 1024 * 1024
    segment: int = 65_536
    outside: int = 1024 * 1024
    elements: int = 1_000
    segments: int = 500_000


def past(message: str, code: str, position: int) -> EdifactError:
    """The error for a limit that was passed at this byte."""
    return EdifactError(
        message,
        code=code,
        position=position,
        next_action="check that the file is complete and its segment terminator is the one UNA names; "
        "if it is meant to be so, ask the sender to split it",
    )
