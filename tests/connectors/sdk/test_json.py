"""Strict JSON: what two readers could understand differently is refused, with what and where."""

from __future__ import annotations

import time

import pytest

from connectors.sdk.json import parse_json

REFUSED = {
    "not finite": (b'{"a": 1,\n "n": 1e400}', "1e400 at line 2, column 7", "write it as a string"),
    "not finite, below": (b"[-1E999]", "-1E999 at line 1, column 2", "string"),
    "a whole number beyond 2^53": (b'["9007199254740993", 9007199254740992]', "line 1, column 22", "string"),
    "below": (b"[-9007199254740992]", "line 1, column 2", "string"),
    "a number of 5000 digits": (b"[" + b"9" * 5000 + b"]", "line 1, column 2", "string"),
    "no number": (b'{"a": "NaN", "b": NaN}', "NaN at line 1, column 19", "not JSON"),
    "minus infinity": (b"[-Infinity]", "-Infinity at line 1, column 2", "not JSON"),
    "half a pair": (b'{"a": "\\\\ud800", "b": "x\\ud800y"}', "\\ud800 at line 1, column 25", "half"),
    "half a pair in a key": (b'{"\\ud800": 1}', "line 1, column 3", "half"),
    "the other half": (b'["\\udc00"]', "\\udc00 at line 1, column 3", "half"),
    "two first halves": (b'["\\ud83d\\ud83d\\ude00"]', "\\ud83d at line 1, column 3", "half"),
    "a key twice": (b'{"a": {"b": 1, "b": 2}}', "'b'", "twice"),
    "not UTF-8": (b'"\xff"', "byte 1", "UTF-8"),
    "surrogates as bytes": (b'"\xed\xa0\x80"', "byte 1", "UTF-8"),
    "too deep": (b"[" * 300 + b"]" * 300, "200", "deeply"),
    "broken": (b'{"a":\n}', "line 2, column 1", "not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named_with_its_place(name: str) -> None:
    raw, where, why = REFUSED[name]

    with pytest.raises(ValueError, match=r"\w") as refused:
        parse_json(raw)

    assert where in str(refused.value)
    assert why in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        (b"[9007199254740991, -9007199254740991]", [2**53 - 1, 1 - 2**53]),
        (b"[1e300, -0.5, 12345678901234567.0]", [1e300, -0.5, 12345678901234567.0]),
        (b'["\\ud83d\\ude00", "\\\\ud800", "\xf0\x9f\x98\x80"]', ["\U0001f600", "\\ud800", "\U0001f600"]),
        ('{"a": "ü"}', {"a": "ü"}),
        (b'"[[[["', "[[[["),
    ],
)
def test_what_everybody_reads_the_same_is_taken(raw: bytes | str, meant: object) -> None:
    assert parse_json(raw) == meant


def test_text_with_half_a_pair_is_refused_too() -> None:
    with pytest.raises(ValueError, match="half of a surrogate pair at character 1"):
        parse_json('"\ud800"')


@pytest.mark.parametrize(
    "raw", [b"[" * 201 + b'"\\"' * 500_000, b"{" + b",".join(b'"%d":1' % n for n in range(200_000)) + b',"0":1}']
)
def test_what_is_made_to_be_slow_is_refused_in_time(raw: bytes) -> None:
    """Unclosed strings and a key that comes again at the very end."""
    began = time.process_time()

    with pytest.raises(ValueError, match=r"deeply|twice"):
        parse_json(raw)

    assert time.process_time() - began < 5


@pytest.mark.parametrize("beside", ["", ', "]]}} \\" {{[["', ', [], {}, {"a": []}', ", [[1], [2]]" * 500])
def test_as_deep_as_allowed_is_read_and_one_deeper_is_not(beside: str) -> None:
    """Objects and lists in turn, with brackets in strings and many shallow ones beside them."""

    def nested(levels: int) -> str:
        text = "1"
        for level in range(levels):
            text = f"[{text}{beside if level == levels - 1 else ''}]" if level % 2 else f'{{"a": {text}}}'
        return text

    assert parse_json(nested(200))
    with pytest.raises(ValueError, match="deeply"):
        parse_json(nested(202))
    with pytest.raises(ValueError, match="deeply"):
        parse_json(f"[{nested(200)}]")
