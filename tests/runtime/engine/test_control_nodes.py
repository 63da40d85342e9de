"""Control nodes: what they read, what they change, what they leave alone."""

from __future__ import annotations

from collections.abc import Callable

from runtime.model.run import RunState
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]


def respond(id: str, body: str = "=$") -> dict[str, object]:
    return {"id": id, "type": "respond", "parameters": {"body": body}}


def test_the_body_changes_only_by_into(workshop: Open) -> None:
    """Absent leaves it, a name sets that field, ``$`` replaces it."""
    shop = workshop(
        flow(
            "shapes",
            {"id": "unused", "type": "map", "parameters": {"mapping": "double"}, "into": "doubled"},
            {"id": "told", "type": "publish", "parameters": {"event": "seen", "key": "k"}},
            respond("named"),
            {"id": "replaced", "type": "map", "parameters": {"mapping": "double"}, "into": "$"},
            respond("whole", "={'body': $, 'earlier': $nodes.unused, 'event': $nodes.told}"),
        ),
        mappings={"double": "n * 2"},
    )

    run = shop.run("shapes", {"n": 21})

    assert run.state is RunState.DONE
    assert run.reply == {
        "status": 200,
        "body": {"body": 42, "earlier": 42, "event": {"event": "seen", "key": "k"}},
    }


def test_a_route_keeps_the_branch_it_chose_when_it_is_walked_again(workshop: Open) -> None:
    """The choice is an outcome: a later change of the body does not send the run down another branch."""
    shop = workshop(
        flow(
            "choice",
            {
                "id": "which", "type": "route",
                "cases": [
                    {"when": "=n < 10", "nodes": [
                        {"id": "grow", "type": "map", "parameters": {"mapping": "grow"}, "into": "$"},
                        {"id": "pause", "type": "wait", "parameters": {"for": "1h"}},
                        {"id": "small", "type": "publish", "parameters": {"event": "small", "key": "k"}},
                    ]}
                ],
                "otherwise": [{"id": "large", "type": "publish", "parameters": {"event": "large", "key": "k"}}],
            },
            respond("end"),
        ),
        mappings={"grow": "{'n': n + 100}"},
    )  # fmt: skip

    run = shop.run("choice", {"n": 1})
    assert run.state is RunState.WAITING
    shop.again()
    shop.pass_time(hours=1)
    shop.drain()

    assert [event.type for event in shop.story(run.id).events] == ["small"]
    assert shop.store.run(run.id).reply == {"status": 200, "body": {"n": 101}}


def test_parallel_branches_work_on_copies_and_only_the_containers_into_changes_the_body(workshop: Open) -> None:
    shop = workshop(
        flow(
            "both",
            {
                "id": "split", "type": "parallel", "into": "results",
                "branches": {
                    "left": [{"id": "l", "type": "map", "parameters": {"mapping": "left"}, "into": "side"}],
                    "right": [{"id": "r", "type": "map", "parameters": {"mapping": "right"}, "into": "side"}],
                },
            },
            respond("end"),
        ),
        mappings={"left": "'L'", "right": "'R'"},
    )  # fmt: skip

    run = shop.run("both", {"n": 1})

    assert run.reply is not None
    assert run.reply["body"] == {"n": 1, "results": {"left": {"n": 1, "side": "L"}, "right": {"n": 1, "side": "R"}}}


def test_for_each_gives_each_item_its_own_body_parent_and_index(workshop: Open) -> None:
    shop = workshop(
        flow(
            "items",
            {
                "id": "each", "type": "for_each", "parameters": {"items": "=lines"}, "into": "out",
                "nodes": [
                    {"id": "own", "type": "map",
                     "parameters": {"mapping": "line", "document": "={'q': q, 'order': $parent.order, 'at': $index}"},
                     "into": "$"},
                ],
            },
            respond("end", "=out"),
        ),
        mappings={"line": "order & '/' & $string(at) & '/' & q"},
    )  # fmt: skip

    run = shop.run("items", {"order": "PO", "lines": [{"q": "a"}, {"q": "b"}]})

    assert run.reply is not None
    assert run.reply["body"] == {
        "done": [{"index": 0, "body": "PO/0/a"}, {"index": 1, "body": "PO/1/b"}],
        "failed": [],
    }


