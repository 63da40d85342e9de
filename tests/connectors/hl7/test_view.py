"""The JSON of a message, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.hl7.codec import Hl7Error, build, read, view, write
from connectors.hl7.connector import ReadOutput, ReadParameters, connector
from tests.connectors.hl7.corpus import NOT_ONE_MESSAGE, SAMPLES, public_files, sample
from tests.harness import MemoryContext


def reread(whole: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(whole))  # type: ignore[no-any-return]


def test_every_leaf_stands_under_its_place() -> None:
    """Segments in place, Z segments too, decoded values, groups counted by ORC."""
    whole = view(read(sample("oms_o05_many_lines.hl7")))

    assert [(s["id"], s["occurrence"], s["group"]) for s in whole["segments"]] == [
        ("MSH", 0, 0), ("NTE", 0, 0),
        ("ORC", 0, 1), ("TQ1", 0, 1), ("RQD", 0, 1), ("NTE", 1, 1),
        ("ORC", 1, 2), ("RQD", 1, 2),
        ("ORC", 2, 3), ("RQD", 2, 3), ("ZST", 0, 3),
    ]  # fmt: skip
    assert whole["type"] == "OMS^O05"
    assert whole["structure"] == "OMS_O05"
    assert whole["control_id"] == "WARD0002"
    assert whole["segments"][1]["fields"] == {
        "1.1": "1", "3.1": "Stock count of the morning", "3[1].1": "Deliver before the first case",
    }  # fmt: skip
    assert whole["segments"][5]["fields"]["3.1"] == "size M & powder free"
    assert whole["segments"][9]["fields"]["4.2"] == "Suture set 3^0 café"


def test_null_is_null_and_absent_is_absent() -> None:
    """HL7's two quotes mean: delete what you have."""
    whole = view(read(b'MSH|^~\\&|W|M|||2026||OMS^O05|1|P|2.5.1\rRQD|1||""^x|\r'))

    assert whole["segments"][1]["fields"] == {"1.1": "1", "3.1": None, "3.2": "x"}


def test_the_operation_gives_the_view_of_a_stored_blob() -> None:
    """``hl7.read`` in a flow; its output fits the declared shape."""
    context = MemoryContext()
    blob = context.blobs.put(sample("oms_o05_latin1.hl7"))
    operation = connector.operation("read")()

    whole = operation.run(ReadParameters(content=blob), context)  # type: ignore[attr-defined]

    assert whole == ReadOutput.model_validate(whole).model_dump(exclude_unset=True)
    assert whole["charset_source"] == "MSH-18"
    assert whole["segments"][2]["fields"]["4.2"] == "Nähset, groß"


def test_text_content_is_text_whatever_msh_18_says() -> None:
    """Text was decoded already."""
    content = sample("oms_o05_latin1.hl7").decode("latin-1")

    whole = connector.operation("read")().run(ReadParameters(content=content), MemoryContext())  # type: ignore[attr-defined]

    assert whole["segments"][2]["fields"]["4.2"] == "Nähset, groß"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_exact_view_of_a_sample_is_written_back_byte_by_byte(path: Path) -> None:
    """``orderly hl7 read`` then ``write``."""
    raw = path.read_bytes()

    assert write(build(reread(view(read(raw), exact=True)))) == raw


def test_the_exact_view_of_every_public_message_is_written_back_byte_by_byte() -> None:
    """Empty components at the end, unusual escapes, marks and all."""
    for path in public_files():
        if path.name not in NOT_ONE_MESSAGE:
            raw = path.read_bytes()
            assert write(build(reread(view(read(raw), exact=True)))) == raw, path.name


def test_a_changed_value_is_written_instead_of_what_stood_there() -> None:
    """The exact text counts only as long as it says the same."""
    raw = b"MSH|^~\\&|W|M|||2026||OMS^O05|1|P|2.5.1||||\rRQD|1|A^^^||||\r"
    whole = view(read(raw), exact=True)
    whole["segments"][1]["fields"]["2.2"] = "this & that"

    assert write(build(whole)) == raw.replace(b"A^^^||||", b"A^this \\T\\ that")


def test_a_view_written_by_hand_needs_segments_only() -> None:
    """UTF-8, usual delimiters, CR."""
    whole = {
        "segments": [
            {"id": "MSH", "fields": {"3.1": "W", "9.1": "OMS", "9.2": "O05", "10.1": "1"}},
            {"id": "NTE", "fields": {"3.1": "a|b\n", "3[1].2.2": "é", "5.1": None}},
        ]
    }

    assert write(build(whole)) == 'MSH|^~\\&|W||||||OMS^O05|1\rNTE|||a\\F\\b\\X0A\\~^&é||""\r'.encode()


@pytest.mark.parametrize(
    ("whole", "field"),
    [
        ({}, "/segments"),
        ({"segments": [1]}, "/segments/0"),
        ({"segments": [{"id": "MSH"}]}, "/segments/0"),
        ({"segments": [{"id": "MSH", "fields": {"x": "1"}}]}, "/segments/0/fields"),
        ({"segments": [{"id": "MSH", "fields": {"3.0": "1"}}]}, "/segments/0/fields"),
        ({"segments": [{"id": "MSH", "fields": {}}], "charset": "KLINGON"}, "/charset"),
        ({"segments": [{"id": "MSH", "fields": {"3.1": "é"}}], "charset": "ascii"}, "MSH-18"),
        ({"segments": [{"id": "MSH", "fields": {"3.1": "a|b"}}], "delimiters": "|^~"}, "MSH-2"),
    ],
)
def test_a_view_that_is_no_message_is_refused_with_its_place(whole: dict[str, Any], field: str) -> None:
    """JSON pointer, or the field of HL7 it would have become."""
    with pytest.raises(Hl7Error) as refused:
        build(whole)

    assert refused.value.field == field


def test_a_batch_is_not_read_as_one_message() -> None:
    """Two requisitions must not become one."""
    one = sample("oms_o05_one_line.hl7")

    with pytest.raises(Hl7Error, match="2 MSH segments"):
        view(read(one + one))
