"""Whatever bytes come: an answer or ``Hl7Error``, and never another byte than was there."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hl7.check import check
from connectors.hl7.codec import Delimiters, Hl7Error, build, escape, read, unescape, view, write

_PIECES = [
    "|",
    "^",
    "~",
    "\\",
    "&",
    "\r",
    "\n",
    "\r\n",
    "\x0b",
    "\x1c",
    "MSH|",
    "RQD|",
    "ZZZ",
    '""',
    "\\.br\\",
    "\\X4",
    "é",
    "\ufeff",
]
_tails = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=5)), max_size=30).map("".join)
_messages = _tails.map(lambda tail: ("MSH|^~\\&|W|M|||2026||OMS^O05|1|P|2.5.1" + tail).encode("utf-8", "ignore"))


@given(
    st.one_of(st.binary(max_size=200), _messages, st.binary(max_size=100).map(lambda tail: b"MSH|^~\\&|" + tail))
)
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_kept_or_refused(raw: bytes) -> None:
    """Also through JSON, and checking never fails."""
    try:
        message = read(raw)
    except Hl7Error:
        return

    assert write(message) == raw
    check(message)
    try:
        whole = view(message, exact=True)
    except Hl7Error:
        return
    assert write(build(json.loads(json.dumps(whole)))) == raw


_plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\"), max_size=40)


@given(_plain)
@settings(max_examples=300, deadline=None)
def test_any_text_without_backslashes_survives_escaping(text: str) -> None:
    """A backslash may be the beginning of formatting, which is kept; all else comes back as it was."""
    escaped = escape(text, Delimiters(), "utf-8")

    assert unescape(escaped, Delimiters(), "utf-8") == text
    assert not set(escaped) & set("|^~&\r\n")


@given(
    st.one_of(
        st.text(max_size=12), st.sampled_from(["hex", "rot13", "utf-7", "utf-16", "idna", "zip", "cp037", "a\x00b"])
    )
)
@settings(max_examples=200, deadline=None)
def test_any_character_set_that_is_named_is_tried_or_warned_of(name: str) -> None:
    """In MSH-18 and as setting: Python calls things encodings that are none."""
    raw = f"MSH|^~\\&|W|M|||2026||OMS^O05|1|P|2.5.1||||||{name}\rNTE|1||é\r".encode("utf-8", "replace")

    for setting in (None, name):
        message = read(raw, setting)
        assert write(message) == raw
        assert message.type == "OMS^O05"
