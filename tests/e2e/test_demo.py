"""``orderly demo``, run as a new user runs it: eight requisitions, each with its own trouble, each at its end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(120)

ORDERLY = Path(sys.executable).with_name("orderly")
ORDERED = ("REQ-1001", "REQ-1002", "WARD-1004", "REQ-1005", "REQ-1007", "REQ-1008")
REJECTED, EXCEPTED = "REQ-1003", "REQ-1006"
FIELDS = {
    "number", "outcome", "purchase_order", "interchange_control_number", "functional_acknowledgement",
    "acknowledgement", "runs", "exception",
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    code: int
    out: str
    err: str
    seconds: float


def demo(*arguments: str) -> Shown:
    started = time.monotonic()
    wide = {**os.environ, "COLUMNS": "250"}
    ended = subprocess.run(
        [str(ORDERLY), "demo", *arguments], capture_output=True, text=True, timeout=90, env=wide, check=False
    )
    return Shown(ended.returncode, ended.stdout, ended.stderr, time.monotonic() - started)


@pytest.fixture(scope="module")
def shown() -> Shown:
    return demo("--json")


@pytest.fixture(scope="module")
def document(shown: Shown) -> dict[str, Any]:
    """Standard output is one JSON document and nothing else."""
    told: dict[str, Any] = json.loads(shown.out)
    return told


@pytest.fixture(scope="module")
def of(document: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    by_number = {entry["number"]: entry for entry in document["requisitions"]}
    return lambda number: by_number[number]


Of = Callable[[str], dict[str, Any]]


def test_it_comes_to_its_end_within_a_minute(shown: Shown, document: dict[str, Any]) -> None:
    assert shown.code == 0, shown.err
    assert shown.seconds < 60
    assert 0 < document["seconds"] <= shown.seconds


def test_the_document_has_the_fields_that_programs_rely_on(document: dict[str, Any]) -> None:
    assert set(document) == {
        "requisitions", "erp_purchase_orders", "supplier_orders_received", "portal_deliveries",
        "portal_duplicate_deliveries", "seconds",
    }  # fmt: skip
    assert all(set(entry) == FIELDS for entry in document["requisitions"])


def test_every_requisition_ends_as_its_story_says(document: dict[str, Any]) -> None:
    outcomes = {entry["number"]: entry["outcome"] for entry in document["requisitions"]}

    assert outcomes == {**dict.fromkeys(ORDERED, "ordered"), REJECTED: "rejected", EXCEPTED: "exception"}


def test_the_journals_of_those_outside_count_what_happened_and_nothing_twice(document: dict[str, Any]) -> None:
    """Six orders; seven requisitions by webhook, one of them twice; the eighth came by HL7."""
    assert document["erp_purchase_orders"] == len(ORDERED)
    assert document["supplier_orders_received"] == len(ORDERED)
    assert document["portal_deliveries"] == 8
    assert document["portal_duplicate_deliveries"] == 1


@pytest.mark.parametrize("field", ["purchase_order", "interchange_control_number"])
def test_numbers_of_orders_and_interchanges_are_their_own(document: dict[str, Any], field: str) -> None:
    numbers = [entry[field] for entry in document["requisitions"] if entry["outcome"] == "ordered"]

    assert all(re.fullmatch(r"45\d{8}" if field == "purchase_order" else r"\d{9}", number) for number in numbers)
    assert len(set(numbers)) == len(ORDERED)


@pytest.mark.parametrize("number", ORDERED)
def test_an_order_is_acknowledged_by_997_and_855(of: Of, number: str) -> None:
    entry = of(number)

    assert entry["functional_acknowledgement"] == "A"
    assert entry["acknowledgement"] == ("backordered" if number == "REQ-1005" else "accepted")
    assert entry["exception"] is None
    assert len(set(entry["runs"])) == 4, "intake, order, 997 and 855: the doubled webhook made no fifth"


def test_the_rejected_requisition_reached_nobody(of: Of) -> None:
    assert {name: of(REJECTED)[name] for name in FIELDS - {"number", "outcome", "runs"}} == {
        "purchase_order": None, "interchange_control_number": None, "functional_acknowledgement": None,
        "acknowledgement": None, "exception": None,
    }  # fmt: skip
    assert len(of(REJECTED)["runs"]) == 2


def test_the_unknown_cost_centre_is_an_exception_that_finance_owns_and_no_order(of: Of) -> None:
    entry = of(EXCEPTED)

    assert set(entry["exception"]) == {"kind", "owner", "field", "message"}
    assert (entry["exception"]["kind"], entry["exception"]["owner"]) == ("unknown_cost_center", "finance")
    assert "CC-NONE" in entry["exception"]["message"]
    assert entry["purchase_order"] is None
    assert entry["functional_acknowledgement"] is None


# the story


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return demo("--data", str(tmp_path_factory.mktemp("demo") / "data"))


@pytest.fixture(scope="module")
def lines(story: Shown) -> dict[str, list[str]]:
    """The time line of each requisition, by number: from its own heading to the blank line after it."""
    found: dict[str, list[str]] = {}
    number = None
    for line in story.out.splitlines():
        heading = re.match(r"((?:REQ|WARD)-\d{4}) .*-> (\w+)$", line)
        number = heading[1] if heading else number if line.strip() else None
        if number is not None:
            found.setdefault(number, []).append(line)
    return found


def test_the_story_has_a_time_line_for_each_requisition(story: Shown, lines: dict[str, list[str]]) -> None:
    assert story.code == 0, story.err
    assert sorted(lines) == sorted([*ORDERED, REJECTED, EXCEPTED])
    for number, (heading, *steps) in lines.items():
        assert heading.startswith(number)
        times = [re.match(r"\s+(\d\d:\d\d:\d\d\.\d{3})  \S", step) for step in steps]
        assert all(times), f"every step of {number} has its time"
        assert steps == sorted(steps, key=lambda step: step.split()[0]), f"{number} is told in order"


@pytest.mark.parametrize("number", ORDERED)
def test_the_time_line_of_an_order_goes_through_every_system(lines: dict[str, list[str]], number: str) -> None:
    systems = {line.split()[1] for line in lines[number][1:]}

    assert systems >= {"orderly", "contracts", "erp", "acme_sftp", "portal"}


def test_the_time_lines_tell_the_troubles(lines: dict[str, list[str]]) -> None:
    def told(number: str) -> str:
        return "\n".join(lines[number])

    assert told("REQ-1007").count("NotSent") >= 2, "the ERP was down for the first attempts"
    assert "look_up" in told("REQ-1008"), "the order was found again"
    assert "anna.berg: refused, own_request" in told("REQ-1002")
    assert "delivered again" in told("REQ-1005")
    assert "approved by omar.said" in told("REQ-1002")
    assert "rejected by omar.said" in told("REQ-1003")
    assert "owner: finance" in told("REQ-1006")


def test_the_story_names_the_address_of_the_console(story: Shown) -> None:
    assert re.search(r"http://127\.0\.0\.1:\d+", story.out)
    assert "orderly demo --keep" in story.out
    assert "Traceback" not in story.out + story.err
