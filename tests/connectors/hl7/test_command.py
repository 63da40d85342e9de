"""``orderly hl7`` as an integrator types it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from connectors.hl7.command import command
from tests.connectors.hl7.corpus import ROOT, SAMPLES, public_files, sample

FOLDER = ROOT / "sample_payloads/hl7"


def orderly_hl7(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(command, words, input=stdin)


def test_read_prints_json_that_write_turns_back_into_the_file() -> None:
    """By standard input as well."""
    for path in SAMPLES:
        printed = orderly_hl7("read", str(path))
        written = orderly_hl7("write", "-", stdin=printed.stdout_bytes)

        assert printed.exit_code == written.exit_code == 0
        assert json.loads(printed.stdout)["control_id"]
        assert written.stdout_bytes == path.read_bytes()


def test_show_names_the_fields() -> None:
    """Place, name, value."""
    shown = orderly_hl7("show", str(FOLDER / "oms_o05_one_line.hl7"))
    rows = json.loads(orderly_hl7("show", "--json", str(FOLDER / "oms_o05_one_line.hl7")).stdout)

    assert shown.exit_code == 0
    assert "Requisition quantity" in shown.stdout
    assert {"path": "RQD[0]-5.1", "name": "Requisition quantity", "value": "4"} in rows


def test_check_finds_nothing_in_a_sound_message() -> None:
    """Exit 0."""
    result = orderly_hl7("check", "--json", str(FOLDER / "oms_o05_many_lines.hl7"))

    assert result.exit_code == 0
    assert json.loads(result.stdout)["ok"] is True
    assert json.loads(result.stdout)["findings"] == []


def test_check_says_where_and_what_is_wrong_without_repeating_values() -> None:
    """Exit 1; a value could be a patient's."""
    raw = sample("oms_o05_one_line.hl7").replace(b"|WARD0001|", b"||") + b"secret line\rXXX|1\rRQD|1~9\r"

    result = orderly_hl7("check", "--json", "-", stdin=raw)

    findings = json.loads(result.stdout)["findings"]
    assert result.exit_code == 1
    assert [(f["severity"], f["where"], f["code"]) for f in findings] == [
        ("error", "MSH[0]-10", "101"),
        ("error", "line 4", "100"),
        ("warning", "XXX[0]", "100"),
        ("warning", "RQD[1]-1", "102"),
    ]
    assert "secret" not in result.stdout


def test_a_file_without_a_message_is_a_problem_document() -> None:
    """Exit 1, on standard output where a program reads it, else a sentence on standard error."""
    path = str(FOLDER / "without_msh.hl7")

    for verb in ("read", "check", "show"):
        told, said = orderly_hl7(verb, path, "--json"), orderly_hl7(verb, path)

        problem = json.loads(told.stdout)
        assert told.exit_code == said.exit_code == 1
        assert problem["field"] == "MSH"
        assert problem["next_action"]
        assert said.stdout == ""
        assert "does not begin with" in said.stderr


@pytest.mark.parametrize("stdin", [b"", b"[]", b"{", b'{"segments": []}'])
def test_write_refuses_what_is_no_view(stdin: bytes) -> None:
    """Exit 1, and nothing that looks like a message."""
    result = orderly_hl7("write", "-", stdin=stdin)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr


def test_a_missing_file_is_wrong_usage() -> None:
    """Exit 2."""
    assert orderly_hl7("read", "no-such-file.hl7").exit_code == 2


def test_a_batch_is_read_as_its_parts_and_written_back() -> None:
    """Messages as JSON, envelopes and what cannot be read as bytes."""
    raw = (
        b"BHS|^~\\&|W\r"
        + sample("oms_o05_one_line.hl7")
        + b"MSH|^^^|x\r"
        + sample("oms_o05_latin1.hl7")
        + b"BTS|3\r"
    )

    printed = orderly_hl7("read", "-", stdin=raw)
    written = orderly_hl7("write", "-", stdin=printed.stdout_bytes)

    whole = json.loads(printed.stdout)
    assert [part["kind"] for part in whole["parts"]] == ["BHS", "MSH", "MSH", "MSH", "BTS"]
    assert [part.get("message", {}).get("control_id") for part in whole["parts"][1:4]] == [
        "WARD0001",
        None,
        "WARD0004",
    ]
    assert whole["parts"][2]["fault"]["field"] == "MSH-2"
    assert written.stdout_bytes == raw


