"""Tables of one's own beside the delivered ones: a set, a segment or a version is added by adding files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import Misconfigured
from connectors.sdk.tables import OWN_SETS, Tables, folders
from tests.connectors.edifact.samples import enclosed, message
from tests.connectors.x12.made import interchange

ROOT = Path(__file__).parents[3]
INVENTORY = {
    "set": "888",
    "title": "Item Maintenance",
    "functional_identifier": "QG",
    "key": "beginning/number",
    "contents": [
        {"segment": "G91", "name": "beginning", "use": "M", "max": 1},
        {
            "loop": "LIN",
            "name": "lines",
            "use": "O",
            "max": ">1",
            "contents": [
                {"segment": "LIN", "name": "line", "use": "M", "max": 1},
                {"segment": "REF", "name": "references", "use": "O", "max": 3},
            ],
        },
    ],
}
G91 = {
    "title": "Price Change Identification",
    "elements": [
        {"element": "128", "name": "qualifier", "use": "M"},
        {"element": "127", "name": "number", "use": "M"},
        {"element": "Z91", "name": "zone", "use": "O"},
    ],
}
QUOTES = {
    "message": "QUOTES",
    "title": "Quote",
    "contents": [
        {"segment": "BGM", "name": "beginning", "use": "M", "max": 1},
        {"segment": "DTM", "name": "dates", "use": "M", "max": 35},
        {"group": "SG1", "segment": "ZZA", "name": "zones", "use": "C", "max": 9, "contents": []},
    ],
}


def put(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")


def orderly(own: Path, *arguments: str, stdin: bytes) -> tuple[int, bytes]:
    """The command as a person runs it, with the folder named in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", "from runtime.cli import main; main()", *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, OWN_SETS: str(own)},
        cwd=ROOT,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_set_of_a_partner_is_read_checked_written_and_shown_from_a_folder(tmp_path: Path) -> None:
    put(tmp_path / "x12/004010/888.json", INVENTORY)
    put(tmp_path / "x12/004010/segments.json", {"G91": G91})
    put(tmp_path / "x12/004010/elements.json", {"Z91": {"title": "Zone", "type": "ID", "min": 2, "max": 2}})
    raw = interchange("888|G91*PC*77*EU~LIN**VN*A~REF*CT*C-9~", identifier="QG")

    code, out = orderly(tmp_path, "x12", "read", "-", "--json", "--named", stdin=raw)

    [one] = json.loads(out)["interchanges"][0]["sets"]
    assert (code, one["document"]["beginning"]) == (0, {"qualifier": "PC", "number": "77", "zone": "EU"})
    assert one["document"]["lines"][0]["references"] == [{"qualifier": "CT", "value": "C-9"}]
    assert orderly(tmp_path, "x12", "check", "-", stdin=raw)[0] == 0
    code, out = orderly(tmp_path, "x12", "check", "-", stdin=raw.replace(b"*EU~", b"*EUR~"))
    assert (code, b"G9103 (Zone)" in out) == (1, True)
    assert b"zone" in orderly(tmp_path, "x12", "show", "-", stdin=raw)[1].lower()


def test_a_version_of_a_partner_derives_from_the_standard_and_is_chosen_by_its_name(tmp_path: Path) -> None:
    put(tmp_path / "x12/004010ACME/version.json", {"version": "004010ACME", "derives_from": "004010"})
    put(tmp_path / "x12/004010ACME/segments.json", {"BEG": {"add": [{"element": "127", "name": "store"}]}})
    change = {"in": ["lines"], "change": "prices", "to": {"max": 1}}
    put(tmp_path / "x12/004010ACME/850.json", {"changes": [change]})
    beg = "BEG*00*NE*PO-1**20261120" + "*" * 8 + "S-9"
    body = f"850|{beg}~PO1*1*5*EA*2.00**VN*A~CTP*WS*CON*2.00~CTP*WS*CON*2.10~CTT*1~"

    _, theirs = orderly(tmp_path, "x12", "read", "-", "--named", stdin=interchange(body, version="004010ACME"))
    _, others = orderly(tmp_path, "x12", "read", "-", "--named", stdin=interchange(body, version="004010VICS"))

    assert b'"store": "S-9"' in theirs
    assert b'"store"' not in others
    code, out = orderly(tmp_path, "x12", "check", "-", stdin=interchange(body, version="004010ACME"))
    assert (code, b"CTP" in out, b"not declared" in out) == (1, True, False)


