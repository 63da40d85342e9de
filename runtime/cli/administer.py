"""``user``, ``key`` and ``db``: who may come in, and the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runtime.cli import options, show
from runtime.cli.remote import Without, desk
from runtime.cli.secret_input import secret

_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from one line of standard input.")


@click.group()
def user() -> None:
    """People who sign in to the console."""


@user.command("add")
@click.argument("login")
@click.option("--role", "roles", multiple=True, help="Role held, such as operator; may be repeated.")
@click.option("--mail", default="", help="Mail address; approvals compare it with the requester's.")
@click.option("--name", default="", help="Name as people see it; else the login.")
@_stdin
@options.here
def add_user(
    login: str, roles: tuple[str, ...], mail: str, name: str, password_stdin: bool, data: Path,
    packs: tuple[Path, ...], client: str, as_json: bool,
) -> None:  # fmt: skip
    """Add a user. The password is asked for at a terminal, or read from standard input."""
    password = secret("password", password_stdin, twice=True)
    with desk(data, packs, without=Without.MADE) as door:
        told = door.call(
            "users_add", login=login, password=password, roles=roles, mail=mail, name=name, by=options.me(),
            client=client,
        )  # fmt: skip
    show.answer(told, as_json, _tell_users)


@user.command("list")
@options.here
def list_users(data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """By login."""
    with desk(data, packs) as door:
        told = door.call("users_list", client=client)
    show.answer(told, as_json, _tell_users)


@user.command("password")
@click.argument("login")
@_stdin
@options.here
def set_password(
    login: str, password_stdin: bool, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Set a new password; the user's sessions end."""
    password = secret("password", password_stdin, twice=True)
    with desk(data, packs) as door:
        told = door.call("users_set_password", login=login, password=password, by=options.me(), client=client)
    show.answer(told, as_json, _tell_users)


@user.command("disable")
@click.argument("login")
@options.here
def disable(login: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Let a user in no more; the sessions end, what was decided stays."""
    with desk(data, packs) as door:
        told = door.call("users_disable", login=login, by=options.me(), client=client)
    show.answer(told, as_json, _tell_users)


@user.command("enable")
@click.argument("login")
@options.here
def enable(login: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Let a disabled user in again."""
    with desk(data, packs) as door:
        told = door.call("users_enable", login=login, by=options.me(), client=client)
    show.answer(told, as_json, _tell_users)


def _tell_users(told: dict[str, Any]) -> None:
    show.fact("client", told["client"])
    rows = told.get("users", [told])
    show.table(rows, "login", "name", "mail", "roles", "disabled", none="no users: add one with `orderly user add`")


@click.group()
def key() -> None:
    """API keys of systems that send webhooks."""


@key.command("add")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, default=["hooks:*"], show_default=True,
    help="What it opens: hooks:FLOW, or hooks:* for all; may be repeated.",
)  # fmt: skip
@options.here
def add_key(
    name: str, scopes: tuple[str, ...], data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Make a key; it is shown this once."""
    with desk(data, packs, without=Without.MADE) as door:
        told = door.call("keys_add", name=name, scopes=scopes, by=options.me(), client=client)
    show.answer(told, as_json, _tell_key)


def _tell_key(told: dict[str, Any]) -> None:
    show.fact("client", told["client"])
    show.fact("key", told["key"])
    show.fact("name", f"{told['name']}, opens {', '.join(told['scopes'])}")
    show.fact("keep it", "nobody can read it again; send it as `Authorization: Bearer KEY`")


@key.command("list")
@options.here
def list_keys(data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Oldest first, revoked ones too; never the keys themselves."""
    with desk(data, packs) as door:
        told = door.call("keys_list", client=client)
    show.answer(told, as_json, _tell_keys)


def _tell_keys(told: dict[str, Any]) -> None:
    show.fact("client", told["client"])
    show.table(told["keys"], "name", "scopes", "created_at", "revoked_at", "id", none="no keys")


@key.command("revoke")
@click.argument("name")
@options.here
def revoke(name: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Close a key, by its name or id; at once and for good."""
    with desk(data, packs) as door:
        told = door.call("keys_revoke", name=name, by=options.me(), client=client)
    show.answer(told, as_json, lambda row: show.fact("revoked", f"{row['name']} of client {row['client']}"))


@click.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@options.as_json
@options.store
@options.data
def upgrade(data: Path, store: str, as_json: bool) -> None:
    """Bring the database to the schema of this version.

    Every process must be stopped; make a backup first, with the version that wrote the data. Runs that are under
    way go on afterwards.
    """
    from runtime.cli.database import upgrade_database
    from runtime.observe.logs import set_up
    from runtime.store.migrations import HEAD

    set_up("warning", pretty=True)
    where, before = upgrade_database(store, data)
    told = {"database": where, "before": before, "schema": HEAD}
    show.answer(told, as_json, lambda row: show.fact("schema", f"{row['before'] or 'none'} -> {row['schema']}"))


@db.command("hold")
@click.option("--backup", required=True, help="Which backup it was, as people will read it.")
@options.skip_numbers
@options.as_json
@options.store
@options.data
def hold(data: Path, store: str, backup: str, skip_numbers: int, as_json: bool) -> None:
    """After a database was brought back by other means than `orderly restore`: let nothing go on by itself.

    Run it before any process is started on what pg_restore, a point-in-time recovery or a copied file brought back.
    Open runs are held, effects that were under way are uncertain, and control numbers jump, as after a restore.
    """
    from runtime.cli.database import hold_database
    from runtime.cli.housekeeping import tell_held
    from runtime.observe.logs import set_up

    set_up("warning", pretty=True)
    held = hold_database(store, data, backup, skip_numbers, options.me())
    show.answer({"clients": [vars(each) for each in held]}, as_json, tell_held)
