"""``orderly doctor`` answers with a server and without, and where the store cannot be opened."""

from __future__ import annotations

import json
from typing import Any

from runtime.store.sqlite import SqliteStore
from tests.runtime.cli.command import Desk, write_pack


def examined(desk: Desk, code: int) -> dict[str, list[dict[str, Any]]]:
    """Findings by check."""
    done = desk.orderly("doctor", "--json")
    assert done.returncode == code, (done.stdout, done.stderr)
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def test_a_healthy_installation_has_no_error(either: Desk) -> None:
    either.outbox.mkdir()
    either.run("deliver", {"number": "D-1", "text": "x"})

    found = examined(either, 0)

    for check in (
        "disk",
        "key file",
        "store",
        "store log",
        "queue",
        "clock",
        "flow",
        "secrets",
        "connection outbox",
    ):
        assert [finding["status"] for finding in found[check]] == ["ok"], found[check]
    assert [finding["what"] for finding in found["backup"]] == ["orderly backup was never run"]
    either.answer("backup", str(either.data.with_name("backup")))
    assert examined(either, 0)["backup"][0]["status"] == "ok"


def test_a_peer_that_cannot_be_reached_is_an_error_and_exit_1(either: Desk) -> None:
    either.run("refuse", {"number": "R-1"}, code=1)

    (finding,) = examined(either, 1)["connection outbox"]

    assert (finding["status"], finding["client"]) == ("error", "mercy")
    assert finding["next_action"]
    told = either.orderly("doctor")
    assert told.returncode == 1
    assert "connection outbox" in told.stdout
    assert "next: " in told.stdout


def test_of_several_clients_a_hint_says_which_one_it_is_for(desk: Desk) -> None:
    """A command that is copied from there works as it is."""
    other = write_pack(desk.pack.with_name("grace"), desk.outbox)
    (other / "pack.json").write_text(json.dumps({"client": "grace", "name": "Grace"}))
    (desk.data / "packs.json").write_text(json.dumps([str(desk.pack), str(other)]))
    desk.outbox.mkdir()
    desk.run("refuse", {"number": "R-1"}, "--client", "grace", code=1)

    (finding,) = [each for each in examined(desk, 0)["runs"] if each["status"] != "ok"]

    assert finding["next_action"] == "orderly runs list --state exception --client grace"
    _, *verb = finding["next_action"].split()
    assert [run["flow"] for run in desk.answer(*verb)["runs"]] == ["refuse"]


def test_it_says_whether_a_server_runs(desk: Desk) -> None:
    desk.outbox.mkdir()
    desk.run("deliver", {"number": "D-1", "text": "x"})
    assert examined(desk, 0)["server"][0]["status"] == "warning"

    with desk.serving():
        assert examined(desk, 0)["server"][0]["status"] == "ok"


def test_where_nothing_is_stored_yet_nothing_is_made(desk: Desk) -> None:
    found = examined(desk, 0)

    assert list(found) == ["store"]
    assert not (desk.data / "orderly.db").exists()


def test_a_store_that_somebody_else_has_is_told_and_the_files_are_looked_at(desk: Desk) -> None:
    """A process that holds the data and answers nobody."""
    holding = SqliteStore(desk.data / "orderly.db")

    found = examined(desk, 1)

    holding.close()
    assert "is in use by process" in found["store"][0]["what"]
    assert found["disk"][0]["status"] == "ok"


def test_a_pack_that_cannot_be_read_is_told(desk: Desk) -> None:
    desk.outbox.mkdir()
    desk.run("deliver", {"number": "D-1", "text": "x"})
    (desk.pack / "pack.json").write_text("{")

    (finding,) = examined(desk, 1)["store"]

    assert "pack.json" in finding["what"]
