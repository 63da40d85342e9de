"""Backup, restore, release and upgrade as an operator does them: with processes, files and open runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from runtime.store import migrations
from tests.runtime.cli.command import Desk, until


def waiting(desk: Desk, number: str) -> str:
    """A run that waits for a decision."""
    return str(desk.run("decide", {"number": number, "requester": "anna"})["run"])


def approve(desk: Desk, run: str) -> None:
    (asked,) = [row for row in desk.answer("approvals", "list")["approvals"] if row["run"] == run]
    desk.answer("approvals", "approve", asked["id"], "--user", "omar")


def is_over(desk: Desk, run: str) -> Any:
    return lambda: desk.answer("runs", "show", run)["state"] == "done"


def with_omar(desk: Desk) -> Desk:
    desk.answer("user", "add", "omar", "--role", "procurement_manager", given="correct horse\n")
    return desk


def elsewhere(desk: Desk) -> Desk:
    return Desk(desk.pack, desk.data.with_name("new"), desk.outbox)


def test_a_backup_of_a_running_server_comes_back_and_its_runs_are_held_until_they_are_released(desk: Desk) -> None:
    with desk.serving():
        run = waiting(with_omar(desk), "A-1")
        made = desk.answer("backup", str(desk.data.with_name("backup")))
        later = waiting(desk, "A-2")
    assert (made["clients"], made["keys"], made["key_file"]) == (["mercy"], [], str(desk.data / "vault.key"))
    new = elsewhere(desk)

    told = new.answer("restore", made["backup"], "--data", str(new.data), "--key-file", made["key_file"])

    assert [(row["client"], row["held"], row["uncertain"]) for row in told["clients"]] == [("mercy", 1, 0)]
    with new.serving():
        shown = new.answer("runs", "show", run)
        assert (shown["state"], shown["why"]) == (
            "held", f"restored from the backup of {made['made_at']}: look at the peers, then release it",
        )  # fmt: skip
        assert new.problem("runs", "show", later)["kind"] == "not_found"
        approve(new, run)
        assert new.answer("runs", "show", run)["state"] == "held"

        assert new.answer("runs", "release", run) == {"released": [run]}

        until(is_over(new, run), "the released run to be done")
        assert new.problem("runs", "release", run)["kind"] == "refused"


def test_what_a_killed_backup_left_is_named_by_the_doctor_and_removed_by_the_next(desk: Desk) -> None:
    """What others are making, here or on another machine that has the same folder, stays."""
    backups = desk.data.with_name("backups")
    desk.answer("backup", str(backups / "monday"))
    code = "import os, pathlib, sys\nfrom runtime.store.aside import aside\n" \
           "with aside(pathlib.Path(sys.argv[1])) as folder:\n" \
           "    (folder / 'orderly.db').write_bytes(bytes(1000))\n    os.kill(os.getpid(), 9)"  # fmt: skip
    for target in (backups / "tuesday", desk.data.with_name("brought_back")):
        assert subprocess.run([sys.executable, "-c", code, target], check=False).returncode == -signal.SIGKILL
    others = [f".x.{socket.gethostname()}.{os.getpid()}.partial", ".x.elsewhere.example.1.partial"]
    for name in others:
        (backups / name).mkdir()

    found = json.loads(desk.orderly("doctor", "--json").stdout)["findings"]
    desk.answer("backup", str(backups / "wednesday"))

    named = [each["what"].split()[0] for each in found if each["check"] == "unfinished"]
    assert [Path(name).parent for name in named] == [backups.parent, backups]
    assert [Path(name).name.split(".")[1] for name in named] == ["brought_back", "tuesday"]
    assert {path.name for path in backups.iterdir()} == {"monday", "wednesday", *others}


def test_all_held_runs_are_released_at_once_without_a_server_too(desk: Desk) -> None:
    runs = sorted(waiting(desk, f"A-{number}") for number in range(3))
    made = desk.answer("backup", str(desk.data.with_name("backup")))
    new = elsewhere(desk)
    new.answer("restore", made["backup"], "--data", str(new.data))

    assert sorted(new.answer("runs", "release", "--all")["released"]) == runs

    assert [row["state"] for row in new.answer("runs", "list")["runs"]] == ["ready"] * 3
    assert new.answer("runs", "release", "--all") == {"released": []}


def test_every_step_is_audited(desk: Desk) -> None:
    run = waiting(desk, "A-1")
    made = desk.answer("backup", str(desk.data.with_name("backup")))
    new = elsewhere(desk)
    new.answer("restore", made["backup"], "--data", str(new.data))
    new.answer("runs", "release", run)
    new.answer("runs", "release", "--all")

    def actions(data: Path) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(data / "orderly.db")) as connection:
            asked = "SELECT action, subject FROM audit WHERE action NOT LIKE 'user%' ORDER BY seq"
            return connection.execute(asked).fetchall()

    assert actions(desk.data) == [("backup.made", "backup")]
    assert actions(new.data) == [
        ("restore.made", "backup"), ("run.released", run), ("runs.released", "restore"),
    ]  # fmt: skip


def test_a_backup_with_keys_needs_no_other_file(desk: Desk) -> None:
    desk.answer("connection", "set-secret", "erp", given="s3cret\n")
    made = desk.answer("backup", str(desk.data.with_name("backup")), "--with-keys")
    new = elsewhere(desk)

    told = new.answer("restore", made["backup"], "--data", str(new.data))

    assert "vault.key" in made["keys"]
    assert told["keys"] == sorted(made["keys"])
    assert (new.data / "vault.key").read_bytes() == (desk.data / "vault.key").read_bytes()


def test_what_cannot_be_backed_up_or_restored_is_said(desk: Desk) -> None:
    waiting(desk, "A-1")

    assert "not empty" in desk.problem("backup", str(desk.pack))["detail"]
    assert (
        "no whole backup" in desk.problem("restore", str(desk.pack), "--data", str(elsewhere(desk).data))["detail"]
    )
    made = desk.answer("backup", str(desk.data.with_name("backup")))
    assert "not empty" in desk.problem("restore", made["backup"], "--data", str(desk.data))["detail"]
    assert desk.orderly("runs", "release").returncode == 2
    assert desk.orderly("runs", "release", "R", "--all").returncode == 2


# migrations with runs in flight


def as_of(revision: str, database: Path) -> None:
    """Makes the database one of an earlier revision, with the same rows in the columns it had."""
    old = database.with_suffix(".old")
    engine = create_engine(f"sqlite:///{old}")
    from alembic import command

    made = migrations.config()
    with engine.begin() as connection:
        made.attributes["connection"] = connection
        command.upgrade(made, revision)
    engine.dispose()
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ATTACH ? AS new", (str(database),))
        found = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in found:
            if table in ("alembic_version", "sqlite_sequence"):
                continue
            names = ", ".join(f'"{row[1]}"' for row in connection.execute(f'PRAGMA main.table_info("{table}")'))
            connection.execute(f'INSERT INTO main."{table}" ({names}) SELECT {names} FROM new."{table}"')
        connection.commit()
    for more in ("-wal", "-shm"):
        database.with_name(database.name + more).unlink(missing_ok=True)
    shutil.move(old, database)


@pytest.mark.parametrize("revision", ["0001"])
def test_runs_that_are_open_when_the_database_is_upgraded_go_on(desk: Desk, revision: str) -> None:
    with desk.serving():
        run = waiting(with_omar(desk), "A-1")
        resting = desk.run("pause", {"number": "P-1"}, "--timeout", "0")["run"]
    as_of(revision, desk.data / "orderly.db")
    assert "orderly db upgrade" in desk.problem("runs", "list")["detail"]
    assert "orderly db upgrade" in desk.problem("serve", "--port", "0")["detail"]

    told = desk.answer("db", "upgrade")

    assert (told["before"], told["schema"]) == (revision, migrations.HEAD)
    with desk.serving():
        until(is_over(desk, resting), "the run that rested to be done")
        approve(desk, run)
        until(is_over(desk, run), "the approved run to be done")


def test_an_upgrade_remembers_which_blobs_the_old_rows_need(desk: Desk) -> None:
    """Earlier versions said it in the rows' JSON only; what retention removes later depends on it."""
    desk.outbox.mkdir()
    claim = {"$blob": "sha256:" + "ab" * 32, "size": 7, "type": "text/plain"}
    run = desk.run("decide", {"number": "B-1", "requester": "anna", "file": claim})["run"]
    as_of("0001", desk.data / "orderly.db")
    with closing(sqlite3.connect(desk.data / "orderly.db")) as connection:
        connection.execute("DELETE FROM blob_reference WHERE kind <> 'message'")
        connection.commit()

    desk.answer("db", "upgrade")

    with closing(sqlite3.connect(desk.data / "orderly.db")) as connection:
        found = connection.execute(
            "SELECT blob, kind, owner FROM blob_reference WHERE kind <> 'message'"
        ).fetchall()
    assert found == [(claim["$blob"], "run", run)]
