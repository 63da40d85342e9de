"""Files packed by gzip: whole, or refused; never more than was allowed for."""

from __future__ import annotations

import gzip as reference
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.gzip.connector import ReadFile, ReadParameters, WriteFile, WriteParameters
from connectors.sdk import Rejected
from tests.harness import MemoryContext


def read(data: bytes, **more: Any) -> bytes:
    context = MemoryContext()
    parameters = ReadParameters.model_validate({"content": context.blobs.put(data), **more})
    return context.blobs.read(ReadFile().run(parameters, context).content)


def write(data: bytes) -> bytes:
    context = MemoryContext()
    parameters = WriteParameters(content=context.blobs.put(data))
    return context.blobs.read(WriteFile().run(parameters, context).content)


@given(st.lists(st.binary(max_size=300_000), min_size=1, max_size=3))
def test_members_after_one_another_are_one_file(parts: list[bytes]) -> None:
    """As the standard library packs them, padded with zeros or not."""
    packed = b"".join(reference.compress(part) for part in parts)

    assert read(packed) == b"".join(parts)
    assert read(packed + bytes(512)) == b"".join(parts)


@given(st.binary(max_size=100_000))
def test_what_was_packed_is_unpacked_by_others(data: bytes) -> None:
    """And the same bytes give the same file, on any day."""
    assert reference.decompress(write(data)) == data
    assert write(data)[4:8] == bytes(4)


def test_the_blob_has_the_media_type_given() -> None:
    """Codecs and the console go by it."""
    context = MemoryContext()
    content = context.blobs.put(reference.compress(b"a,b"))

    assert ReadFile().run(ReadParameters(content=content, type="text/csv"), context).content.type == "text/csv"


PACKED = reference.compress(b"hello " * 100, mtime=0)


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", PACKED[:5], PACKED[:-1], PACKED + b"more", PACKED[:-5] + b"\0" + PACKED[-4:], PACKED[10:]],
)
def test_what_is_no_gzip_damaged_or_cut_off_is_refused(data: bytes) -> None:
    """Half a file of orders is none."""
    with pytest.raises(Rejected, match=r"is no gzip, or is damaged|is cut off") as refused:
        read(data)

    assert refused.value.code == "not_gzip"


def test_a_bomb_is_refused_at_its_first_byte_too_many() -> None:
    """Not after it is unpacked: 20 GB of zeros would come out of the first."""
    member = reference.compress(bytes(20 * 1024 * 1024))

    with pytest.raises(Rejected, match="more than 268435456 bytes"):
        read(member * 1_000)
    with pytest.raises(Rejected, match="as decompression bombs do") as refused:
        read(member)

    assert "raise 'ratio'" in refused.value.next_action


def test_more_than_allowed_is_refused() -> None:
    """However well it packs."""
    packed = reference.compress(bytes(range(256)) * 40)

    assert len(read(packed, largest=10_240)) == 10_240
    with pytest.raises(Rejected, match="more than 10239 bytes"):
        read(packed, largest=10_239)
