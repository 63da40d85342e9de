"""Blobs as a decoder sees them before the message is stored: the bytes in hand first, the client's after."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from typing import BinaryIO

from connectors.sdk import Arrival, BlobRef, Blobs
from runtime.store.sealing import SealedBlobs, name_of


class ArrivedBlobs:
    """``ref`` stands for the arrival's bytes, which nothing has written anywhere yet; ``kept`` are the bytes that
    will be written for it, sealed where they may be about patients."""

    def __init__(self, arrival: Arrival, stored: Blobs) -> None:
        self.kept = arrival.raw
        if isinstance(stored, SealedBlobs):
            self.kept = stored.as_stored(arrival.raw, arrival.content_type)
        self.ref = BlobRef(blob=name_of(self.kept), size=len(arrival.raw), type=arrival.content_type)
        self._raw = arrival.raw
        self._stored = stored

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes as they came: the same whatever key seals them."""
        return hashlib.sha256(self._raw).hexdigest()

    def put(self, data: bytes | Iterable[bytes], type: str = "application/octet-stream") -> BlobRef:
        return self._stored.put(data, type)

    def open(self, ref: BlobRef) -> BinaryIO:
        return io.BytesIO(self._raw) if ref.blob == self.ref.blob else self._stored.open(ref)

    def read(self, ref: BlobRef) -> bytes:
        return self._raw if ref.blob == self.ref.blob else self._stored.read(ref)
