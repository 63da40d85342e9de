"""gzip (RFC 1952), without I/O: streamed, so that a bomb is noticed before it is unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from connectors.sdk import Rejected

MEDIA_TYPE = "application/gzip"
_CHUNK = 64 * 1024
_WITH_HEADER = 16 + zlib.MAX_WBITS


def read(file: BinaryIO) -> Iterator[bytes]:
    """What was packed, all members after one another (section 2.2); zeros behind the last are padding.

    Raises ``Rejected`` for bytes that are no gzip, damaged (CRC-32), cut off, or followed by others.
    """
    packed = file.read(_CHUNK)
    while True:
        member = zlib.decompressobj(_WITH_HEADER)
        while not member.eof:
            if not packed:
                raise _refused("is cut off")
            try:
                chunk = member.decompress(packed, _CHUNK)
            except zlib.error as error:
                raise _refused(f"is no gzip, or is damaged: {error}") from error
            if chunk:
                yield chunk
            packed = member.unconsumed_tail or member.unused_data or file.read(_CHUNK)
        packed = _next_member(packed, file)
        if not packed:
            return


def _next_member(packed: bytes, file: BinaryIO) -> bytes:
    while packed and not packed.strip(b"\0"):
        packed = file.read(_CHUNK)
    return packed.lstrip(b"\0")


def _refused(why: str) -> Rejected:
    return Rejected(
        f"the file {why}",
        next_action="have it sent again; see that the transfer was binary and the sender packs by gzip",
        code="not_gzip",
    )


def write(data: bytes) -> Iterator[bytes]:
    """Without name and time, so that the same bytes give the same."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _WITH_HEADER)
    yield packer.compress(data)
    yield packer.flush()
