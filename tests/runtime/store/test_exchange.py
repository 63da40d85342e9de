"""The exchange ledger: what was sent and received is entered once, and what became of it stands there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import BlobRef
from connectors.sdk.exchange import Answer, Exchanged, Rules, SetEntry, SetVerdict
from runtime.governance.views import interchange_view
from runtime.model.run import EventRow, IntentRow, IntentState, Lease, RunState
from runtime.store.exchange import AtNode
from runtime.store.shared import SharedClientStore, SharedStore
from runtime.store.sqlite import SqliteStore
from runtime.store.store import NotFound
from tests.runtime.store.clock import Clock
from tests.runtime.store.rows import commit, done, expect, new, started

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

    def writes(self, **more: Any) -> tuple[str, Lease]:
        """An 850 for acme with a control number of its own, in a run that goes on."""
        lease = started(self.mercy, self.store)
        number = self.mercy.allocate("isa", 999, lease.run, "edi", "")
        entry = SetEntry("850", "0001", str(number), "PO-1")
        self.at(lease.run, "edi").written(self.one(f"order {number}", f"{number:09d}", entry, **more))
        return lease.run, lease

    def delivery(self, content: Any) -> IntentRow:
        parameters = {"path": "/in/1.edi", "content": content}
        return IntentRow("send", "", "idempotent", "sftp.deliver", "acme_sftp", parameters)

    def delivers(self, lease: Lease, content: Any, **more: Any) -> None:
        commit(self.store, lease, intents=(self.delivery(content),), **more)
        settled = replace(self.delivery(content), state=IntentState.SETTLED)
        commit(self.store, lease, intents=(settled,), outcomes=(done("send"),))

    def is_overdue(self) -> None:
        _, lease = self.writes(within=timedelta(hours=4))
        self.delivers(lease, self.row()["content"])
        self.store.follow_up()
        self.clock.forward(DAY)
        assert len(self.store.follow_up()) == 1

    def row(self) -> dict[str, Any]:
        [row] = self.mercy.interchanges.listed(direction="out").rows
        return dict(row)

    def series(self, name: str) -> dict[str, Any]:
        return next(one for one in self.mercy.interchanges.numbers()["sent"] if one["series"] == name)

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


def test_what_an_acknowledgement_says_of_a_group_holds_for_what_it_does_not_name_in_it(ledger: Ledger) -> None:
    """As a CONTRL does: by interchange, groups and messages below; zeros before a group's number do not count."""
    groups = [SetEntry("850", str(place), group, f"PO-{place}") for place, group in enumerate(("1", "2", "2"), 1)]
    ledger.at(ledger.run(), "edi").written(ledger.one("orders", "000000001", *groups))

    found = ledger.answer(
        ledger.run(), "partly", level="interchange", others="accepted",
        groups={"02": SetVerdict("rejected", "4", ["a count does not match"])},
        sets={"3": SetVerdict("accepted", "7")},
    )  # fmt: skip

    assert [one["state"] for one in found.sets] == ["accepted", "rejected", "accepted"]
    assert (found.state, found.sets[1]["errors"]) == ("partly", ["a count does not match"])


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
    assert ledger.at(second).answer_to("x12", "acme", "T", "000000001") == answer
    assert ledger.at(second).answer_to("x12", "acme", "P", "000000001") is None
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


def test_a_document_that_was_exchanged_before_is_known_by_its_key_newest_first(ledger: Ledger) -> None:
    """Before something is sent: was it sent already, and in which interchange is the order that it is about?"""
    first, second = ledger.ended(), ledger.ended()
    ledger.order(first, 1, "PO-1")
    ledger.clock.forward(DAY)
    ledger.order(second, 2, "PO-1", "PO-2")
    again = ledger.run()

    def known(run: str, key: str = "PO-1", days: float = 90, **more: str) -> list[tuple[str, str]]:
        where = {"standard": "x12", "partner": "acme", "usage": "T", "type": "850", "key": key} | more
        found = ledger.at(run, "edi").known(**where, window=timedelta(days=days))
        return [(one.direction, one.number) for one in found]

    assert known(again) == [("out", "000000002"), ("out", "000000001")]
    assert known(again, days=0.5) == [("out", "000000002")]
    assert known(second) == [("out", "000000001")], "what the execution wrote itself is no duplicate"
    assert known(again, "PO-3") == known(again, usage="P") == known(again, partner="best") == []
    assert known(again, type="860") == []


def test_a_document_that_was_rejected_or_whose_run_was_cancelled_may_be_sent_again(ledger: Ledger) -> None:
    rejected, cancelled = ledger.ended(), ledger.ended(RunState.CANCELLED)
    ledger.order(rejected, 1, "PO-1")
    ledger.order(cancelled, 2, "PO-2")
    ledger.answer(ledger.run(), "rejected", code="R")

    for key in ("PO-1", "PO-2"):
        assert ledger.at(ledger.run(), "edi").known("x12", "acme", "T", "850", key, timedelta(days=90)) == []


# what became of what was written


