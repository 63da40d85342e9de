"""Whatever a partner sends, the command answers with clear faults and exit code 1, and loses no byte that it read."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from connectors.x12.cli import group
from tests.connectors.x12.made import interchange

LINES = "BEG*00*NE*PO-1**20261120~PO1*1*5*EA*7.20**VC*A-1~CTT*1~"
GOOD = interchange(f"850|{LINES}", f"850|{LINES}")
SECOND_SET = GOOD.index(b"ST*850*0002")
MIXED = GOOD[:SECOND_SET] + GOOD[SECOND_SET:].replace(b"*", b"|")

REFUSED = {
    "empty": (b"", "header_missing"),
    "blanks": (b" \r\n", "header_missing"),
    "binary": (bytes(range(256)) * 4, "header_missing"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "header_missing"),
    "a header that is cut off": (GOOD[:60], "header_incomplete"),
    "one endless segment": (GOOD[:106] + b"GS*" + b"x" * 200_000, "segment_too_long"),
}
FAULTY = {
    "wrong number of segments": (GOOD.replace(b"SE*5*0001", b"SE*9*0001"), "set_segment_count"),
    "wrong number of sets": (GOOD.replace(b"GE*2*", b"GE*3*"), "group_set_count"),
    "wrong number of groups": (GOOD.replace(b"IEA*1*", b"IEA*2*"), "interchange_group_count"),
    "another set number": (GOOD.replace(b"SE*5*0001", b"SE*5*0009"), "set_number_mismatch"),
    "another group number": (GOOD.replace(b"GE*2*7", b"GE*2*8"), "group_number_mismatch"),
    "another interchange number": (
        GOOD.replace(b"IEA*1*000000007", b"IEA*1*000000008"),
        "interchange_number_mismatch",
    ),
    "other separators from the second set on": (MIXED, "interchange_trailer_missing"),
    "another terminator from the second set on": (
        GOOD[:SECOND_SET] + GOOD[SECOND_SET:].replace(b"~", b"!"),
        "interchange_trailer_missing",
    ),
    "two that are glued, the first cut off": (GOOD[:200] + GOOD, "interchange_trailer_missing"),
    "junk behind the header": (GOOD[:106] + bytes(range(256)), "interchange_trailer_missing"),
}


def run(*arguments: str, stdin: bytes) -> Result:
    result = CliRunner().invoke(group, list(arguments), input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(("raw", "code"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("verb", ["read", "check", "show"])
def test_what_is_no_interchange_is_refused_with_a_reason_and_what_to_do(verb: str, raw: bytes, code: str) -> None:
    result = run(verb, "-", "--json", stdin=raw)

    assert result.exit_code == 1
    problem = json.loads(result.stdout)
    assert problem["code"] == code
    assert problem["next_action"]


@pytest.mark.parametrize(("raw", "code"), FAULTY.values(), ids=FAULTY)
def test_what_is_damaged_is_told_by_its_faults_and_written_back_as_it_came(raw: bytes, code: str) -> None:
    checked = run("check", "-", "--json", stdin=raw)
    written = run("write", "-", stdin=run("read", "-", "--json", stdin=raw).stdout_bytes)

    assert checked.exit_code == 1
    assert code in [one["code"] for one in json.loads(checked.stdout)["faults"]]
    assert run("show", "-", stdin=raw).exit_code == 0
    assert written.stdout_bytes == raw


def test_a_file_that_is_cut_off_anywhere_never_passes() -> None:
    for cut in range(106, len(GOOD) - 1):
        result = run("check", "-", "--json", stdin=GOOD[:cut])

        assert result.exit_code == 1, GOOD[106:cut]
        assert not json.loads(result.stdout)["ok"]
