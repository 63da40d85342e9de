"""Fixed-width records: every line is a record or told, and nothing is cut to fit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.fixed_width.connector import ReadFile, ReadParameters, WriteFile, WriteParameters
from connectors.sdk import Misconfigured, Rejected
from tests.connectors.readme import examples
from tests.harness import MemoryContext

README = examples("fixed_width")
LAYOUT = json.loads(README[1][1])["parameters"]["layout"]


def read(content: str | bytes, layout: Any = LAYOUT, **more: Any) -> dict[str, Any]:
    context = MemoryContext()
    given = content if isinstance(content, str) else context.blobs.put(content)
    parameters = ReadParameters.model_validate({"content": given, "layout": layout, **more})
    return ReadFile().run(parameters, context).model_dump()


def write(records: Any, layout: Any = LAYOUT) -> bytes:
    context = MemoryContext()
    parameters = WriteParameters.model_validate({"layout": layout, "records": records})
    return context.blobs.read(WriteFile().run(parameters, context).content)


def one(**field: Any) -> dict[str, Any]:
    """A layout with one field ``a``."""
    return {"records": [{"record": "line", "fields": [{"name": "a", "start": 1, "length": 6, **field}]}]}


def test_the_example_of_the_readme_is_true_in_both_directions() -> None:
    """What stands there is what comes out, and goes back."""
    content, output = README[0][1], json.loads(README[2][1])

    assert read(content) == output
    assert write(output["records"]).decode().replace("\r\n", "\n").splitlines() == [
        line.ljust(len(line)) for line in content.splitlines()
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("X1", "line 1: no record begins with 'X'"),
        ("H4711    20261122x", "line 1: record header has 18 positions, the layout 17"),
        ("LITM-1001    00000400012X00", "field price of record line is no number"),
        ("L", "field item of record line is empty"),
    ],
)
def test_a_line_that_does_not_fit_refuses_the_file_or_is_collected(content: str, why: str) -> None:
    """With its number and what is wrong, without values."""
    with pytest.raises(Rejected, match=why) as refused:
        read(content)
    found = read("H4711\n" + content, bad_lines="collect")

    assert refused.value.details == {"line": 1}
    assert [fault["line"] for fault in found["faults"]] == [2]
    assert len(found["records"]) == 1


def test_blanks_at_the_end_may_be_missing_or_too_many() -> None:
    """Editors and old systems cut them off and add them; a blank line is none."""
    found = read("H4711\r\n\r\nH4712    20261122   \n\x1a")

    assert [record["fields"] for record in found["records"]] == [
        {"order": "4711", "date": ""},
        {"order": "4712", "date": "20261122"},
    ]
    assert [record["line"] for record in found["records"]] == [1, 3]


@pytest.mark.parametrize(
    ("raw", "field", "value"),
    [
        ("000000", {"align": "right", "fill": "0"}, "0"),
        ("      ", {"align": "right", "fill": "0"}, ""),
        ("000005", {"align": "right", "fill": "0", "decimals": 2}, "0.05"),
        ("000000", {"align": "right", "fill": "0", "decimals": 2}, "0.00"),
        ("-00125", {"align": "right", "fill": "0", "decimals": 2}, "-1.25"),
        ("   125", {"align": "right", "decimals": 0}, "125"),
        ("  x   ", {}, "x"),
        ("x*****", {"fill": "*"}, "x"),
    ],
)
def test_a_value_is_what_is_left_without_its_fill(raw: str, field: dict[str, Any], value: str) -> None:
    """Zeros all over are a zero; decimals get their point."""
    assert read(raw + "\n", one(**field))["records"][:1] == (
        [{"line": 1, "record": "line", "fields": {"a": value}}] if raw.strip() else []
    )


@pytest.mark.parametrize(
    ("value", "field", "raw"),
    [
        ("5", {"align": "right", "fill": "0"}, "000005"),
        ("-1.25", {"align": "right", "fill": "0", "decimals": 2}, "-00125"),
        ("3", {"align": "right", "decimals": 2}, "   300"),
        (4, {"align": "right"}, "     4"),
        (None, {}, "      "),
        ("abc", {"fill": "*"}, "abc***"),
    ],
)
def test_a_value_is_filled_up(value: Any, field: dict[str, Any], raw: str) -> None:
    """On its side, with its fill."""
    assert write({"fields": {"a": value}}, one(**field)) == raw.encode() + b"\r\n"


@pytest.mark.parametrize(
    ("value", "field", "why"),
    [
        ("1234567", {}, "records/0/fields/a has 7 positions, the layout 6"),
        ("1.005", {"decimals": 2}, "more than 2 decimals"),
        ("abc", {"decimals": 2}, "is no number"),
        ("NaN", {"decimals": 2}, "more than 2 decimals"),
        ("", {"required": True}, "is empty and required"),
        ("a\nb", {}, "holds a line end"),
        ([1], {}, "is list, not text"),
    ],
)
def test_what_does_not_fit_is_refused_not_cut(value: Any, field: dict[str, Any], why: str) -> None:
    """A cut article number is another article."""
    with pytest.raises(Rejected, match=why) as refused:
        write({"fields": {"a": value}}, one(**field))

    assert refused.value.next_action


def test_unknown_records_and_fields_are_refused() -> None:
    """They would be lost."""
    with pytest.raises(Rejected, match="records/0 is no record of the layout: header, line"):
        write([{"record": "trailer", "fields": {}}])
    with pytest.raises(Rejected, match="records/0/fields/unit is no field of record line"):
        write([{"record": "line", "fields": {"item": "ITM", "unit": "EA"}}])


def test_records_may_follow_one_another_without_line_ends_in_ebcdic() -> None:
    """As a mainframe sends them."""
    layout = {**one(align="right", fill="0"), "charset": "cp1140", "line_end": "none"}
    records = [{"fields": {"a": "12"}}, {"fields": {"a": "7"}}]

    written = write(records, layout)

    assert written == "000012000007".encode("cp1140")
    assert [record["fields"]["a"] for record in read(written, layout)["records"]] == ["12", "7"]


FIELD = {"name": "a", "start": 1, "length": 5}


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        (
            {"records": [{"record": "x", "fields": [FIELD, {"name": "b", "start": 5, "length": 2}]}]},
            "share position 5",
        ),
        ({"records": [{"record": "x", "fields": [FIELD, {**FIELD, "start": 9}]}]}, "two fields 'a'"),
        ({"records": [{"record": "x", "fields": [FIELD]}, {"record": "y", "fields": [FIELD]}]}, "same starts_with"),
        (
            {
                "records": [
                    {"record": "x", "fields": [FIELD]},
                    {"record": "y", "starts_with": "Y", "fields": [{**FIELD, "length": 9}]},
                ],
                "line_end": "none",
            },
            "of one length",
        ),
    ],
)
def test_a_layout_that_cannot_work_is_refused(layout: dict[str, Any], why: str) -> None:
    """Before any line is read: lint says the same."""
    with pytest.raises(ValidationError, match=why):
        ReadParameters.model_validate({"content": "", "layout": layout})


def test_a_charset_that_is_none_is_misconfigured() -> None:
    """Not a fault of the document."""
    with pytest.raises(Misconfigured, match="no character set 'klingon'"):
        write({"fields": {"a": "1"}}, {**one(), "charset": "klingon"})


def test_a_file_with_too_many_lines_is_refused() -> None:
    """Records are in memory."""
    with pytest.raises(Rejected, match="more than 1 lines"):
        read("H1\nH2", most=1)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12),
            st.integers(0, 9_999_999),
            st.decimals(0, 99999, places=2, allow_nan=False),
        ),
        max_size=6,
    )
)
def test_what_was_written_is_read_again(lines: list[Any]) -> None:
    """Whatever the values are."""
    records = [
        {"record": "line", "fields": {"item": item, "quantity": str(quantity), "price": f"{price:.2f}"}}
        for item, quantity, price in lines
    ]

    found = read(write(records))["records"]

    assert [{"record": record["record"], "fields": record["fields"]} for record in found] == records