def test_a_message_of_a_partner_is_read_and_checked_from_a_folder(tmp_path: Path) -> None:
    put(tmp_path / "edifact/D96A/QUOTES.json", QUOTES)
    zone = {"title": "Zone", "elements": [{"element": "Z001", "name": "zone", "use": "M"}]}
    put(tmp_path / "edifact/D96A/segments.json", {"ZZA": zone})
    put(tmp_path / "edifact/D96A/elements.json", {"Z001": "an..3"})
    raw = enclosed(message("BGM+310+Q-1+9'DTM+137:20261124:102'ZZA+EU'", type="QUOTES:D:96A:UN"))

    _, out = orderly(tmp_path, "edifact", "read", "-", "--named", stdin=raw)

    assert b'"zone": "EU"' in out
    assert orderly(tmp_path, "edifact", "check", "-", stdin=raw)[0] == 0
    code, out = orderly(tmp_path, "edifact", "check", "-", stdin=raw.replace(b"+EU'", b"+EURO'"))
    assert (code, b"Z001" in out or b"zone" in out) == (1, True)


def test_a_directory_of_ones_own_derives_from_a_delivered_one_and_has_the_messages_it_names(tmp_path: Path) -> None:
    put(tmp_path / "edifact/D07A/version.json", {"derives_from": "D01B"})
    put(tmp_path / "edifact/D07A/elements.json", {"1154": "an..99"})
    put(tmp_path / "edifact/D07A/ORDERS.json", {"changes": [{"change": "references", "to": {"max": 1}}]})
    reference = "RFF+CT:" + "7" * 99 + "'"
    body = f"BGM+220+1+9'DTM+137:20261124:102'{reference}UNS+S'"
    raw = enclosed(message(body, type="ORDERS:D:07A:UN"))

    assert orderly(tmp_path, "edifact", "check", "-", stdin=raw) == (0, b"no faults\n")
    twice = enclosed(message(body.replace(reference, reference * 2), type="ORDERS:D:07A:UN"))
    code, out = orderly(tmp_path, "edifact", "check", "-", stdin=twice)
    assert (code, b"more often than the 1 times" in out) == (1, True)
    invoice = enclosed(message("BGM+380+1+9'DTM+137:20261124:102'UNS+S'MOA+77:1'", type="INVOIC:D:07A:UN"))
    assert b"read as D01B" in orderly(tmp_path, "edifact", "check", "-", stdin=invoice)[1]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("850.json", "{", "not JSON"),
        ("850.json", "[]", "not a JSON object"),
        ("850.json", {"changes": [{"in": ["lynes"], "remove": "prices"}]}, "no 'lynes' among"),
        ("850.json", {"changes": [{"after": "beginning"}]}, "change"),
        ("segments.json", {"BEG": {"change": {"ordr": {"use": "O"}}}}, "has no element ordr"),
        ("segments.json", {"ZZZ": {"add": []}}, "no segment to change"),
        ("version.json", {"derives_from": "004020"}, "cannot derive from '004020'"),
        ("version.json", {"derives_from": "004010"}, "cannot derive from '004010'"),
    ],
)
def test_tables_that_do_not_fit_are_refused_by_file(tmp_path: Path, name: str, data: Any, says: str) -> None:
    put(tmp_path / "x12/004010" / name, data)
    tables = Tables((ROOT / "connectors/x12/sets", tmp_path / "x12"), "[0-9]*.json", inherits=True)

    with pytest.raises(Misconfigured, match=str(tmp_path / "x12/004010" / name)) as refused:
        tables.load("004010", "segments" if name == "segments.json" else "850")

    assert says in str(refused.value)
    assert refused.value.next_action


@pytest.mark.parametrize(
    ("segments", "contents", "says"),
    [
        ({}, [{"segment": "ZZZ", "name": "zone", "use": "M", "max": 1}],
         "004010/888.json: zone is a segment ZZZ, which no segments.json declares"),
        ({"ZZZ": {"title": "Zone", "elements": [{"element": "Z9", "name": "zone"}]}},
         [{"segment": "ZZZ", "name": "zone", "use": "M", "max": 1}], "004010/segments.json: ZZZ: zone is an element Z9, which no elements.json declares"),
        ({}, [{"segment": "REF", "use": "M", "max": 1}], "004010/888.json: there is no 'name'"),
    ],
)  # fmt: skip
def test_a_set_that_names_what_is_not_declared_is_refused_when_it_is_read(
    tmp_path: Path, segments: Any, contents: Any, says: str
) -> None:
    put(tmp_path / "x12/004010/segments.json", segments)
    whole = {"set": "888", "title": "Zone", "functional_identifier": "QG", "contents": contents}
    put(tmp_path / "x12/004010/888.json", whole)

    code, out = orderly(tmp_path, "x12", "check", "-", stdin=interchange("888|ZZZ*1~", identifier="QG"))

    assert (code, out.decode()[:17]) == (1, "error: tables x12")
    assert says in out.decode()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OWN_SETS, str(tmp_path / "nowhere"))

    with pytest.raises(Misconfigured, match="nowhere, which is no folder"):
        folders("x12", ROOT)
    monkeypatch.setenv(OWN_SETS, str(tmp_path))
    assert folders("x12", ROOT) == (ROOT,)
