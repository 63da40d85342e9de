"""A blob is named by its content, complete or absent, and belongs to one client."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sdk import BlobRef, Misconfigured
from runtime.store.blobs import FolderBlobs
from runtime.store.store import Unavailable


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path, "mercy")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_bytes_come_back_under_the_name_of_their_sum(blobs: FolderBlobs) -> None:
    ref = blobs.put(b"ISA*00*~", "application/edi-x12")

    assert ref.blob == "sha256:" + hashlib.sha256(b"ISA*00*~").hexdigest()
    assert (ref.size, ref.type) == (8, "application/edi-x12")
    assert blobs.read(ref) == b"ISA*00*~"
    with blobs.open(ref) as stream:
        assert stream.read(3) == b"ISA"


def test_the_same_bytes_are_kept_once_whole_or_in_parts(blobs: FolderBlobs, tmp_path: Path) -> None:
    first = blobs.put(b"abcdef")

    again = blobs.put(part for part in (b"ab", b"", b"cdef"))

    assert again == first
    assert len(files(tmp_path)) == 1


def test_nothing_at_all_is_a_blob_too(blobs: FolderBlobs) -> None:
    assert blobs.read(blobs.put(b"")) == b""


def test_a_blob_of_another_client_is_not_stored_here(blobs: FolderBlobs, tmp_path: Path) -> None:
    ref = blobs.put(b"secret order")

    with pytest.raises(Misconfigured, match="not stored"):
        FolderBlobs(tmp_path, "other").read(ref)


def test_a_blob_that_breaks_off_leaves_nothing(blobs: FolderBlobs, tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError("peer gone")

    with pytest.raises(Unavailable, match="peer gone"):
        blobs.put(parts())

    assert files(tmp_path) == []


@pytest.mark.parametrize("client", ["..", "a/b", "", ".hidden", "a\x00b"])
def test_a_client_cannot_name_a_folder_elsewhere(tmp_path: Path, client: str) -> None:
    with pytest.raises(Misconfigured, match="cannot name a folder"):
        FolderBlobs(tmp_path, client)


def test_a_folder_that_takes_nothing_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "mercy").write_text("a file where the folder should be")

    with pytest.raises(Unavailable, match="not stored"):
        FolderBlobs(tmp_path, "mercy").put(b"x")


def test_a_reference_that_was_never_given_out_is_not_stored(blobs: FolderBlobs) -> None:
    with pytest.raises(Misconfigured, match="not stored"):
        blobs.read(BlobRef(blob="sha256:" + "0" * 64, size=1))
