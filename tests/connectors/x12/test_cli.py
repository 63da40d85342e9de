"""``orderly x12``: JSON out, bytes back, all faults, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connectors.x12.cli import group
from tests.connectors.edi_memory import megabytes
from tests.connectors.x12.made import interchange
from tests.connectors.x12.samples import SAMPLES, sample


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(group, list(arguments), input=stdin)


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.edi")))
def test_read_then_write_gives_the_same_bytes(name: str) -> None:
    read = run("read", str(SAMPLES / name), "--json")
    written = run("write", "-", stdin=read.stdout_bytes)

    assert (read.exit_code, written.exit_code) == (0, 0)
    assert written.stdout_bytes == sample(name)


def test_read_named_prints_sets_by_name() -> None:
    result = run("read", "-", "--json", "--named", stdin=sample("850.edi"))

    [one] = json.loads(result.stdout)["interchanges"]
    assert one["sets"][0]["document"]["beginning"]["order_number"] == "PO-1001"


def test_check_lists_every_fault_and_exits_1() -> None:
    result = run("check", str(SAMPLES / "broken.edi"))

    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 10
    assert "set 0002, segment 3: PO102 (Quantity Ordered) 'many' is not a decimal number" in result.stdout


def test_check_of_a_sound_file_exits_0() -> None:
    assert run("check", str(SAMPLES / "850.edi")).exit_code == 0
    assert json.loads(run("check", str(SAMPLES / "850.edi"), "--json").stdout) == {
        "ok": True,
        "faults": [],
    }


def test_check_of_a_broken_file_is_an_answer_and_no_problem_document() -> None:
    result = run("check", str(SAMPLES / "broken.edi"), "--json")

    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"], len(told["faults"])) == (1, False, 10)


def test_a_warning_exits_1_only_under_strict() -> None:
    raw = sample("850.edi").replace(b"*MERCYHOSP      *", b"*MERCYHOSP*")

    assert run("check", "-", stdin=raw).exit_code == 0
    assert run("check", "-", "--strict", stdin=raw).exit_code == 1


def test_show_names_segments_and_elements() -> None:
    result = run("show", str(SAMPLES / "850.edi"))

    assert "Beginning Segment for Purchase Order" in result.stdout
    assert "order_number" in result.stdout
    assert "[" not in result.stdout.split("BEG")[0]


def test_show_as_json_gives_each_element_its_path_and_name() -> None:
    told = json.loads(run("show", str(SAMPLES / "850.edi"), "--json").stdout)

    [beginning] = [segment for segment in told["segments"] if segment["id"] == "BEG"]
    assert beginning["elements"][2] == {"path": "BEG03", "name": "order_number", "value": "PO-1001"}
    assert told["faults"] == 0


def test_show_of_a_broken_file_shows_it_and_says_how_to_see_its_faults() -> None:
    result = run("show", str(SAMPLES / "broken.edi"))

    assert result.exit_code == 0
    assert "10 faults: `orderly x12 check" in result.stdout


@pytest.mark.parametrize("stdin", [b"{}", b"[]", b'{"interchanges": []}', b'{"number": "PO-1"}'])
def test_write_refuses_json_without_interchanges(stdin: bytes) -> None:
    """Silence would pass for a file without orders."""
    result = run("write", "-", "--json", stdin=stdin)

    assert result.exit_code == 1
    assert json.loads(result.stdout)["code"] == "no_interchanges"
    assert run("write", "-", stdin=stdin).stdout == ""


@pytest.mark.parametrize("verb", ["read", "check", "write", "show"])
def test_without_json_standard_output_stays_clean_of_problems(verb: str) -> None:
    result = run(verb, "-", stdin=b"hello")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr


@pytest.mark.parametrize("verb", ["read", "check", "write", "show"])
def test_bad_input_is_a_problem_document_on_stdout_and_a_sentence_on_stderr(verb: str) -> None:
    result = run(verb, "-", "--json", stdin=b"hello")

    assert result.exit_code == 1
    problem = json.loads(result.stdout)
    assert problem["detail"]
    assert problem["next_action"]
    assert problem["detail"] in result.stderr


def test_a_missing_file_is_wrong_usage() -> None:
    assert run("read", "nowhere.edi").exit_code == 2


def test_check_prints_the_acknowledgement_and_tells_faults_on_standard_error() -> None:
    """So that it can be piped on."""
    result = run("check", str(SAMPLES / "one_bad_set.edi"), "--ack")

    assert result.exit_code == 1
    assert "is not a decimal number" in result.stderr
    assert b"AK9*P*3*3*2~" in result.stdout_bytes
    assert run("check", "-", stdin=result.stdout_bytes).stdout == "no faults\n"


def test_check_as_json_has_the_acknowledgement_beside_the_faults() -> None:
    told = json.loads(run("check", str(SAMPLES / "broken.edi"), "--json", "--ack").stdout)

    assert (told["ok"], len(told["faults"])) == (False, 10)
    assert "TA1*000000106*261120*1015*R*001~" in told["acknowledgement"]


def test_an_acknowledgement_is_not_acknowledged() -> None:
    result = run("check", str(SAMPLES / "997_accepted.edi"), "--ack")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no faults\n")


def test_check_tells_the_faults_it_found_before_reading_had_to_stop() -> None:
    raw = sample("broken.edi").partition(b"GE*")[0] + b"GE*" + b"x" * 70_000

    result = run("check", "-", stdin=raw)

    assert result.exit_code == 1
    assert "is not a decimal number" in result.stdout
    assert "more than 65536 bytes" in result.stderr


@pytest.mark.parametrize("verb", ["check", "show", "read"])
def test_where_reading_has_to_stop_json_is_one_problem_document(verb: str) -> None:
    result = run(verb, "-", "--json", stdin=sample("broken.edi").partition(b"GE*")[0] + b"GE*" + b"x" * 70_000)

    assert result.exit_code == 1
    assert json.loads(result.stdout)["code"] == "segment_too_long"


@pytest.mark.parametrize("version", ["004010", "005010"])
def test_show_names_elements_by_the_version_of_their_group(version: str) -> None:
    raw = (
        sample("850.edi").replace(b"*004010~", f"*{version}~".encode()).replace(b"ST*850*0001~", b"ST*850*0001*G~")
    )

    told = json.loads(run("show", "-", "--json", stdin=raw).stdout)

    [header] = [segment for segment in told["segments"] if segment["id"] == "ST"]
    assert header["elements"][2]["name"] == ("implementation_convention" if version == "005010" else "")


@pytest.mark.parametrize(
    "arguments",
    [("read", "--json"), ("read",), ("read", "--json", "--named"), ("check", "--json"), ("show", "--json")],
    ids=" ".join,
)
def test_a_long_file_needs_no_more_memory_than_a_short_one(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Of a transaction set nothing is kept but its number."""
    short, long, printed = tmp_path / "short.edi", tmp_path / "long.edi", tmp_path / "printed"
    one = "855|BAK*00*AD*PO-1*20261120~" + "PO1*1*5*EA*1.00**VC*AC-1~ACK*IA*5*EA~" * 20
    short.write_bytes(interchange(*[one] * 100, identifier="PR"))
    long.write_bytes(interchange(*[one] * 1_000, identifier="PR"))

    of_short = megabytes("connectors.x12.cli", *arguments, str(short), to=printed)
    of_long = megabytes("connectors.x12.cli", *arguments, str(long), to=printed)

    assert of_long < of_short + 6
    assert json.loads(printed.read_bytes())
