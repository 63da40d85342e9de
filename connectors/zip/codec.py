"""Zip archives (PKWARE APPNOTE 6.3), without I/O: what may do harm is refused before anything comes out."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from stat import S_ISDIR, S_ISREG

from connectors.sdk import Misconfigured, Rejected
from connectors.sdk.files import inside

_CHUNK = 256 * 1024
#: Bytes of one entry in the directory of an archive, names and extra fields included, as they are in practice.
_ENTRY = 1024
#: The end of the central directory (section 4.3.16).
_END = struct.Struct("<4s4H2LH")
#: Archives have no dates of ours: the same files give the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


@dataclass(frozen=True)
class Member:
    """One file of an archive; ``name`` is a plain path below nothing, with ``/`` between its parts."""

    name: str
    chunks: Iterator[bytes]


def read(data: bytes, most: int) -> Iterator[Member]:
    """The files in the order of the archive; each has to be read before the next.

    Raises ``Rejected`` for what is no archive, damaged, encrypted, packed by another method than deflate, more than
    ``most`` files, and names that leave the folder, lie twice in it, or are links.
    """
    with _sound():
        _refuse_too_many(data, most)
        archive = zipfile.ZipFile(io.BytesIO(data))
        found = [info for info in archive.infolist() if not info.is_dir()]
        if len(found) > most:
            raise _too_many(most)
        names = [_name(info) for info in found]
        twice = (
            next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        )
        if twice is not None:
            raise _refused(twice, "lies twice in the archive", "twice")
        for info in found:
            _refuse(info)
    for info, name in zip(found, names, strict=True):
        yield Member(name, _chunks(archive, info))


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with _sound(), archive.open(info) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


@contextmanager
def _sound() -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        NotImplementedError,
        struct.error,
        OSError,
    ) as error:
        raise Rejected(
            f"the archive is no zip or is damaged: {error or type(error).__name__}",
            next_action="have it sent again; see that the transfer was binary",
            code="not_zip",
        ) from error


def _refuse_too_many(data: bytes, most: int) -> None:
    """Before the directory is read, which may be the larger part of an archive of empty files."""
    at = len(data) - _END.size
    if at < 0 or data[at : at + 4] != b"PK\x05\x06" or data[-2:] != b"\0\0":
        at = data.rfind(b"PK\x05\x06")
    if at >= 0 and len(data) >= at + _END.size and _END.unpack_from(data, at)[5] > most * _ENTRY:
        raise _too_many(most)


def _too_many(most: int) -> Rejected:
    return Rejected(
        f"the archive has more than {most} files",
        next_action="raise 'most', or have the sender split the archive",
        code="too_many",
    )


def _name(info: zipfile.ZipInfo) -> str:
    """Raises ``Rejected`` for one that is no plain path (section 4.4.17)."""
    if info.orig_filename != info.filename or "\\" in info.filename or info.filename[1:2] == ":":
        raise _refused(ascii(info.orig_filename), "is no plain name", "name")
    return plain(info.filename)


def plain(name: str) -> str:
    """The name, where it is a plain path below nothing. Raises ``Rejected``."""
    try:
        inner = inside(name, "name")
    except Misconfigured:
        inner = ""
    if not inner or name.startswith("/") or inner != name:
        raise _refused(ascii(name), "would leave the folder, or is no plain name", "name")
    return name


def _refuse(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if info.create_system == 3 and mode and not (S_ISREG(mode) or S_ISDIR(mode)) and mode & 0o170000:
        raise _refused(info.filename, "is a link or a device", "link")
    if info.flag_bits & 0x1:
        raise _refused(
            info.filename, "is encrypted", "encrypted", "have the sender leave the encryption to SFTP or TLS"
        )
    if info.compress_type not in _METHODS:
        raise _refused(info.filename, "is packed by another method than deflate", "method")


def _refused(name: str, why: str, code: str, advice: str = "have the sender pack it anew without it") -> Rejected:
    return Rejected(f"{name} in the archive {why}", next_action=advice, code=code)


def write(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Raises ``Rejected`` for names that are no plain paths or lie twice in it."""
    packed = io.BytesIO()
    names: set[str] = set()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            if plain(name) in names:
                raise _refused(name, "would lie there twice", "twice", "give every file a name of its own")
            names.add(name)
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o100640 << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
