"""``orderly serve``: one process on the data, which stops in order and goes on after it was killed."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat
import threading
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from runtime.cli import lifetime
from runtime.cli.serve import print_facts
from runtime.services import Settings
from runtime.store.sqlite import SqliteStore
from tests.runtime.cli.command import Desk, flow, orderly, serving, until


def test_a_second_server_on_the_same_data_is_told_who_has_them(desk: Desk) -> None:
    """Two processes on one store would lose orders: exit 1 and the holder's process id."""
    with desk.serving() as server:
        second = desk.orderly("serve", str(desk.pack), "--port", "0")

        assert second.returncode == 1
        assert str(server.process.pid) in second.stderr
        assert "Traceback" not in second.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_is_under_way_finish_and_exits_0(desk: Desk, how: signal.Signals) -> None:
    """The data are free for the next process, nothing is left behind."""
    with desk.serving() as server:
        told = desk.run("pause", {"number": "P-1"}, "--timeout", "0")

        assert server.stop(how) == 0

    assert not (desk.data / "orderly.sock").exists()
    assert desk.answer("runs", "show", told["run"])["state"] == "waiting"


def test_a_killed_server_loses_nothing_and_the_next_one_goes_on(desk: Desk) -> None:
    """kill -9 in the middle of a wait: the row is there, and the next process finishes the run."""
    with desk.serving() as server:
        run = desk.run("pause", {"number": "P-2"}, "--timeout", "0")["run"]
        server.stop(signal.SIGKILL)
    assert desk.answer("runs", "show", run)["state"] == "waiting"

    with desk.serving():
        until(lambda: desk.answer("runs", "show", run)["state"] == "done", f"run {run} to be done")

        story = desk.answer("runs", "show", run)
        assert [step["result"] for step in story["time_line"] if step["kind"] == "event"] == ["rested"]


def test_the_data_may_lie_under_a_path_that_is_too_long_for_a_socket(desk: Desk) -> None:
    far = replace(desk, data=desk.data / ("far" * 20) / ("away" * 15))
    far.data.mkdir(parents=True)
    shutil.copy(desk.data / "packs.json", far.data)

    with far.serving() as server:
        run = far.run("pause", {"number": "P-3"}, "--timeout", "0")["run"]
        assert stat.S_IMODE((far.data / "orderly.sock").stat().st_mode) == 0o600
        assert server.stop(signal.SIGTERM) == 0

    assert not (far.data / "orderly.sock").exists()
    assert far.answer("runs", "show", run)["state"] == "waiting"


def test_one_bad_flow_is_out_and_the_others_run(desk: Desk) -> None:
    """File and pointer of the mistake are among the facts that serve tells."""
    bad = {**flow("bad", {"id": "x", "type": "nothing.such"}), "version": "1.0.0"}
    (desk.pack / "flows" / "bad").mkdir()
    (desk.pack / "flows" / "bad" / "flow.json").write_text(json.dumps(bad), encoding="utf-8")

    with desk.serving() as server:
        out = server.facts["flows_out"]
        assert [(each["client"], each["flow"]) for each in out] == [("mercy", "bad")]
        assert out[0]["findings"][0]["pointer"] == "/nodes/0/type"
        assert out[0]["findings"][0]["file"].endswith("bad/flow.json")
        assert "pause" in server.facts["clients"][0]["flows"]
        assert desk.run("refuse", {"number": "R-1"}, code=1)["state"] == "exception"


def test_a_broken_file_of_the_pack_is_named_and_keeps_only_its_own_flows_out(desk: Desk) -> None:
    """A connection that no flow uses, and a policy that one does."""
    (desk.pack / "connections" / "spare.json").write_text('{"type": "file",', encoding="utf-8")
    policy = desk.pack / "policies" / "purchases.json"
    policy.write_text(policy.read_text().replace('"when"', '"wenn"'), encoding="utf-8")

    with desk.serving() as server:
        out = {each["name"]: each["findings"] for each in server.facts["files_out"]}
        assert sorted(out) == ["connections/spare", "policies/purchases"]
        assert out["connections/spare"][0]["line"] == 1
        assert out["policies/purchases"][0]["pointer"].startswith("/rules/0")
        assert [each["flow"] for each in server.facts["flows_out"]] == ["decide"]
        assert desk.run("refuse", {"number": "R-1"}, code=1)["state"] == "exception"
        desk.outbox.mkdir()
        assert desk.run("deliver", {"number": "D-1", "text": "x"})["state"] == "done"


