"""``partner init`` and ``partner test``: a new trading partner, from a few facts to a trial with its simulator."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from connectors.edifact.codec import faults as edifact_faults
from connectors.edifact.codec import read as read_edifact
from connectors.x12.codec import faults as x12_faults
from connectors.x12.codec import read as read_x12
from tests.runtime.cli.command import ORDERLY, orderly

#: A trial takes about five seconds where nothing else runs.
pytestmark = pytest.mark.timeout(300)

ACME = ("--standard", "x12", "--ours", "MERCYHOSP", "--theirs", "ACMEMED")
EURO = ("--standard", "edifact", "--ours", "5412345000013", "--theirs", "9521234600015")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "clinic"
    folder.mkdir()
    (folder / "pack.json").write_text(json.dumps({"client": "clinic", "name": "Clinic"}))
    return folder


def answer(*arguments: str, pack: Path, code: int = 0) -> Any:
    done = orderly("partner", *arguments, "--pack", str(pack), "--json")
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return json.loads(done.stdout)


def change(pack: Path, name: str, **keys: Any) -> None:
    path = pack / "partners" / f"{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


@pytest.mark.parametrize(
    ("facts", "samples"),
    [
        (ACME, ["out_850", "in_997", "in_855", "in_856", "in_810"]),
        (EURO, ["out_ORDERS", "in_CONTRL", "in_ORDRSP", "in_DESADV", "in_INVOIC"]),
    ],
)
def test_a_few_facts_make_a_profile_without_findings_and_samples_without_faults(
    pack: Path, facts: tuple[str, ...], samples: list[str]
) -> None:
    told = answer("init", "acme", *facts, "--supplier-number", "4010", pack=pack)

    assert told["file"] == str(pack / "partners" / "acme.json")
    assert [Path(path).stem for path in told["samples"]] == samples
    assert json.loads(orderly("lint", str(pack), "--json").stdout)["findings"] == []
    for path in told["samples"]:
        raw = Path(path).read_bytes()
        found = x12_faults(read_x12(raw)) if facts is ACME else edifact_faults(read_edifact(raw))
        assert found == [], path


def test_nothing_that_is_there_is_overwritten(pack: Path, tmp_path: Path) -> None:
    answer("init", "acme", *ACME, pack=pack)
    before = {path: path.read_bytes() for path in (pack / "partners").rglob("*") if path.is_file()}

    again = orderly("partner", "init", "acme", *EURO, "--pack", str(pack))
    same_samples = orderly(
        "partner", "init", "other", *ACME, "--pack", str(pack), "--samples", str(pack / "partners" / "acme")
    )
    assert not (pack / "partners" / "other.json").exists()
    answer("init", "other", *EURO, "--samples", str(tmp_path / "samples"), pack=pack)

    assert again.returncode == 2 and "is there already" in again.stderr
    assert same_samples.returncode == 1 and "say another folder" in same_samples.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_facts_that_make_no_profile_are_refused_and_nothing_is_written(pack: Path) -> None:
    told = answer("init", "acme", "--standard", "x12", "--ours", "SAME", "--theirs", "SAME", pack=pack, code=1)
    nobody = orderly("partner", "init", "acme", "--standard", "x12", "--pack", str(pack))
    unknown = orderly("partner", "init", "acme", *ACME, "--standard", "hl7", "--pack", str(pack))

    assert "have the same identifiers" in told["detail"]
    assert nobody.returncode == 2 and "say --ours" in nobody.stderr
    assert unknown.returncode == 1 and "use one of: edifact, x12" in unknown.stderr
    assert not (pack / "partners").exists()


@pytest.mark.parametrize("standard", ["x12", "edifact"])
def test_an_id_that_can_be_none_is_refused_and_a_number_that_is_no_gln_is_told(pack: Path, standard: str) -> None:
    """One digit that was mistyped sends every document to nobody, or to somebody else."""
    short = answer("init", "acme", "--standard", standard, "--ours", "x", "--theirs", "ACMEMED", pack=pack, code=1)
    facts = ("--standard", standard, "--ours", "5412345000014", "--theirs", "9521234600015")
    told = answer("init", "acme", *facts, pack=pack)
    shown = orderly("partner", "init", "other", *facts, "--pack", str(pack))
    agreed = answer("init", "third", *facts, "--qualifier", "01", pack=pack)

    assert short["detail"].startswith("--ours x: an id has 2 characters at least")
    assert [one.partition(":")[0] for one in told["warnings"]] == ["--ours 5412345000014 is no GLN"]
    assert "its check digit is 4, for the other digits it would be 3" in shown.stdout
    assert agreed["warnings"] == []


def test_what_is_left_out_is_asked_for_at_a_terminal(pack: Path) -> None:
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, b"edifact\n5412345000013\n9521234600015\n")
        done = subprocess.run(
            [str(ORDERLY), "partner", "init", "acme", "--pack", str(pack)],
            stdin=terminal, capture_output=True, text=True, check=False, timeout=90,
        )  # fmt: skip
    finally:
        os.close(keyboard)
        os.close(terminal)

    assert done.returncode == 0, done.stderr
    assert [one in done.stdout for one in ("x12 or edifact", "Our id", "Their id")] == [True] * 3
    made = json.loads((pack / "partners" / "acme.json").read_text())
    assert made["edifact"]["theirs"] == {"id": "9521234600015", "qualifier": "14"}


@pytest.mark.parametrize("facts", [ACME, EURO], ids=["x12", "edifact"])
def test_a_trial_with_the_simulator_holds_line_by_line(pack: Path, facts: tuple[str, ...]) -> None:
    """Orders go out by the profile over SFTP, the partner's answers come in; nothing enters the pack's own store."""
    answer("init", "acme", *facts, pack=pack)
    change(pack, "acme", units={"BX": "CT", "EA": "PCE"} if facts is EURO else {"BX": "CT"})

    told = answer("test", "acme", pack=pack)

    [trial] = told["trials"]
    held = [one["what"] for one in trial["held"]]
    assert told["ok"] and all(one["ok"] for one in trial["held"])
    assert [one for one in held if one.startswith("line ")] == [
        "line 1 (AC-GLV-M) is accepted",
        "line 2 (AC-SYR-10) is changed",
        "line 3 (AC-SUT-3) is backordered",
        "line 4 (AC-PMP-1) is rejected",
    ]
    kinds = {one["kind"] for one in trial["documents"]}
    assert kinds == {"order", "functional_acknowledgement", "acknowledgement", "despatch_advice", "invoice"}
    assert sorted(path.name for path in pack.iterdir()) == ["pack.json", "partners"]


def test_what_does_not_hold_fails_the_trial_and_says_why(pack: Path) -> None:
    """The partner wants a number of the manufacturer on each line, which our mapping does not send."""
    answer("init", "acme", *ACME, pack=pack)
    change(pack, "acme", items={"all_of": ["manufacturer"]})

    told = answer("test", "acme", pack=pack, code=1)

    [failed, *_] = [one for one in told["trials"][0]["held"] if not one["ok"]]
    assert failed["what"] == "850 TEST-1 is written by the profile"
    assert "line 1 has no manufacturer number" in failed["why"]


def test_a_profile_that_cannot_be_used_is_named_where_it_lies(pack: Path) -> None:
    answer("init", "acme", *ACME, pack=pack)
    change(pack, "acme", awaiting={"ship_notice": "soon"})

    told = answer("test", "acme", pack=pack, code=1)

    [failed] = told["trials"][0]["held"]
    assert f"{pack / 'partners' / 'acme.json'}: /awaiting/ship_notice" in failed["why"]


def test_one_profile_carries_both_environments_and_the_pack_says_which(pack: Path) -> None:
    answer("init", "acme", *ACME, pack=pack)
    other = {"x12": {"theirs": {"id": "ACMETEST"}}}
    change(pack, "acme", environments={"test": other, "production": {}})
    (pack / "pack.json").write_text(json.dumps({"client": "clinic", "name": "C", "environment": "production"}))
    in_production = answer("test", "acme", pack=pack)
    change(pack, "acme", environments={"test": other})
    alone = orderly("partner", "test", "acme", "--pack", str(pack))

    refused = "an answer that is marked as test is refused"
    assert in_production["ok"] and in_production["trials"][0]["environment"] == "production"
    assert refused in [one["what"] for one in in_production["trials"][0]["held"]]
    assert alone.returncode == 1 and "has no part for any standard in production" in alone.stderr


def test_a_partner_that_is_not_there_is_named_with_those_that_are(pack: Path) -> None:
    answer("init", "acme", *ACME, pack=pack)

    done = orderly("partner", "test", "acne", "--pack", str(pack))

    assert done.returncode == 1
    assert "no partner 'acne'" in done.stderr and "one of: acme" in done.stderr