def test_every_public_file_goes_through_read_and_write() -> None:
    """Batches too, byte by byte."""
    for path in public_files():
        written = orderly_hl7("write", "-", stdin=orderly_hl7("read", str(path)).stdout_bytes)

        assert written.stdout_bytes == path.read_bytes(), path.name


def test_a_finding_in_a_batch_says_in_which_message_it_is() -> None:
    """And what is wrong with the envelope."""
    second = sample("oms_o05_one_line.hl7").replace(b"|WARD0001|", b"||")
    raw = b"BHS|^~\\&|W\r" + sample("oms_o05_one_line.hl7") + second + b"BTS|5\r"

    result = orderly_hl7("check", "--json", "-", stdin=raw)

    findings = json.loads(result.stdout)["findings"]
    assert result.exit_code == 1
    assert [finding["where"] for finding in findings] == ["message 2: MSH[0]-10", "batch"]


def test_check_by_structure_asks_hl7apy_as_well() -> None:
    """An order without its detail."""
    raw = sample("oms_o05_one_line.hl7").split(b"RQD")[0]

    assert orderly_hl7("check", "-", stdin=raw).exit_code == 0
    assert orderly_hl7("check", "--structure", "-", stdin=raw).exit_code == 1


def test_unused_lists_what_a_mapping_leaves() -> None:
    """A folder or a file."""
    path, mapping = str(FOLDER / "oms_o05_many_lines.hl7"), ROOT / "mappings/hl7_oms_o05_to_requisition"

    said = orderly_hl7("unused", path, "--mapping", str(mapping))
    told = orderly_hl7("unused", path, "--mapping", str(mapping / "mapping.jsonata"), "--json")

    assert said.exit_code == told.exit_code == 0
    assert said.stdout.splitlines()[0] == "ZST[0]"
    assert json.loads(told.stdout)["segments"] == ["ZST[0]"]
    assert "RQD[0]-4.3" in json.loads(told.stdout)["fields"]


@pytest.mark.parametrize("part", ["{}", '{"raw": "%"}', "7"])
def test_write_refuses_a_part_that_is_none(part: str) -> None:
    """With its place."""
    result = orderly_hl7("write", "-", "--json", stdin=f'{{"parts": [{part}]}}'.encode())

    assert result.exit_code == 1
    assert json.loads(result.stdout)["field"] == "/parts/0"


def test_a_message_of_ten_megabytes_is_read_and_written_back() -> None:
    """A file on the command line has no limit but memory."""
    raw = b"MSH|^~\\&|W|M|||2026||OMS^O05|1|P|2.5.1\rNTE|1||" + b"x" * 10_500_000 + b"\r"

    checked = orderly_hl7("check", "-", stdin=raw)
    written = orderly_hl7("write", "-", stdin=orderly_hl7("read", "-", stdin=raw).stdout_bytes)

    assert checked.exit_code == 0
    assert written.stdout_bytes == raw


@pytest.mark.parametrize(
    ("raw", "where", "code"),
    [
        (sample("oms_o05_one_line.hl7").replace(b"|2.5.1|", b"|9.9|"), "MSH[0]-12", "203"),
        (b"MSH|^~\\&|A|B|C|D|20261124||ADT^A01|X1|P|2.5.1\rNTE|1||caf\xe9\r", "MSH[0]-18", "103"),
    ],
)
def test_check_says_what_was_taken_for_granted(raw: bytes, where: str, code: str) -> None:
    """Tables of another version, a character set that nobody named: doubts, no errors."""
    result = orderly_hl7("check", "--json", "-", stdin=raw)

    told = [(one["severity"], one["where"], one["code"]) for one in json.loads(result.stdout)["findings"]]
    assert result.exit_code == 0
    assert ("warning", where, code) in told


@pytest.mark.parametrize("verb", ["read", "check", "show"])
def test_an_empty_file_is_no_message(verb: str) -> None:
    result = orderly_hl7(verb, "-", stdin=b"")

    assert result.exit_code == 1
    assert "does not begin with an MSH" in result.stderr