def test_a_flow_that_is_out_is_told_with_place_and_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    finding = {
        "file": "f.json",
        "pointer": "/nodes/0/type",
        "line": 0,
        "message": "no such",
        "suggestion": "did you?",
    }
    facts = {"console": "http://x", "clients": [], "files_out": [],
             "flows_out": [{"client": "mercy", "flow": "bad", "findings": [finding, {**finding, "pointer": ""}]}]}  # fmt: skip

    print_facts(facts)

    told = capsys.readouterr().out
    assert told.count("f.json") == 1
    assert "/nodes/0/type: no such (did you?)" in told


def test_a_taken_port_is_told_without_a_trace(desk: Desk) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = desk.orderly("serve", str(desk.pack), "--port", port)

    assert done.returncode == 1
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def test_the_socket_belongs_to_this_user_only(desk: Desk) -> None:
    with desk.serving():
        assert (desk.data / "orderly.sock").stat().st_mode & 0o777 == 0o600


def test_a_new_workspace_lints_tests_serves_and_answers(desk: Desk) -> None:
    """What `orderly init` lays out works as it is, through a real webhook."""
    folder = desk.pack.parent
    for verb in (["init", "shop"], ["lint", "shop"], ["test", "shop"]):
        done = orderly(*verb, cwd=folder)
        assert done.returncode == 0, (verb, done.stdout, done.stderr)
    data = folder / "shop-data"
    made = orderly("key", "add", "till", "--pack", "shop", "--json", cwd=folder, data=data)
    key = json.loads(made.stdout)["key"]

    with serving(folder / "shop", data=data) as server:
        url = f"{server.url}/hooks/shop/confirm_order"
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        order = (folder / "shop" / "sample_payloads" / "order.json").read_bytes()
        request = urllib.request.Request(url, order, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            confirmed = json.load(answer)
        wrong = urllib.request.Request(url, b'{"number": "A-2"}', headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(wrong, timeout=20)
        with refused.value as answer:
            problem = json.load(answer)

    assert confirmed["total"] == "12.30"
    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "/lines")
    schema = json.loads((folder / "shop" / "flows" / "confirm_order" / "flow.json").read_text())["$schema"]
    assert (folder / "shop" / "flows" / "confirm_order" / schema).resolve().is_file()


def test_a_hook_asked_by_another_method_says_which_one_it_has(desk: Desk) -> None:
    """Whoever asks, whatever is there, and before anything is read."""
    answers = []
    with desk.serving() as server:
        for method, place in (("GET", "mercy/pause"), ("PUT", "mercy/pause"), ("GET", "nobody/nothing")):
            request = urllib.request.Request(f"{server.url}/hooks/{place}", method=method)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=20)
            with refused.value as answer:
                answers.append((answer.status, answer.headers["Allow"], json.load(answer)["type"]))

    assert answers == [(405, "OPTIONS, POST", "urn:orderly:problem:method_not_allowed")] * 3


def test_a_body_that_is_too_large_is_told_how_much_is_taken_and_who_can_change_it(desk: Desk) -> None:
    """One that is far too large is refused by its announced length, before it is read: the connection may end while
    its sender still sends, so little of it is sent here."""
    with serving(desk.pack, data=desk.data, options=["--max-body-bytes", "2000"]) as server:
        refusals = []
        for size in (2_001, 2_000_000):
            with closing(HTTPConnection(urlsplit(server.url).netloc, timeout=20)) as connection:
                connection.putrequest("POST", "/hooks/mercy/pause")
                connection.putheader("Content-Length", str(size))
                connection.endheaders(b" " * 2_001)
                answer = connection.getresponse()
                refusals.append((answer.status, json.load(answer)["detail"]))

    assert {status for status, _ in refusals} == {413}
    assert all("more than 2,000 bytes" in detail and "--max-body-bytes" in detail for _, detail in refusals)


def test_without_a_pack_it_serves_what_was_served_last_from_the_same_data(desk: Desk) -> None:
    """A restored folder brings the names of its packs: its runs are not hidden behind the demo pack."""
    with desk.serving() as first:
        served = [client["client"] for client in first.facts["clients"]]
        first.stop()

    with serving(data=desk.data) as again:
        assert [client["client"] for client in again.facts["clients"]] == served
        assert again.facts["flows_out"] == []


def test_a_command_that_has_the_store_for_a_moment_does_not_keep_the_server_from_starting(desk: Desk) -> None:
    """As when `orderly runs list` runs by itself just when the service manager starts the server."""
    command = SqliteStore(desk.data / "orderly.db")
    ends = threading.Timer(1.0, command.close)
    ends.start()

    services = lifetime.opened(Settings(desk.data, (desk.pack,), port=0))

    services.stop()
    ends.join()
