"""CSV as partners write it: no line is lost in silence, and nothing is changed in writing."""

from __future__ import annotations

import csv as reference
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.csv.connector import ReadFile, ReadParameters, WriteFile, WriteParameters
from connectors.sdk import Rejected
from tests.connectors.readme import examples
from tests.harness import MemoryContext


def read(content: str | bytes, **more: Any) -> dict[str, Any]:
    context = MemoryContext()
    given = content if isinstance(content, str) else context.blobs.put(content)
    return ReadFile().run(ReadParameters.model_validate({"content": given, **more}), context).model_dump()


def write(rows: Any, **more: Any) -> bytes:
    context = MemoryContext()
    written = WriteFile().run(WriteParameters.model_validate({"rows": rows, **more}), context)
    return context.blobs.read(written.content)


def test_the_example_of_the_readme_is_true() -> None:
    """What stands there is what comes out."""
    (_, content), (_, node), (_, output), *_ = examples("csv")
    parameters = {**json.loads(node)["parameters"], "content": content}

    assert read(**parameters) == json.loads(output)


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [("a,b\n1,2", ","), ("a;b\n1;2,5", ";"), ("a\tb\n1\t2", "\t"), ("a|b\n1|2", "|"), ('"x;y;z",b\n1,2', ",")],
)
def test_the_delimiter_is_the_one_of_the_first_line(content: str, delimiter: str) -> None:
    """Outside quotes; decimals of later lines do not count."""
    found = read(content)

    assert found["delimiter"] == delimiter
    assert len(found["columns"]) == 2 and len(found["rows"]) == 1


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("größe\nä".encode(), "utf-8"),
        (b"\xef\xbb\xbf" + "größe\nä".encode(), "utf-8"),
        ("größe\nä".encode("cp1252"), "cp1252"),
        (b"\xff\xfe" + "größe\nä".encode("utf-16-le"), "utf-16-le"),
    ],
)
def test_the_character_set_is_found(content: bytes, charset: str) -> None:
    """Byte order mark, UTF-8 where it is sound, else Windows-1252; the output tells which."""
    found = read(content)

    assert (found["rows"], found["charset"]) == ([{"größe": "ä"}], charset)


def test_bytes_that_are_not_of_the_charset_given_are_refused() -> None:
    """With the place of the first."""
    with pytest.raises(Rejected, match="byte 2 cannot be read") as refused:
        read(b"a\n\xe4", charset="utf-8")

    assert refused.value.next_action


def test_values_hold_line_ends_delimiters_and_quotes() -> None:
    """In quotes; line numbers go on counting lines of the file."""
    found = read('a,b\r\n"1\r\n2","say ""x"", y"\r\n1\r\n', bad_lines="collect")

    assert found["rows"] == [{"a": "1\r\n2", "b": 'say "x", y'}]
    assert found["faults"] == [{"line": 4, "message": "1 values for 2 columns"}]


def test_a_bad_line_refuses_the_file_unless_it_is_collected() -> None:
    """By default no half of an order is read."""
    with pytest.raises(Rejected, match="5 bad lines: line 2: 1 values for 2 columns; line 3") as refused:
        read("a,b\n" + "1\n" * 5)

    assert refused.value.details == {"line": 2}


def test_a_quote_that_is_not_closed_is_refused() -> None:
    """All that follows would be one value."""
    with pytest.raises(Rejected, match="line 3 is no CSV"):
        read('a,b\n"1,2\n3,4\n')


@pytest.mark.parametrize(
    ("content", "more", "why"),
    [
        ("", {}, "no line that names"),
        ("a,a\n1,2", {}, "names a column twice or not at all: 'a'"),
        ("a,\n1,2", {}, "twice or not at all: ''"),
        ("a,b\n1,2", {"columns": ["a", "item"]}, "line 1 names no column 'item'"),
    ],
)
def test_a_header_that_is_none_is_refused(content: str, more: dict[str, Any], why: str) -> None:
    """Before any row is read by the wrong name."""
    with pytest.raises(Rejected, match=why):
        read(content, **more)


def test_a_file_without_header_is_read_by_the_columns_given() -> None:
    """Lines that say nothing are skipped first; blanks go away where asked."""
    found = read("report\nof today\n x , y\n", header=False, columns=["a", "b"], skip=2, trim=True)

    assert found["rows"] == [{"a": "x", "b": "y"}]


@pytest.mark.parametrize(
    "wrong", [{"header": False}, {"charset": "klingon"}, {"delimiter": ";;"}, {"charset": "hex"}]
)
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """Before anything is read: lint says the same."""
    with pytest.raises(ValidationError):
        ReadParameters.model_validate({"content": "a", **wrong})


def test_a_file_with_too_many_rows_is_refused() -> None:
    """Rows are in memory."""
    assert len(read("a\n1\n2", most=2)["rows"]) == 2
    with pytest.raises(Rejected, match="more than 2 rows"):
        read("a\n1\n2\n3", most=2)


def test_a_value_that_does_not_end_is_refused() -> None:
    """131,072 characters are the bound of one."""
    with pytest.raises(Rejected, match="field larger than field limit"):
        read("a\n" + "x" * 131_073)


def test_rows_are_written_in_the_order_of_their_columns() -> None:
    """What a row lacks is empty; numbers are written as JSON has them."""
    rows = [{"item": "ITM-1", "quantity": 4, "ok": True}, {"quantity": 2.5, "item": 'a "b", c', "ok": None}]

    assert write(rows) == b'item,quantity,ok\r\nITM-1,4,true\r\n"a ""b"", c",2.5,\r\n'
    assert write(rows[0], columns=["ok", "item", "quantity", "more"], header=False) == b"true,ITM-1,4,\r\n"
    assert write({"a": "1"}, quote="all", line_end="lf", delimiter=";", charset="utf-8-sig") == (
        b'\xef\xbb\xbf"a"\n"1"\n'
    )


@pytest.mark.parametrize(
    ("row", "more", "why"),
    [
        ({"a": "1", "b": "2"}, {"columns": ["a"]}, "rows/1/b is no column"),
        ({"a": ["1"]}, {}, "rows/1/a is list, not text or number"),
        ({"a": "x\u20ac"}, {"charset": "iso8859-1"}, r"rows/1 has the character U\+20AC, which iso8859-1"),
    ],
)
def test_what_would_be_changed_is_refused(row: dict[str, Any], more: dict[str, Any], why: str) -> None:
    """With row and column."""
    with pytest.raises(Rejected, match=why) as refused:
        write([{"a": "1"}, row], **more)

    assert refused.value.next_action


def test_formulas_are_disarmed_where_people_open_the_file() -> None:
    """And only there: a partner's system wants the value."""
    row = {"a": "=HYPERLINK(1)", "b": "-5"}

    assert write(row, header=False, formulas="disarm") == b"'=HYPERLINK(1),'-5\r\n"
    assert write(row, header=False) == b"=HYPERLINK(1),-5\r\n"


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(
    st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["crlf", "lf"]),
    st.sampled_from(["needed", "all"]),
)
def test_what_was_written_is_read_again(
    pairs: list[tuple[str, str]], delimiter: str, line_end: str, quote: str
) -> None:
    """Whatever the values hold; the standard library reads the same."""
    rows = [{"a": a, "b": b} for a, b in pairs]

    written = write(rows, delimiter=delimiter, line_end=line_end, quote=quote)

    assert read(written, charset="utf-8", delimiter=delimiter)["rows"] == rows
    other = reference.reader(io.StringIO(written.decode(), newline=""), delimiter=delimiter)
    assert [tuple(line) for line in other][1:] == pairs
