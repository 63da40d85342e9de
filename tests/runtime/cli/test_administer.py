"""Users, keys, connections and secrets, with a server and without."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.runtime.cli.command import Desk, orderly


def test_users_are_added_listed_disabled_and_given_passwords(either: Desk) -> None:
    added = either.answer(
        "user", "add", "omar", "--mail", "omar@mercy.example", "--role", "procurement_manager", "--role", "finance",
        "--password-stdin", given="correct horse\n",
    )  # fmt: skip
    assert added["roles"] == ["procurement_manager", "finance"]

    assert either.answer("user", "password", "omar", given="another horse\n")["login"] == "omar"
    assert either.answer("user", "disable", "omar@mercy.example")["disabled"] is True
    assert either.answer("user", "enable", "omar")["disabled"] is False
    assert [row["login"] for row in either.answer("user", "list")["users"]] == ["omar"]
    assert either.problem("user", "add", "OMAR", given="correct horse\n")["kind"] == "access"


def test_a_password_is_never_an_answer_and_a_short_one_is_refused(served: Desk) -> None:
    problem = served.problem("user", "add", "omar", given="short\n")
    assert problem["kind"] == "access"
    assert "short" not in json.dumps(problem)

    done = served.orderly("user", "add", "omar", "--json", given="correct horse\n")
    assert "horse" not in done.stdout + done.stderr


def test_a_missing_password_is_wrong_usage(served: Desk) -> None:
    assert served.orderly("user", "add", "omar").returncode == 2


def test_a_key_is_shown_once_and_can_be_revoked_by_name(served: Desk) -> None:
    made = served.answer("key", "add", "portal", "--scope", "hooks:refuse")
    assert made["key"].startswith("orderly_")

    listed = served.answer("key", "list")["keys"]
    assert [(row["name"], row["scopes"], row["revoked_at"]) for row in listed] == [
        ("portal", ["hooks:refuse"], None)
    ]
    assert made["key"] not in json.dumps(listed)
    assert served.answer("key", "revoke", "portal")["revoked"] is True
    assert served.problem("key", "revoke", "portal")["kind"] == "not_found"


@pytest.mark.parametrize("scope", ["hook:*", "hooks:refused", "hooks:x*", "refuse", ""])
def test_a_scope_that_opens_nothing_is_refused_with_those_there_are(served: Desk, scope: str) -> None:
    told = served.problem("key", "add", "portal", "--scope", "hooks:refuse", "--scope", scope)

    assert f"there is no scope {scope!r}" in told["detail"]
    assert "hooks:*, hooks:decide, hooks:deliver, hooks:hand_on, hooks:pause, hooks:refuse" in told["detail"]
    assert served.answer("key", "list")["keys"] == []
    assert served.answer("key", "add", "portal", "--scope", "hooks:de*")["scopes"] == ["hooks:de*"]


def test_a_role_that_means_nothing_is_refused_with_those_there_are(served: Desk) -> None:
    told = served.problem("user", "add", "omar", "--role", "procurement_manger", given="correct horse\n")

    assert "there is no role 'procurement_manger'" in told["detail"]
    assert "there are: finance, operator, procurement, procurement_manager" in told["detail"]
    assert served.answer("user", "list")["users"] == []


def test_a_connection_is_tested_and_exit_1_says_that_it_does_not_work(either: Desk) -> None:
    failed = either.problem("connection", "test", "outbox")
    assert failed["ok"] is False
    assert failed["message"]

    either.outbox.mkdir()
    assert either.answer("connection", "test", "outbox")["ok"] is True
    assert either.problem("connection", "test", "nosuch")["kind"] == "misconfigured"


def test_a_secret_goes_into_the_vault_and_never_comes_out_again(either: Desk) -> None:
    stored = either.answer("connection", "set-secret", "erp_password", given="sesame\n")
    assert (stored["client"], stored["reference"]) == ("mercy", "vault:erp_password")

    listed = either.answer("connection", "list")
    assert listed["secrets"] == ["erp_password"]
    assert "sesame" not in json.dumps(listed)
    assert b"sesame" not in b"".join(path.read_bytes() for path in either.data.glob("orderly.db*"))


def test_a_secret_that_no_connection_refers_to_is_stored_with_a_warning(served: Desk) -> None:
    """The connection's file is what counts, as it is now: it may be newer than what the server runs on."""
    connection = {"type": "sftp", "settings": {"password": "vault:acme_password"}}
    (served.pack / "connections" / "acme.json").write_text(json.dumps(connection), encoding="utf-8")

    known = served.answer("connection", "set-secret", "acme_password", given="sesame\n")
    assert (known["used_by"], known["references"]) == (["acme"], ["acme_password"])
    said = served.orderly("connection", "set-secret", "acme_pasword", given="sesame\n").stdout
    assert "they refer to vault:acme_password" in said


