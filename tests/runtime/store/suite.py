"""What every store promises; each backend's tests inherit this and supply ``opened``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import bindparam, update

from runtime.model.limits import Limits
from runtime.model.run import (
    NOT_READ,
    ApprovalRow,
    ConnectionState,
    EventRow,
    ExceptionRow,
    IntentState,
    Lease,
    Loaded,
    OutcomeState,
    Position,
    RunState,
    source_cursor,
)
from runtime.model.sought import Said
from runtime.store import tables
from runtime.store.batches import Collected
from runtime.store.queues import Queue, before_it, behind_it
from runtime.store.shared import SharedStore
from runtime.store.statements import Statement
from runtime.store.store import ClientStore, IdentityConflict, NotFound, Overtaken, Refused, StaleLease, Store
from tests.runtime.store.clock import Clock
from tests.runtime.store.rows import (
    SECONDS,
    approval,
    child,
    commit,
    decision,
    done,
    exception,
    expect,
    new,
    once,
    outcome,
    started,
    tried,
    wait,
)

Opener = Callable[[Clock], Store]


def in_line(store: Store, mercy: ClientStore, clock: Clock) -> str:
    """A run that waits for the connection ``erp`` and would come by itself in an hour."""
    lease = started(mercy, store)
    due = clock() + timedelta(hours=1)
    commit(store, lease, RunState.WAITING, due_at=due, why="is asked enough", held_by="connection:erp")
    return lease.run


class StoreSuite:
    """A backend's test class has a fixture ``opener`` that opens an empty store with a clock."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def store(self, opener: Opener, clock: Clock) -> Iterator[Store]:
        store = opener(clock)
        store.register_client("mercy", "Mercy General Hospital")
        yield store
        store.close()

    @pytest.fixture
    def mercy(self, store: Store) -> ClientStore:
        return store.for_client("mercy")

    # how a run begins

    def begun(self, store: Store, run: str, owner: str = "one") -> tuple[Lease, Loaded]:
        found = store.begin(run, owner, SECONDS)
        assert found is not None
        return found

    def test_a_run_is_begun_with_its_body_and_committed_under_its_first_fence(
        self, store: Store, mercy: ClientStore
    ) -> None:
        run = mercy.create_run(new("R-1/0")).run

        lease, loaded = self.begun(store, run)

        assert (loaded.body, loaded.outcomes, lease.fence) == ({"total": "12.50"}, {}, 1)
        assert commit(store, lease, intents=(once("order"),)).state is RunState.LEASED
        story = mercy.story(run)
        assert (story.run.state, story.run.fence) == (RunState.LEASED, 1)
        assert [intent.node for intent in story.intents] == ["order"]

    @pytest.mark.parametrize("state", [RunState.DONE, RunState.WAITING, RunState.DEAD])
    def test_the_first_commit_may_be_the_last(self, store: Store, mercy: ClientStore, state: RunState) -> None:
        run = mercy.create_run(new("R-1/0")).run
        lease, _ = self.begun(store, run)

        assert commit(store, lease, outcomes=(done("a"),), state=state).state is state

        story = mercy.story(run)
        assert (story.run.state, story.run.fence, len(story.outcomes)) == (state, 1, 1)

    def test_of_two_that_begin_a_run_one_commits_and_the_other_writes_nothing(
        self, store: Store, mercy: ClientStore
    ) -> None:
        run = mercy.create_run(new("R-1/0")).run
        lease, _ = self.begun(store, run)
        late = store.begin(run, "two", SECONDS)

        commit(store, lease, intents=(once("order"),))
        if late is not None:
            with pytest.raises(Overtaken):
                commit(store, late[0], outcomes=(done("other"),), state=RunState.DONE)

        story = mercy.story(run)
        assert (story.run.state, len(story.intents), story.outcomes) == (RunState.LEASED, 1, [])

    def test_of_many_that_begin_a_run_at_one_time_one_goes_on(self, store: Store, mercy: ClientStore) -> None:
        run = mercy.create_run(new("R-1/0")).run

        def begin(number: int) -> bool:
            found = store.begin(run, f"worker {number}", SECONDS)
            try:
                return found is not None and bool(commit(store, found[0], outcomes=(done(f"n{number}"),)))
            except Overtaken:
                return False

        with ThreadPoolExecutor(8) as threads:
            went_on = list(threads.map(begin, range(8)))

        assert went_on.count(True) == 1
        assert [row.node for row in mercy.story(run).outcomes] == [f"n{went_on.index(True)}"]

    def test_a_run_that_was_advanced_before_is_leased_as_it_is_begun(
        self, store: Store, mercy: ClientStore
    ) -> None:
        run = mercy.create_run(new("R-1/0")).run
        first, _ = self.begun(store, run)
        commit(store, first, outcomes=(done("a"),), state=RunState.READY)

        lease, loaded = self.begun(store, run, "two")

        assert (lease.fence, lease.written, list(loaded.outcomes)) == (2, True, [Position("a")])
        assert store.begin(run, "three", SECONDS) is None

    def test_a_run_that_is_not_runnable_is_not_begun(self, store: Store, mercy: ClientStore) -> None:
        run = mercy.create_run(new("R-1/0")).run
        mercy.cancel(run, "not wanted")

        assert store.begin(run, "one", SECONDS) is None
        assert store.begin("none", "one", SECONDS) is None

    # the idempotent receiver

    def test_a_new_run_is_ready_and_due_at_once(self, store: Store, mercy: ClientStore) -> None:
        created = mercy.create_run(
            new("R-1/0", keys=(("requisition", "R-1"),), headers={"id": "7"}, raw="sha256:ab")
        )

        assert not created.duplicate
        assert created.state is RunState.READY
        assert store.due() == [created.run]
        story = mercy.story(created.run)
        assert (story.body, story.headers, story.raw) == ({"total": "12.50"}, {"id": "7"}, "sha256:ab")
        assert story.keys == {"requisition": "R-1"}

    def test_the_same_identity_and_body_is_the_first_run(self, mercy: ClientStore) -> None:
        first = mercy.create_run(new("R-1/0"))

        again = mercy.create_run(new("R-1/0"))

        assert again.duplicate
        assert again.run == first.run
        assert len(mercy.runs().rows) == 1
        found = mercy.find_identity("requisition_to_order", "R-1/0")
        assert found is not None
        assert (found[0].id, found[1]) == (first.run, "d1")

    def test_the_same_identity_with_another_body_is_a_conflict_that_names_the_first_run(
        self, mercy: ClientStore
    ) -> None:
        first = mercy.create_run(new("R-1/0"))

        with pytest.raises(IdentityConflict) as conflict:
            mercy.create_run(new("R-1/0", digest="d2"))

        assert conflict.value.run == first.run
        assert len(mercy.runs().rows) == 1

    def test_an_identity_belongs_to_one_flow_of_one_client(self, store: Store, mercy: ClientStore) -> None:
        runs = {
            mercy.create_run(new("R-1/0")).run,
            mercy.create_run(new("R-1/0", flow="other", digest="d2")).run,
            store.for_client("other").create_run(new("R-1/0", digest="d3")).run,
            mercy.create_run(new()).run,
            mercy.create_run(new()).run,
        }

        assert len(runs) == 5

    def test_the_same_message_from_fifty_threads_is_one_run(self, mercy: ClientStore) -> None:
        together = threading.Barrier(50)

        def post(_: int) -> tuple[str, bool]:
            together.wait(20)
            created = mercy.create_run(new("R-1/0"))
            return created.run, created.duplicate

        with ThreadPoolExecutor(50) as threads:
            answers = list(threads.map(post, range(50)))

        assert len({run for run, _ in answers}) == 1
        assert sorted(duplicate for _, duplicate in answers) == [False] + [True] * 49
        assert len(mercy.runs().rows) == 1

    def test_a_refused_unit_does_not_fail_those_that_share_its_commit(self, mercy: ClientStore) -> None:
        mercy.create_run(new("R-1/0"))
        together = threading.Barrier(20)

        def post(number: int) -> bool:
            together.wait(20)
            try:
                if number % 2:
                    mercy.create_run(new("R-1/0", digest="other"))
                else:
                    mercy.create_run(new(f"R-{number + 2}/0"))
            except IdentityConflict:
                return False
            return True

        with ThreadPoolExecutor(20) as threads:
            stored = list(threads.map(post, range(20)))

        assert stored == [number % 2 == 0 for number in range(20)]
        assert len(mercy.runs().rows) == 11

    def test_what_is_not_json_is_refused_and_nothing_stored(self, mercy: ClientStore) -> None:
        with pytest.raises(ValueError, match="JSON"):
            mercy.create_run(new("R-1/0", body={"total": float("nan")}))

        assert mercy.runs().rows == []

    def test_text_of_any_characters_comes_back_as_it_went_in(self, mercy: ClientStore) -> None:
        body = {"note": "Ünïcødé \x00 \ud800 \U0001f600 ' \" ; --"}

        run = mercy.create_run(new(body=body)).run

        assert mercy.story(run).body == body

    # leases

    def test_a_lease_keeps_others_out_until_it_ends(self, store: Store, mercy: ClientStore, clock: Clock) -> None:
        lease = started(mercy, store)

        assert store.acquire(lease.run, "two", SECONDS) is None
        assert store.due() == []
        assert store.next_due() == clock() + timedelta(seconds=SECONDS)

        clock.forward(SECONDS)
        assert store.due() == [lease.run]
        second = store.acquire(lease.run, "two", SECONDS)
        assert second is not None
        assert second.fence > lease.fence

    def test_of_many_that_reach_for_a_run_one_gets_it(self, store: Store, mercy: ClientStore) -> None:
        run = mercy.create_run(new()).run
        together = threading.Barrier(16)

        def reach(number: int) -> Lease | None:
            together.wait(20)
            return store.acquire(run, f"worker {number}", SECONDS)

        with ThreadPoolExecutor(16) as threads:
            leases = list(threads.map(reach, range(16)))

        assert sum(lease is not None for lease in leases) == 1

    def test_extending_tells_which_leases_are_still_held(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        lost, kept = started(mercy, store), started(mercy, store)
        clock.forward(SECONDS)
        store.acquire(lost.run, "two", SECONDS)

        assert store.extend([lost, kept], SECONDS) == [kept]
        assert store.extend([], SECONDS) == []

        clock.forward(SECONDS - 1)
        assert store.due() == []

    def test_a_commit_with_a_stale_fence_is_refused_and_writes_nothing(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        stale = started(mercy, store)
        clock.forward(SECONDS)
        fresh = store.acquire(stale.run, "two", SECONDS)
        assert fresh is not None

        with pytest.raises(StaleLease, match="another worker"):
            commit(store, stale, RunState.DONE, outcomes=(done("a", 1),), events=(EventRow("e", "k", None),),
                   child=child("c", stale.run), keys=(("po", "1"),))  # fmt: skip

        story = mercy.story(stale.run)
        assert (story.outcomes, story.events, story.children, story.keys) == ([], [], [], {})
        assert story.run.state is RunState.LEASED
        assert commit(store, fresh, RunState.DONE).state is RunState.DONE

    def test_a_finished_run_is_never_due(self, store: Store, mercy: ClientStore, clock: Clock) -> None:
        lease = started(mercy, store)

        commit(store, lease, RunState.DONE, outcome="done", reply={"status": 200})

        clock.forward(10_000)
        run = mercy.run(lease.run)
        assert (run.state, run.outcome, run.reply) == (RunState.DONE, "done", {"status": 200})
        assert run.finished_at is not None
        assert store.due() == []
        assert store.next_due() is None
        assert store.acquire(lease.run, "two", SECONDS) is None

    def test_due_runs_come_oldest_first(self, store: Store, mercy: ClientStore, clock: Clock) -> None:
        runs = []
        for _ in range(3):
            runs.append(mercy.create_run(new()).run)
            clock.forward(1)

        assert store.due() == runs
        assert store.due(limit=2) == runs[:2]

    # checkpoints

    def test_what_was_committed_is_loaded(self, store: Store, mercy: ClientStore, clock: Clock) -> None:
        lease = started(mercy, store, keys=(("requisition", "R-1"),))
        undo = {"type": "soap.call", "connection": "erp", "effect": "idempotent", "parameters": {"Number": "1"}}
        order = once("order", look_up={"type": "soap.call", "connection": "erp", "parameters": {}})
        failed = outcome(
            "later", OutcomeState.RETRYING, error={"message": "down"}, due_at=clock.forward(5), attempts=2
        )
        commit(store, lease, intents=(order,))

        at = clock.forward(1)
        committed = commit(
            store, lease, RunState.WAITING, due_at=clock() + timedelta(seconds=9), why="later: down",
            outcomes=(done("order", {"Number": "1"}, undo=undo, started_at=at, engine="jsonatapy"), failed),
            attempts=(tried("order", clock()),), keys=(("purchase_order", "1"), ("requisition", "R-2")),
        )  # fmt: skip

        clock.forward(9)
        again = store.acquire(lease.run, "two", SECONDS)
        assert again is not None
        loaded = store.load(again)
        assert committed.at == at
        assert loaded.run.checkpoint_at == at
        assert loaded.run.why == "later: down"
        assert loaded.keys == {"requisition": "R-2", "purchase_order": "1"}
        assert loaded.outcomes == {
            Position("order"): done("order", {"Number": "1"}, undo=undo, started_at=at, engine="jsonatapy"),
            Position("later"): failed,
        }
        settled = replace(order, state=IntentState.SETTLED, fence=lease.fence, opened_at=at - timedelta(seconds=1))
        assert loaded.intents == {Position("order"): settled}
        assert mercy.story(lease.run).attempts == [tried("order", at)]

    def test_large_payloads_are_left_where_they_are_until_they_are_used(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        """A run that is advanced for the first time begins with its body; later on states say what is left to do."""
        large = {"text": "x" * 2_000}
        undo = {"type": "soap.call", "connection": "erp", "effect": "idempotent", "parameters": large}
        created = mercy.create_run(replace(new(), body=large))
        lease = store.acquire(created.run, "one", SECONDS)
        assert lease is not None
        assert store.load(lease).body == large
        open_, settled = (replace(once(node), parameters=large) for node in ("later", "order"))
        commit(store, lease, intents=(open_, settled))
        commit(
            store, lease, RunState.WAITING, due_at=clock() + timedelta(seconds=9),
            outcomes=(
                done("order", large, undo=undo), done("small", {"n": 1}),
                outcome("open", OutcomeState.WAITING, output=large), done("told", large, unread=True),
            ),
        )  # fmt: skip
        clock.forward(9)
        again = store.acquire(lease.run, "two", SECONDS)
        assert again is not None

        loaded = store.load(again)

        outputs = {at.node: row.output for at, row in loaded.outcomes.items()}
        assert loaded.body is NOT_READ
        assert outputs == {"order": NOT_READ, "small": {"n": 1}, "open": large, "told": large}
        assert loaded.outcomes[Position("order")].state is OutcomeState.DONE
        assert loaded.intents[Position("later")].parameters == large
        assert loaded.intents[Position("order")].parameters is NOT_READ
        assert store.read_body(again) == large
        whole = store.read_outcome(again, Position("order"))
        assert (whole.output, whole.undo) == (large, undo)

    def test_a_later_outcome_of_a_position_takes_the_place_of_the_earlier(
        self, store: Store, mercy: ClientStore
    ) -> None:
        lease = started(mercy, store)
        commit(store, lease, outcomes=(outcome("a", OutcomeState.RETRYING), done("a", 3, iteration="3")))

        commit(store, lease, outcomes=(done("a", 1),))

        outcomes = {(row.iteration, row.state, row.output) for row in mercy.story(lease.run).outcomes}
        assert outcomes == {("", "done", 1), ("3", "done", 3)}

    def test_a_commit_without_a_state_extends_the_lease(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        lease = started(mercy, store)
        clock.forward(SECONDS - 1)

        assert commit(store, lease, outcomes=(done("a"),)).state is RunState.LEASED

        clock.forward(SECONDS - 1)
        assert store.due() == []

    def test_a_waiting_run_is_due_at_its_time(self, store: Store, mercy: ClientStore, clock: Clock) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.WAITING, due_at=clock() + timedelta(hours=4))

        assert store.next_due() == clock() + timedelta(hours=4)
        assert store.acquire(lease.run, "two", SECONDS) is None

        clock.forward(4 * 3600)
        assert store.due() == [lease.run]

    @pytest.mark.parametrize("state", [RunState.DEAD, RunState.EXCEPTION, RunState.HELD, RunState.DONE])
    def test_a_run_that_stands_still_is_due_at_no_time(
        self, store: Store, mercy: ClientStore, clock: Clock, state: RunState
    ) -> None:
        """One of its branches may have had a retry ahead: whoever sweeps sleeps all the same."""
        lease = started(mercy, store)

        commit(store, lease, state, due_at=clock.forward(5))

        assert mercy.run(lease.run).due_at is None
        assert store.next_due() is None

    def test_nobody_is_woken_for_a_run_that_cannot_be_acquired(
        self, store: SharedStore, mercy: ClientStore, clock: Clock
    ) -> None:
        """Earlier versions left a time with runs that stand still."""
        lease = started(mercy, store)
        commit(store, lease, RunState.DEAD)
        late = update(tables.run).where(tables.run.c.id == bindparam("of")).values(due_at=bindparam("at"))
        store.transact(lambda tx: tx.run(Statement(late), {"of": lease.run, "at": tx.now}))

        assert store.due() == []
        assert store.next_due() is None

    # signals

    def test_an_event_wakes_the_run_that_waits_for_it(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        waiting = outcome("wait", OutcomeState.WAITING)
        commit(store, lease, RunState.WAITING, outcomes=(waiting,), timers=(wait("wait", "PO-1"),))

        assert mercy.publish(EventRow("purchase_order.acknowledged", "PO-2", {})) == []
        rung = mercy.publish(EventRow("purchase_order.acknowledged", "PO-1", {"status": "accepted"}))

        assert rung == [lease.run]
        again = store.acquire(lease.run, "two", SECONDS)
        assert again is not None
        timer = store.load(again).timers[Position("wait")]
        assert timer.state == "fired"
        assert timer.event is not None
        assert timer.event["data"] == {"status": "accepted"}

    def test_events_of_one_client_wake_no_run_of_another(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.WAITING, timers=(wait("wait", "PO-1"),))

        assert store.for_client("other").publish(EventRow("purchase_order.acknowledged", "PO-1", {})) == []

        assert mercy.run(lease.run).state is RunState.WAITING

    def test_an_event_that_came_before_the_wait_fires_it_at_once(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        mercy.publish(EventRow("purchase_order.acknowledged", "PO-1", {"status": "changed"}))

        committed = commit(store, lease, RunState.WAITING, timers=(wait("wait", "PO-1"),))

        assert committed.state is RunState.READY
        assert committed.ring == ()
        assert store.due() == [lease.run]
        assert mercy.story(lease.run).timers[0].state == "fired"

    def test_an_event_older_than_the_run_does_not_fire_its_wait(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        mercy.publish(EventRow("purchase_order.acknowledged", "PO-1", {}))
        clock.forward(1)
        lease = started(mercy, store)

        assert commit(store, lease, RunState.WAITING, timers=(wait("wait", "PO-1"),)).state is RunState.WAITING

    def test_a_signal_while_leased_is_not_lost(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, timers=(wait("wait", "PO-1"),))
        mercy.publish(EventRow("purchase_order.acknowledged", "PO-1", {}))

        late = commit(store, lease, RunState.WAITING, timers=(wait("wait", "PO-1"),))

        assert late.state is RunState.READY
        assert store.due() == [lease.run]
        assert mercy.story(lease.run).timers[0].state == "fired"

    def test_a_signal_that_the_lease_has_seen_does_not_wake_it_again(
        self, store: Store, mercy: ClientStore
    ) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.WAITING, timers=(wait("wait", "PO-1"),))
        mercy.publish(EventRow("purchase_order.acknowledged", "PO-1", {}))
        again = store.acquire(lease.run, "two", SECONDS)
        assert again is not None

        assert commit(store, again, RunState.WAITING).state is RunState.WAITING

    def test_a_run_may_publish_what_its_own_branch_waits_for(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        event = EventRow("purchase_order.acknowledged", "PO-1", {}, node="publish")

        committed = commit(store, lease, RunState.WAITING, timers=(wait("wait", "PO-1"),), events=(event,))

        assert committed.state is RunState.READY
        assert committed.ring == ()

    def test_an_event_of_a_run_rings_the_others_that_wait_for_it(self, store: Store, mercy: ClientStore) -> None:
        waiting, publishing = started(mercy, store), started(mercy, store)
        commit(store, waiting, RunState.WAITING, timers=(wait("wait", "PO-1"),))

        committed = commit(store, publishing, events=(EventRow("purchase_order.acknowledged", "PO-1", {}),))

        assert committed.ring == (waiting.run,)
        assert mercy.run(waiting.run).state is RunState.READY

    # children

    def test_a_child_is_born_in_its_callers_commit(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)

        committed = commit(store, lease, outcomes=(done("call"),), child=child("call", lease.run, identity="C-1"))

        assert committed.child is not None
        assert not committed.child.duplicate
        story = mercy.story(lease.run)
        assert [run.id for run in story.children] == [committed.child.run]
        assert story.outcomes[0].output == {"run": committed.child.run, "duplicate": False}
        caller = mercy.run(committed.child.run).caller
        assert caller is not None
        assert (caller.run, caller.node, caller.waits) == (lease.run, "call", False)

    def test_a_child_of_a_known_identity_is_the_first_run(self, store: Store, mercy: ClientStore) -> None:
        first = mercy.create_run(new("C-1", flow="child_flow"))
        lease = started(mercy, store)

        committed = commit(store, lease, outcomes=(done("call"),), child=child("call", lease.run, identity="C-1"))

        assert committed.child is not None
        assert (committed.child.run, committed.child.duplicate) == (first.run, True)
        assert mercy.story(lease.run).outcomes[0].output == {"run": first.run, "duplicate": True}

    def test_a_child_whose_identity_has_another_body_writes_nothing(self, store: Store, mercy: ClientStore) -> None:
        mercy.create_run(new("C-1", flow="child_flow", digest="other"))
        lease = started(mercy, store)

        with pytest.raises(IdentityConflict):
            commit(store, lease, outcomes=(done("call"),), child=child("call", lease.run, identity="C-1"))

        assert mercy.story(lease.run).outcomes == []
        assert commit(store, lease, RunState.DONE).state is RunState.DONE

    def test_a_position_has_one_child_however_often_it_is_tried(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        first = commit(store, lease, child=child("call", lease.run)).child

        again = commit(store, lease, child=child("call", lease.run)).child

        assert (again.run, again.duplicate) == (first.run, True)
        assert len(mercy.runs(flow="child_flow").rows) == 1

    def test_a_child_that_ends_wakes_the_caller_that_waits(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        waiting = outcome("call", OutcomeState.WAITING)
        born = commit(
            store, lease, RunState.WAITING, outcomes=(waiting,), child=child("call", lease.run, waits=True)
        )
        inner = store.acquire(born.child.run, "two", SECONDS)
        assert inner is not None

        ended = commit(store, inner, RunState.DONE, outcome="rejected")

        assert ended.ring == (lease.run,)
        again = store.acquire(lease.run, "one", SECONDS)
        assert again is not None
        found = store.load(again).children[Position("call")]
        assert (found.id, found.state, found.outcome) == (born.child.run, RunState.DONE, "rejected")

    def test_a_caller_that_waits_for_a_run_that_has_ended_goes_on(self, store: Store, mercy: ClientStore) -> None:
        ended = started(mercy, store, "C-1", flow="child_flow")
        commit(store, ended, RunState.DONE)
        lease = started(mercy, store)

        waits = child("call", lease.run, waits=True, identity="C-1")
        assert commit(store, lease, RunState.WAITING, child=waits).state is RunState.READY

    # expectations

    def test_an_answer_that_overtakes_its_question_is_matched(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        lease = started(mercy, store)
        commit(store, lease, intents=(once("send"),), expectations=(expect("send", "acme/1"),))

        mercy.publish(EventRow("x12.997", "acme/1", {"code": "A"}))
        commit(store, lease, RunState.DONE, outcomes=(done("send"),))

        clock.forward(3600)
        assert mercy.story(lease.run).expectations[0].state == "met"
        assert store.overdue() == []

    def test_what_came_before_the_run_meets_an_expectation_that_looks_back_so_far(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        mercy.publish(EventRow("x12.997", "acme/1", {"code": "A"}))
        clock.forward(60)
        lease = started(mercy, store)
        rows = tuple(
            replace(expect(f"send_{seconds}", "acme/1"), earlier=float(seconds)) for seconds in (0, 30, 61)
        )

        commit(store, lease, expectations=rows)

        stands = {row.node: row.state for row in mercy.story(lease.run).expectations}
        assert stands == {"send_0": "open", "send_30": "open", "send_61": "met"}

    def test_the_time_of_an_expectation_counts_from_the_outcome(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        lease = started(mercy, store)
        commit(store, lease, intents=(once("send"),), expectations=(expect("send", "acme/1", within=60),))
        assert mercy.story(lease.run).expectations[0].due_at is None

        sent = clock.forward(10)
        commit(store, lease, RunState.DONE, outcomes=(done("send"),))

        assert mercy.story(lease.run).expectations[0].due_at == sent + timedelta(seconds=60)
        assert store.next_due() == sent + timedelta(seconds=60)

    def test_an_overdue_expectation_is_an_exception_of_the_flows_owner_once(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        mercy.put_release("r1", {"flow": {"owner": "procurement"}})
        lease = started(mercy, store)
        commit(store, lease, RunState.DONE, outcomes=(done("send"),), expectations=(expect("send", "acme/1"),))
        clock.forward(59)
        assert store.overdue() == []

        clock.forward(1)
        found = store.overdue()

        assert [(client, row.event_key, row.state) for client, row in found] == [("mercy", "acme/1", "overdue")]
        (raised,) = mercy.exceptions().rows
        assert (raised.kind, raised.owner, raised.run) == ("overdue", "procurement", lease.run)
        assert raised.expectation == found[0][1].id
        assert "acme/1" in raised.message
        assert store.overdue() == []

    def test_a_failure_that_was_taken_care_of_expects_nothing(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        """Nothing was sent, so that nothing can come back."""
        lease = started(mercy, store)
        commit(store, lease, intents=(once("send"),), expectations=(expect("send", "acme/1"),))
        handled = done("send", name="failed", error={"type": "Rejected", "message": "no such supplier"})

        commit(store, lease, outcomes=(handled,))
        commit(store, lease, RunState.DONE, intents=(once("send", state=IntentState.NOT_DONE),))

        story = mercy.story(lease.run)
        assert [row.state for row in story.expectations] == ["cancelled"]
        assert [row.state for row in story.intents] == [IntentState.NOT_DONE]
        clock.forward(3600)
        assert store.overdue() == []

    def test_what_was_undone_expects_nothing_any_more(self, store: Store, mercy: ClientStore, clock: Clock) -> None:
        """Not before: what is to be undone and is not yet may still be answered."""
        lease = started(mercy, store)
        commit(store, lease, outcomes=(done("send"),), expectations=(expect("send", "acme/1"),))
        assert [row.state for row in mercy.story(lease.run).expectations] == ["open"]

        commit(store, lease, RunState.DONE, outcomes=(outcome("send", OutcomeState.UNDONE),))

        assert [row.state for row in mercy.story(lease.run).expectations] == ["cancelled"]
        clock.forward(3600)
        assert store.overdue() == []

    def test_the_intent_of_a_handled_failure_stays_as_it_was_written(
        self, store: Store, mercy: ClientStore
    ) -> None:
        lease = started(mercy, store)
        commit(store, lease, intents=(once("send"),))

        commit(store, lease, outcomes=(done("send", name="failed", error={"message": "no"}),))

        assert [row.state for row in mercy.story(lease.run).intents] == [IntentState.OPEN]

    def test_an_answer_that_comes_late_resolves_the_exception(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.DONE, outcomes=(done("send"),), expectations=(expect("send", "acme/1"),))
        clock.forward(61)
        store.overdue()

        mercy.publish(EventRow("x12.997", "acme/1", {}))

        assert mercy.story(lease.run).expectations[0].state == "met"
        assert mercy.exceptions().rows == []
        assert mercy.exceptions(state="resolved").rows[0].resolved_by == "orderly"

    # effects that nobody knows about

    def test_a_late_outcome_settles_an_uncertain_node_and_takes_the_run_from_who_looks_it_up(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        stale = started(mercy, store)
        commit(store, stale, intents=(once("order"),), expectations=(expect("order", "1"),))
        clock.forward(SECONDS)
        fresh = store.acquire(stale.run, "two", SECONDS)
        assert fresh is not None
        asked = exception("uncertain", node="order", run=stale.run)
        commit(store, fresh, outcomes=(outcome("order", OutcomeState.UNCERTAIN),), exceptions=(asked,))

        assert store.evidence(stale, done("order", {"Number": "1"}))

        story = mercy.story(stale.run)
        assert story.outcomes[0].output == {"Number": "1"}
        assert story.outcomes[0].unread
        assert story.intents[0].state is IntentState.SETTLED
        assert story.expectations[0].due_at is not None
        assert story.attempts[0].kind == "evidence"
        assert story.exceptions[0].state == "resolved"
        assert store.due() == [stale.run]
        with pytest.raises(StaleLease):
            commit(store, fresh, outcomes=(outcome("order", OutcomeState.RETRYING),))

    def test_a_late_outcome_settles_an_intent_that_nobody_has_looked_at_yet(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        stale = started(mercy, store)
        commit(store, stale, intents=(once("order"),))
        clock.forward(SECONDS)
        store.acquire(stale.run, "two", SECONDS)

        assert store.evidence(stale, done("order", 1))

    def test_a_late_outcome_of_a_settled_node_is_only_kept(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, intents=(once("order"),))
        commit(store, lease, RunState.WAITING, outcomes=(done("order", "first"),))

        assert not store.evidence(lease, done("order", "second"))
        assert not store.evidence(lease, outcome("order", OutcomeState.DEAD))

        story = mercy.story(lease.run)
        assert story.outcomes[0].output == "first"
        assert [row.result for row in story.attempts] == ["done", "dead"]
        assert story.run.state is RunState.WAITING

    def test_a_person_says_that_it_happened(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        unknown = exception("uncertain", node="order", run=lease.run)
        commit(store, lease, intents=(once("order"),), expectations=(expect("order", "1"),))
        commit(store, lease, RunState.UNCERTAIN, outcomes=(outcome("order", OutcomeState.UNCERTAIN),),
               exceptions=(unknown,))  # fmt: skip

        mercy.settle(lease.run, "order", "", True, {"Number": "1"}, "omar.said", "seen in the ERP", "placed")

        story = mercy.story(lease.run)
        assert (story.outcomes[0].state, story.outcomes[0].name) == (OutcomeState.DONE, "placed")
        assert story.outcomes[0].output == {"Number": "1"}
        assert story.intents[0].state is IntentState.SETTLED
        assert story.expectations[0].due_at is not None
        assert story.attempts[0].input == {"by": "omar.said", "why": "seen in the ERP"}
        assert story.exceptions[0].resolved_by == "omar.said"
        assert store.due() == [lease.run]

    def test_what_a_person_said_is_unread_until_the_flow_has_taken_it_in(
        self, store: Store, mercy: ClientStore
    ) -> None:
        lease = started(mercy, store)
        commit(store, lease, intents=(once("order"),))
        commit(store, lease, RunState.UNCERTAIN, outcomes=(outcome("order", OutcomeState.UNCERTAIN),))
        mercy.settle(lease.run, "order", "", True, {"Number": "1"}, "omar.said", "seen in the ERP")
        again = store.acquire(lease.run, "one", SECONDS)
        assert again is not None
        row = store.load(again).outcomes[Position("order")]

        assert (row.unread, row.undo) == (True, None)
        commit(store, again, outcomes=(replace(row, unread=False, undo={"type": "soap.call"}),))

        assert not store.load(again).outcomes[Position("order")].unread

    def test_a_person_says_that_it_did_not_happen(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, intents=(once("order"),))
        commit(store, lease, RunState.UNCERTAIN, outcomes=(outcome("order", OutcomeState.UNCERTAIN),))

        mercy.settle(lease.run, "order", "", False, None, "omar.said", "asked the supplier")

        story = mercy.story(lease.run)
        assert story.outcomes[0].state is OutcomeState.RETRYING
        assert not story.outcomes[0].unread
        assert story.intents[0].state is IntentState.NOT_DONE
        assert story.run.state is RunState.READY

    def test_only_an_uncertain_node_that_nobody_works_on_can_be_settled(
        self, store: Store, mercy: ClientStore
    ) -> None:
        lease = started(mercy, store)
        commit(store, lease, outcomes=(done("known"), outcome("order", OutcomeState.UNCERTAIN)))

        for node in ("known", "order", "nothing"):
            with pytest.raises(Refused):
                mercy.settle(lease.run, node, "", True, None, "omar.said", "so")

    @pytest.mark.parametrize("happened", [True, False])
    def test_a_persons_word_does_not_revive_a_run_that_is_over(
        self, store: Store, mercy: ClientStore, happened: bool
    ) -> None:
        lease = started(mercy, store)
        commit(store, lease, intents=(once("order"),))
        commit(store, lease, RunState.UNCERTAIN, outcomes=(outcome("order", OutcomeState.UNCERTAIN),))
        mercy.cancel(lease.run, "ordered by phone")

        with pytest.raises(Refused, match="is cancelled and does not go on"):
            mercy.settle(lease.run, "order", "", happened, None, "omar.said", "seen in the ERP")

        assert mercy.run(lease.run).state is RunState.CANCELLED
        assert store.due() == []

    # repair

    @pytest.mark.parametrize("state", [RunState.DEAD, RunState.EXCEPTION, RunState.HELD])
    def test_redrive_clears_failed_outcomes_and_keeps_finished_ones(
        self, store: Store, mercy: ClientStore, state: RunState
    ) -> None:
        lease = started(mercy, store)
        rows = (done("a"), outcome("b", OutcomeState.DEAD, attempts=6), outcome("c", OutcomeState.EXCEPTION))
        commit(store, lease, state, outcomes=rows, exceptions=(exception(run=lease.run),), why="b: refused")

        mercy.redrive(lease.run)

        story = mercy.story(lease.run)
        assert [row.node for row in story.outcomes] == ["a"]
        assert (story.run.state, story.run.why) == (RunState.READY, "")
        assert story.exceptions[0].state == "resolved"
        assert store.due() == [lease.run]

    def test_only_a_run_that_failed_can_be_redriven(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        with pytest.raises(Refused, match="leased"):
            mercy.redrive(lease.run)
        commit(store, lease, RunState.DONE)
        with pytest.raises(Refused, match="done"):
            mercy.redrive(lease.run)
        with pytest.raises(NotFound):
            mercy.redrive("none")

    def test_what_was_undone_can_not_be_redriven(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.EXCEPTION, outcomes=(outcome("order", OutcomeState.UNDONE),))

        with pytest.raises(Refused, match="reprocess"):
            mercy.redrive(lease.run)

    def test_an_undo_that_stopped_half_way_is_redriven_and_nothing_else_is(
        self, store: Store, mercy: ClientStore
    ) -> None:
        lease = started(mercy, store)
        rows = (outcome("second", OutcomeState.UNDONE), done("first"), outcome("other", OutcomeState.DEAD))
        stopped = exception("undo_failed", node="first", run=lease.run)
        commit(store, lease, RunState.EXCEPTION, outcomes=rows, exceptions=(stopped,))
        mercy.resolve_exception(mercy.exceptions().rows[0].id, "omar.said", "the ERP knows the order again")

        mercy.redrive(lease.run)

        story = mercy.story(lease.run)
        assert story.run.state is RunState.READY
        assert {row.node: row.state for row in story.outcomes} == {
            "second": OutcomeState.UNDONE, "first": OutcomeState.DONE, "other": OutcomeState.DEAD,
        }  # fmt: skip

    def test_a_redriven_approval_is_asked_anew(self, store: Store, mercy: ClientStore, clock: Clock) -> None:
        lease = started(mercy, store)
        asked = outcome("approve", OutcomeState.WAITING, started_at=clock())
        commit(store, lease, RunState.WAITING, outcomes=(asked,), approvals=(approval(),))
        mercy.decide(mercy.approvals().rows[0].id, decision("omar.said", "rejected"))
        again = store.acquire(lease.run, "one", SECONDS)
        assert again is not None
        assert store.load(again).approvals[Position("approve")].state == "rejected"
        commit(store, again, RunState.EXCEPTION, outcomes=(outcome("approve", OutcomeState.EXCEPTION),))

        mercy.redrive(lease.run)
        clock.forward(1)
        anew = store.acquire(lease.run, "one", SECONDS)
        assert anew is not None
        commit(store, anew, outcomes=(replace(asked, started_at=clock()),), approvals=(approval(),))

        assert store.load(anew).approvals[Position("approve")].state == "open"
        assert len(mercy.story(lease.run).approvals) == 2

    def test_cancel_finishes_a_run_and_withdraws_what_it_asked_for(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.WAITING, approvals=(approval(),), timers=(wait("w", "PO-1"),),
               exceptions=(exception(run=lease.run),))  # fmt: skip

        mercy.cancel(lease.run, "ordered by phone")

        story = mercy.story(lease.run)
        assert (story.run.state, story.run.why) == (RunState.CANCELLED, "ordered by phone")
        assert story.run.finished_at is not None
        assert mercy.approvals().rows == []
        assert mercy.exceptions().rows == []
        assert mercy.publish(EventRow("purchase_order.acknowledged", "PO-1", {})) == []
        assert store.due() == []

    def test_a_leased_or_finished_run_is_not_cancelled(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        with pytest.raises(Refused, match="moment"):
            mercy.cancel(lease.run, "why")
        commit(store, lease, RunState.DONE)
        with pytest.raises(Refused, match="over"):
            mercy.cancel(lease.run, "why")

    def test_a_cancelled_child_wakes_its_caller(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        born = commit(store, lease, RunState.WAITING, child=child("call", lease.run, waits=True))

        mercy.cancel(born.child.run, "not needed")

        assert mercy.run(lease.run).state is RunState.READY

    def test_a_reprocessed_run_takes_over_the_identity(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store, "R-1/0")
        commit(store, lease, RunState.DEAD, outcomes=(outcome("a", OutcomeState.DEAD),))

        again = mercy.create_run(new("R-1/0", digest="edited", reprocess_of=lease.run))

        assert not again.duplicate
        found = mercy.find_identity("requisition_to_order", "R-1/0")
        assert found is not None
        assert (found[0].id, found[1]) == (again.run, "edited")
        with pytest.raises(Refused, match=again.run):
            mercy.redrive(lease.run)

    @pytest.mark.parametrize("settled", [False, True])
    def test_a_run_whose_order_may_have_gone_out_is_not_reprocessed(
        self, store: Store, mercy: ClientStore, settled: bool
    ) -> None:
        lease = started(mercy, store, "R-1/0")
        commit(store, lease, intents=(once("order"),))
        commit(store, lease, RunState.DEAD, outcomes=(done("order"),) if settled else ())

        with pytest.raises(Refused, match="twice"):
            mercy.create_run(new("R-1/0", reprocess_of=lease.run))

        assert mercy.find_identity("requisition_to_order", "R-1/0") is not None
        assert len(mercy.runs().rows) == 1

    def test_a_run_whose_order_was_undone_is_reprocessed(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store, "R-1/0")
        commit(store, lease, intents=(once("order"),))
        commit(store, lease, RunState.CANCELLED, outcomes=(outcome("order", OutcomeState.UNDONE),))

        assert not mercy.create_run(new("R-1/0", reprocess_of=lease.run)).duplicate

    def test_a_run_is_reprocessed_once(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.DEAD)
        first = mercy.create_run(new(reprocess_of=lease.run))

        with pytest.raises(Refused, match=f"as {first.run}"):
            mercy.create_run(new(reprocess_of=lease.run))

    def test_a_held_run_may_still_go_on_and_is_not_reprocessed(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.HELD, held_by="connection:erp")

        with pytest.raises(Refused, match="cancel it before"):
            mercy.create_run(new(reprocess_of=lease.run))

    @pytest.mark.parametrize("how", ["settled", "open"])
    @pytest.mark.parametrize("depth", [1, 2])
    def test_a_run_whose_child_may_have_placed_an_order_is_not_reprocessed(
        self, store: Store, mercy: ClientStore, how: str, depth: int
    ) -> None:
        """Children are part of the lineage, and theirs too: a new caller would call them anew."""
        lease = started(mercy, store)
        leases = [lease]
        for _ in range(depth):
            born = commit(store, leases[-1], child=child("call", leases[-1].run)).child
            inner = store.acquire(born.run, "two", SECONDS)
            assert inner is not None
            leases.append(inner)
        commit(store, leases[-1], intents=(once("order"),))
        commit(store, leases[-1], RunState.DEAD, outcomes=(done("order"),) if how == "settled" else ())
        for outer in reversed(leases[:-1]):
            commit(store, outer, RunState.DONE)

        with pytest.raises(Refused, match=rf"'order' of run {leases[-1].run}.*twice"):
            mercy.create_run(new(reprocess_of=lease.run))

    def test_a_run_whose_child_is_an_earlier_run_that_ordered_is_not_reprocessed(
        self, store: Store, mercy: ClientStore
    ) -> None:
        first = started(mercy, store, "C-1", flow="child_flow")
        commit(store, first, intents=(once("order"),))
        commit(store, first, RunState.DONE, outcomes=(done("order"),))
        lease = started(mercy, store)
        assert commit(store, lease, RunState.DEAD, child=child("call", lease.run, identity="C-1")).child.duplicate

        with pytest.raises(Refused, match="twice"):
            mercy.create_run(new(reprocess_of=lease.run))

    def test_a_run_whose_childs_order_was_undone_is_reprocessed(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        born = commit(store, lease, RunState.DEAD, child=child("call", lease.run)).child
        inner = store.acquire(born.run, "two", SECONDS)
        assert inner is not None
        commit(store, inner, intents=(once("order"),))
        commit(store, inner, RunState.DONE, outcomes=(outcome("order", OutcomeState.UNDONE),))

        assert not mercy.create_run(new(reprocess_of=lease.run)).duplicate

    def test_a_run_is_not_reprocessed_beside_a_child_of_no_identity_that_may_still_go_on(
        self, store: Store, mercy: ClientStore
    ) -> None:
        """What that child has not done yet would be done twice; one that has an identity is found again."""
        lease, other = started(mercy, store), started(mercy, store)
        born = commit(store, lease, RunState.DEAD, child=child("call", lease.run)).child
        commit(store, other, RunState.DEAD, child=child("call", other.run, identity="C-1"))

        with pytest.raises(Refused, match=rf"{born.run}.*cancel that one first"):
            mercy.create_run(new(reprocess_of=lease.run))
        assert not mercy.create_run(new(reprocess_of=other.run)).duplicate

        mercy.cancel(born.run, "begun anew")
        assert not mercy.create_run(new(reprocess_of=lease.run)).duplicate

    def test_who_waits_for_a_run_waits_for_the_one_it_was_reprocessed_as(
        self, store: Store, mercy: ClientStore
    ) -> None:
        lease = started(mercy, store)
        waiting = outcome("call", OutcomeState.WAITING)
        born = commit(
            store, lease, RunState.WAITING, outcomes=(waiting,), child=child("call", lease.run, waits=True)
        ).child
        inner = store.acquire(born.run, "two", SECONDS)
        assert inner is not None
        commit(store, inner, RunState.DEAD)

        successor = mercy.create_run(new(flow="child_flow", reprocess_of=born.run)).run

        assert mercy.run(lease.run).state is RunState.WAITING, "nothing has ended yet"
        second = store.acquire(successor, "two", SECONDS)
        assert second is not None
        assert commit(store, second, RunState.DONE, outcome="ordered").ring == (lease.run,)
        again = store.acquire(lease.run, "one", SECONDS)
        assert again is not None
        found = store.load(again).children[Position("call")]
        assert (found.id, found.state, found.outcome) == (successor, RunState.DONE, "ordered")

    def test_who_calls_a_run_that_was_reprocessed_calls_its_successor(
        self, store: Store, mercy: ClientStore
    ) -> None:
        """A caller that was cut off between its call and its commit tries again."""
        lease = started(mercy, store)
        born = commit(store, lease, child=child("call", lease.run, waits=True)).child
        inner = store.acquire(born.run, "two", SECONDS)
        assert inner is not None
        commit(store, inner, RunState.EXCEPTION)
        successor = mercy.create_run(new(flow="child_flow", reprocess_of=born.run)).run

        again = commit(store, lease, RunState.WAITING, child=child("call", lease.run, waits=True))

        assert (again.child.run, again.child.state, again.state) == (successor, RunState.READY, RunState.WAITING)

    # people

    def test_the_deciding_decision_wakes_the_run_and_is_the_last(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        lease = started(mercy, store)
        asked = outcome("approve", OutcomeState.WAITING, started_at=clock())
        commit(store, lease, RunState.WAITING, outcomes=(asked,), approvals=(approval(needs=2),))
        (row,) = mercy.approvals().rows
        assert (row.run, row.flow, row.requester) == (lease.run, "requisition_to_order", "anna.berg")

        assert mercy.decide(row.id, decision("omar.said", "open")).state == "open"
        assert mercy.run(lease.run).state is RunState.WAITING
        decided = mercy.decide(row.id, decision("lena.fox", "approved"))

        assert mercy.run(lease.run).state is RunState.READY
        assert decided == mercy.approval(row.id)
        assert [made["user"] for made in decided.decisions] == ["omar.said", "lena.fox"]
        assert (decided.state, decided.decided_at) == ("approved", clock())
        with pytest.raises(Refused, match="approved already"):
            mercy.decide(row.id, decision("omar.said", "rejected"))

    def test_of_two_decisions_at_once_one_counts(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.WAITING, approvals=(approval(),))
        id = mercy.approvals().rows[0].id
        together = threading.Barrier(2)

        def decide(state: str) -> bool:
            together.wait(20)
            try:
                mercy.decide(id, decision(state, state))
            except Refused:
                return False
            return True

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(decide, ["approved", "rejected"])) == [False, True]
        assert len(mercy.approval(id).decisions) == 1

    def test_of_decisions_at_once_each_sees_the_one_before(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.WAITING, approvals=(approval(needs=4),))
        id = mercy.approvals().rows[0].id
        together = threading.Barrier(4)

        def judge(user: str, row: ApprovalRow) -> tuple[dict[str, str], str]:
            return {"user": user}, "approved" if len(row.decisions) + 1 == row.needs else "open"

        def decide(user: str) -> str:
            together.wait(20)
            return mercy.decide(id, partial(judge, user)).state

        with ThreadPoolExecutor(4) as threads:
            states = sorted(threads.map(decide, ["anna", "lena", "omar", "said"]))

        assert states == ["approved", "open", "open", "open"]
        assert mercy.approval(id).state == "approved"
        assert mercy.run(lease.run).state is RunState.READY

    def test_a_decision_that_is_refused_writes_nothing(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store)
        commit(store, lease, RunState.WAITING, approvals=(approval(),))
        id = mercy.approvals().rows[0].id

        def refuse(row: ApprovalRow) -> tuple[dict[str, str], str]:
            raise PermissionError(row.role)

        with pytest.raises(PermissionError, match="procurement_manager"):
            mercy.decide(id, refuse)

        assert (mercy.approval(id).state, mercy.approval(id).decisions) == ("open", ())

    def test_an_approval_that_nobody_decides_in_time_expires_and_wakes_its_run(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        lease = started(mercy, store)
        due = clock() + timedelta(hours=2)
        asked = outcome("approve", OutcomeState.WAITING, started_at=clock())
        commit(store, lease, RunState.WAITING, outcomes=(asked,), approvals=(approval(due_at=due),))
        assert store.next_due() == due
        clock.forward(7199)
        store.overdue()
        assert len(mercy.approvals().rows) == 1

        clock.forward(1)
        store.overdue()

        (row,) = mercy.approvals(state="expired").rows
        assert (row.decided_at, row.decisions) == (clock(), ())
        assert store.due() == [lease.run]
        again = store.acquire(lease.run, "one", SECONDS)
        assert again is not None
        assert store.load(again).approvals[Position("approve")].state == "expired"
        with pytest.raises(Refused, match="expired already"):
            mercy.decide(row.id, decision("omar.said", "approved"))

    def test_the_same_message_that_cannot_be_taken_again_is_the_same_exception_while_it_is_open(
        self, mercy: ClientStore
    ) -> None:
        """By its bytes and what its sender calls it; one without a name is always new."""
        named = ExceptionRow(
            "unreadable", "procurement", "x", raw="sha256:ab", flow="f", details={"identity": "A/1"}
        )
        other = replace(named, details={"identity": "A/2"})
        nameless = replace(named, details={})

        first = mercy.raise_exception(named)

        assert mercy.raise_exception(named) == first
        assert len({first, mercy.raise_exception(other), *(mercy.raise_exception(nameless) for _ in range(2))}) == 4
        mercy.resolve_exception(first, "lena", "corrected")
        assert mercy.raise_exception(named) != first

    def test_an_exception_is_raised_assigned_and_resolved(self, mercy: ClientStore, clock: Clock) -> None:
        id = mercy.raise_exception(
            ExceptionRow("unreadable", "procurement", "not JSON", raw="sha256:ab", flow="intake")
        )

        mercy.assign(id, "omar.said", "looks like a PDF")
        assert mercy.exception(id).assignee == "omar.said"
        mercy.resolve_exception(id, "omar.said", "sent again")

        row = mercy.exception(id)
        assert (row.state, row.note, row.resolved_by, row.resolved_at) == (
            "resolved", "sent again", "omar.said", clock(),
        )  # fmt: skip
        assert (row.raw, row.flow) == ("sha256:ab", "intake")
        with pytest.raises(Refused):
            mercy.assign(id, "x")
        with pytest.raises(Refused):
            mercy.resolve_exception(id, "x", "")

    # what a client sees

    def test_nothing_of_one_client_is_seen_by_another(self, store: Store, mercy: ClientStore) -> None:
        lease = started(mercy, store, "R-1/0", keys=(("po", "1"),))
        mercy.put_release("r1", {"flow": {}})
        commit(store, lease, RunState.WAITING, approvals=(approval(),), exceptions=(exception(run=lease.run),),
               events=(EventRow("e", "k", None),))  # fmt: skip
        mercy.put_cursor("inbox", "x")
        mercy.audit("omar.said", "run.cancel", lease.run)
        asked, raised = mercy.approvals().rows[0].id, mercy.exceptions().rows[0].id

        other = store.for_client("other")

        for page in (
            other.runs(),
            other.runs(key="1"),
            other.runs(key=lease.run),
            other.approvals(),
            other.exceptions(),
        ):
            assert page.rows == []
        seen: list[Any] = [
            other.events_after(0, []), other.audit_trail(), other.cursor("inbox"), other.counts(),
            other.find_identity("requisition_to_order", "R-1/0"),
        ]  # fmt: skip
        assert not any(seen)
        hidden: list[Callable[[], Any]] = [
            lambda: other.run(lease.run), lambda: other.story(lease.run), lambda: other.redrive(lease.run),
            lambda: other.cancel(lease.run, ""), lambda: other.approval(asked), lambda: other.exception(raised),
            lambda: other.decide(asked, decision("omar.said", "approved")),
            lambda: other.resolve_exception(raised, "", ""),
            lambda: other.assign(raised, ""), lambda: other.release("r1"),
            lambda: other.create_run(new(reprocess_of=lease.run)),
        ]  # fmt: skip
        for reach in hidden:
            with pytest.raises(NotFound):
                reach()

    def test_lists_are_paged_newest_first(self, mercy: ClientStore) -> None:
        runs = sorted((mercy.create_run(new()).run for _ in range(5)), reverse=True)

        first = mercy.runs(limit=2)
        second = mercy.runs(limit=2, before=first.after)
        last = mercy.runs(limit=2, before=second.after)

        assert [run.id for page in (first, second, last) for run in page.rows] == runs
        assert first.after == runs[1]
        assert last.after is None

    def test_runs_are_found_by_state_flow_key_and_id(self, store: Store, mercy: ClientStore) -> None:
        done_run = started(mercy, store, keys=(("purchase_order", "4500001"), ("requisition", "R-1")))
        commit(store, done_run, RunState.DONE)
        other = mercy.create_run(new(flow="other", keys=(("requisition", "R-1"),))).run

        def found(**by: Any) -> set[str]:
            return {run.id for run in mercy.runs(**by).rows}

        assert found(states=[RunState.DONE, RunState.DEAD]) == {done_run.run}
        assert found(flow="other") == {other}
        assert found(key="R-1") == {done_run.run, other}
        assert found(key="4500001") == {done_run.run}
        assert found(key=other) == {other}
        assert found(key="R-1", flow="other", states=[RunState.DONE]) == set()
        assert mercy.keys_of([done_run.run]) == {done_run.run: {"purchase_order": "4500001", "requisition": "R-1"}}
        assert mercy.keys_of([]) == {}
        assert mercy.counts() == {RunState.DONE: 1, RunState.READY: 1}

    def test_the_story_of_a_run_has_everything(self, store: Store, mercy: ClientStore, clock: Clock) -> None:
        lease = started(mercy, store)
        event = EventRow("purchase_order.issued", "1", {"total": "9"}, node="issued")
        commit(store, lease, intents=(once("order"),), expectations=(expect("order", "1"),))
        commit(store, lease, RunState.WAITING, outcomes=(done("order", {"Number": "1"}),), events=(event,),
               attempts=(tried("order", clock()),), timers=(wait("w", "2"),), approvals=(approval(),),
               exceptions=(exception(run=lease.run, node="order", details={"a": 1}),),
               child=child("call", lease.run))  # fmt: skip

        story = mercy.story(lease.run)

        parts = [
            story.outcomes, story.attempts, story.intents, story.timers, story.events, story.expectations,
            story.exceptions, story.approvals, story.children,
        ]  # fmt: skip
        assert [len(part) for part in parts] == [1] * 9
        assert story.events[0].run == lease.run
        assert story.events[0].position == 1
        assert (story.exceptions[0].flow, story.exceptions[0].details) == ("requisition_to_order", {"a": 1})

    # events, sources, clock

    def test_events_are_read_in_order_from_a_position(self, mercy: ClientStore) -> None:
        for number in range(4):
            mercy.publish(EventRow("odd" if number % 2 else "even", str(number), {"n": number}))

        everything = mercy.events_after(0, [])
        positions = [event.position for event in everything]

        assert positions == sorted(set(positions))
        assert [event.key for event in mercy.events_after(positions[0], ["even", "odd"], limit=2)] == ["1", "2"]
        assert [event.data for event in mercy.events_after(0, ["odd"])] == [{"n": 1}, {"n": 3}]

    def test_a_subscription_handles_an_event_once(self, mercy: ClientStore) -> None:
        assert mercy.subscription("flow:report") == 0

        assert mercy.start_from_event("flow:report", 3, new("event 3")) is not None
        assert mercy.start_from_event("flow:report", 3, new("event 3 again")) is None
        assert mercy.start_from_event("flow:report", 5, None) is None

        assert mercy.subscription("flow:report") == 5
        assert len(mercy.runs().rows) == 1

    def test_a_subscription_stays_where_its_run_can_not_be_started(self, mercy: ClientStore) -> None:
        mercy.create_run(new("event 3", digest="other"))

        with pytest.raises(IdentityConflict):
            mercy.start_from_event("flow:report", 3, new("event 3"))

        assert mercy.subscription("flow:report") == 0

    def test_what_is_collected_waits_by_partner_until_a_run_takes_it_on(self, mercy: ClientStore) -> None:
        for number, partner in enumerate(["acme", "other", "acme"]):
            mercy.publish(EventRow("order.ready", str(number), {"n": number, "partner": partner}))
        events = mercy.events_after(0, [])
        items = [Collected(event, event.data["partner"], 10, event.key == "2") for event in events]
        last = events[-1].position

        assert mercy.batches.collect("flow:outbox", "outbox", items, 0, last)
        assert not mercy.batches.collect("flow:outbox", "outbox", items, 0, last), "another clock was faster"
        assert not mercy.batches.collect("flow:outbox", "outbox", items, 0, last + 9), (
            "however far this one has read"
        )

        held = [
            (one.flow, one.partner, one.count, one.bytes, one.urgent, one.oldest)
            for one in mercy.batches.collected()
        ]
        assert held == [
            ("outbox", "acme", 2, 20, 1, events[0].at), ("outbox", "other", 1, 10, 0, events[1].at),
        ]  # fmt: skip
        assert [one.event for one in mercy.batches.waiting("outbox", "acme", 9, 10_000, urgent=True)] == [events[2]]
        assert mercy.batches.collected("none") == []
        fit = mercy.batches.waiting("outbox", "acme", 9, 19)
        assert [one.event for one in fit] == [events[0]], "no more bytes than that, but one at least"
        created = mercy.batches.send("outbox", [events[0].position, events[2].position], new("batch 1"))
        assert created is not None
        assert [one.partner for one in mercy.batches.collected()] == ["other"]

    def test_of_clocks_that_send_the_same_batch_one_does_and_the_others_write_nothing(
        self, mercy: ClientStore
    ) -> None:
        """Each has read the batch at another moment, so that theirs overlap and are not the same."""
        for number in range(4):
            mercy.publish(EventRow("order.ready", str(number), {}))
        events = mercy.events_after(0, [])
        items = [Collected(event, "acme", 10, urgent=False) for event in events]
        mercy.batches.collect("flow:outbox", "outbox", items, 0, events[-1].position)
        positions = [event.position for event in events]
        together = threading.Barrier(3)

        def send(count: int) -> bool:
            together.wait(20)
            return mercy.batches.send("outbox", positions[:count], new(f"batch of {count}")) is not None

        with ThreadPoolExecutor(3) as clocks:
            sent = list(clocks.map(send, [2, 3, 4]))

        assert sum(sent) == 1
        assert len(mercy.runs().rows) == 1
        taken = 2 + sent.index(True)
        assert [one.event.position for one in mercy.batches.waiting("outbox", "acme", 9, 10_000)] == positions[
            taken:
        ]

    def test_a_batch_stays_whole_where_its_run_can_not_be_started(self, mercy: ClientStore) -> None:
        mercy.publish(EventRow("order.ready", "1", {}))
        (event,) = mercy.events_after(0, [])
        mercy.batches.collect(
            "flow:outbox", "outbox", [Collected(event, "acme", 10, urgent=False)], 0, event.position
        )
        mercy.create_run(new("batch 1", digest="other"))

        with pytest.raises(IdentityConflict):
            mercy.batches.send("outbox", [event.position], new("batch 1"))

        assert len(mercy.batches.waiting("outbox", "acme", 9, 10_000)) == 1

    def test_a_tick_starts_one_run_however_many_clocks_ask(self, mercy: ClientStore, clock: Clock) -> None:
        due = clock()
        together = threading.Barrier(8)

        def ask(_: int) -> bool:
            together.wait(20)
            return mercy.tick("nightly", due, new()) is not None

        with ThreadPoolExecutor(8) as threads:
            assert sorted(threads.map(ask, range(8))) == [False] * 7 + [True]
        assert len(mercy.runs().rows) == 1
        assert mercy.last_tick("nightly") == due
        assert mercy.last_tick("other") is None

        later = due + timedelta(days=1)
        assert mercy.tick("nightly", later, None) is None
        assert mercy.last_tick("nightly") == later

    def test_no_more_ask_at_once_than_the_bound_whichever_process_they_belong_to(self, mercy: ClientStore) -> None:
        bounds = Limits(at_once=2)
        taken = [mercy.take_place("erp", bounds, f"run{n}", owner, SECONDS) for n, owner in enumerate("abab")]

        assert [bool(one.place) for one in taken] == [True, True, False, False]
        assert (taken[2].why, taken[2].again is not None) == ("has 2 of 2 calls under way", True)
        assert mercy.take_place("portal", bounds, "run9", "a", SECONDS).place, "each connection has its own"

        mercy.leave_places("erp", bounds, [str(taken[0].place)], 0)
        assert mercy.take_place("erp", bounds, "run3", "b", SECONDS).place

    def test_of_many_that_ask_in_one_moment_as_many_as_the_bound_are_let_through(self, mercy: ClientStore) -> None:
        with ThreadPoolExecutor(16) as threads:
            taken = threads.map(
                lambda n: mercy.take_place("erp", Limits(at_once=5), f"run{n}", f"process{n % 3}", SECONDS),
                range(32),
            )

        assert sum(1 for one in taken if one.place) == 5

    def test_places_lapse_with_the_process_that_took_them(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        bounds = Limits(at_once=2)
        taken = {
            owner: mercy.take_place("erp", bounds, owner, owner, SECONDS).place for owner in ("killed", "alive")
        }
        clock.forward(SECONDS * 0.9)
        assert store.keep_places("alive", [str(taken["alive"])], SECONDS) == 1
        assert mercy.take_place("erp", bounds, "run3", "other", SECONDS).place is None
        clock.forward(SECONDS * 0.2)

        assert mercy.take_place("erp", bounds, "run3", "other", SECONDS).place
        assert mercy.take_place("erp", bounds, "run4", "other", SECONDS).place is None

    def test_no_more_ask_within_any_minute_than_the_bound(self, mercy: ClientStore, clock: Clock) -> None:
        bounds, first = Limits(per_minute=2), clock()
        for owner in ("a", "b"):
            place = mercy.take_place("erp", bounds, owner, owner, SECONDS).place
            mercy.leave_places("erp", bounds, [str(place)], 0)
            clock.forward(20)

        refused = mercy.take_place("erp", bounds, "c", "a", SECONDS)
        assert (refused.place, refused.again) == (None, first + timedelta(seconds=60))
        assert refused.why == "was called 2 of 2 times within the last minute"
        clock.forward(20)
        assert mercy.take_place("erp", bounds, "c", "a", SECONDS).place
        assert mercy.take_place("erp", bounds, "d", "b", SECONDS).place is None

    def test_who_asked_before_the_clock_was_set_back_keeps_nobody_waiting(
        self, mercy: ClientStore, clock: Clock
    ) -> None:
        assert mercy.take_place("erp", Limits(per_minute=1), "a", "a", SECONDS).place
        clock.forward(-3600)

        assert mercy.take_place("erp", Limits(per_minute=1), "b", "a", SECONDS).place

    def test_whoever_leaves_calls_the_oldest_of_the_line_and_their_places_are_kept_for_them(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        bounds = Limits(at_once=2)
        asking = [str(mercy.take_place("erp", bounds, f"now{n}", "a", SECONDS).place) for n in range(2)]
        line = [in_line(store, mercy, clock) for _ in range(3)]

        called = mercy.leave_places("erp", bounds, asking[:1], 16)

        assert [run for run, _ in called.runs] == line[:1]
        assert mercy.take_place("erp", bounds, "newcomer", "b", SECONDS).place is None, "the place is kept"
        assert mercy.take_place("erp", bounds, line[0], "b", SECONDS).place, "for this one, wherever it goes on"
        clock.forward(3)
        assert mercy.leave_places("erp", bounds, [], 16).runs == ()
        assert [run for run, _ in mercy.leave_places("erp", bounds, asking[1:], 16).runs] == line[1:2]
        clock.forward(3)
        assert mercy.take_place("erp", bounds, "newcomer", "b", SECONDS).place, "who was called and never came"

    def test_a_line_that_has_asked_enough_this_minute_hears_when_the_next_may(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        bounds = Limits(per_minute=1)
        place = mercy.take_place("erp", bounds, "now", "a", SECONDS).place
        waiting = in_line(store, mercy, clock)

        called = mercy.leave_places("erp", bounds, [str(place)], 16)

        assert (called.runs, called.more, called.later) == ((), True, clock() + timedelta(seconds=60))
        clock.forward(60)
        assert [run for run, _ in mercy.leave_places("erp", bounds, [], 16).runs] == [waiting]

    def test_a_wait_that_a_peer_asked_for_is_not_made_shorter_by_who_has_not_heard_of_it(
        self, mercy: ClientStore, clock: Clock
    ) -> None:
        until = clock() + timedelta(minutes=5)
        mercy.put_connection_state(ConnectionState("erp", wait_until=until))
        mercy.put_connection_state(ConnectionState("erp", failures=1))

        assert mercy.connection_states()["erp"].wait_until == until
        mercy.put_connection_state(ConnectionState("erp"), Said("omar.said", "they are ready"))
        assert mercy.connection_states()["erp"].wait_until is None

    def test_a_pause_that_was_ended_does_not_come_back_by_who_has_not_heard_of_that(
        self, mercy: ClientStore, clock: Clock
    ) -> None:
        paused = ConnectionState("erp", paused=True, why="year-end", by="omar.said", paused_at=clock())
        mercy.put_connection_state(paused, Said("omar.said", "year-end"))
        mercy.put_connection_state(ConnectionState("erp"), Said("omar.said", "done"))

        mercy.put_connection_state(replace(paused, wait_until=clock() + timedelta(minutes=1)))

        assert not mercy.connection_states()["erp"].paused

    def test_a_run_told_of_a_pause_is_held_or_waits_by_what_holds_when_it_is_stored(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        soon, later = clock() + timedelta(minutes=1), clock() + timedelta(hours=1)
        paused = ConnectionState("erp", paused=True, why="year-end", by="omar.said", paused_at=clock())
        said = Said("omar.said", "year-end")

        def stands(state: ConnectionState | None, said: Said | None) -> tuple[RunState, Any]:
            if state is not None:
                mercy.put_connection_state(state, said)
            lease = started(mercy, store)
            told = {"held_by": "connection:erp", "stopped": True, "why": "is paused"}
            commit(store, lease, RunState.HELD, **told)
            run = mercy.run(lease.run)
            return run.state, run.due_at

        assert stands(None, None)[0] is RunState.READY
        assert stands(paused, said) == (RunState.HELD, None)
        assert stands(replace(paused, paused_until=later), said) == (RunState.WAITING, later)
        assert stands(ConnectionState("erp"), said)[0] is RunState.READY
        assert stands(ConnectionState("erp", wait_until=soon), None) == (RunState.WAITING, soon)
        clock.forward(61)
        assert stands(None, None)[0] is RunState.READY, "whatever the peer asked for once"
        assert stands(ConnectionState("erp", failures=3, open_until=later), None) == (RunState.WAITING, later)

    def test_a_cursor_is_what_was_put_last(self, mercy: ClientStore) -> None:
        assert mercy.cursor("inbox") is None
        for value in ({"seen": ["a"]}, {"seen": ["a", "b"]}):
            mercy.put_cursor("inbox", value)

        assert mercy.cursor("inbox") == {"seen": ["a", "b"]}

    def test_how_far_a_poll_has_come_is_stored_with_the_message(self, mercy: ClientStore) -> None:
        name = source_cursor("requisition_to_order")
        mercy.create_run(new("REQ-1", cursor=7))
        assert mercy.cursor(name) == 7
        mercy.create_run(new("REQ-1", cursor=8))
        assert mercy.cursor(name) == 8, "what is known already is behind us too"
        with pytest.raises(IdentityConflict):
            mercy.create_run(new("REQ-1", digest="other", cursor=9))
        assert mercy.cursor(name) == 8, "what was refused is not stored, and nothing is past it"

        mercy.raise_exception(exception("unreadable", flow="requisition_to_order"), 9)

        assert mercy.cursor(name) == 9

    def test_a_position_gets_the_same_control_number_however_often_it_asks(self, mercy: ClientStore) -> None:
        first = mercy.allocate("isa", 999, "run1", "edi", "")

        assert [mercy.allocate("isa", 999, "run1", "edi", "") for _ in range(3)] == [first] * 3
        assert mercy.allocate("isa", 999, "run1", "edi", "1") == first + 1
        assert mercy.allocate("gs", 999, "run1", "edi", "") == 1

    def test_control_numbers_begin_anew_after_the_last(self, mercy: ClientStore) -> None:
        assert [mercy.allocate("isa", 3, f"run{number}", "edi", "") for number in range(5)] == [1, 2, 3, 1, 2]

    def test_control_numbers_asked_for_at_once_are_all_different(self, mercy: ClientStore) -> None:
        with ThreadPoolExecutor(16) as threads:
            numbers = list(
                threads.map(lambda number: mercy.allocate("isa", 999, f"run{number}", "edi", ""), range(32))
            )

        assert sorted(numbers) == list(range(1, 33))

    def test_a_release_is_stored_once_and_never_changed(self, mercy: ClientStore) -> None:
        mercy.put_release("r1", {"flow": {"flow": "a"}})
        mercy.put_release("r1", {"flow": {"flow": "b"}})

        assert mercy.release("r1") == {"flow": {"flow": "a"}}
        with pytest.raises(NotFound):
            mercy.release("r2")

    def test_the_audit_trail_is_read_newest_first(self, mercy: ClientStore, clock: Clock) -> None:
        mercy.audit("omar.said", "approval.approved", "a1", {"run": "r"})
        mercy.audit("lena.fox", "run.cancelled", "r1")

        newest, oldest = mercy.audit_trail()

        assert (newest["actor"], newest["details"]) == ("lena.fox", None)
        assert oldest == {
            "at": clock(), "actor": "omar.said", "action": "approval.approved", "subject": "a1",
            "details": {"run": "r"},
        }  # fmt: skip
        assert len(mercy.audit_trail(limit=1)) == 1

    def test_what_waits_at_a_connection_is_counted_with_the_time_of_the_oldest(
        self, store: Store, mercy: ClientStore, clock: Clock
    ) -> None:
        """Before it, those that are not let through; behind it, those of its flows that have no worker."""
        assert isinstance(store, SharedStore)
        backend, began = store.backend("mercy"), clock()
        in_line(store, mercy, clock)
        mercy.create_run(new("R-2/0"))
        mercy.create_run(new("R-3/0", flow="another"))

        counted = [
            before_it(backend, "mercy", "erp"), before_it(backend, "mercy", "crm"),
            behind_it(backend, "mercy", ["requisition_to_order"]), behind_it(backend, "mercy", []),
        ]  # fmt: skip

        assert counted == [Queue(1, began), Queue(), Queue(1, began), Queue()]

    def test_a_lost_run_is_said_to_be_lost(self, store: Store, mercy: ClientStore) -> None:
        with pytest.raises(NotFound):
            store.load(Lease("none", "mercy", "one", 1))
        for missing in (mercy.run, mercy.story, mercy.exception, mercy.approval):
            with pytest.raises(NotFound):
                missing("none")