def test_for_each_over_one_item_that_jsonata_collapsed_is_still_a_list_of_one(workshop: Open) -> None:
    shop = workshop(
        flow(
            "one",
            {"id": "each", "type": "for_each", "parameters": {"items": "=lines.q"}, "into": "out",
             "nodes": [{"id": "seen", "type": "publish", "parameters": {"event": "q", "key": "=$"}}]},
            respond("end", "=$count(out.done)"),
        )
    )  # fmt: skip

    run = shop.run("one", {"lines": [{"q": "only"}]})

    assert run.reply == {"status": 200, "body": 1}
    assert [event.key for event in shop.story(run.id).events] == ["only"]


ITEMS = flow(
    "some",
    {
        "id": "each", "type": "for_each", "parameters": {"items": "=lines", "allow_failed": "=allowed"}, "into": "out",
        "nodes": [
            {"id": "bad", "type": "route", "cases": [
                {"when": "=q = 'bad'", "nodes": [
                    {"id": "refuse", "type": "raise", "parameters": {"kind": "bad_line", "message": "='line ' & q"}},
                ]},
            ]},
            {"id": "good", "type": "publish", "parameters": {"event": "good", "key": "=q"}},
        ],
    },
    respond("end", "=out.failed"),
)  # fmt: skip


def test_failed_items_within_the_allowance_are_told_and_the_run_goes_on(workshop: Open) -> None:
    shop = workshop(ITEMS)

    run = shop.run("some", {"allowed": 1, "lines": [{"q": "a"}, {"q": "bad"}, {"q": "c"}]})

    assert run.state is RunState.DONE
    assert run.reply is not None
    assert run.reply["body"][0]["index"] == 1
    assert run.reply["body"][0]["error"]["kind"] == "bad_line"
    assert shop.story(run.id).exceptions == []


def test_one_failed_item_does_not_stop_the_others_and_becomes_an_exception_with_an_owner(workshop: Open) -> None:
    shop = workshop(ITEMS)

    run = shop.run("some", {"allowed": 0, "lines": [{"q": "bad"}, {"q": "c"}]})

    story = shop.story(run.id)
    assert run.state is RunState.EXCEPTION
    assert [event.key for event in story.events] == ["c"]
    assert [(e.kind, e.owner, e.message, e.iteration) for e in story.exceptions] == [
        ("bad_line", "procurement", "line bad", "0")
    ]


def test_redriving_a_for_each_runs_only_what_failed_over_the_items_it_froze(workshop: Open) -> None:
    shop = workshop(ITEMS)
    run = shop.run("some", {"allowed": 0, "lines": [{"q": "bad"}, {"q": "c"}]})

    shop.repair.redrive(run.id, "omar")
    shop.drain()

    story = shop.story(run.id)
    assert [event.key for event in story.events] == ["c"], "the good item must not run again"
    assert shop.store.run(run.id).state is RunState.EXCEPTION


def test_on_error_sees_the_error_and_the_next_sibling_follows(workshop: Open) -> None:
    shop = workshop(
        flow(
            "handled",
            {"id": "boom", "type": "raise", "parameters": {"kind": "odd", "message": "no"},
             "on_error": [respond("caught", "=$error.kind")]},
            {"id": "after", "type": "publish", "parameters": {"event": "after", "key": "k"}},
        )
    )  # fmt: skip

    run = shop.run("handled", {})

    assert run.state is RunState.DONE
    assert run.reply == {"status": 200, "body": "odd"}
    assert [event.type for event in shop.story(run.id).events] == ["after"]


