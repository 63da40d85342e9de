"""The codec's own errors; no other exception leaves it."""

from __future__ import annotations

from connectors.sdk.edi_errors import Unreadable, Unwritable


class X12Error(Unreadable):
    """Bytes that are no interchange, or JSON that is no lossless view."""


class DocumentError(Unwritable):
    """A named view that breaks its set's schema; carries every fault found."""

    standard = "X12"