def test_what_a_run_delivered_is_sent_and_its_numbers_too(ledger: Ledger) -> None:
    _, lease = ledger.writes(within=timedelta(hours=4))
    ledger.delivers(lease, ledger.row()["content"])

    assert ledger.store.follow_up() == []

    row = ledger.row()
    assert (row["state"], row["sent_at"]) == ("sent", ledger.clock())
    assert row["due_at"] == ledger.clock() + timedelta(hours=4)
    assert ledger.series("isa") == {
        "series": "isa",
        "last": 1,
        "given": 0,
        "sent": 1,
        "void": 0,
        "before_ledger": 0,
    }


def test_what_is_still_to_be_delivered_is_left_as_it_is(ledger: Ledger) -> None:
    ledger.writes()

    ledger.store.follow_up()

    assert (ledger.row()["state"], ledger.series("isa")["given"]) == ("written", 1)


@pytest.mark.parametrize("ending", [RunState.DONE, RunState.CANCELLED])
def test_numbers_of_a_run_that_ended_without_sending_are_recorded_void(ledger: Ledger, ending: RunState) -> None:
    run, lease = ledger.writes()
    commit(ledger.store, lease, ending)

    ledger.store.follow_up()

    assert ledger.states() == ["void"]
    found = ledger.mercy.interchanges.numbers()
    assert [(one["series"], one["number"], one["run"], one["node"]) for one in found["void"]] == [
        ("isa", 1, run, "edi")
    ]
    assert ledger.series("isa")["void"] == 1


def test_a_number_that_was_given_and_never_written_is_void(ledger: Ledger) -> None:
    """The node failed between its number and its interchange, and its run was cancelled."""
    lease = started(ledger.mercy, ledger.store)
    ledger.mercy.allocate("isa", 999, lease.run, "edi", "")
    commit(ledger.store, lease, RunState.CANCELLED)

    ledger.store.follow_up()

    assert ledger.series("isa")["void"] == 1


def test_a_delivery_that_provably_did_not_happen_sends_nothing(ledger: Ledger) -> None:
    _, lease = ledger.writes()
    refused = replace(ledger.delivery(ledger.row()["content"]), state=IntentState.NOT_DONE)
    commit(ledger.store, lease, RunState.CANCELLED, intents=(refused,))

    ledger.store.follow_up()

    assert (ledger.states(), ledger.series("isa")["void"]) == (["void"], 1)


def test_a_delivery_of_which_nobody_knows_voids_nothing(ledger: Ledger) -> None:
    _, lease = ledger.writes()
    commit(ledger.store, lease, RunState.CANCELLED, intents=(ledger.delivery({"$blob": "sha256:other"}),))

    ledger.store.follow_up()

    assert (ledger.states(), ledger.series("isa")["sent"], ledger.series("isa")["void"]) == (["sent"], 1, 0)


@pytest.mark.parametrize(
    "more",
    [
        {"reply": {"status": 200, "body": "MSH|…"}},
        {"events": (EventRow("order.written", "PO-1", {"content": "…"}),)},
    ],
)
def test_what_may_have_gone_out_as_an_answer_or_with_an_event_is_not_void(
    ledger: Ledger, more: dict[str, Any]
) -> None:
    _, lease = ledger.writes()
    commit(ledger.store, lease, RunState.DONE, **more)

    ledger.store.follow_up()

    assert (ledger.states(), ledger.series("isa")["sent"], ledger.series("isa")["void"]) == (["sent"], 1, 0)


def test_what_was_called_void_and_is_acknowledged_after_all_says_so(ledger: Ledger) -> None:
    _, lease = ledger.writes()
    commit(ledger.store, lease, RunState.CANCELLED)
    ledger.store.follow_up()

    ledger.answer(ledger.run(), "accepted")

    assert ledger.states() == ["accepted"]


# overdue


def test_what_is_not_acknowledged_in_time_is_overdue_and_alerts_its_owner_once(ledger: Ledger) -> None:
    ledger.mercy.put_release("r1", {"flow": {"owner": "procurement"}})
    run, lease = ledger.writes(within=timedelta(hours=4))
    ledger.delivers(lease, ledger.row()["content"])
    ledger.store.follow_up()
    ledger.clock.forward(4 * 3600 - 1)
    assert (ledger.store.follow_up(), ledger.row()["overdue"]) == ([], False)
    ledger.clock.forward(1)

    [late] = ledger.store.follow_up()
    again = ledger.store.follow_up()

    [alert] = ledger.mercy.exceptions().rows
    assert (again, late.exception, late.partner, late.number) == ([], alert.id, "acme", "000000001")
    assert (alert.kind, alert.owner, alert.run, alert.node) == (
        "acknowledgement_overdue",
        "procurement",
        run,
        "edi",
    )
    assert "acme was sent interchange 000000001" in alert.message
    assert "orderly interchanges show" in alert.details["next_action"]
    [row] = ledger.mercy.interchanges.listed(overdue=True).rows
    assert (row["state"], row["overdue"], row["due_at"]) == ("sent", True, ledger.clock())


