"""The codec's own errors; no other exception leaves it."""

from __future__ import annotations

from connectors.sdk.edi_errors import Unreadable, Unwritable


class EdifactError(Unreadable):
    """Bytes that are no interchange or go past a limit, or JSON that is no lossless view."""


class DocumentError(Unwritable):
    """A named view that breaks its message's schema; carries every fault found."""

    standard = "EDIFACT"
