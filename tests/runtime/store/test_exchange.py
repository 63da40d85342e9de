"""The exchange ledger: what was sent and received is entered once, and what became of it stands there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import BlobRef
from connectors.sdk.exchange import Answer, Exchanged, Rules, SetEntry, SetVerdict
from runtime.model.run import RunState
from runtime.store.exchange import AtNode
from runtime.store.shared import SharedClientStore, SharedStore
from runtime.store.sqlite import SqliteStore
from runtime.store.store import NotFound
from tests.runtime.store.clock import Clock
from tests.runtime.store.rows import commit, new, started

DAY = 86_400.0
RULES = Rules()


class Ledger:
    """One client's store with a clock, and interchanges of partner acme."""

    def __init__(self, store: SharedStore, clock: Clock) -> None:
        self.store, self.clock = store, clock
        store.register_client("mercy", "Mercy General Hospital")
        self.mercy: SharedClientStore = store.for_client("mercy")

    def at(self, run: str, node: str = "read") -> AtNode:
        return self.mercy.interchanges.at("supplier_inbox", run, node, "")

    def run(self, **more: Any) -> str:
        return self.mercy.create_run(new(**more)).run

    def ended(self, state: RunState = RunState.DONE) -> str:
        lease = started(self.mercy, self.store)
        commit(self.store, lease, state)
        return lease.run

    def one(self, content: str, number: str = "000000001", *sets: SetEntry, **more: Any) -> Exchanged:
        ref = self.mercy.blobs.put(content.encode(), "application/edi-x12")
        return Exchanged("x12", "acme", "T", number, ref.blob, ref, sets, **more)

    def order(self, run: str, number: int = 1, *keys: str) -> None:
        """850s that were written for acme."""
        sets = [SetEntry("850", f"{place:04d}", str(number), key) for place, key in enumerate(keys or ("PO-1",), 1)]
        self.at(run, "edi").written(self.one(f"order {number}", f"{number:09d}", *sets))

    def states(self, **where: Any) -> list[str]:
        return [row["state"] for row in self.mercy.interchanges.listed(**where).rows]

    def answer(self, run: str, verdict: Any, number: str = "1", **more: Any) -> Any:
        given = {"level": "group", "kind": "997", "code": "A", **more}
        return self.at(run, "reconcile").reconcile(
            Answer("x12", "acme", given.pop("usage", "T"), number=number, verdict=verdict, **given)
        )


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    clock = Clock()
    if request.param == "sqlite":
        store: SharedStore = SqliteStore(tmp_path / "orderly.db", clock=clock)
    else:
        store = request.getfixturevalue("database").open(tmp_path, clock=clock)
    yield Ledger(store, clock)
    store.close()


def test_what_is_written_is_entered_once_however_often_its_node_is_tried(ledger: Ledger) -> None:
    run = ledger.run()

    ledger.order(run)
    ledger.order(run)

    [row] = ledger.mercy.interchanges.listed().rows
    assert (row["direction"], row["partner"], row["number"], row["state"]) == (
        "out",
        "acme",
        "000000001",
        "written",
    )
    assert (row["run"], row["node"], row["flow"]) == (run, "edi", "supplier_inbox")
    content = BlobRef.model_validate(row["content"])
    assert ledger.mercy.blobs.read(content) == b"order 1"
    [one] = ledger.mercy.interchanges.one(row["id"])["sets"]
    assert (one["type"], one["number"], one["group_number"], one["key"]) == ("850", "0001", "1", "PO-1")


def test_another_client_sees_nothing_of_it(ledger: Ledger) -> None:
    ledger.order(ledger.run())
    [row] = ledger.mercy.interchanges.listed().rows

    other = ledger.store.for_client("grace").interchanges

    assert other.listed().rows == []
    with pytest.raises(NotFound):
        other.one(row["id"])


# acknowledgements


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
def test_an_acknowledgement_sets_the_state_of_what_it_answers(ledger: Ledger, verdict: str) -> None:
    run = ledger.run()
    ledger.order(run)

    found = ledger.answer(ledger.run(), verdict)

    assert (found.number, found.run, found.state) == ("000000001", run, verdict)
    assert [one["state"] for one in found.sets] == [verdict]
    assert ledger.states() == [verdict]


