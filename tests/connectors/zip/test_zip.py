"""Archives from outside: what is sound comes out whole, what may do harm is refused before anything does."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from connectors.sdk import Rejected
from connectors.zip.connector import ReadArchive, ReadParameters, WriteArchive, WriteParameters
from tests.harness import MemoryContext


def archive(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as made:
        for name, data in members:
            made.writestr(name, data, method)
    return packed.getvalue()


def read(data: bytes, **more: Any) -> dict[str, bytes]:
    context = MemoryContext()
    parameters = ReadParameters.model_validate({"content": context.blobs.put(data), **more})
    found = ReadArchive().run(parameters, context)
    assert all(file.size == file.content.size for file in found.files)
    return {file.name: context.blobs.read(file.content) for file in found.files}


def write(*files: tuple[str, str]) -> bytes:
    context = MemoryContext()
    parameters = WriteParameters.model_validate({"files": [{"name": n, "content": c} for n, c in files]})
    return context.blobs.read(WriteArchive().run(parameters, context).content)


def test_files_come_out_in_the_order_of_the_archive() -> None:
    """Folders are no files; the glob says which."""
    data = archive(("b/2.xml", b"two"), ("b/", b""), ("a.xml", b"one"), ("notes.txt", b""))

    assert list(read(data).items()) == [("b/2.xml", b"two"), ("a.xml", b"one"), ("notes.txt", b"")]
    assert list(read(data, glob="*.xml")) == ["b/2.xml", "a.xml"]


def test_what_was_packed_is_unpacked_by_others_and_by_us() -> None:
    """The same files give the same bytes, on any day."""
    packed = write(("orders/1.edi", "ISA*00~"), ("größe.txt", "ä"))

    assert read(packed) == {"orders/1.edi": b"ISA*00~", "größe.txt": "ä".encode()}
    assert packed == write(("orders/1.edi", "ISA*00~"), ("größe.txt", "ä"))
    assert zipfile.ZipFile(io.BytesIO(packed)).testzip() is None


@pytest.mark.parametrize(
    "name",
    ["../1.txt", "a/../../1.txt", "/etc/passwd", "C:\\1.txt", "c:/1.txt", "a\\..\\b", "a//b", "a/\n/b", "\u202ea"],
)
def test_a_name_that_is_no_plain_path_refuses_the_archive(name: str) -> None:
    """And is shown as ASCII, so that it cannot deceive who reads the error."""
    with pytest.raises(Rejected, match="in the archive") as refused:
        read(archive(("fine.txt", b"x"), (name, b"x")))

    assert refused.value.code == "name"
    assert refused.value.message.isascii()


def test_a_name_with_nul_refuses_the_archive() -> None:
    """Libraries stop at it, others do not: the name would be two names."""
    data = archive(("fineXtxt", b"x")).replace(b"fineXtxt", b"fine\0txt")

    with pytest.raises(Rejected, match="is no plain name"):
        read(data)


def test_a_link_refuses_the_archive() -> None:
    """Unpacked it would lead anywhere."""
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, 0o120777 << 16

    with pytest.raises(Rejected, match="is a link"):
        read(archive((link, b"/etc/passwd")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_refuse_the_archive() -> None:
    """Programs differ in which they take."""
    with pytest.raises(Rejected, match=r"1\.txt in the archive lies twice"):
        read(archive(("1.txt", b"a"), ("1.txt", b"b")))


def test_an_encrypted_file_refuses_the_archive() -> None:
    """Its bytes say so before anything is read."""
    data = bytearray(archive(("1.txt", b"a")))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1

    with pytest.raises(Rejected, match="is encrypted") as refused:
        read(bytes(data))

    assert "SFTP" in refused.value.next_action


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_than_deflate_are_refused(method: int) -> None:
    """A few bytes of theirs may ask for gigabytes of memory."""
    with pytest.raises(Rejected, match="another method"):
        read(archive(("1.txt", b"a"), method=method))


def bomb() -> bytes:
    return archive(("zeros", bytes(20 * 1024 * 1024)))


def lying_bomb() -> bytes:
    """Its headers say that it is small."""
    data = bytearray(bomb())
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.index(mark) + offset, 10)
    return bytes(data)


@pytest.mark.parametrize("made", [bomb, lying_bomb])
def test_a_bomb_is_refused(made: Callable[[], bytes]) -> None:
    """By what comes out, not by what its headers say."""
    with pytest.raises(Rejected) as refused:
        read(made())

    assert refused.value.code in ("ratio", "not_zip")


def test_all_files_together_are_bounded() -> None:
    """Many middling ones are a bomb too."""
    data = archive(*((f"{number}", bytes(range(256)) * 40) for number in range(10)))

    assert len(read(data, largest=102_400)) == 10
    with pytest.raises(Rejected, match="more than 102399 bytes"):
        read(data, largest=102_399)


def test_too_many_files_are_refused() -> None:
    """By the directory, and before it is read where it is large."""
    data = archive(*((f"{number}", b"") for number in range(3)))

    assert len(read(data, most=3)) == 3
    with pytest.raises(Rejected, match="more than 2 files"):
        read(data, most=2)
    crowded = archive(*((f"{number:0200}", b"") for number in range(10)))
    with pytest.raises(Rejected, match="more than 1 files"):
        read(crowded, most=1)


def test_what_is_no_archive_or_damaged_is_refused() -> None:
    """Nothing of it is used."""
    sound = archive(("1.txt", b"a" * 1000), method=zipfile.ZIP_STORED)
    damaged = sound.replace(b"aaa", b"aba", 1)

    for data in (b"", b"hello", sound[:-30], sound[200:], damaged):
        with pytest.raises(Rejected, match="is no zip or is damaged") as refused:
            read(data)
        assert refused.value.code == "not_zip"


@pytest.mark.parametrize("files", [[("../x", "")], [("a", "1"), ("a", "2")], [("", "")], [("/a", "")]])
def test_names_that_we_would_refuse_are_not_written(files: list[tuple[str, str]]) -> None:
    """What we send is what we would take."""
    with pytest.raises(Rejected, match="in the archive"):
        write(*files)
