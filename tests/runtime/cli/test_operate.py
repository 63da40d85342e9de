"""Verbs over runs, exceptions and approvals answer the same whether a server runs or not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.runtime.cli.command import Desk, flow, on_terminal, until


def test_a_trace_tells_every_node_with_what_went_in_and_came_out(either: Desk) -> None:
    either.outbox.mkdir()

    told = either.run("deliver", {"number": "D-1", "text": "hello"}, "--trace")

    assert told["state"] == "done"
    step = told["trace"][0]
    assert (step["node"], step["input"]["path"], step["output"]["size"]) == ("put", "D-1.txt", 5)
    assert step["milliseconds"] >= 0
    assert (either.outbox / "D-1.txt").read_text() == "hello"


def test_the_same_message_again_is_the_first_run(served: Desk) -> None:
    first = served.run("refuse", {"number": "R-2"}, code=1)

    again = served.run("refuse", {"number": "R-2"}, code=1)

    assert (again["run"], again["duplicate"], first["duplicate"]) == (first["run"], True, False)


def test_another_body_under_the_same_identity_is_a_problem_that_names_the_first_run(either: Desk) -> None:
    first = either.run("refuse", {"number": "R-3"}, code=1)

    problem = either.run("refuse", {"number": "R-3", "more": True}, code=1)

    assert (problem["kind"], problem["status"], problem["run"]) == ("identity_conflict", 409, first["run"])


def test_a_dead_letter_is_redriven_after_its_cause_is_mended(either: Desk) -> None:
    run = either.run("deliver", {"number": "D-2", "text": "x"}, code=1)["run"]
    assert [row["id"] for row in either.answer("dead-letters", "list")["runs"]] == [run]
    either.outbox.mkdir()

    told = either.answer("dead-letters", "redrive", run[:-1])

    assert told == [{"run": run, "flow": "deliver", "state": told[0]["state"]}], "named by the beginning of its id"
    with _somebody_works(either):
        until(lambda: either.answer("runs", "show", run)["state"] == "done", "the redriven run to be done")
    assert (either.outbox / "D-2.txt").is_file()


def _somebody_works(desk: Desk) -> AbstractContextManager[object]:
    """A server, where none runs yet."""
    return nullcontext() if (desk.data / "orderly.sock").exists() else desk.serving()


def test_an_exception_is_assigned_and_resolved(either: Desk) -> None:
    run = either.run("refuse", {"number": "R-4"}, code=1)["run"]
    found = either.answer("exceptions", "list")["exceptions"]
    assert [(row["kind"], row["owner"], row["run"]) for row in found] == [("budget_exceeded", "finance", run)]
    id = found[0]["id"]

    either.answer("user", "add", "lena.fox", "--mail", "lena.fox@mercy.example", given="correct horse\n")
    nobody = either.problem("exceptions", "assign", id, "lena.vox")
    assert (nobody["kind"], nobody["next_action"]) == ("unknown_user", "did you mean 'lena.fox'?")
    assert either.answer("exceptions", "assign", id, "lena.fox@mercy.example")["assignee"] == "lena.fox"
    assert "kind       budget_exceeded" in either.orderly("exceptions", "show", id).stdout
    assert either.answer("exceptions", "show", id)["of_run"]["flow"] == "refuse"
    resolved = either.answer("exceptions", "resolve", id, "--note", "budget was \x1b[31mraised")

    assert (resolved["state"], resolved["note"]) == ("resolved", "budget was \x1b[31mraised")
    assert "budget was ␛[31mraised" in either.orderly("exceptions", "show", id).stdout, (
        "nobody colours our terminal"
    )
    assert either.answer("exceptions", "list")["exceptions"] == []
    assert either.problem("exceptions", "resolve", id, "--note", "again")["kind"] == "refused"


def test_an_exceptions_run_is_reprocessed_and_cancelled(served: Desk) -> None:
    served.run("refuse", {"number": "R-5"}, code=1)
    id = served.answer("exceptions", "list")["exceptions"][0]["id"]

    made = served.answer("exceptions", "reprocess", id, "--reason", "policy changed")
    assert made["run"] != made["reprocess_of"]

    first = made["reprocess_of"]
    assert served.answer("runs", "cancel", first, "--reason", "superseded")["state"] == "cancelled"


def test_nobody_approves_their_own_request_and_somebody_else_can(either: Desk) -> None:
    for login in ("anna", "omar"):
        either.answer("user", "add", login, "--role", "procurement_manager", given="correct horse\n")
    run = either.run("decide", {"number": "A-1", "requester": "Anna"})["run"]
    (asked,) = either.answer("approvals", "list")["approvals"]
    assert either.answer("approvals", "show", asked["id"])["document"]["number"] == "A-1"

    own = either.problem("approvals", "approve", asked["id"], "--user", "anna")
    assert (own["kind"], own["status"]) == ("own_request", 403)
    decided = either.answer("approvals", "approve", asked["id"], "--user", "omar", "--comment", "fine")

    assert decided["state"] == "approved"
    with _somebody_works(either):
        until(lambda: either.answer("runs", "show", run)["state"] == "done", "the approved run to be done")


def test_a_rejection_ends_the_run_as_the_flow_says(served: Desk) -> None:
    served.answer("user", "add", "omar", "--role", "procurement_manager", given="correct horse\n")
    run = served.run("decide", {"number": "A-2", "requester": "anna"})["run"]
    (asked,) = served.answer("approvals", "list")["approvals"]

    served.answer("approvals", "reject", asked["id"], "--user", "omar")

    with _somebody_works(served):
        until(lambda: served.answer("runs", "show", run)["outcome"] == "rejected", "the run to be rejected")


def test_runs_are_found_by_state_flow_and_business_key(served: Desk) -> None:
    served.run("refuse", {"number": "R-6"}, code=1)
    served.run("pause", {"number": "P-6"}, "--timeout", "0")

    def found(*query: str) -> list[str]:
        return [row["keys"]["order"] for row in served.answer("runs", "list", *query)["runs"]]

    assert found() == ["P-6", "R-6"]
    assert found("--state", "exception") == ["R-6"]
    assert found("--flow", "pause") == ["P-6"]
    assert found("--key", "P-6") == ["P-6"]
    assert served.problem("runs", "list", "--state", "asleep")["kind"] == "bad_state"


@pytest.mark.parametrize(
    ("columns", "heading"),
    [
        (60, "id flow state keys"),
        (80, "id flow state keys why"),
        (120, "id created at flow state keys kind why"),
        (240, "id created at flow state keys kind why"),
    ],
)
def test_a_list_fits_the_terminal_and_its_ids_are_whole(served: Desk, columns: int, heading: str) -> None:
    """A row is a line; what is left out is said, and a program gets everything."""
    for number in ("R-1", "R-2"):
        served.run("refuse", {"number": number, "text": "x"}, code=1)
    rows = served.answer("runs", "list")["runs"]

    shown = on_terminal("runs", "list", columns=columns, data=served.data).splitlines()

    assert max(map(len, shown)) <= columns
    assert [line.split()[0] for line in shown[1:3]] == [row["id"] for row in rows]
    assert all("exception" in line for line in shown[1:3])
    assert " ".join(shown[0].split()) == heading
    assert ("No budget for R-2" in shown[1]) is ("why" in heading)
    assert any(line.startswith("left out: ") for line in shown) is (columns < 120)
    assert len(shown) == (3 if columns >= 120 else 4)
    piped = served.orderly("runs", "list").stdout
    assert "created at" in piped and "No budget for R-1" in piped


def test_a_run_is_shown_by_its_business_key_or_the_beginning_of_its_id(served: Desk) -> None:
    """What a person has at hand is the order's number, or what fits on a screen."""
    run = served.run("refuse", {"number": "R-7"}, code=1)["run"]
    calls = served.run("hand_on", {"number": "H-7"}, code=1)

    assert served.answer("runs", "show", "R-7")["id"] == run
    assert served.answer("runs", "show", run[:-1].upper())["id"] == run
    both = served.answer("runs", "show", "H-7")["runs"]
    assert {row["id"] for row in both} == {calls["run"], calls["children"][0]["run"]}
    assert "hand_on" in served.orderly("runs", "show", "H-7").stdout
    assert served.problem("runs", "show", "R-77")["kind"] == "not_found"


