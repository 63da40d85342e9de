"""Escape sequences of one leaf (HL7 v2.5.1, 2.7): decoded late, unknown ones kept as they stand."""

from __future__ import annotations

import re
from functools import lru_cache

from connectors.hl7.delimiters import Delimiters
from connectors.hl7.errors import Hl7Error

#: Formatting (2.7.1), character set switches (2.7.2) and local sequences: text of the leaf, never changed.
_VERBATIM = r"[HN]|\.(?:sp|in|ti|sk|fi|nf|ce)[+-]?\d*|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4,6}|Z[^E]*"
_MUST_HIDE = r"[\x00\x0b\x1c\r\n]+"


@lru_cache(maxsize=64)
def _sequences(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    verbatim = _VERBATIM.replace("[^E]", f"[^{mark}]")
    return re.compile(
        rf"{mark}(?:(?P<letter>[FSTREP])|X(?P<hex>(?:[0-9A-Fa-f]{{2}})+)|(?P<br>\.br)|(?:{verbatim})){mark}"
    )


@lru_cache(maxsize=64)
def _letters(delimiters: Delimiters) -> dict[str, str]:
    named = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "P": delimiters.truncation,
    }
    return {letter: character for letter, character in named.items() if character}


def decode(text: str, delimiters: Delimiters, charset: str) -> str:
    """The text a leaf means. ``\\X..\\`` is read in the message's character set, ``\\.br\\`` is a line feed;
    what is unknown, unpaired or only formats (``\\H\\``, ``\\.sp2\\``) stays as it is."""
    if not delimiters.escape or delimiters.escape not in text:
        return text
    letters = _letters(delimiters)

    def meaning(match: re.Match[str]) -> str:
        if match["letter"]:
            return letters.get(match["letter"], match[0])
        if match["br"]:
            return "\n"
        if match["hex"]:
            try:
                return bytes.fromhex(match["hex"]).decode(charset)
            except UnicodeDecodeError:
                return match[0]
        return match[0]

    return _sequences(delimiters.escape).sub(meaning, text)


@lru_cache(maxsize=64)
def _hidden(delimiters: Delimiters) -> re.Pattern[str]:
    characters = re.escape("".join(_letters(delimiters).values()))
    escape = re.escape(delimiters.escape)
    verbatim = _VERBATIM.replace("[^E]", f"[^{escape}]")
    return re.compile(rf"(?P<keep>{escape}(?:{verbatim}){escape})|(?P<delimiter>[{characters}])|{_MUST_HIDE}")


def encode(text: str, delimiters: Delimiters, charset: str) -> str:
    """The leaf that means ``text``; formatting sequences in it are kept.

    Raises ``Hl7Error`` where the message has no escape character and the text would need one.
    """
    if not delimiters.escape:
        return _unescaped(text, delimiters)
    letters = {character: letter for letter, character in _letters(delimiters).items()}
    mark = delimiters.escape

    def hidden(match: re.Match[str]) -> str:
        if match["keep"]:
            return match[0]
        if match["delimiter"]:
            return f"{mark}{letters[match[0]]}{mark}"
        return f"{mark}X{match[0].encode(charset).hex().upper()}{mark}"

    return _hidden(delimiters).sub(hidden, text)


def _unescaped(text: str, delimiters: Delimiters) -> str:
    if re.search(_MUST_HIDE, text) or any(character in text for character in _letters(delimiters).values()):
        raise Hl7Error(
            "a value holds a delimiter or a line end, and the message declares no escape character",
            field="MSH-2",
            next_action="declare an escape character in MSH-2, such as ^~\\&",
        )
    return text
