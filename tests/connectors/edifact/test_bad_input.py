"""Whatever a partner sends, the command answers with clear faults and exit code 1, and loses no byte that it read."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from connectors.edifact import codec as edifact
from connectors.edifact.cli import group
from tests.connectors.edifact.samples import HEAD, many_orders
from tests.mappings.test_mappings import ROOT

GOOD = many_orders(2)
SECOND = GOOD.index(b"UNH+2+")

REFUSED = {
    "empty": (b"", "header_missing"),
    "blanks": (b" \r\n", "header_missing"),
    "binary": (bytes(range(256)) * 4, "header_missing"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "header_missing"),
    "service characters that clash": (b"UNA++.? '" + GOOD, "delimiters_clash"),
    "one endless segment": (HEAD.encode() + b"UNH+" + b"x" * 200_000, "segment_too_long"),
}
FAULTY = {
    "wrong number of segments": (GOOD.replace(b"UNT+20+1", b"UNT+9+1"), "message_segment_count"),
    "wrong number of messages": (GOOD.replace(b"UNZ+2", b"UNZ+3"), "interchange_count"),
    "another message number": (GOOD.replace(b"UNT+20+1", b"UNT+20+9"), "message_number_mismatch"),
    "another interchange number": (GOOD.replace(b"UNZ+2+REF1", b"UNZ+2+REF2"), "interchange_number_mismatch"),
    "other separators from the second message on": (
        GOOD[:SECOND] + GOOD[SECOND:].replace(b"+", b"|"),
        "interchange_trailer_missing",
    ),
    "another terminator from the second message on": (
        GOOD[:SECOND] + GOOD[SECOND:].replace(b"'", b"!"),
        "interchange_trailer_missing",
    ),
    "two that are glued, the first cut off": (GOOD[:200] + GOOD, "interchange_trailer_missing"),
    "junk behind the header": (HEAD.encode() + bytes(range(256)), "interchange_trailer_missing"),
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
    for cut in range(len(HEAD), len(GOOD) - 1):
        result = run("check", "-", "--json", stdin=GOOD[:cut])

        assert result.exit_code == 1, GOOD[:cut]
        assert not json.loads(result.stdout)["ok"]


def test_messages_with_another_separator_are_told_so() -> None:
    whole = (ROOT / "sample_payloads" / "edifact" / "orders.edi").read_text()
    at = whole.index("UNH")

    faults = edifact.faults(edifact.read((whole[:at] + whole[at:].replace("+", "|")).encode()))

    told = [one.message for one in faults if one.code == "segment_outside_message"]
    assert told[0].endswith("its elements look separated by '|', while UNA or UNB says '+'")