def test_of_several_sets_each_gets_its_own_state(ledger: Ledger) -> None:
    ledger.order(ledger.run(), 1, "PO-1", "PO-2")

    sets = {"0001": SetVerdict("accepted", "A"), "0002": SetVerdict("rejected", "R", ["no such unit"])}
    found = ledger.answer(ledger.run(), "partly", code="P", sets=sets)

    assert found.state == "partly"
    assert [(one["key"], one["state"], one["errors"]) for one in found.sets] == [
        ("PO-1", "accepted", []),
        ("PO-2", "rejected", ["no such unit"]),
    ]


def test_the_same_acknowledgement_read_again_is_noted_once(ledger: Ledger) -> None:
    ledger.order(ledger.run())
    run = ledger.run()

    first, again = ledger.answer(run, "accepted"), ledger.answer(run, "accepted")

    assert first == again
    [row] = ledger.mercy.interchanges.listed().rows
    assert [note["kind"] for note in row["acknowledgements"]] == ["997"]


def test_an_acknowledgement_of_the_interchange_comes_before_or_after_that_of_its_sets(ledger: Ledger) -> None:
    ledger.order(ledger.run(), 1)
    ledger.order(ledger.run(), 2)

    ledger.answer(ledger.run(), "arrived", "000000001", level="interchange", kind="TA1")
    before = ledger.states(number="1")
    ledger.answer(ledger.run(), "accepted", "2")
    ledger.answer(ledger.run(), "arrived", "000000002", level="interchange", kind="TA1")

    assert before == ["arrived"]
    assert ledger.states(number="2") == ["accepted"]


@pytest.mark.parametrize("more", [{"number": "7"}, {"usage": "P"}, {"level": "interchange", "number": "000000007"}])
def test_an_acknowledgement_of_nothing_that_was_sent_finds_nothing(ledger: Ledger, more: dict[str, Any]) -> None:
    ledger.order(ledger.run())

    assert ledger.answer(ledger.run(), "accepted", **more) is None
    assert ledger.states() == ["written"]


def test_a_business_answer_acknowledges_the_order_whichever_comes_first(ledger: Ledger) -> None:
    ledger.order(ledger.run(), 1, "PO-1")
    response = SetEntry("855", "0001", "9", "PO-1", answers=("850", "PO-1"))

    ledger.at(ledger.run()).received(ledger.one("855", "000000009", response), RULES)
    first = ledger.states(direction="out")
    ledger.answer(ledger.run(), "accepted")

    assert first == ["acknowledged"]
    assert ledger.states(direction="out") == ["acknowledged"], "the 997 that comes late takes nothing back"


# what comes in


def test_the_same_number_and_content_from_another_run_is_a_duplicate_with_its_answer(ledger: Ledger) -> None:
    first, second = ledger.run(), ledger.run()
    came = ledger.one("855")
    answer = ledger.mercy.blobs.put(b"997")

    assert ledger.at(first).received(came, RULES).duplicate_of is None
    ledger.at(first, "acknowledge").answered("x12", "acme", "T", ["000000001"], answer)
    found = ledger.at(second).received(came, RULES)

    assert found.duplicate_of is not None
    assert found.duplicate_of.run == first
    assert found.answer == answer
    assert ledger.states() == ["duplicate", "received"]


def test_a_retry_of_the_same_node_and_another_node_of_the_run_are_told_the_same(ledger: Ledger) -> None:
    run, came = ledger.run(), ledger.one("855")

    told = [ledger.at(run, node).received(came, RULES) for node in ("read", "read", "read_again")]

    assert [found.duplicate_of for found in told] == [None, None, None]
    assert ledger.states(number="1") == ["received", "received"]


def test_a_duplicate_that_is_tried_again_is_still_a_duplicate(ledger: Ledger) -> None:
    came, second = ledger.one("855"), None
    ledger.at(ledger.run()).received(came, RULES)
    second = ledger.run()

    told = [ledger.at(second).received(came, RULES) for _ in range(2)]

    assert told[0] == told[1]
    assert told[0].duplicate_of is not None
    assert ledger.states() == ["duplicate", "received"]


def test_a_run_that_reprocesses_the_first_does_its_work_and_is_no_duplicate(ledger: Ledger) -> None:
    came, first = ledger.one("855"), ledger.ended(RunState.EXCEPTION)
    ledger.at(first).received(came, RULES)
    again = ledger.run(reprocess_of=first)

    found = ledger.at(again).received(came, RULES)

    assert found.duplicate_of is None
    assert [row["run"] for row in ledger.mercy.interchanges.listed().rows] == [again]
    assert ledger.at(ledger.run()).received(came, RULES).duplicate_of is not None