def test_an_answer_that_comes_late_ends_the_alert(ledger: Ledger) -> None:
    ledger.is_overdue()

    ledger.answer(ledger.run(), "accepted")

    [alert] = ledger.mercy.exceptions(state="").rows
    assert (alert.state, alert.resolved_by) == ("resolved", "orderly")
    assert (ledger.row()["state"], ledger.row()["overdue"]) == ("accepted", False)


def test_that_it_arrived_is_not_yet_that_it_was_accepted(ledger: Ledger) -> None:
    ledger.is_overdue()

    ledger.answer(ledger.run(), "arrived", "000000001", level="interchange", kind="TA1")

    assert (ledger.row()["state"], ledger.row()["overdue"]) == ("arrived", True)
    assert len(ledger.mercy.exceptions().rows) == 1


def test_what_is_acknowledged_in_time_is_never_overdue(ledger: Ledger) -> None:
    _, lease = ledger.writes(within=timedelta(hours=4))
    ledger.delivers(lease, ledger.row()["content"])
    ledger.store.follow_up()
    ledger.answer(ledger.run(), "accepted")
    ledger.clock.forward(DAY)

    assert ledger.store.follow_up() == []
    assert ledger.mercy.exceptions().rows == []


def test_what_was_never_sent_is_not_overdue(ledger: Ledger) -> None:
    ledger.writes(within=timedelta(hours=4))
    ledger.clock.forward(DAY)

    assert ledger.store.follow_up() == []
    assert ledger.row()["overdue"] is False


@pytest.mark.parametrize("key", ["acme/1", "acme/000000001"])
def test_where_the_node_expects_the_answer_itself_the_ledger_alerts_nobody(ledger: Ledger, key: str) -> None:
    """By group (997) or by interchange (TA1, CONTRL): there is one exception, the expectation's; the ledger shows
    the same state."""
    _, lease = ledger.writes(within=timedelta(hours=4))
    ledger.delivers(lease, ledger.row()["content"], expectations=(expect("send", key, 3600.0),))
    ledger.store.follow_up()
    ledger.clock.forward(3600)
    ledger.store.overdue()

    assert ledger.row()["overdue"] is True
    ledger.clock.forward(DAY)
    assert ledger.store.follow_up() == []
    assert [one.kind for one in ledger.mercy.exceptions().rows] == ["overdue"]


def test_a_997_that_never_came_stays_overdue_behind_the_answer_of_the_business(ledger: Ledger) -> None:
    """The ledger says what the exception of the expectation says."""
    _, lease = ledger.writes(within=timedelta(hours=4))
    ledger.delivers(lease, ledger.row()["content"], expectations=(expect("send", "acme/1", 3600.0),))
    ledger.at(ledger.run()).received(
        ledger.one("855", "000000007", SetEntry("855", "0001", "7", "PO-1", answers=("850", "PO-1"))), RULES
    )
    assert (ledger.row()["state"], ledger.row()["overdue"]) == ("acknowledged", False)

    ledger.clock.forward(3600)
    ledger.store.overdue()

    [row] = ledger.mercy.interchanges.listed(overdue=True).rows
    steps = interchange_view(row)["steps"]
    assert [step["state"] for step in steps] == ["sent", "passed", "overdue", "acknowledged"]
    assert row["due_at"] is not None


def test_an_expectation_of_something_else_covers_nothing(ledger: Ledger) -> None:
    _, lease = ledger.writes(within=timedelta(hours=4))
    ledger.delivers(lease, ledger.row()["content"], expectations=(expect("send", "PO-1", 10 * DAY),))
    ledger.store.follow_up()
    ledger.clock.forward(DAY)

    assert len(ledger.store.follow_up()) == 1


# search, numbers


def test_interchanges_are_found_by_standard_run_and_time(ledger: Ledger) -> None:
    first, second = ledger.run(), ledger.run()
    ledger.order(first, 1)
    began = ledger.clock()
    ledger.clock.forward(60)
    ledger.order(second, 2)
    found = ledger.mercy.interchanges.listed

    assert [row["number"] for row in found(standard="x12").rows] == ["000000002", "000000001"]
    assert found(standard="edifact").rows == []
    assert [row["number"] for row in found(run=first).rows] == ["000000001"]
    assert [row["number"] for row in found(since=ledger.clock()).rows] == ["000000002"]
    assert [row["number"] for row in found(until=ledger.clock(), since=began).rows] == ["000000001"]


def test_numbers_that_a_partner_left_out_are_gaps(ledger: Ledger) -> None:
    for number in (1, 2, 5, 9, 8, 2_000_000):
        ledger.at(ledger.run()).received(ledger.one(f"came {number}", f"{number:09d}"), RULES)

    [of] = ledger.mercy.interchanges.numbers()["received"]

    assert (of["partner"], of["received"], of["first"], of["last"], of["missing"]) == ("acme", 6, 1, 2_000_000, 4)
    assert of["gaps"] == [
        {"after": 5, "before": 8, "missing": 2},
        {"after": 2, "before": 5, "missing": 2},
    ], "a leap of a million is a new beginning"
    assert ledger.store.for_client("grace").interchanges.numbers()["received"] == []
