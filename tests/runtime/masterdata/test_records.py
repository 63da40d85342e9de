"""Master data from CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from runtime.mapping.functions import gtin_check
from runtime.masterdata import MasterData, MasterDataError

SAMPLES = Path(__file__).parents[3] / "sample_payloads" / "masterdata"


def folder(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "item.csv").write_bytes(content)
    return tmp_path


def test_a_record_is_found_by_its_own_code_and_by_that_of_a_scheme(tmp_path: Path) -> None:
    """A cross-reference finds the record and is no field of it."""
    data = MasterData.from_folder(
        folder(tmp_path, b'code,description,code:gtin\nA1,"Gloves, ""M""",0400\nA2,"two\nlines",\n')
    )

    assert data.resolve("item", "A1") == {"code": "A1", "description": 'Gloves, "M"'}
    assert data.resolve("item", "0400", "gtin") == {"code": "A1", "description": 'Gloves, "M"'}
    assert data.resolve("item", "A2") == {"code": "A2", "description": "two\nlines"}
    assert data.resolve("item", "0400") is None
    assert data.resolve("item", "", "gtin") is None
    assert data.resolve("supplier", "A1") is None


def test_a_byte_order_mark_blank_lines_and_windows_line_ends_are_taken(tmp_path: Path) -> None:
    data = MasterData.from_folder(folder(tmp_path, "\ufeffcode,unit\r\n007,BX\r\n\r\n".encode()))

    assert data.resolve("item", "007") == {"code": "007", "unit": "BX"}


def test_a_changed_answer_changes_no_record(tmp_path: Path) -> None:
    data = MasterData.from_folder(folder(tmp_path, b"code,unit\nA,BX\n"))
    first = data.resolve("item", "A")
    assert first is not None

    first["unit"] = "EA"

    assert data.resolve("item", "A") == {"code": "A", "unit": "BX"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"code,u\nA,1\nB,2\nA,3\n", "item.csv:4: code 'A' stands on line 2 already"),
        (b'code,u\n"A\nA",1\nB,2\nB,3\n', "item.csv:5: code 'B' stands on line 4 already"),
        (b"code,code:gtin\nA,1\nB,1\n", "item.csv:3: gtin '1' stands on line 2 already"),
        (b"code,u\nA,1,2\n", "item.csv:2: 3 values for 2 columns"),
        (b"code,u\n,1\n", "item.csv:2: no code"),
        (b"number,u\nA,1\n", "item.csv:1: the first column is not called code"),
        (b"", "item.csv:1: the first column is not called code"),
        (b"code,u,u\nA,1,2\n", "item.csv:1: column 'u' is empty or named twice"),
        (b'code,u\nA,"1\n', "item.csv:2: unexpected end of data"),
        (b"code,u\nA,\xff\n", "item.csv: byte .* is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(MasterDataError, match=said) as caught:
        MasterData.from_folder(folder(tmp_path, content))

    assert caught.value.next_action


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert MasterData.from_folder(tmp_path / "absent").kinds() == []


def test_the_samples_agree_with_each_other() -> None:
    """Check digits are right, and every item names a supplier there is."""
    data = MasterData.from_folder(SAMPLES)
    with (SAMPLES / "item.csv").open(encoding="utf-8", newline="") as opened:
        items = list(csv.DictReader(opened))

    assert data.kinds() == ["item", "location", "supplier"]
    assert [
        item["code"] for item in items if not gtin_check(item["gtin"]) or not gtin_check(item["code:gtin14"])
    ] == []
    assert [item["code"] for item in items if data.resolve("supplier", item["supplier"]) is None] == []
    assert {item["code"] for item in items} >= {"ITM-1001", "ITM-1002", "ITM-2001", "ITM-3001", "ITM-9001"}