def test_what_a_cancelled_run_received_may_come_again(ledger: Ledger) -> None:
    came = ledger.one("855")
    ledger.at(ledger.ended(RunState.CANCELLED)).received(came, RULES)

    found = ledger.at(ledger.run()).received(came, RULES)

    assert found.duplicate_of is None


def test_the_same_number_with_other_content_is_quarantined_and_its_bytes_are_kept(ledger: Ledger) -> None:
    first = ledger.run()
    ledger.at(first).received(ledger.one("855"), RULES)
    second = ledger.run()

    told = [ledger.at(second).received(ledger.one("other"), RULES) for _ in range(2)]

    assert [found.reused.run for found in told if found.reused] == [first, first]
    assert ledger.states() == ["quarantined", "received"]
    [row, _] = ledger.mercy.interchanges.listed().rows
    assert ledger.mercy.blobs.read(BlobRef.model_validate(row["content"])) == b"other"


def test_what_was_quarantined_is_received_when_its_partner_may_use_numbers_again(ledger: Ledger) -> None:
    ledger.at(ledger.run()).received(ledger.one("855"), RULES)
    second = ledger.run()
    ledger.at(second).received(ledger.one("other"), RULES)

    found = ledger.at(second).received(ledger.one("other"), Rules(refuse_reused=False))

    assert found.reused is not None
    assert ledger.states() == ["received", "received"]


def test_production_and_test_do_not_share_numbers(ledger: Ledger) -> None:
    ledger.at(ledger.run()).received(ledger.one("855"), RULES)
    content = ledger.mercy.blobs.put(b"real")

    found = ledger.at(ledger.run()).received(
        Exchanged("x12", "acme", "P", "000000001", content.blob, content), RULES
    )

    assert (found.duplicate_of, found.reused) == (None, None)


def test_the_number_of_an_interchange_that_was_rejected_may_be_used_for_the_corrected_one(ledger: Ledger) -> None:
    ledger.at(ledger.run()).received(ledger.one("bad", accepted=False), RULES)

    found = ledger.at(ledger.run()).received(ledger.one("good"), RULES)

    assert found.reused is None
    assert ledger.states() == ["received", "rejected"]


def test_numbers_left_out_are_counted_and_those_that_come_late_are_none(ledger: Ledger) -> None:
    missing = []
    for number in (5, 8, 6, 9, 7, 10):
        came = ledger.one(f"855 {number}", f"{number:09d}")
        missing.append(ledger.at(ledger.run()).received(came, RULES).missing)

    assert missing == [0, 2, 0, 1, 0, 0]


def test_after_the_last_number_comes_the_first(ledger: Ledger) -> None:
    missing = []
    for number in (999_999_998, 999_999_999, 1, 3):
        came = ledger.one(f"855 {number}", f"{number:09d}")
        missing.append(ledger.at(ledger.run()).received(came, RULES).missing)

    assert missing == [0, 0, 0, 1]


def test_numbers_that_are_none_have_no_gaps(ledger: Ledger) -> None:
    for number in ("A17", "A99"):
        found = ledger.at(ledger.run()).received(ledger.one(number, number), RULES)

    assert found.missing == 0


def test_a_business_key_under_another_number_is_known_within_its_window(ledger: Ledger) -> None:
    first = ledger.run()
    ledger.at(first).received(ledger.one("one", "000000001", SetEntry("850", "0001", "1", "PO-7")), RULES)
    second = ledger.one("two", "000000002", SetEntry("850", "1", "2", "PO-8"), SetEntry("850", "2", "2", "PO-7"))
    found = ledger.at(ledger.run()).received(second, RULES)
    ledger.clock.forward(91 * DAY)
    late = ledger.at(ledger.run()).received(
        ledger.one("three", "000000003", SetEntry("850", "1", "3", "PO-7")), Rules(window=timedelta(days=90))
    )

    assert {place: earlier.run for place, earlier in found.known.items()} == {1: first}
    assert late.known == {}


def test_the_ledger_is_searched_by_state_partner_number_and_business_key(ledger: Ledger) -> None:
    ledger.order(ledger.run(), 1, "PO-1")
    ledger.order(ledger.run(), 2, "PO-2")
    ledger.answer(ledger.run(), "accepted", "2")

    assert ledger.states(key="PO-1") == ["written"]
    assert ledger.states(number="2") == ["accepted"]
    assert ledger.states(partner="nobody") == []
    page = ledger.mercy.interchanges.listed(limit=1)
    older = ledger.mercy.interchanges.listed(limit=1, before=page.after)
    assert [row["number"] for row in (*page.rows, *older.rows)] == ["000000002", "000000001"]
    assert older.after is None
