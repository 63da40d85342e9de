"""Character sets: what UNB S001 names (ISO 9735-1, data element 0001) and what bytes that is."""

from __future__ import annotations

import re

from connectors.edifact.errors import EdifactError

#: UNOX (ISO 2022) is not decoded: its bytes are kept as Latin-1. UNOY is used for UTF-8 in practice.
ENCODINGS = {
    "UNOA": "ascii",
    "UNOB": "ascii",
    "UNOC": "latin-1",
    "UNOD": "iso8859-2",
    "UNOE": "iso8859-5",
    "UNOF": "iso8859-7",
    "UNOG": "iso8859-3",
    "UNOH": "iso8859-4",
    "UNOI": "iso8859-6",
    "UNOJ": "iso8859-8",
    "UNOK": "iso8859-9",
    "UNOL": "iso8859-15",
    "UNOW": "utf-8",
    "UNOX": "latin-1",
    "UNOY": "utf-8",
}
UNKNOWN = "utf-8"
_FALLBACKS = ("utf-8", "latin-1")
_PLAIN = "".join(map(chr, range(128)))

#: Levels A and B name their characters one by one; level A has no small letters.
REPERTOIRES = {
    "UNOA": re.compile(r"""[A-Z0-9 .,\-()/='+:?!"%&*;<>]*"""),
    "UNOB": re.compile(r"""[A-Za-z0-9 .,\-()/='+:?!"%&*;<>]*"""),
}


def encoding_of(syntax_id: str) -> str:
    """Of a name such as ``UNOC``; UTF-8 for one the standard does not have."""
    return ENCODINGS.get(syntax_id, UNKNOWN)


def checked(encoding: str) -> str:
    """The encoding itself. Raises ``EdifactError`` for one that is unknown or no extension of ASCII."""
    try:
        plain = _PLAIN.encode(encoding) == _PLAIN.encode("ascii")
    except (LookupError, ValueError):
        plain = False
    if not plain:
        raise EdifactError(
            f"{encoding!r} is no character set that EDIFACT can be read in",
            code="character_set_unfit",
            next_action="name one that extends ASCII, such as latin-1, windows-1252 or utf-8",
        )
    return encoding


def decode(text: str, encoding: str) -> tuple[str, str]:
    """Bytes (given as Latin-1 text) as text, and the encoding that did it where the first one could not."""
    raw = text.encode("latin-1")
    for tried in (encoding, *_FALLBACKS):
        try:
            found = raw.decode(tried)
        except UnicodeDecodeError:
            continue
        if found.encode(tried) == raw:
            return found, tried
    return text, "latin-1"