def test_a_group_catches_what_its_nodes_do_not(workshop: Open) -> None:
    shop = workshop(
        flow(
            "grouped",
            {"id": "together", "type": "group",
             "nodes": [
                 {"id": "boom", "type": "raise", "parameters": {"kind": "odd", "message": "no", "owner": "finance"}},
                 {"id": "skipped", "type": "publish", "parameters": {"event": "skipped", "key": "k"}},
             ],
             "on_error": [{"id": "caught", "type": "wait", "parameters": {"for": "1m"}}]},
            respond("end"),
        )
    )  # fmt: skip

    run = shop.run("grouped", {"a": 1})
    assert run.state is RunState.WAITING
    shop.again()
    shop.pass_time(minutes=1)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert shop.story(run.id).events == []
    assert shop.story(run.id).exceptions == []


def test_a_business_failure_nobody_takes_is_an_exception_for_its_owner(workshop: Open) -> None:
    shop = workshop(
        flow(
            "refused",
            {"id": "no", "type": "raise",
             "parameters": {"kind": "budget_exceeded", "owner": "finance", "field": "/cost_center",
                            "message": "='Cost centre ' & cc & ' is empty'"}},
        )
    )  # fmt: skip

    run = shop.run("refused", {"cc": "CC-1"})

    row = shop.store.exceptions().rows[0]
    assert run.state is RunState.EXCEPTION
    assert (row.kind, row.owner, row.field) == ("budget_exceeded", "finance", "/cost_center")
    assert (row.message, row.run) == ("Cost centre CC-1 is empty", run.id)


def test_a_mapping_that_cannot_be_evaluated_is_a_dead_letter_that_names_it(workshop: Open) -> None:
    shop = workshop(
        flow("broken", {"id": "bad", "type": "map", "parameters": {"mapping": "bad"}, "into": "x"}),
        mappings={"bad": "$number(word)"},
    )

    run = shop.run("broken", {"word": "twelve"})

    assert run.state is RunState.DEAD
    assert "bad" in run.why


def test_a_wait_for_an_event_goes_on_with_what_the_event_carried(workshop: Open) -> None:
    shop = workshop(
        flow("waits", {"id": "ack", "type": "wait", "parameters": {"event": "ack", "key": "=n", "within": "2d"},
                       "into": "ack"}, respond("end", "=ack.data")),
        flow("tells", {"id": "tell", "type": "publish", "parameters": {"event": "ack", "key": "=n", "data": "=$"}}),
    )  # fmt: skip

    run = shop.run("waits", {"n": "7"})
    other = shop.run("tells", {"n": "8"})
    assert shop.store.run(run.id).state is RunState.WAITING, "another key must not wake it"
    shop.run("tells", {"n": "7"})

    assert other.state is RunState.DONE
    assert shop.store.run(run.id).reply == {"status": 200, "body": {"n": "7"}}


def test_a_wait_that_times_out_takes_that_branch(workshop: Open) -> None:
    shop = workshop(
        flow("late",
             {"id": "ack", "type": "wait", "parameters": {"event": "ack", "key": "k", "within": "2h"},
              "on": {"timed_out": [{"id": "over", "type": "end", "parameters": {"outcome": "silent"}}]}},
             respond("never"))
    )  # fmt: skip

    run = shop.run("late", {})
    shop.pass_time(hours=2)
    shop.drain()

    assert shop.store.run(run.id).outcome == "silent"
    assert shop.store.run(run.id).reply is None


def test_an_outcome_without_a_branch_ends_as_an_exception(workshop: Open) -> None:
    shop = workshop(flow("late", {"id": "ack", "type": "wait",
                                  "parameters": {"event": "ack", "key": "k", "within": "2h"}}))  # fmt: skip

    run = shop.run("late", {})
    shop.pass_time(hours=2)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.EXCEPTION
    assert shop.store.exceptions().rows[0].kind == "timed_out"


