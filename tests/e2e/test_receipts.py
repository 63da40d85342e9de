"""Acknowledgements of receipt: a TA1, a CONTRL that says 8. They say that an interchange arrived, and accept nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.supply import Open, Supply, opened

CONTRL = (
    "UNB+UNOC:3+9521234600015:14+9521234500018:14+261124:0900+{number}++++++1'UNH+1+CONTRL:D:3:UN'"
    "UCI+1+9521234500018:14+9521234600015:14+{action}'UNT+3+1'UNZ+1+{number}'"
)
TA1 = (
    "ISA*00*          *00*          *ZZ*ACMEMED        *ZZ*MERCYHOSP      *261124*0900*U*00401*{number:09d}*0*T*>~"
    "TA1*000000001*261124*0800*{code}*000~IEA*0*{number:09d}~"
)
RECEIPTS = {"x12": "x12.ta1", "edifact": "edifact.receipt"}
ANSWERS = {"x12": "x12.997", "edifact": "edifact.contrl"}


@pytest.fixture(params=["x12", "edifact"])
def standard(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(standard: str, workshop: Open, tmp_path: Path) -> Supply:
    """A supplier from whom an acknowledgement of receipt is awaited within the hour, and who says nothing himself."""
    found = opened(workshop, tmp_path, standard, awaiting={"interchange": "1h"})
    found.supplier.silent()
    found.order()
    found.supplier.journal.wait("order")
    return found


def put_out(made: Supply, standard: str, number: int = 7, action: str = "8") -> None:
    text = TA1.format(number=number, code="A") if standard == "x12" else CONTRL.format(number=number, action=action)
    made.supplier.put_out(f"{number}.edi", text.encode())
    made.collect("order")


def test_a_receipt_says_that_it_arrived_and_the_functional_answer_is_still_awaited(
    made: Supply, standard: str
) -> None:
    put_out(made, standard)

    assert made.ledger("out") == ["arrived"]
    assert (made.waits()[RECEIPTS[standard]], made.waits()[ANSWERS[standard]]) == ("met", "open")
    assert made.problems() == []
    made.later(hours=5)
    assert made.overdue() == [ANSWERS[standard]]


def test_no_receipt_within_its_time_is_overdue_until_one_comes(made: Supply, standard: str) -> None:
    made.later(hours=1)
    assert made.overdue() == [RECEIPTS[standard]]

    put_out(made, standard)

    assert made.overdue() == []


@pytest.mark.parametrize("standard", ["edifact"])
def test_a_contrl_that_accepts_is_a_receipt_too(made: Supply) -> None:
    put_out(made, "edifact", action="7")

    assert made.ledger("out") == ["accepted"]
    assert (made.waits()["edifact.receipt"], made.waits()["edifact.contrl"]) == ("met", "met")


@pytest.mark.parametrize("standard", ["edifact"])
def test_a_receipt_that_comes_late_takes_back_nothing(made: Supply) -> None:
    put_out(made, "edifact", 7, "7")

    put_out(made, "edifact", 8, "8")

    assert (made.ledger("out"), made.problems()) == (["accepted"], [])
