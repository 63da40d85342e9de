"""Many at once: looked at, then done for exactly those that were looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtime.governance.bulk import Bulk, Preview
from runtime.governance.searching import BadSearch, dead_letters, exception_search, run_search
from runtime.model.run import RunState
from runtime.model.sought import Sought
from runtime.store.store import NotFound, Refused
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
PUT = {
    "id": "put", "type": "file.deliver", "connection": "outbox", "effect": "idempotent", "retry": {"attempts": 1},
    "parameters": {"path": "=n & '.txt'", "content": "=n"},
}  # fmt: skip
NO = {"id": "no", "type": "raise", "parameters": {"kind": "no_budget", "owner": "finance", "message": "no"}}


@pytest.fixture
def shop(workshop: Open, tmp_path: Any) -> Workshop:
    outbox = {"type": "file", "settings": {"root": str(tmp_path / "outbox")}}
    deliver = flow("deliver", PUT, identity="=n", keys={"number": "=n"})
    refuse = flow("refuse", NO, identity="=n", keys={"number": "=n"}, owner="sales")
    return workshop(deliver, refuse, connections={"outbox": outbox})


def bulk(shop: Workshop, **more: Any) -> Bulk:
    return Bulk(shop.services.clients["mercy"], shop.repair, **more)


def dead(shop: Workshop, **where: str) -> Sought:
    return dead_letters(shop.services.clients["mercy"], where)


def fail(shop: Workshop, flow: str, count: int, prefix: str = "D") -> list[str]:
    taken = [shop.take(flow, {"n": f"{prefix}-{n}"}) for n in range(count)]
    shop.drain()
    return taken


def chosen(preview: Preview) -> list[tuple[str, str]]:
    return [(each.id, each.seen) for each in preview.would]


def test_three_hundred_dead_letters_are_redriven_after_one_look(shop: Workshop, tmp_path: Any) -> None:
    runs = fail(shop, "deliver", 300)
    (tmp_path / "outbox").mkdir()

    preview = bulk(shop).preview_runs("redrive", dead(shop))
    assert preview.counts() == [{"flow": "deliver", "kind": "Misconfigured", "would": 300, "refused": 0}]
    done = bulk(shop).do("redrive", chosen(preview), "omar", "the folder is there")
    shop.drain()

    assert (list(done.done), done.refused) == (runs, {}), "oldest first"
    assert len(list((tmp_path / "outbox").iterdir())) == 300
    assert {shop.store.run(run).state for run in runs} == {RunState.DONE}
    details = [shop.store.audit_of(run)[0]["details"] for run in runs]
    assert {(each["why"], each["bulk"]) for each in details} == {("the folder is there", done.bulk)}
    assert shop.store.audit_of(done.bulk)[0]["details"]["done"] == 300


def test_what_was_not_looked_at_is_not_done_and_what_has_changed_since_is_left_alone(shop: Workshop) -> None:
    first, second, third = fail(shop, "deliver", 3)
    preview = bulk(shop).preview_runs("redrive", dead(shop))
    (later,) = fail(shop, "deliver", 1, "L")
    shop.repair.cancel(first, "lena", "not wanted")
    shop.repair.redrive(second, "lena")
    shop.drain()

    done = bulk(shop).do("redrive", chosen(preview), "omar", "go on")

    assert list(done.done) == [third]
    assert list(done.refused) == [first, second]
    assert all("changed since the preview" in why for why in done.refused.values())
    assert "it is cancelled now" in done.refused[first]
    assert shop.store.run(later).state is RunState.DEAD


def test_the_same_preview_is_done_once(shop: Workshop) -> None:
    runs = fail(shop, "refuse", 2, "R")
    preview = bulk(shop).preview_runs("reprocess", run_search(shop.services.clients["mercy"], {"flow": "refuse"}))

    done = bulk(shop).do("reprocess", chosen(preview), "omar", "try anew")
    shop.drain()
    again = bulk(shop).do("reprocess", chosen(preview), "omar", "try anew")

    assert sorted(done.new) == sorted(runs)
    assert {shop.store.run(new).reprocess_of for new in done.new.values()} == set(runs)
    assert (list(again.done), sorted(again.refused)) == ([], sorted(runs))
    assert all("was reprocessed before" in why for why in again.refused.values())


def test_a_preview_says_who_would_be_refused_and_why(shop: Workshop) -> None:
    (reprocessed,) = fail(shop, "refuse", 1, "R")
    shop.repair.reprocess(reprocessed, "omar", "again")
    shop.drain()
    (dead_one,) = fail(shop, "deliver", 1)
    everything = run_search(shop.services.clients["mercy"], {"states": ["dead", "exception"]})

    preview = bulk(shop).preview_runs("redrive", everything)

    assert {each.id: each.why_not for each in preview.refused}[reprocessed].startswith("run ")
    assert "was reprocessed as" in {each.id: each.why_not for each in preview.refused}[reprocessed]
    assert dead_one in [each.id for each in preview.would]
    kinds = {(row["flow"], row["kind"]): (row["would"], row["refused"]) for row in preview.counts()}
    assert kinds == {("refuse", "no_budget"): (1, 1), ("deliver", "Misconfigured"): (1, 0)}


def test_a_preview_changes_nothing(shop: Workshop) -> None:
    runs = fail(shop, "deliver", 2)
    before = len(shop.store.audit_trail())

    for action in ("redrive", "redrive_current", "reprocess", "cancel"):
        assert len(bulk(shop).preview_runs(action, dead(shop)).would) == 2

    assert {shop.store.run(run).state for run in runs} == {RunState.DEAD}
    assert len(shop.store.audit_trail()) == before


def test_exceptions_are_resolved_by_those_who_may_and_the_others_say_why_not(shop: Workshop) -> None:
    fail(shop, "refuse", 2, "R")
    looked = bulk(shop, may_resolve=lambda owner: owner != "finance")
    search = exception_search({"kind": "no_budget", "state": "open"})

    refused = looked.preview_exceptions("resolve", search)
    forced = looked.do("resolve", [(each.id, each.seen) for each in refused.refused], "anna", "mine")
    allowed = bulk(shop).preview_exceptions("resolve", search)
    done = bulk(shop).do("resolve", chosen(allowed), "omar", "the budget was raised")

    assert all("belongs to finance" in each.why_not for each in refused.refused)
    assert (refused.would, list(forced.done), len(forced.refused)) == ([], [], 2)
    assert len(done.done) == 2
    rows = [shop.store.exception(id) for id in done.done]
    assert {(row.state, row.resolved_by, row.note) for row in rows} == {
        ("resolved", "omar", "the budget was raised")
    }
    assert shop.store.audit_of(done.done[0])[0]["details"]["bulk"] == done.bulk


def test_the_runs_of_exceptions_are_redriven_once_each(shop: Workshop) -> None:
    runs = fail(shop, "refuse", 2, "R")

    preview = bulk(shop).preview_exceptions("redrive", exception_search({"state": "open", "owner": "finance"}))

    assert [each.id for each in preview.would] == runs


@pytest.mark.parametrize("why", ["", "   "])
def test_without_a_reason_nothing_is_done(shop: Workshop, why: str) -> None:
    (run,) = fail(shop, "deliver", 1)

    with pytest.raises(Refused, match="say why"):
        bulk(shop).do("cancel", [(run, "")], "omar", why)

    assert shop.store.run(run).state is RunState.DEAD


def test_an_unknown_action_and_an_unknown_run_are_refused(shop: Workshop) -> None:
    with pytest.raises(Refused, match="there are: redrive"):
        bulk(shop).preview_runs("resolve", dead(shop))
    with pytest.raises(NotFound):
        bulk(shop).preview_runs("redrive", Sought(), ["nosuchrun"])
    done = bulk(shop).do("redrive", [("nosuchrun", "")], "omar", "go on")

    assert list(done.refused) == ["nosuchrun"]


def test_dead_letters_are_found_by_key_identity_kind_owner_flow_and_time(shop: Workshop) -> None:
    runs = fail(shop, "deliver", 3)
    shop.pass_time(days=1)
    (later,) = fail(shop, "deliver", 1, "L")
    fail(shop, "refuse", 1, "R")

    def found(**where: str) -> list[str]:
        return sorted(row.id for row in shop.store.found_runs(dead(shop, **where)).rows)

    assert found() == sorted([*runs, later])
    assert found(text="D-1") == [runs[1]] == found(text=runs[1])
    assert found(text="D-*") == sorted(runs)
    assert found(text=f"{runs[0][:25]}*")[:1] == [runs[0]]
    assert found(kind="Misconfigured", owner="procurement") == sorted([*runs, later])
    assert found(kind="Rejected") == found(owner="sales") == found(owner="nobody") == found(flow="refuse") == []
    assert found(since="2026-11-25") == [later]
    assert found(until="2026-11-25T00:00:00Z", flow="deliver") == sorted(runs)


@pytest.mark.parametrize(
    ("where", "field"), [({"since": "yesterday"}, "since"), ({"colour": "red"}, "colour"), ({"states": ["odd"]}, "states")]
)  # fmt: skip
def test_what_cannot_be_searched_for_is_said(shop: Workshop, where: dict[str, Any], field: str) -> None:
    with pytest.raises(BadSearch) as told:
        run_search(shop.services.clients["mercy"], where)

    assert told.value.field == field
