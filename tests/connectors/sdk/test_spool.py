"""A document written piece by piece is the JSON that it would have been in one piece."""

from __future__ import annotations

import json

import pytest

from connectors.sdk.spool import Spool

WHOLE = {"empty": [], "many": [{"a": "é\n", "b": [1, {"c": None}]}, "x" * 2_000_000], "inner": {"last": True}}


@pytest.mark.parametrize("for_eyes", [False, True])
def test_pieces_give_the_text_of_the_whole(for_eyes: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when it is longer than what stays in memory; what is still open is closed."""
    with Spool(for_eyes=for_eyes) as spool:
        spool.begin("{")
        spool.begin("[", "empty")
        spool.end()
        spool.begin("[", "many")
        for one in WHOLE["many"]:
            spool.put(one)
        spool.end()
        spool.begin("{", "inner")
        spool.put(True, "last")
        spool.print()

    printed = capsys.readouterr().out
    assert printed == json.dumps(WHOLE, indent=2 if for_eyes else None, ensure_ascii=not for_eyes) + "\n"


def test_nothing_is_printed_before_it_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    with Spool() as spool:
        spool.begin("[")
        spool.put(1)

    assert capsys.readouterr().out == ""
