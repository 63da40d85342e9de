"""Bytes to text and back, by a named character set or the one the bytes show."""

from __future__ import annotations

import codecs

from connectors.sdk.errors import Misconfigured, Rejected

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def charset_name(charset: str) -> str:
    """Python's name of a character set. Raises ``ValueError`` for one that is none."""
    try:
        found = codecs.lookup(charset)
    except LookupError:
        raise ValueError(
            f"there is no character set {charset!r}; usual are utf-8, cp1252, iso8859-1, cp1140"
        ) from None
    if not found._is_text_encoding:
        raise ValueError(f"{charset!r} is no character set")
    return found.name


def decoded(data: bytes, charset: str | None, what: str) -> tuple[str, str]:
    """The text, and the character set it was read in: the one given, else that of the byte order mark, else UTF-8
    where the bytes are sound, else Windows-1252. A byte order mark is left out.

    Raises ``Rejected`` for bytes that are none of the one given, ``Misconfigured`` for one that is none.
    """
    marked = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), None)
    guessed = [marked[1]] if marked else ["utf-8", "cp1252"]
    for name in guessed if charset is None else [_named(charset)]:
        body = data[len(marked[0]) :] if marked and name in (marked[1], "utf-8-sig", "utf-16") else data
        try:
            return body.decode(marked[1] if marked and name == "utf-16" else name), name
        except UnicodeDecodeError as error:
            wrong = error
    raise Rejected(
        f"{what} is no {wrong.encoding}: byte {wrong.start} cannot be read",
        next_action="give the character set the sender writes as 'charset'",
        code="charset",
        details={"byte": wrong.start},
    )


def encoded(text: str, charset: str, place: str) -> bytes:
    """Raises ``Rejected`` for a character it does not have, naming ``place`` and not the value, ``Misconfigured``
    for a character set that is none."""
    try:
        return text.encode(_named(charset))
    except UnicodeEncodeError as error:
        raise Rejected(
            f"{place} has the character U+{ord(text[error.start]):04X}, which {charset} does not have",
            next_action="write it in another charset, such as utf-8, or map the character to one that it has",
            code="charset",
            details={"field": place},
        ) from None


def _named(charset: str) -> str:
    try:
        return charset_name(charset)
    except ValueError as error:
        raise Misconfigured(str(error), next_action="correct 'charset'", field="charset") from error
