"""The reference pages of X12 and EDIFACT name every set, segment and element that is declared."""

from __future__ import annotations

from pathlib import Path

from connectors.edifact import pages as edifact
from connectors.edifact import schema as messages
from connectors.sdk.tables_page import Described, Edition, Row, page
from connectors.x12 import pages as x12
from connectors.x12 import schema as sets

ROOT = Path(__file__).parents[3]


def test_every_set_and_message_stands_on_the_page_that_is_checked_in() -> None:
    ours = (ROOT / "connectors/x12/SETS.md").read_text(encoding="utf-8")
    theirs = (ROOT / "connectors/edifact/SETS.md").read_text(encoding="utf-8")

    assert ours == x12.pages()["SETS.md"]
    assert theirs == edifact.pages()["SETS.md"]
    for version in sets.versions():
        for type in sets.set_types(version):
            assert f"\n## {type} " in ours and f", {version}\n" in ours
    for directory in messages.directories():
        for type in messages.message_types(directory):
            declared = messages.message(type, directory)
            assert declared is not None
            assert f"\n## {type} {declared.title}, {directory}\n" in theirs


def test_the_page_cites_elements_by_number_and_notes_as_the_standard_writes_them() -> None:
    text = x12.pages()["SETS.md"]

    assert "**RMR** Remittance Advice Accounts Receivable Open Item Reference: 01 `qualifier` 128 ID 2/3" in text
    assert "; note P0102; note P0708." in text
    assert "| `lines/activities` | ZA | mandatory |  | loop |" in text
    assert (
        "**DLI** Document line identification: 1 `action` 1073 an..3 M; 2 `line_number` 1082 n..6 M."
        in (edifact.pages()["SETS.md"])
    )


def test_of_a_version_that_derives_only_what_differs_is_told() -> None:
    first, second = Row("beginning", "BEG", True, "1"), Row("dates", "DTM", False, "10")
    segment = Described("BEG", "Beginning", ("01 `purpose` 353",))
    old = Edition("1", "", {"850": Described("850", "Order", (), (first, second))}, {"BEG": segment})
    new = Edition(
        "2", "1", {"850": Described("850", "Order", (), (Row("beginning", "BEG", True, "2"),))}, {"BEG": segment}
    )

    told = page("Sets", "Set", "", [old, new]).split("## 850 Order, 2")[1]

    assert "As in 1 but for:" in told
    assert "Not there: `dates`." in told
    assert "| `beginning` | BEG | mandatory | 2 |  |" in told
    assert "**BEG**" not in told
    assert "As in 1." in page("Sets", "Set", "", [old, Edition("2", "1", old.documents, {})])
