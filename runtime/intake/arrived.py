"""Blobs as a decoder sees them before the message is stored: the bytes in hand first, the client's after."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from typing import BinaryIO

from connectors.sdk import Arrival, BlobRef, Blobs


class ArrivedBlobs:
    """``ref`` stands for the arrival's bytes, which nothing has written anywhere yet."""

    def __init__(self, arrival: Arrival, stored: Blobs) -> None:
        sum = hashlib.sha256(arrival.raw).hexdigest()
        self.ref = BlobRef(blob=f"sha256:{sum}", size=len(arrival.raw), type=arrival.content_type)
        self._raw = arrival.raw
        self._stored = stored

    def put(self, data: bytes | Iterable[bytes], type: str = "application/octet-stream") -> BlobRef:
        return self._stored.put(data, type)

    def open(self, ref: BlobRef) -> BinaryIO:
        return io.BytesIO(self._raw) if ref.blob == self.ref.blob else self._stored.open(ref)

    def read(self, ref: BlobRef) -> bytes:
        return self._raw if ref.blob == self.ref.blob else self._stored.read(ref)
