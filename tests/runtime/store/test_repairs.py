"""Search and repair mean the same in every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime.model.run import (
    Carry,
    ConnectionState,
    IntentState,
    OutcomeState,
    Position,
    RunState,
)
from runtime.model.sought import Onto, Said, Sought
from runtime.store.sqlite import SqliteStore
from runtime.store.store import ClientStore, NotFound, Refused, Store
from tests.runtime.store.clock import Clock
from tests.runtime.store.database import Database
from tests.runtime.store.rows import SECONDS, commit, done, exception, new, once, outcome, started, wait

OMAR = Said("omar.said", "mended")
HELD = {"held_by": "connection:erp", "why": "paused"}


class Repairs:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def store(self, opener: Callable[[Clock], Any], clock: Clock) -> Iterator[Store]:
        store = opener(clock)
        store.register_client("mercy", "Mercy General Hospital")
        yield store
        store.close()

    @pytest.fixture
    def mercy(self, store: Store) -> ClientStore:
        return store.for_client("mercy")

    def dead(self, store: Store, mercy: ClientStore, identity: str, error: dict[str, Any], **more: Any) -> str:
        lease = started(mercy, store, identity, **more)
        commit(store, lease, RunState.DEAD, outcomes=(outcome("send", OutcomeState.DEAD, error=error),))
        return lease.run

    # search

    def test_runs_are_found_by_everything_that_people_know_of_them(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        refused = {"type": "Rejected", "message": 'it said "type":"NotSent"', "details": {"a": 1}}
        keys = (("requisition", "REQ-1001"),)
        first = self.dead(store, mercy, "R-1/0", refused, keys=keys)
        clock.forward(3600)
        second = self.dead(store, mercy, "R-2/0", {"type": "NotSent", "message": "out"}, flow="other",
                           keys=(("requisition", "REQ-1002"),))  # fmt: skip
        other = store.for_client("other")
        store.register_client("other", "Other")
        self.dead(store, other, "R-1/0", refused, keys=keys)

        def found(**sought: Any) -> list[str]:
            return [row.id for row in mercy.found_runs(Sought(states=(RunState.DEAD,), **sought)).rows]

        assert found() == [second, first]
        assert found(text="REQ-1001") == found(text="R-1/0") == found(text=first) == [first]
        assert found(text="REQ-100*") == [second, first]
        assert found(text="REQ-100") == found(text="REQ_100*") == found(text="%*") == []
        assert found(text="R-1/0", flows=("other",)) == []
        assert found(kind="Rejected") == [first]
        assert found(kind="NotSent") == [second], "what an error quotes is not its type"
        assert found(kind='x","') == []
        assert found(since=clock()) == [second]
        assert found(until=clock(), flows=("requisition_to_order", "other")) == [first]
        assert mercy.failures([first, second]) == {first: "Rejected", second: "NotSent"}

    def test_an_identity_is_found_among_any_number_of_flows(self, mercy: ClientStore) -> None:
        runs = {name: mercy.create_run(new(f"I-{name}", flow=name)).run for name in ("b", "a", "c")}

        for name, run in runs.items():
            assert [row.id for row in mercy.found_runs(Sought(text=f"I-{name}")).rows] == [run]

    def test_found_runs_come_page_by_page_without_a_gap(self, store: Store, mercy: ClientStore) -> None:
        runs = [self.dead(store, mercy, f"R-{n}", {"type": "Rejected"}) for n in range(7)]
        seen: list[str] = []
        before = None

        while True:
            page = mercy.found_runs(Sought(states=(RunState.DEAD,), kind="Rejected"), limit=3, before=before)
            seen += [row.id for row in page.rows]
            before = page.after
            if before is None:
                break

        assert seen == sorted(runs, reverse=True)

    def test_exceptions_are_found_by_what_their_runs_are_called(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store, "R-1/0", keys=(("requisition", "REQ-1"),))
        commit(store, lease, RunState.EXCEPTION, exceptions=(exception(run=lease.run),))
        alone = mercy.raise_exception(exception("unreadable", flow="inbox"))
        mercy.assign(alone, "lena.fox")
        (raised,) = [row.id for row in mercy.exceptions().rows if row.id != alone]

        def found(**sought: Any) -> list[str]:
            return [row.id for row in mercy.found_exceptions(Sought(**sought)).rows]

        assert found(text="REQ-1") == found(text="R-1/0") == found(text=lease.run) == found(text=raised) == [raised]
        assert found(kind="unreadable") == found(assignee="lena.fox") == found(flows=("inbox",)) == [alone]
        assert found(owner="finance", state="open") == [alone, raised]
        mercy.resolve_exception(alone, "lena.fox", "sent again")
        assert found(state="resolved") == [alone]

    # what is seen is what is done

    def test_a_run_that_changed_since_it_was_seen_is_left_alone(self, store: Store, mercy: ClientStore) -> None:
        run = self.dead(store, mercy, "R-1", {"type": "Rejected"})
        seen = mercy.run(run).stamp
        mercy.redrive(run, OMAR, seen=seen)
        lease = store.acquire(run, "one", SECONDS)
        assert lease is not None
        commit(store, lease, RunState.DEAD)

        for action in (
            lambda: mercy.redrive(run, OMAR, seen=seen),
            lambda: mercy.cancel(run, "so", OMAR, seen=seen),
        ):
            with pytest.raises(Refused, match="has changed since the preview, it is dead now"):
                action()

        assert [row["action"] for row in mercy.audit_of(run)] == ["run.redriven"]

    def test_a_refused_repair_leaves_no_trace_in_the_audit(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)

        with pytest.raises(Refused):
            mercy.redrive(lease.run, OMAR)
        with pytest.raises(Refused):
            mercy.step_aside(lease.run, OMAR)

        assert mercy.audit_of(lease.run) == []
        assert set(mercy.refusals("redrive", [lease.run, "nosuchrun"])) == {lease.run, "nosuchrun"}

    def test_a_run_goes_on_with_another_release(self, store: Store, mercy: ClientStore) -> None:
        run = self.dead(store, mercy, "R-1", {"type": "Rejected"})

        mercy.redrive(run, OMAR, onto=Onto("r2", "2.0.0"))

        known = mercy.run(run)
        assert (known.release, known.version, known.state) == ("r2", "2.0.0", RunState.READY)

    # cancel with undo

    def test_a_run_to_be_undone_goes_on_and_ends_as_cancelled(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.WAITING, outcomes=(done("order", undo={"type": "x.y"}),),
               timers=(wait("w", "PO-1"),))  # fmt: skip

        assert list(mercy.cancel(lease.run, "mistake", OMAR, undo=True)) == [lease.run]

        story = mercy.story(lease.run)
        assert (story.run.state, story.run.outcome) == (RunState.READY, "cancelled")
        assert [row.state for row in story.timers] == ["cancelled"]
        assert story.attempts[-1].input == {"by": "omar.said", "why": "mended"}
        again = store.acquire(lease.run, "one", SECONDS)
        assert again is not None
        assert store.load(again).run.outcome == "cancelled"
        commit(store, again, RunState.CANCELLED)
        assert mercy.run(lease.run).finished_at is not None

    @pytest.mark.parametrize("how", ["uncertain", "open", "unread"])
    def test_what_is_not_known_is_not_undone(self, store: Store, mercy: ClientStore, how: str) -> None:
        lease = started(mercy, store)
        commit(store, lease, intents=(once("order"),))
        if how == "unread":
            commit(store, lease, RunState.UNCERTAIN, outcomes=(outcome("order", OutcomeState.UNCERTAIN),))
            mercy.settle(lease.run, "order", "", True, None, "omar.said", "seen")
        else:
            rows = (outcome("order", OutcomeState.UNCERTAIN),) if how == "uncertain" else ()
            commit(store, lease, RunState.DEAD, outcomes=rows)

        with pytest.raises(Refused, match="cannot be undone yet"):
            mercy.cancel(lease.run, "mistake", OMAR, undo=True)

        assert mercy.run(lease.run).finished_at is None

    # carried over

    def test_what_is_carried_over_is_known_when_the_new_run_begins(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store, "R-1")
        blob = {"$blob": f"sha256:{'a' * 64}", "size": 1, "type": "text/plain"}
        commit(store, lease, intents=(once("order"), once("pay"), once("ship")))
        commit(store, lease, RunState.DEAD, outcomes=(done("order", {"file": blob}, undo={"type": "x.y"}),))
        said = outcome("pay", OutcomeState.DONE, output={"paid": 1})
        kept, denied = (Position("order"),), (Position("ship"),)

        for short in (Carry(), Carry(kept), Carry(kept, (said,)), Carry((), (said,), denied)):
            with pytest.raises(Refused, match="twice"):
                mercy.create_run(new("R-1", reprocess_of=lease.run, carry=short))
        created = mercy.create_run(
            new("R-1", reprocess_of=lease.run, carry=Carry(kept, (said,), denied)), said=OMAR
        )

        again = store.acquire(created.run, "one", SECONDS)
        assert again is not None
        loaded = store.load(again)
        order, pay = loaded.outcomes[Position("order")], loaded.outcomes[Position("pay")]
        assert (order.output, order.undo, order.unread) == ({"file": blob}, {"type": "x.y"}, False)
        assert (pay.output, pay.unread, Position("ship") in loaded.outcomes) == ({"paid": 1}, True, False)
        assert {at.node: row.state for at, row in loaded.intents.items()} == {
            "order": IntentState.SETTLED, "pay": IntentState.SETTLED,
        }  # fmt: skip
        assert {row.node: row.state for row in mercy.story(lease.run).intents} == {
            "order": IntentState.SETTLED, "pay": IntentState.SETTLED, "ship": IntentState.NOT_DONE,
        }  # fmt: skip
        assert mercy.audit_of(lease.run)[0]["details"] == {"why": "mended", "new": created.run}

    def test_a_run_that_was_carried_over_is_itself_not_done_twice(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store, "R-1")
        commit(store, lease, intents=(once("order"),))
        commit(store, lease, RunState.DEAD, outcomes=(done("order"),))
        carry = Carry((Position("order"),))
        second = mercy.create_run(new("R-1", reprocess_of=lease.run, carry=carry)).run
        again = store.acquire(second, "one", SECONDS)
        assert again is not None
        commit(store, again, RunState.DEAD)

        with pytest.raises(Refused, match="carry its outcome over"):
            mercy.create_run(new("R-1", reprocess_of=second))

        assert mercy.create_run(new("R-1", reprocess_of=second, carry=carry)).state is RunState.READY

    def test_what_has_no_outcome_cannot_be_kept(self, store: Store, mercy: ClientStore) -> None:
        run = self.dead(store, mercy, "R-1", {"type": "Rejected"})

        with pytest.raises(Refused, match="no outcome"):
            mercy.create_run(new("R-1", reprocess_of=run, carry=Carry((Position("send"),))))

        assert mercy.successors(run) == []

    # pauses

    def test_a_pause_and_its_end_share_a_commit_with_what_they_hold_and_with_the_audit(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        paused = ConnectionState("erp", paused=True, why="closing", by="omar.said", paused_at=clock())
        mercy.put_connection_state(paused, Said("omar.said", "closing"))
        runs = [started(mercy, store) for _ in range(3)]
        for lease in runs:
            commit(store, lease, RunState.HELD, **HELD)
        assert mercy.held() == {"connection:erp": 3}
        mercy.put_connection_state(ConnectionState("erp", failures=2))
        assert mercy.connection_states()["erp"].why == "closing", "whoever counts outages does not end a pause"

        end = clock() + timedelta(hours=1)
        until = ConnectionState("erp", paused=True, why="closing", by="omar.said", paused_until=end)
        mercy.put_connection_state(until, Said("omar.said", "closing"))
        assert {mercy.run(lease.run).due_at for lease in runs} == {end}
        assert mercy.held() == {"connection:erp": 3}
        freed = mercy.put_connection_state(ConnectionState("erp"), Said("lena.fox", "done"))

        assert list(freed) == [lease.run for lease in runs]
        assert [(row["actor"], row["action"]) for row in mercy.audit_of("erp")] == [
            ("lena.fox", "connection.resumed"), ("omar.said", "connection.paused"),
            ("omar.said", "connection.paused"),
        ]  # fmt: skip
        assert mercy.audit_of("erp")[0]["details"] == {"why": "done", "runs": 3}
        assert mercy.held() == {}

    def test_a_dead_letter_is_given_to_somebody(self, store: Store, mercy: ClientStore) -> None:
        run = self.dead(store, mercy, "R-1", {"type": "Rejected"})
        mercy.audit("omar.said", "run.assigned", run, {"assignee": "anna.berg"})
        mercy.audit("omar.said", "run.assigned", run, {"assignee": "lena.fox"})

        assert mercy.assignees([run, "other"]) == {run: "lena.fox"}

    def test_nobody_sees_or_repairs_what_belongs_to_another_client(self, store: Store, mercy: ClientStore) -> None:
        run = self.dead(store, mercy, "R-1", {"type": "Rejected"})
        mercy.audit("omar.said", "run.assigned", run, {"assignee": "lena.fox"})
        store.register_client("other", "Other")
        other = store.for_client("other")

        assert other.found_runs(Sought(text=run)).rows == []
        assert (other.audit_of(run), other.assignees([run]), other.failures([run])) == ([], {}, {})
        assert (other.successors(run), list(other.refusals("redrive", [run]))) == ([], [run])
        for action in (
            lambda: other.redrive(run, OMAR), lambda: other.cancel(run, "so", OMAR, undo=True),
            lambda: other.step_aside(run, OMAR), lambda: other.create_run(new("R-1", reprocess_of=run)),
        ):  # fmt: skip
            with pytest.raises(NotFound):
                action()


class TestSqlite(Repairs):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Callable[[Clock], Store]:
        return lambda clock: SqliteStore(tmp_path / "orderly.db", clock=clock)


class TestPostgresql(Repairs):
    @pytest.fixture
    def opener(self, database: Database, tmp_path: Path) -> Callable[[Clock], Store]:
        return lambda clock: database.open(tmp_path, clock=clock)