def test_end_inside_an_item_ends_that_item_only(workshop: Open) -> None:
    shop = workshop(
        flow("some",
             {"id": "each", "type": "for_each", "parameters": {"items": "=$.lines"}, "nodes": [
                 {"id": "skip", "type": "route", "cases": [
                     {"when": "=q = 'skip'", "nodes": [{"id": "stop", "type": "end"}]}]},
                 {"id": "told", "type": "publish", "parameters": {"event": "q", "key": "=q"}}]},
             respond("end", "='on'"))
    )  # fmt: skip

    run = shop.run("some", {"lines": [{"q": "a"}, {"q": "skip"}, {"q": "c"}]})

    assert [event.key for event in shop.story(run.id).events] == ["a", "c"]
    assert run.reply == {"status": 200, "body": "on"}


CHILD = flow("child", {"id": "pause", "type": "wait", "parameters": {"for": "1h"}}, respond("end", "=n * 2"),
             identity="=$string(n)")  # fmt: skip


def test_a_called_flow_starts_in_the_callers_commit_and_runs_on_its_own(workshop: Open) -> None:
    shop = workshop(
        flow("parent", {"id": "call", "type": "call_flow", "parameters": {"flow": "child"}, "into": "called"},
             respond("end", "=called.duplicate")), CHILD,
    )  # fmt: skip

    first = shop.run("parent", {"n": 1})
    again = shop.run("parent", {"n": 1})

    assert first.reply == {"status": 200, "body": False}
    assert again.reply == {"status": 200, "body": True}, "the same document is the same run"
    assert len([run for run in shop.store.runs().rows if run.flow == "child"]) == 1


def test_a_caller_that_waits_gets_the_childs_reply(workshop: Open) -> None:
    shop = workshop(
        flow("parent", {"id": "call", "type": "call_flow", "parameters": {"flow": "child", "wait": True},
                        "into": "called"}, respond("end", "=called.reply.body")), CHILD,
    )  # fmt: skip

    run = shop.run("parent", {"n": 21})
    assert run.state is RunState.WAITING
    shop.pass_time(hours=1)
    shop.drain()

    assert shop.store.run(run.id).reply == {"status": 200, "body": 42}


def test_a_caller_that_waits_for_a_child_that_has_ended_already_gets_its_reply_at_once(workshop: Open) -> None:
    shop = workshop(
        flow("parent", {"id": "call", "type": "call_flow", "parameters": {"flow": "child", "wait": True},
                        "into": "called"}, respond("end", "=called.reply.body")), CHILD,
    )  # fmt: skip
    shop.run("child", {"n": 21})
    shop.pass_time(hours=1)
    shop.drain()

    run = shop.run("parent", {"n": 21})

    assert run.reply == {"status": 200, "body": 42}


def test_the_same_identity_with_another_body_is_an_exception_at_the_caller(workshop: Open) -> None:
    shop = workshop(
        flow("parent", {"id": "call", "type": "call_flow", "parameters": {"flow": "child"}}), CHILD,
    )  # fmt: skip
    shop.run("parent", {"n": 1, "colour": "red"})

    run = shop.run("parent", {"n": 1, "colour": "blue"})

    assert run.state is RunState.EXCEPTION
    assert shop.story(run.id).exceptions[0].kind == "identity_conflict"


def test_now_is_the_last_checkpoint_however_often_it_is_asked(workshop: Open) -> None:
    shop = workshop(
        flow("clock",
             {"id": "first", "type": "map", "parameters": {"mapping": "now"}, "into": "a"},
             {"id": "pause", "type": "wait", "parameters": {"for": "1h"}},
             {"id": "second", "type": "map", "parameters": {"mapping": "now"}, "into": "b"},
             respond("end")),
        mappings={"now": "[$now(), $uuid(), $uuid()]"},
    )  # fmt: skip

    run = shop.run("clock", {})
    shop.again()
    shop.pass_time(hours=1)
    shop.drain()

    reply = shop.store.run(run.id).reply
    assert reply is not None
    a, b = reply["body"]["a"], reply["body"]["b"]
    assert a[0] == "2026-11-24T08:00:00.000Z"
    assert a[1] != a[2]
    assert set(a) & set(b) in (set(), {a[0]})
