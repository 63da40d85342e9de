"""A corrected message makes a new run; what must happen once is carried over or nothing is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtime.engine.door import NotAccepted
from runtime.governance.reprocess import Decided, Reprocess, changed
from runtime.model.run import RunState
from runtime.store.store import IdentityConflict, Refused
from tests.runtime.engine.test_effects import BODY, ORDER
from tests.workshop import ERP, Workshop, flow

Open = Callable[..., Workshop]
REFUSES = {"id": "check", "type": "route", "cases": [{"when": "=$exists(bad)", "nodes": [
    {"id": "boom", "type": "raise", "parameters": {"kind": "odd", "message": "no"}}]}]}  # fmt: skip
TOLD = {"id": "told", "type": "respond", "parameters": {"body": "=$"}}


def checking(workshop: Open, **more: Any) -> Workshop:
    return workshop(flow("take", REFUSES, TOLD, identity="=n", keys={"number": "=n"}, **more))


def ordering(workshop: Open, *nodes: dict[str, Any], **more: Any) -> Workshop:
    made = flow("order", *nodes, identity="=n", **more)
    return workshop(made, connections={"erp": ERP}, simulators={"erp": {"type": "erp"}})


def orders(shop: Workshop) -> int:
    return len(shop.simulator("erp").journal.entries("purchase_order"))


def last(shop: Workshop, run: str, action: str) -> Any:
    return next(row for row in shop.store.audit_of(run) if row["action"] == action)


def test_a_corrected_message_goes_on_in_place_of_the_old_one_which_stays(workshop: Open) -> None:
    shop = checking(workshop)
    old = shop.run("take", {"n": "R-1", "bad": 1, "lines": [{"q": 1}, {"q": 2}]})
    body = {"n": "R-1", "lines": [{"q": 1}, {"q": 3}]}

    made = shop.repair.reprocess(old.id, "omar", "the ward meant three", body)
    shop.drain()

    run, was = shop.store.run(made.run), shop.story(old.id)
    assert (run.state, run.reprocess_of, run.reply) == (RunState.DONE, old.id, {"status": 200, "body": body})
    assert (was.run.state, was.body["bad"], was.raw is not None) == (RunState.EXCEPTION, 1, True)
    assert [row.state for row in was.exceptions] == ["resolved"]
    assert [each.id for each in shop.store.successors(old.id)] == [made.run]
    said = last(shop, old.id, "run.reprocessed")
    assert (said["actor"], said["details"]["why"], said["details"]["new"]) == (
        "omar",
        "the ward meant three",
        made.run,
    )
    assert said["details"]["edited"] == ["/bad", "/lines/1/q"]
    assert "3" not in str(said["details"]["edited"]), "places are kept, what documents say is not"


def test_the_sender_who_repeats_the_first_message_gets_the_corrected_run(workshop: Open) -> None:
    shop = checking(workshop)
    first = {"n": "R-1", "bad": 1}
    old = shop.run("take", first)
    made = shop.repair.reprocess(old.id, "omar", "not bad at all", {"n": "R-1"})

    again = shop.take("take", first)

    assert again == made.run


def test_a_correction_that_the_flow_does_not_accept_changes_nothing(workshop: Open) -> None:
    shop = checking(workshop)
    old = shop.run("take", {"n": "R-1", "bad": 1})
    file = flow("take", TOLD, identity="=n", trigger={"type": "call", "accepts": "canonical/requisition"})
    shop._write("flows/take/flow.json", file)
    shop.again()

    with pytest.raises(NotAccepted) as told:
        shop.repair.reprocess(old.id, "omar", "mended", {"n": "R-1"})

    assert "requisition_number" in " ".join(each.message for each in told.value.violations)
    assert shop.store.successors(old.id) == []
    assert [row["action"] for row in shop.store.audit_of(old.id)] == []


def test_without_a_reason_nothing_is_reprocessed(workshop: Open) -> None:
    shop = checking(workshop)
    old = shop.run("take", {"n": "R-1", "bad": 1})

    with pytest.raises(Refused, match="reason is kept"):
        shop.repair.reprocess(old.id, "omar", " ", {"n": "R-1"})

    assert shop.store.successors(old.id) == []


def test_a_correction_under_the_identity_of_another_document_is_refused(workshop: Open) -> None:
    shop = checking(workshop)
    other = shop.run("take", {"n": "R-2"})
    old = shop.run("take", {"n": "R-1", "bad": 1})

    with pytest.raises(IdentityConflict, match=other.id):
        shop.repair.reprocess(old.id, "omar", "wrong number", {"n": "R-2", "more": True})
    with pytest.raises(Refused, match=f"came before under its identity, as run {other.id}"):
        shop.repair.reprocess(old.id, "omar", "wrong number", {"n": "R-2"})

    assert shop.store.successors(old.id) == []


def test_an_order_that_is_carried_over_is_not_placed_again_and_can_still_be_found_and_undone(
    workshop: Open,
) -> None:
    take_back = {"id": "stop", "type": "end", "parameters": {"outcome": "withdrawn", "undo": True}}
    shop = ordering(workshop, ORDER, REFUSES, take_back)
    old = shop.run("order", {**BODY, "bad": 1})
    assert (old.state, orders(shop)) == (RunState.EXCEPTION, 1)
    with pytest.raises(Refused, match="carry its outcome over"):
        shop.repair.reprocess(old.id, "omar", "mended", BODY)

    made = shop.repair.reprocess(old.id, "omar", "the order stands", BODY, Decided(carry=True))
    shop.drain()

    story = shop.story(made.run)
    assert (story.run.state, story.run.outcome, orders(shop)) == (RunState.DONE, "withdrawn", 1)
    assert story.keys["purchase_order"] == shop.story(old.id).keys["purchase_order"]
    assert [entry["number"] for entry in shop.simulator("erp").journal.entries("cancelled")] == [
        story.keys["purchase_order"]
    ]
    assert last(shop, old.id, "run.reprocessed")["details"]["carried"] == ["order"]


@pytest.mark.parametrize("happened", [True, False])
def test_of_an_effect_that_nobody_knows_of_a_person_says_what_became_of_it(workshop: Open, happened: bool) -> None:
    """It was sent, the ERP hung up, and the run was cancelled before anybody settled it."""
    shop = ordering(workshop, {**ORDER, "look_up": "none: the ERP cannot be asked"}, TOLD)
    erp = shop.simulator("erp")
    erp.hang_up_after("CreatePurchaseOrder")
    old = shop.run("order", BODY)
    shop.repair.cancel(old.id, "omar", "we look at it tomorrow")
    with pytest.raises(Refused, match="nobody knows whether what node 'order'"):
        shop.repair.reprocess(old.id, "omar", "go on", BODY, Decided(carry=True))

    decided = (
        Decided(happened={"order": {"Number": "4500000001"}}) if happened else Decided(not_happened=("order",))
    )
    made = shop.repair.reprocess(old.id, "omar", "I telephoned", BODY, decided)
    shop.drain()

    assert shop.store.run(made.run).state is RunState.DONE
    assert orders(shop) == (1 if happened else 2)
    if happened:
        assert shop.store.keys_of([made.run])[made.run] == {"purchase_order": "4500000001"}
    assert [row.state for row in shop.story(old.id).intents] == ["settled" if happened else "not_done"]


def test_nobody_can_say_of_a_known_effect_that_it_did_not_happen(workshop: Open) -> None:
    shop = ordering(workshop, ORDER, REFUSES)
    old = shop.run("order", {**BODY, "bad": 1})

    with pytest.raises(Refused, match="nothing is open at 'order'"):
        shop.repair.reprocess(old.id, "omar", "again", BODY, Decided(not_happened=("order",)))

    assert orders(shop) == 1


def test_an_order_of_an_item_is_not_carried_over_because_items_may_be_others(workshop: Open) -> None:
    each = {"id": "each", "type": "for_each", "parameters": {"items": "=items"}, "nodes": [ORDER]}
    shop = ordering(workshop, each, REFUSES)
    old = shop.run("order", {"n": "R-1", "bad": 1, "items": [BODY]})
    assert orders(shop) == 1

    with pytest.raises(Refused, match="item 0 of a for_each"):
        shop.repair.reprocess(old.id, "omar", "again", {"n": "R-1", "items": [BODY]}, Decided(carry=True))


def test_a_call_that_placed_an_order_is_carried_over_as_a_whole(workshop: Open) -> None:
    call = {"id": "call", "type": "call_flow", "parameters": {"flow": "inner", "wait": True}, "into": "called"}
    shop = workshop(
        flow("outer", call, REFUSES, TOLD), flow("inner", ORDER),
        connections={"erp": ERP}, simulators={"erp": {"type": "erp"}},
    )  # fmt: skip
    old = shop.run("outer", {**BODY, "bad": 1})
    assert (old.state, orders(shop)) == (RunState.EXCEPTION, 1)
    once = Reprocess(shop.services.clients["mercy"]).once(shop.story(old.id))
    assert [(each.place, each.state, each.why_not) for each in once] == [("call", "called", "")]

    made = shop.repair.reprocess(old.id, "omar", "it was not bad", BODY, Decided(carry=True))
    shop.drain()

    assert (shop.store.run(made.run).state, orders(shop)) == (RunState.DONE, 1)
    assert [child.id for child in shop.story(made.run).children] == [
        child.id for child in shop.story(old.id).children
    ]


def test_a_reprocessed_run_keeps_its_place_among_those_of_its_key(workshop: Open) -> None:
    seen = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "key": "=n"}}
    shop = workshop(flow("changes", REFUSES, seen, order_by="=order"))
    poisoned = shop.take("changes", {"n": "a1", "order": "A", "bad": 1})
    behind = shop.take("changes", {"n": "a2", "order": "A"})
    shop.drain()
    assert shop.store.run(behind).state is RunState.HELD

    shop.repair.reprocess(poisoned, "omar", "mended", {"n": "a1", "order": "A"})
    shop.drain()

    assert [event.key for event in shop.store.events_after(0, ["seen"])] == ["a1", "a2"]


def test_a_run_that_was_corrected_to_another_key_lets_those_of_the_old_one_go(workshop: Open) -> None:
    seen = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "key": "=n"}}
    shop = workshop(flow("changes", REFUSES, seen, order_by="=order"))
    poisoned = shop.take("changes", {"n": "a1", "order": "A", "bad": 1})
    shop.take("changes", {"n": "a2", "order": "A"})
    shop.drain()

    shop.repair.reprocess(poisoned, "omar", "wrong order", {"n": "b1", "order": "B"})
    shop.drain()

    assert sorted(event.key for event in shop.store.events_after(0, ["seen"])) == ["a2", "b1"]


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["/a/b/1"]),
        ({"a": [1]}, {"a": [1, 2]}, ["/a"]),
        ({"a": 1, "b": 2}, {"b": 2, "c/d": 3}, ["/a", "/c~1d"]),
        ({"a": True}, {"a": 1}, ["/a"]),
        ([], {}, ["/"]),
    ],
)
def test_what_was_corrected_is_told_by_place(old: Any, new: Any, places: list[str]) -> None:
    assert changed(old, new) == places