def test_a_connection_test_takes_the_file_and_says_when_the_server_runs_on_an_older_one(served: Desk) -> None:
    assert served.problem("connection", "test", "outbox")["stale"] is False
    other = served.outbox.with_name("other")
    other.mkdir()
    changed = {"type": "file", "settings": {"root": str(other)}}
    (served.pack / "connections" / "outbox.json").write_text(json.dumps(changed), encoding="utf-8")

    told = served.answer("connection", "test", "outbox")
    assert (told["ok"], told["stale"]) == (True, True)
    assert "restart it" in served.orderly("connection", "test", "outbox").stdout


def test_without_a_pack_nothing_is_done_for_a_client_that_nobody_named(tmp_path: Path) -> None:
    """The built-in demo hospital is for `serve` and `demo` only."""
    fresh = tmp_path / "fresh"
    for verb in (["user", "add", "anna"], ["key", "add", "till"], ["connection", "list"]):
        done = orderly(*verb, given="correct horse\n", data=fresh, cwd=tmp_path)

        assert (done.returncode, done.stdout) == (2, ""), verb
        assert "--pack FOLDER" in done.stderr
    assert not fresh.exists()


def test_what_is_added_names_the_client_it_was_added_for(served: Desk) -> None:
    for verb in (["user", "add", "anna"], ["user", "list"], ["key", "add", "till"], ["key", "list"]):
        assert "client     mercy" in served.orderly(*verb, given="correct horse\n").stdout, verb


def test_a_data_folder_that_is_not_there_is_not_made_by_looking(desk: Desk) -> None:
    typo = desk.data.with_name("dtaa")
    for verb in (["runs", "list"], ["user", "list"], ["exceptions", "list"], ["connection", "list"]):
        done = orderly(*verb, "--data", str(typo), "--pack", str(desk.pack))

        assert done.returncode == (0 if verb[0] == "connection" else 1), verb
        assert verb[0] == "connection" or str(typo) in done.stderr
        assert not typo.exists()


def test_a_connection_is_written_as_a_file_with_references(served: Desk) -> None:
    told = served.answer(
        "connection", "add", "erp", "--type", "soap", "--set", "url=https://erp.example/soap",
        "--set", "wsdl=https://erp.example/soap?wsdl", "--set", "auth.type=basic", "--set", "auth.user=orderly",
        "--set", "auth.password=vault:erp_password",
    )  # fmt: skip

    written = json.loads((served.pack / "connections" / "erp.json").read_text())
    assert told["file"].endswith("connections/erp.json")
    assert written["type"] == "soap"
    assert written["settings"]["auth"] == {"type": "basic", "user": "orderly", "password": "vault:erp_password"}
    assert served.orderly("connection", "add", "erp", "--type", "soap").returncode == 2


