"""``orderly edifact``: JSON out, bytes back, all faults, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connectors.edifact.cli import group
from connectors.edifact.codec import faults, read
from tests.connectors.edi_memory import megabytes
from tests.connectors.edifact.samples import INTERCHANGE, corpus, many_orders

SOUND = INTERCHANGE.encode()
BROKEN = SOUND.replace(b"UNT+20+1'", b"UNT+9+2'").replace(b"QTY+21:10", b"QTY+21:ten")


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(group, list(arguments), input=stdin)


def test_read_then_write_gives_the_same_bytes() -> None:
    for path in corpus():
        result = run("read", str(path), "--json")
        written = run("write", "-", stdin=result.stdout_bytes)

        assert (result.exit_code, written.exit_code) == (0, 0), path.name
        assert written.stdout_bytes == path.read_bytes(), path.name


def test_read_without_json_is_for_eyes_and_still_json() -> None:
    result = run("read", "-", stdin=SOUND)

    assert json.loads(result.stdout) == read(SOUND)
    assert result.stdout.count("\n") > 10


def test_read_named_prints_messages_by_name() -> None:
    [one] = json.loads(run("read", "-", "--json", "--named", stdin=SOUND).stdout)["interchanges"]

    assert one["interchange_control_number"] == "REF1"
    assert one["messages"][0]["document"]["beginning"]["document_number"] == "PO-1001"


def test_check_lists_every_fault_and_exits_1() -> None:
    result = run("check", "-", stdin=BROKEN)

    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 3
    assert "interchange REF1, message 1, segment 14: QTY quantity" in result.stdout


def test_check_of_a_sound_file_exits_0() -> None:
    assert run("check", "-", stdin=SOUND).stdout == "no faults\n"
    assert json.loads(run("check", "-", "--json", stdin=SOUND).stdout) == {"ok": True, "faults": []}


def test_check_of_a_broken_file_is_an_answer_and_no_problem_document() -> None:
    result = run("check", "-", "--json", stdin=BROKEN)

    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"], len(told["faults"])) == (1, False, 3)


def test_check_prints_the_contrl() -> None:
    bad, good = run("check", "-", "--ack", stdin=BROKEN), run("check", "-", "--ack", stdin=SOUND)

    assert (bad.exit_code, good.exit_code) == (1, 0)
    assert b"UCM+1+ORDERS:D:96A:UN:EAN008+4" in bad.stdout_bytes
    assert faults(read(bad.stdout_bytes)) == []
    told = json.loads(run("check", "-", "--ack", "--json", stdin=SOUND).stdout)
    assert told["acknowledgements"][0]["interchange"]["action"] == "7"


def test_the_contrl_of_every_public_file_can_be_read() -> None:
    for path in corpus():
        raw = run("check", str(path), "--ack").stdout_bytes

        assert raw == b"" or read(raw)["interchanges"], path.name


def test_a_warning_exits_1_only_under_strict() -> None:
    raw = SOUND.replace(b"CNT+2:2", b"CNT+1:16")

    assert run("check", "-", stdin=raw).exit_code == 0
    assert run("check", "-", "--strict", stdin=raw).exit_code == 1


def test_show_names_elements_and_counts_faults() -> None:
    result = run("show", "-", stdin=BROKEN)

    assert result.exit_code == 0
    assert "BGM  Beginning of message" in result.stdout
    assert "document number" in result.stdout
    assert "3 faults: `orderly edifact check" in result.stdout


def test_show_as_json_has_every_segment() -> None:
    told = json.loads(run("show", "-", "--json", stdin=SOUND).stdout)

    assert [one["id"] for one in told["segments"]][:3] == ["UNB", "UNH", "BGM"]
    assert told["segments"][-1]["elements"][0] == {
        "path": "1",
        "reference": "0036",
        "name": "count",
        "value": "1",
    }


def test_show_survives_every_public_file() -> None:
    for path in corpus():
        assert run("show", str(path), "--json").exit_code == 0, path.name


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (("read", "-"), b"", "header_missing"),
        (("check", "-"), b"\x00\x01junk", "header_missing"),
        (("show", "-"), b"ISA*00", "header_missing"),
        (("write", "-"), b"no JSON", "json_invalid"),
        (("write", "-"), b"{}", "no_interchanges"),
        (("write", "-"), b'{"interchanges": [1]}', "view_invalid"),
    ],
)
def test_what_cannot_be_processed_exits_1_with_a_problem_document(
    arguments: tuple[str, ...], stdin: bytes, code: str
) -> None:
    plain, as_json = run(*arguments, stdin=stdin), run(*arguments, "--json", stdin=stdin)

    assert (plain.exit_code, as_json.exit_code) == (1, 1)
    assert "error:" in plain.stderr
    problem = json.loads(as_json.stdout)
    assert problem["code"] == code
    assert problem["next_action"]


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert run("read", str(tmp_path / "absent.edi")).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("read", "--json"),
        ("read",),
        ("read", "--json", "--named"),
        ("check", "--json", "--ack"),
        ("show", "--json"),
    ],
    ids=" ".join,
)
def test_a_long_file_needs_no_more_memory_than_a_short_one(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """As one tree the long one (0.65 MB) would take 25 MB more; of a message only its number is kept."""
    short, long, printed = tmp_path / "short.edi", tmp_path / "long.edi", tmp_path / "printed"
    short.write_bytes(many_orders(100))
    long.write_bytes(many_orders(1_500))

    of_short = megabytes("connectors.edifact.cli", *arguments, str(short), to=printed)
    of_long = megabytes("connectors.edifact.cli", *arguments, str(long), to=printed)

    assert of_long < of_short + 6
    assert json.loads(printed.read_bytes())


def test_what_is_read_before_the_error_is_not_printed_as_half_a_document() -> None:
    """The limit is passed behind 400 messages."""
    raw = many_orders(400).removesuffix(b"UNZ+400+REF1'") + b"FTX+" + b"x" * 70_000

    result = run("read", "-", "--json", stdin=raw)

    assert result.exit_code == 1
    assert json.loads(result.stdout)["code"] == "segment_too_long"
