"""Repair from the command line: many at once after a look, corrected messages, pauses, undo, and who may pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.runtime.cli.command import Desk, flow, until


def _failed(desk: Desk, name: str, numbers: list[str]) -> list[str]:
    return [desk.run(name, {"number": number, "text": "x"}, code=1)["run"] for number in numbers]


def _add_flow(desk: Desk, name: str, *nodes: dict[str, Any], **more: Any) -> None:
    """Before the first server starts."""
    folder = desk.pack / "flows" / name
    folder.mkdir()
    (folder / "flow.json").write_text(json.dumps({**flow(name, *nodes), **more}), encoding="utf-8")


def test_dead_letters_are_looked_at_and_then_exactly_those_are_redriven(served: Desk, tmp_path: Path) -> None:
    runs = _failed(served, "deliver", ["D-1", "D-2"])
    look = ("dead-letters", "redrive", "--where", "flow=deliver", "--dry-run")
    preview = served.answer(*look)
    assert [row["id"] for row in preview["would"]] == runs
    assert preview["counts"] == [{"flow": "deliver", "kind": "Misconfigured", "would": 2, "refused": 0}]
    assert "redrive: 2 runs" in served.orderly(*look).stdout
    (tmp_path / "preview.json").write_text(json.dumps(preview), encoding="utf-8")
    (later,) = _failed(served, "deliver", ["D-3"])
    served.answer("runs", "cancel", runs[0], "--reason", "not wanted")
    served.outbox.mkdir()

    done = served.orderly(
        "dead-letters", "redrive", "--previewed", str(tmp_path / "preview.json"), "--reason", "mended", "--json"
    )

    told = json.loads(done.stdout)
    assert (done.returncode, told["done"], [row["id"] for row in told["refused"]]) == (1, [runs[1]], [runs[0]])
    assert "changed since the preview" in told["refused"][0]["why"]
    until(lambda: served.answer("runs", "show", runs[1])["state"] == "done", "the previewed run to be done")
    assert served.answer("runs", "show", later)["state"] == "dead"
    (repair,) = served.answer("runs", "show", runs[1])["repairs"]
    assert (repair["action"], repair["details"]["why"], repair["details"]["bulk"]) == (
        "run.redriven", "mended", told["bulk"],
    )  # fmt: skip


def test_many_need_a_yes_a_reason_and_conditions_that_can_be_read(served: Desk) -> None:
    _failed(served, "deliver", ["D-1"])
    many = ("dead-letters", "redrive", "--where", "flow=deliver")

    assert served.orderly(*many, "--reason", "mended").returncode == 2, "nobody is there to be asked"
    assert "--reason" in served.orderly(*many, "--yes").stderr
    assert served.orderly("dead-letters", "redrive", "--where", "flow", "--dry-run").returncode == 2
    assert served.orderly("dead-letters", "redrive").returncode == 2
    assert served.orderly("runs", "redrive", "x", "--where", "flow=deliver").returncode == 2
    assert served.problem("dead-letters", "redrive", "--where", "colour=red", "--dry-run")["field"] == "colour"
    assert len(served.answer("dead-letters", "list")["runs"]) == 1


def test_exceptions_are_resolved_by_condition(either: Desk) -> None:
    _failed(either, "refuse", ["R-1", "R-2"])
    preview = either.answer("exceptions", "resolve", "--where", "kind=budget_exceeded", "--dry-run")
    assert len(preview["would"]) == 2

    done = either.answer(
        "exceptions", "resolve", "--where", "kind=budget_exceeded", "--yes", "--note", "budget was raised"
    )

    assert len(done["done"]) == 2
    assert either.answer("exceptions", "list")["exceptions"] == []
    (row, _) = either.answer("exceptions", "list", "--state", "resolved", "--key", "R-*")["exceptions"]
    assert row["note"] == "budget was raised"


def test_lists_are_searched_and_paged(served: Desk) -> None:
    _failed(served, "refuse", ["R-1", "R-2", "R-3"])
    _failed(served, "deliver", ["D-1"])

    def found(*query: str) -> list[str]:
        return [row["keys"]["order"] for row in served.answer("runs", "list", *query)["runs"]]

    assert found("--key", "R-*") == ["R-3", "R-2", "R-1"]
    assert found("--kind", "budget_exceeded", "--owner", "procurement") == ["R-3", "R-2", "R-1"]
    assert found("--until", "2020-01-01") == []
    first = served.answer("runs", "list", "--limit", "3")
    assert found("--before", first["after"]) == ["R-1"]
    assert served.problem("runs", "list", "--since", "soon")["kind"] == "bad_search"
    assert [row["kind"] for row in served.answer("dead-letters", "list", "--flow", "deliver")["runs"]] == [
        "Misconfigured"
    ]


def test_a_corrected_message_from_a_file_makes_a_new_run_and_both_name_each_other(
    served: Desk, tmp_path: Path
) -> None:
    served.outbox.mkdir()
    old = served.run("deliver", {"number": "D-1", "text": "x"}, code=0)["run"]
    (bad,) = _failed(served, "refuse", ["R-1"])
    corrected = tmp_path / "corrected.json"
    corrected.write_text(json.dumps({"number": "R-1", "text": "y"}), encoding="utf-8")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")

    made = served.answer("runs", "reprocess", bad, "--payload", str(corrected), "--reason", "a wrong text")

    was = served.answer("runs", "show", bad)
    assert (was["body"]["text"], was["reprocessed_as"]) == ("x", [made["run"]])
    assert was["repairs"][0]["details"]["edited"] == ["/text"]
    assert served.answer("runs", "show", made["run"])["body"]["text"] == "y"
    assert made["reprocess_of"] == bad
    assert f"made from  {bad}" in served.orderly("runs", "show", made["run"]).stdout
    assert "orderly runs redrive" not in served.orderly("runs", "show", bad).stdout
    assert served.orderly("runs", "reprocess", old, "--payload", str(corrected)).returncode == 2, "no reason"
    wrong = ("runs", "reprocess", old, "--reason", "so", "--payload", str(tmp_path / "broken.json"))
    assert served.orderly(*wrong).returncode == 2
    again = served.problem("runs", "reprocess", bad, "--reason", "again")
    assert (again["kind"], "was reprocessed before" in again["detail"]) == ("refused", True)


def test_a_connection_is_paused_and_resumed_and_its_runs_say_so(served: Desk) -> None:
    served.outbox.mkdir()

    paused = served.answer("connection", "pause", "outbox", "--reason", "the disk is changed", "--until", "2h")
    run = served.run("deliver", {"number": "D-1", "text": "x"}, "--timeout", "0")["run"]
    until(lambda: served.answer("runs", "show", run)["waits_for"] != [], "the run to wait")

    assert (paused["state"], paused["why"]) == ("paused", "the disk is changed")
    (waits,) = served.answer("runs", "show", run)["waits_for"]
    assert (waits["kind"], waits["connection"], waits["why"]) == ("connection", "outbox", "the disk is changed")
    shown = served.orderly("runs", "show", run).stdout
    assert "next       orderly connection resume outbox" in shown
    listed = served.answer("connection", "list")["connections"]
    assert [(row["state"], row["holds"]) for row in listed if row["connection"] == "outbox"] == [("paused", 1)]
    resumed = served.answer("connection", "resume", "outbox", "--reason", "done")
    assert (resumed["released"], resumed["state"]) == (1, "working")
    until(lambda: served.answer("runs", "show", run)["state"] == "done", "the released run to be done")


def test_a_pause_that_cannot_be_is_a_problem(served: Desk) -> None:
    assert served.problem("connection", "pause", "outbocks")["kind"] == "misconfigured"
    assert served.problem("connection", "pause", "outbox", "--until", "later")["field"] == "until"
    assert served.problem("connection", "pause", "outbox", "--until", "2020-01-01")["kind"] == "refused"


def test_a_run_is_undone_and_cancelled_after_its_plan_was_looked_at(desk: Desk) -> None:
    put = {
        "id": "put", "type": "file.deliver", "connection": "outbox", "effect": "idempotent",
        "parameters": {"path": "=number & '.txt'", "content": "=text"},
        "undo": {"type": "file.deliver", "connection": "outbox", "effect": "idempotent",
                 "parameters": {"path": "='undo.txt'", "content": "='undone'"}},
    }  # fmt: skip
    _add_flow(desk, "keep", put, {"id": "rest", "type": "wait", "parameters": {"for": "1h"}})
    desk.outbox.mkdir()
    with desk.serving():
        run = desk.run("keep", {"number": "K-1", "text": "x"}, "--timeout", "0")["run"]
        until(lambda: desk.answer("runs", "show", run)["state"] == "waiting", "the run to wait")
        plan = desk.answer("runs", "undo-plan", run)
        assert ([row["node"] for row in plan["undos"]], plan["refused"]) == (["put"], "")
        assert desk.orderly("runs", "cancel", run, "--undo").returncode == 2, "no reason"

        desk.answer("runs", "cancel", run, "--undo", "--reason", "ordered by mistake")

        until(lambda: desk.answer("runs", "show", run)["state"] == "cancelled", "the run to be undone")
        assert (desk.outbox / "undo.txt").read_text() == "undone"
        refused = desk.problem("runs", "cancel", run, "--reason", "again")
        assert (refused["kind"], "it is over" in refused["detail"]) == ("refused", True)


def test_others_pass_a_run_that_stands_in_their_way(desk: Desk) -> None:
    no = {"id": "no", "type": "raise", "parameters": {"kind": "odd", "message": "no"}}
    check = {"id": "check", "type": "route", "cases": [{"when": "=$exists(bad)", "nodes": [no]}]}
    _add_flow(desk, "line", check, order_by="=order")
    with desk.serving():
        poisoned = desk.run("line", {"number": "L-1", "order": "A", "bad": 1}, code=1)["run"]
        behind = desk.run("line", {"number": "L-2", "order": "A"}, "--timeout", "0", code=1)["run"]
        assert f"next       orderly runs step-aside {poisoned}" in desk.orderly("runs", "show", behind).stdout
        assert desk.orderly("runs", "step-aside", poisoned).returncode == 2, "no reason"

        told = desk.answer("runs", "step-aside", poisoned, "--reason", "mended tomorrow")

        assert told["next"] == behind
        until(lambda: desk.answer("runs", "show", behind)["state"] == "done", "the run behind to be done")


def test_a_run_is_given_to_somebody_with_a_note(served: Desk) -> None:
    served.answer("user", "add", "lena.fox", given="correct horse\n")
    (run,) = _failed(served, "deliver", ["D-1"])

    assert served.answer("runs", "assign", run, "lena.fox")["assignee"] == "lena.fox"
    served.answer("dead-letters", "note", run, "--note", "the folder is missing")

    (row,) = served.answer("dead-letters", "list")["runs"]
    assert row["assignee"] == "lena.fox"
    repairs = served.answer("runs", "show", run)["repairs"]
    assert [(each["action"], each["details"].get("note")) for each in repairs] == [
        ("run.noted", "the folder is missing"), ("run.assigned", None),
    ]  # fmt: skip
    assert served.problem("runs", "assign", run, "nobody")["kind"] == "unknown_user"
    assert served.problem("runs", "note", "nosuchrun", "--note", "x")["kind"] == "not_found"


def test_a_key_of_two_runs_names_both_with_their_flows_and_cancels_neither(desk: Desk) -> None:
    pause = {"id": "pause", "type": "wait", "parameters": {"for": "1h"}}
    names = ("first", "second")
    for name in names:
        _add_flow(desk, name, pause, keys={"requisition": "=number"})
    with desk.serving():
        runs = {name: desk.run(name, {"number": "REQ-7", "text": "x"}, "--timeout", "0")["run"] for name in names}

        refused = desk.problem("runs", "cancel", "REQ-7", "--reason", "not wanted")["detail"]

        for name, run in runs.items():
            assert f"{run} of {name} (waiting)" in refused
        assert "REQ-7 means 2 runs, type the id of one in its place" in refused
        done = desk.answer("runs", "cancel", runs["first"], "--reason", "not wanted")
        assert done["state"] == "cancelled"