def test_limits_are_set_with_the_settings_and_listed_as_the_file_says_them(desk: Desk) -> None:
    """What is not named stays, and null takes away."""
    bounds = ("limits.at_once=1", "limits.per_minute=120", "limits.breaker.failures=5", "limits.breaker.first=90s")
    wanted = [word for bound in bounds for word in ("--set", bound)]
    root = str(desk.outbox)
    made = desk.answer("connection", "add", "slow", "--type", "file", "--set", f"root={root}", *wanted)
    first = json.loads(Path(made["file"]).read_text())
    desk.answer("connection", "set", "slow", "--set", "limits.per_minute=null", "--set", "limits.at_once=2")

    with desk.serving():
        rows = {row["connection"]: row for row in desk.answer("connection", "list")["connections"]}
        shown = desk.orderly("connection", "list").stdout

    breaker = {"failures": 5, "first": "90s"}
    assert (first["settings"], first["limits"]) == (
        {"root": root}, {"at_once": 1, "per_minute": 120, "breaker": breaker},
    )  # fmt: skip
    assert (rows["slow"]["settings"]["root"], rows["slow"]["limits"]) == (root, {"at_once": 2, "breaker": breaker})
    assert rows["outbox"]["limits"] == {}
    assert "at_once=2, breaker.failures=5, breaker.first=90s" in shown


def test_a_limit_that_is_none_is_refused_and_nothing_is_written(desk: Desk) -> None:
    before = (desk.pack / "connections" / "outbox.json").read_bytes()

    wrong = desk.problem("connection", "set", "outbox", "--set", "limits.at_onc=1")
    none = desk.problem("connection", "set", "outbox", "--set", "limits.per_minute=0")
    nobody = desk.orderly("connection", "set", "nobody", "--set", "limits.at_once=1")

    assert "'at_once'" in wrong["next_action"]
    assert "/limits/per_minute" in none["detail"]
    assert (nobody.returncode, "`orderly connection add` makes it" in nobody.stderr) == (2, True)
    assert (desk.pack / "connections" / "outbox.json").read_bytes() == before


@pytest.mark.parametrize("runs", [True, False], ids=["served", "alone"])
def test_what_comes_next_after_a_connection_was_written(desk: Desk, runs: bool) -> None:
    """A server that runs has not read the file; where none runs there is none to restart."""
    verb = ("connection", "add", "till", "--type", "file", "--set", f"root={desk.outbox}", "--client", "mercy")
    with desk.serving() if runs else nullcontext():
        told = desk.orderly(*verb).stdout

    assert ("restart the server" in told) is runs
    assert "orderly connection test till --client mercy" in told


def test_a_secret_in_clear_is_refused_and_nothing_is_written(served: Desk) -> None:
    problem = served.problem(
        "connection", "add", "erp", "--type", "soap", "--set", "url=https://erp.example/soap",
        "--set", "wsdl=https://erp.example/soap?wsdl", "--set", "auth.type=basic", "--set", "auth.user=orderly",
        "--set", "auth.password=sesame",
    )  # fmt: skip

    assert problem["kind"] == "secret-in-file"
    assert "vault:" in problem["next_action"]
    assert not (served.pack / "connections" / "erp.json").exists()


def test_the_database_is_upgraded_only_while_no_server_has_it(desk: Desk) -> None:
    made, again = desk.answer("db", "upgrade"), desk.answer("db", "upgrade")
    assert (made["before"], again["before"]) == (None, made["schema"])

    with desk.serving():
        assert desk.problem("db", "upgrade")["kind"] == "unavailable"


def test_several_clients_have_to_be_told_apart(desk: Desk) -> None:
    other = desk.pack.parent / "grace"
    other.mkdir()
    (other / "pack.json").write_text(json.dumps({"client": "grace", "name": "Grace"}), encoding="utf-8")
    packs = ("--pack", str(desk.pack), "--pack", str(other))

    assert desk.problem("user", "list", *packs)["kind"] == "misconfigured"
    desk.answer("user", "add", "omar", "--client", "grace", *packs, given="correct horse\n")

    assert len(desk.answer("user", "list", "--client", "grace", *packs)["users"]) == 1
    assert desk.answer("user", "list", "--client", "mercy", *packs)["users"] == []