def test_a_run_shows_its_connections_what_went_in_and_out_and_what_to_do_next(served: Desk) -> None:
    run = served.run("deliver", {"number": "D-7", "text": "hello"}, code=1)["run"]

    folded = served.orderly("runs", "show", run).stdout
    full = served.orderly("runs", "show", run, "--full").stdout

    sent = next(line for line in folded.splitlines() if " send " in line)
    assert "outbox" in sent
    assert "D-7.txt" in sent
    assert f"next       orderly runs redrive {run}" in folded
    assert '"hello"' in full
    assert '"hello"' not in folded


@contextmanager
def _bank_that_hangs_up() -> Iterator[str]:
    """Takes one payment and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with server.accept()[0] as caller:
                caller.recv(65536)

        thread = threading.Thread(target=take)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_what_nobody_knows_is_settled_by_a_person_whose_word_is_kept(desk: Desk) -> None:
    """Redrive says where to go, `runs show` says the command, and afterwards who settled it and why."""
    pay = {
        "id": "pay", "type": "rest.request", "connection": "bank", "effect": "once", "look_up": "none: nobody to ask",
        "undo": "none: it is gone", "parameters": {"method": "POST", "path": "/pay", "body": "=$"},
    }  # fmt: skip
    with _bank_that_hangs_up() as url:
        bank = {"type": "rest", "settings": {"url": url, "allow": ["127.0.0.0/8"]}}
        (desk.pack / "connections" / "bank.json").write_text(json.dumps(bank), encoding="utf-8")
        (desk.pack / "flows" / "transfer").mkdir()
        (desk.pack / "flows" / "transfer" / "flow.json").write_text(
            json.dumps(flow("transfer", pay)), encoding="utf-8"
        )
        run = desk.run("transfer", {"number": "T-1"}, "--timeout", "20", code=1)["run"]

    assert "orderly runs settle" in desk.problem("runs", "redrive", run)["detail"]
    command = next(line for line in desk.orderly("runs", "show", run).stdout.splitlines() if " settle " in line)
    assert command == f"next       orderly runs settle {run} pay --happened|--not-happened --reason …"
    desk.answer("runs", "settle", run, "pay", "--happened", "--reason", "the statement has it")

    (told,) = [line for line in desk.orderly("runs", "show", run).stdout.splitlines() if " person " in line]
    assert "(command line): the statement has it" in told


def test_a_failure_of_a_called_flow_is_a_failure_of_the_command(either: Desk) -> None:
    """The run itself is done; what it set in motion is not."""
    told = either.run("hand_on", {"number": "H-1"}, "--trace", code=1)

    (child,) = told["children"]
    assert (told["state"], child["flow"], child["state"]) == ("done", "refuse", "exception")
    assert child["exceptions"][0]["owner"] == "finance"
    assert child["trace"][0]["error"]["kind"] == "budget_exceeded"


def test_a_flow_file_runs_without_being_deployed(either: Desk, tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    nodes = [{"id": "answer", "type": "respond", "parameters": {"body": "={'twice': number & number}"}}]
    path.write_text(json.dumps(flow("twice", *nodes)), encoding="utf-8")

    told = either.run(str(path), {"number": "ab"})

    assert (told["state"], told["reply"]["body"]) == ("done", {"twice": "abab"})
    problem = either.run("twice", {"number": "ab"}, code=1)
    assert problem["kind"] == "misconfigured"


def test_a_flow_file_with_a_mistake_is_refused_with_its_findings(served: Desk, tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(flow("wrong", {"id": "a", "type": "mop", "parameters": {}})), encoding="utf-8")

    problem = served.run(str(path), {"number": "1"}, code=1)

    assert problem["kind"] == "lint"
    assert problem["findings"][0]["pointer"] == "/nodes/0/type"


def test_a_body_that_is_not_json_is_a_problem_and_leaves_no_run(served: Desk) -> None:
    problem = served.problem("run", "refuse", "--payload", "-", given='{"number": NaN}')

    assert (problem["kind"], problem["status"]) == ("malformed_json", 400)
    assert served.answer("runs", "list")["runs"] == []


def test_for_a_person_a_problem_is_one_paragraph_on_standard_error(either: Desk) -> None:
    done = either.orderly("runs", "show", "nosuchrun")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "nosuchrun" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_exit_2(served: Desk) -> None:
    assert served.orderly("runs", "cancel", "x").returncode == 2
    assert served.orderly("run", "refuse").returncode == 2
    assert served.orderly("nosuchverb").returncode == 2
