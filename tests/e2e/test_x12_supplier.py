"""What a supplier sends in X12 is answered over the same SFTP server with 997 and TA1, as its profile says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.governance.views import interchange_view
from tests.e2e.supply import Open, Supply, opened

Opens = Callable[..., Supply]
QUIET = {"acknowledge": {"functional": False}}


@pytest.fixture
def supply(workshop: Open, tmp_path: Path) -> Opens:
    """With this in the X12 part of the profile."""

    def made(**x12: Any) -> Supply:
        found = opened(workshop, tmp_path, "x12", x12=x12)
        for kind in ("despatch_advice", "invoice"):
            found.supplier.late(kind)
        return found

    return made


def answers(made: Supply, count: int = 1) -> list[tuple[str, str, str]]:
    """Of each 997 and TA1 that the supplier read: its type, code, and the number it answers."""
    made.supplier.journal.wait("answered", count)
    return [(one["type"], one["code"], one["of"]) for one in made.supplier.journal.entries("answered")]


def files(made: Supply) -> int:
    """That were delivered to the supplier."""
    return len(list((made.supplier.folder / "in").iterdir()))


def test_an_order_acknowledgement_is_answered_with_a_997_and_the_997s_are_not(supply: Opens) -> None:
    made = supply()
    made.order()
    made.collect("acknowledgement")

    assert answers(made) == [("997", "A", "2")]
    assert (files(made), made.problems()) == (2, [])
    made.shop.services.store.follow_up()
    assert made.ledger("out", "x12_answer") == ["sent"]
    [ours] = [
        row for row in made.shop.store.interchanges.listed(direction="out").rows if row["flow"] == "x12_answer"
    ]
    [step] = interchange_view(made.shop.store.interchanges.one(ours["id"]))["steps"]
    assert (step["name"], step["state"]) == ("sent", "sent"), "nobody acknowledges an acknowledgement"
    assert len(made.supplier.journal.entries("functional_acknowledgement")) == 1, "an answer is not answered"
    made.collect("acknowledgement")
    assert files(made) == 2


def test_a_partner_who_wants_no_997_gets_none(supply: Opens) -> None:
    made = supply(**QUIET)
    made.order()

    made.collect("acknowledgement")

    assert (files(made), made.problems()) == (1, [])


def test_a_partner_who_wants_a_ta1_of_everything_gets_it_but_for_acknowledgements(supply: Opens) -> None:
    made = supply(acknowledge={"ta1": "always"})
    made.order()

    made.collect("acknowledgement")

    assert answers(made, 2) == [("TA1", "A", "000000002"), ("997", "A", "2")]


def test_one_bad_set_is_rejected_in_the_997_and_the_good_one_goes_on(supply: Opens) -> None:
    made = supply()
    made.supplier.send_wrong("bad_set")
    number = made.order()

    made.collect("acknowledgement")

    assert answers(made) == [("997", "P", "2")]
    assert made.problems() == ["faulty_set"]
    assert [one["number"] for one in made.shop.simulator("erp").journal.entries("confirmed")] == [number]


def test_a_file_that_comes_twice_is_answered_with_the_same_bytes_under_the_same_name(supply: Opens) -> None:
    made = supply()
    made.supplier.send_wrong("duplicate")
    made.order()

    made.collect("acknowledgement", 2)

    assert sorted(made.ledger("in")) == ["duplicate", "received", "received"]
    assert (files(made), made.problems()) == (2, [])
    assert answers(made) == [("997", "A", "2")]


def test_a_number_that_was_used_before_is_refused_with_025_and_nothing_of_it_is_taken(supply: Opens) -> None:
    """Also by the profile as it is where it says nothing of TA1s."""
    made = supply()
    made.supplier.send_wrong("other_content")
    made.order()

    made.collect("acknowledgement", 2)

    assert answers(made, 2) == [("997", "A", "2"), ("TA1", "R", "000000002")]
    sent = b"".join(path.read_bytes() for path in (made.supplier.folder / "in").iterdir())
    assert b"*R*025" in sent
    assert made.problems() == ["interchange_number_reused"]
    assert sorted(made.ledger("in")) == ["quarantined", "received", "received"]
    assert len(made.shop.simulator("erp").journal.entries("confirmed")) == 1


def test_a_wrong_count_of_the_interchange_rejects_all_of_it(supply: Opens) -> None:
    made = supply(acknowledge={"ta1": "rejected"})
    made.supplier.send_wrong("wrong_total")
    made.order()

    made.collect("acknowledgement")

    assert answers(made) == [("TA1", "R", "000000002")]
    assert (made.problems(), made.shop.simulator("erp").journal.entries("confirmed")) == (["faulty_set"], [])


def test_what_is_for_production_is_refused_and_answered(supply: Opens) -> None:
    made = supply()
    made.supplier.send_wrong("other_environment")
    made.order()

    made.collect("acknowledgement")

    assert answers(made) == [("997", "R", "2")]
    assert made.problems() == ["faulty_set"]
    (found,) = made.shop.store.exceptions().rows
    assert "ISA15" in found.message, "the clerk is told what is wrong with the interchange"
