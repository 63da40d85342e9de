"""Which character set a message is in: setting, then MSH-18, then byte order mark, then a look at the bytes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from connectors.hl7.delimiters import HEADERS
from connectors.hl7.errors import Hl7Error

#: Table 0211, HL7 v2.5.1 2.15.9.18, and Python's names for it.
TABLE_0211 = {
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "ISO IR14": "iso2022_jp",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16-be",
    "UNICODE UTF-32": "utf-32-be",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Windows-1252 with its five unassigned bytes read as the C1 controls of the same value, as browsers do.
FALLBACK = "cp1252"


def _keep_undefined(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeDecodeError):
        return error.object[error.start : error.end].decode("latin-1"), error.end
    if isinstance(error, UnicodeEncodeError):
        text = error.object[error.start : error.end]
        if all("\x80" <= character <= "\x9f" for character in text):
            return text.encode("latin-1"), error.end
    raise error


codecs.register_error("hl7_keep_undefined", _keep_undefined)


@dataclass(frozen=True)
class Choice:
    """A text, the character set it was read in, who said so, and what was said but could not be."""

    text: str
    charset: str
    source: str
    warnings: tuple[str, ...] = ()


def split_bom(raw: bytes) -> tuple[bytes, bytes, str]:
    """Byte order mark, the rest, and the character set the mark names (``""`` without one)."""
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return mark, raw[len(mark) :], name
    return b"", raw, ""


#: What Python calls an encoding although no message is written in it.
_NO_CHARSETS = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")


@lru_cache(maxsize=64)
def codec_name(name: str) -> str | None:
    """Python's name for a character set of table 0211 or of common use; ``None`` for an unknown one."""
    known = TABLE_0211.get(name.strip().upper(), name.strip())
    try:
        found = codecs.lookup(known).name if known else None
        if found is not None:
            "M".encode(found)
    except (LookupError, ValueError):
        return None
    return None if found is None or found.replace("_", "-") in _NO_CHARSETS else found


def encode(text: str, charset: str) -> bytes:
    """Bytes of a text. Raises ``Hl7Error`` where the character set lacks a character."""
    try:
        return text.encode(charset, "hl7_keep_undefined" if charset == FALLBACK else "strict")
    except UnicodeEncodeError as error:
        raise Hl7Error(
            f"character set {charset} has no character U+{ord(error.object[error.start]):04X}",
            field="MSH-18",
            code="102",
            next_action="use UNICODE UTF-8 as character set",
        ) from error


def choose(body: bytes, bom: str, setting: str | None) -> Choice:
    """Reads ``body`` (without its mark) in the first of the named character sets in which it is sound, that is
    a message's beginning and the same bytes when written again. Never fails: the last one reads all bytes."""
    warnings: list[str] = []
    for source, name in _named(body, bom, setting):
        codec = codec_name(name)
        text = _sound(body, codec) if codec else None
        if codec and text is not None:
            return Choice(text, codec, source, tuple(warnings))
        if source in ("setting", "MSH-18", "BOM"):
            why = "is not known" if codec is None else "does not fit the bytes"
            warnings.append(f"character set {name!r} named by {source} {why}")
    text = body.decode(FALLBACK, "hl7_keep_undefined")
    return Choice(text, FALLBACK, "fallback", tuple(warnings))


def _named(body: bytes, bom: str, setting: str | None) -> Iterator[tuple[str, str]]:
    if setting:
        yield "setting", _meant(setting, body, bom)
    if bom.startswith("utf-16"):
        yield "BOM", bom
    declared = _msh_18(body)
    if declared:
        yield "MSH-18", declared
    if bom:
        yield "BOM", bom
    yield "UTF-8", "utf-8"


def wide(setting: str | None, body: bytes, bom: str) -> str:
    """Which UTF-16 the bytes are in, where a mark or the setting says so; else ``""``. A setting does not
    always say which of the two: then the mark does, and without one the first letter."""
    if bom.startswith("utf-16"):
        return bom
    if not setting or codec_name(setting) not in ("utf-16", "utf-16-be", "utf-16-le"):
        return ""
    return "utf-16-be" if body[:1] == b"\x00" else "utf-16-le"


def _meant(setting: str, body: bytes, bom: str) -> str:
    is_wide = codec_name(setting) in ("utf-16", "utf-16-be", "utf-16-le")
    return wide(setting, body, bom) if is_wide else setting


_HEADERS = tuple(header.encode() for header in HEADERS)
#: What decodes without error in these is the same bytes when written again.
_SAME = ("utf-8", "ascii", "iso8859-1")

_FIRST_LINE = re.compile(rb"[^\r\n]*")


def _msh_18(body: bytes) -> str:
    """The first repetition of MSH-18, where the beginning can be read byte by byte."""
    if body[:3] != b"MSH":
        return ""
    line = _FIRST_LINE.match(body)
    fields = line[0].split(body[3:4], 18) if line and body[3:4] else []
    if len(fields) < 18:
        return ""
    repetition = fields[1][1:2] or b"~"
    return fields[17].split(repetition)[0].decode("ascii", "replace")


def _sound(body: bytes, codec: str) -> str | None:
    try:
        text = body.decode(codec)
        same = codec in _SAME or text.encode(codec) == body
    except UnicodeError:
        return None
    return text if same and (text.startswith(HEADERS) or body[:3] not in _HEADERS) else None
