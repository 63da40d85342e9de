"""What the commands of all EDI standards say of a file."""

from __future__ import annotations

import json

import click
import pytest

from connectors.sdk import Rejected
from connectors.sdk.edi import Fault, Place
from connectors.sdk.edi_commands import line_of, listing, refusing

FAULT = Fault("element_code", "is no code\x1b[2J", Place("1", "2", "0003"), "warn", segment=4)


def test_a_fault_stands_on_a_line_with_its_place() -> None:
    """What strangers wrote moves no cursor."""
    assert line_of(FAULT, "set") == (
        "warn   interchange 1, group 2, set 0003, segment 4: is no code␛[2J [element_code]"
    )
    assert line_of(Fault("empty", "is empty"), "message") == "reject file: is empty [empty]"


def test_a_list_is_followed_by_what_is_known_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    with listing("faults", as_json=True) as (spool, behind):
        spool.put(1)
        behind["ok"] = False

    assert json.loads(capsys.readouterr().out) == {"faults": [1], "ok": False}


@pytest.mark.parametrize("as_json", [False, True])
def test_of_what_is_refused_half_way_only_the_problem_is_printed(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit) as left, listing("faults", as_json) as (spool, _):
        spool.put(1)
        raise Rejected("it breaks off", code="cut", next_action="send it again", details={"position": 9})

    printed = capsys.readouterr()
    assert left.value.exit_code == 1
    assert printed.err == "error: it breaks off\nsend it again\n"
    assert (json.loads(printed.out)["position"] if as_json else printed.out) == (9 if as_json else "")


def test_an_error_of_our_own_is_no_refusal() -> None:
    """A mistake in the program must not look like a mistake in the file."""
    with pytest.raises(ZeroDivisionError), refusing(as_json=True):
        _ = 1 / 0
