"""Every EDI sample is sound but where it says otherwise, is explained, and uses keys with right check digits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.edifact import codec as edifact
from connectors.sdk.gs1 import is_whole
from connectors.x12 import codec as x12

SAMPLES = Path(__file__).parents[1] / "sample_payloads"
#: Made to have faults.
BROKEN = ("broken", "one_bad_set")
X12 = sorted(path for path in (SAMPLES / "x12").glob("*.edi") if path.stem not in BROKEN)
EDIFACT = sorted((SAMPLES / "edifact").glob("*.edi"))
#: GTINs (LIN, PO1 and IT1), GLNs (UNB, NAD, UCI), SSCCs (GIN, MAN).
KEYS = re.compile(r"\+(\d{8,14}):(?:EN|UP|14)|\+(\d{13})::9|\+BJ\+(\d+)|\*UK\*(\d+)|\*GM\*00(\d+)")


@pytest.mark.parametrize("path", X12, ids=lambda path: path.stem)
def test_an_x12_sample_has_no_fault_and_a_named_view(path: Path) -> None:
    document = x12.read(path.read_bytes())

    sets = [each for one in document["interchanges"] for group in one["groups"] for each in group["sets"]]

    assert x12.faults(document) == []
    assert all("unknown_segments" not in x12.named(each) for each in sets)


@pytest.mark.parametrize("path", EDIFACT, ids=lambda path: path.stem)
def test_an_edifact_sample_has_no_fault_and_a_named_view(path: Path) -> None:
    document = edifact.read(path.read_bytes())

    messages = [each for one in document["interchanges"] for group in one["groups"] for each in group["messages"]]

    assert edifact.faults(document) == []
    assert messages
    assert all("unknown_segments" not in edifact.named(each) for each in messages)


def test_there_is_a_sample_of_every_document() -> None:
    types = {each.type for path in EDIFACT for one in edifact.examine(edifact.read(path.read_bytes()))
             for group in one.groups for each in group.messages}  # fmt: skip
    sets = {
        x12.set_type(each)
        for path in X12
        for one in x12.read(path.read_bytes())["interchanges"]
        for group in one["groups"]
        for each in group["sets"]
    }

    assert types == {"ORDERS", "ORDRSP", "DESADV", "INVOIC", "CONTRL"}
    assert sets == {"850", "855", "856", "810", "997"}


@pytest.mark.parametrize("path", [*X12, *EDIFACT], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_keys_of_gs1_have_right_check_digits(path: Path) -> None:
    keys = [key for found in KEYS.findall(path.read_text(encoding="ascii")) for key in found if key]

    assert [key for key in keys if not is_whole(key)] == []
    assert keys or path.parent.name == "x12"


@pytest.mark.parametrize(
    "folder", sorted(path for path in SAMPLES.iterdir() if path.is_dir()), ids=lambda path: path.name
)
def test_each_folders_page_tells_of_each_file_and_of_no_other(folder: Path) -> None:
    told = set(re.findall(r"^\| `([^`]+)` \|", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE))

    assert told == {path.name for path in folder.iterdir()} - {"README.md"}
    assert f"({folder.name}/README.md)" in (SAMPLES / "README.md").read_text(encoding="utf-8")
