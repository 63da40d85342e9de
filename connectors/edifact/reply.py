"""A CONTRL as an interchange back to the sender."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from connectors.edifact.acknowledgement import MESSAGE, Acknowledgement
from connectors.edifact.charsets import ENCODINGS
from connectors.edifact.delimiters import REPETITION_SINCE
from connectors.edifact.envelope import Envelope, interchange, parties
from connectors.edifact.fault import Checks
from connectors.edifact.lossless import Document, Interchange, text_of
from connectors.edifact.writer import delimiters_of

_EARLIER, _LATEST = ("1", "2", "3"), REPETITION_SINCE
#: A CONTRL repeats identifiers as they were received, also where just that is what is wrong with them.
ECHOED = Checks(
    dict.fromkeys(
        (
            "element_missing",
            "element_too_long",
            "element_too_short",
            "element_type",
            "element_number",
            "element_code",
            "element_character",
            "character_repertoire",
        ),
        "warn",
    )
)


def reply(answered: Interchange, answer: Acknowledgement, control_reference: str, at: datetime) -> Document:
    """For ``write``: an interchange to its sender, in its syntax, character set and service characters.

    Raises ``EdifactError`` where its delimiters cannot work.
    """
    header = answered["header"]
    sender, receiver = parties(answered)
    syntax, encoding = text_of(header, 1), answered["encoding"]
    as_theirs = syntax in ENCODINGS and fits(answer.document, encoding)
    envelope = Envelope(
        sender=receiver,
        receiver=sender,
        control_reference=control_reference,
        at=at,
        syntax=syntax if as_theirs else "UNOW",
        syntax_version=answered_in([answer.syntax_version]),
        is_test=text_of(header, 11) == "1",
        delimiters=delimiters_of(answered),
        encoding=encoding if as_theirs else "utf-8",
        glue=answered["glue"] if answered["una"] is not None else "",
        with_una=answered["una"] is not None,
        checks=ECHOED,
    )
    return interchange(envelope, [(MESSAGE, answer.document)])


def answered_in(versions: Iterable[str]) -> str:
    """The syntax version of the answer to interchanges of these: the highest of them, as CONTRL D:3 is for versions
    1, 2 and 3 (its section 1.2) and 4:1 for version 4. One that is not known is read as 3."""
    return max(_LATEST if one >= _LATEST else one if one in _EARLIER else "3" for one in versions)


def fits(document: dict[str, Any], encoding: str) -> bool:
    """Whether what a CONTRL repeats can be written so."""
    try:
        json.dumps(document, ensure_ascii=False).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
