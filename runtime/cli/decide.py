"""``exceptions`` and ``approvals``: what waits for people."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from runtime.cli import many, options, show
from runtime.cli.remote import desk
from runtime.cli.repairing import moved

_ROW = ("id", "at", "kind", "owner", "assignee", "flow", "run", "message")
#: What a narrow terminal leaves out first.
_LESS = ("assignee", "run", "at", "flow", "owner", "message")


@click.group()
def exceptions() -> None:
    """Business failures: each has an owner and is never retried by itself."""


@exceptions.command("list")
@click.option(
    "--state", type=click.Choice(["open", "resolved", "all"]), default="open", show_default=True, help="Which."
)
@click.option("--assignee", default="", help="Only those that were given to this user.")
@options.search
@options.limit
@options.here
def list_exceptions(
    state: str, limit: int, before: str | None, data: Path, packs: tuple[Path, ...], client: str, as_json: bool,
    **where: str,
) -> None:  # fmt: skip
    """Newest first."""
    with desk(data, packs) as door:
        wanted = "" if state == "all" else state
        told = door.call("exceptions_list", state=wanted, limit=limit, before=before, client=client, **where)
    show.answer(told, as_json, _table)


def _table(told: dict[str, Any]) -> None:
    show.table(told["exceptions"], *_ROW, none="no exceptions", less=_LESS)
    if told["after"]:
        show.fact("more", f"--before {told['after']}")


@exceptions.command("show")
@click.argument("id")
@options.here
def show_exception(id: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """One exception with its run."""
    with desk(data, packs) as door:
        told = door.call("exceptions_show", id=id, client=client)
    show.answer(told, as_json, _tell_exception)


def _tell_exception(told: dict[str, Any]) -> None:
    """What is empty is left out."""
    names = (
        "id", "kind", "message", "state", "owner", "assignee", "flow", "run", "node", "iteration", "field", "at",
        "note", "resolved_by", "resolved_at",
    )  # fmt: skip
    for name in names:
        if told[name]:
            show.fact(name.replace("_", " "), str(told[name]), bad=name == "kind" and told["state"] == "open")
    for name, value in told["details"].items():
        show.fact(f"  {name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    if told["of_run"] is not None:
        keys = ", ".join(f"{name}={value}" for name, value in told["of_run"]["keys"].items())
        show.fact("run is", f"{told['of_run']['state']}  {keys}")
    if told["state"] == "open" and told["run"]:
        show.fact("next", f"orderly exceptions redrive {told['id']}    once the cause is mended")
    elif told["state"] == "open":
        show.fact("next", f"orderly exceptions resolve {told['id']} --note …")


@exceptions.command("assign")
@click.argument("id")
@click.argument("assignee")
@click.option("--note", default="", help="What the assignee should know.")
@options.here
def assign(
    id: str, assignee: str, note: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Give an exception to ASSIGNEE, the login or mail address of a user."""
    with desk(data, packs) as door:
        told = door.call("exceptions_assign", id=id, assignee=assignee, note=note, by=options.me(), client=client)
    show.answer(told, as_json, lambda row: show.table([row], *_ROW))


@exceptions.command("note")
@click.argument("id")
@click.option("--note", required=True, help="What you found or did.")
@options.here
def note(id: str, note: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Keep a note with an exception."""
    with desk(data, packs) as door:
        told = door.call("exceptions_note", id=id, note=note, by=options.me(), client=client)
    show.answer(told, as_json, lambda row: show.table([row], *_ROW, "note"))


@exceptions.command("resolve")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--note", default="", help="How it was settled; it is kept.")
@many.options_of_many
@options.here
def resolve(
    ids: tuple[str, ...], note: str, where: tuple[str, ...], dry_run: bool, yes: bool,
    previewed: BinaryIO | None, data: Path, packs: tuple[Path, ...], client: str, as_json: bool,
) -> None:  # fmt: skip
    """Close exceptions; their runs stay as they are."""
    asked = _asked(ids, many.Many(where, dry_run, yes, previewed))
    many.check_reason(asked, note, "--note")
    with desk(data, packs) as door:
        if asked.asked or len(ids) > 1:
            many.repair(door, "exceptions", "resolve", asked, ids=ids, reason=note, client=client, as_json=as_json)
            return
        told = door.call("exceptions_resolve", id=ids[0], note=note, by=options.me(), client=client)
    show.answer(told, as_json, lambda row: show.table([row], "id", "state", "resolved_by", "note"))


def _asked(ids: tuple[str, ...], asked: many.Many) -> many.Many:
    if bool(ids) + bool(asked.where) + (asked.previewed is not None) != 1:
        raise click.UsageError("name the exceptions, or say --where or --previewed")
    return replace(asked, yes=asked.yes or bool(ids))


@exceptions.command("redrive")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--release", type=click.Choice(["pinned", "current"]), default="pinned", show_default=True,
    help="Of the flow: the one that the run began with, or today's.",
)  # fmt: skip
@many.reason
@many.options_of_many
@options.here
def redrive(
    ids: tuple[str, ...], release: str, reason: str, where: tuple[str, ...], dry_run: bool, yes: bool,
    previewed: BinaryIO | None, data: Path, packs: tuple[Path, ...], client: str, as_json: bool,
) -> None:  # fmt: skip
    """Go on with the run of an exception, from its failed node."""
    asked = _asked(ids, many.Many(where, dry_run, yes, previewed))
    if asked.asked:
        many.check_reason(asked, reason)
    with desk(data, packs) as door:
        if asked.asked:
            action = "redrive_current" if release == "current" else "redrive"
            many.repair(door, "exceptions", action, asked, ids=ids, reason=reason, client=client, as_json=as_json)
            return
        owned = [door.call("exception_run", id=id, client=client)["run"] for id in ids]
        given = {"by": options.me(), "reason": reason, "release": release, "client": client}
        told = [door.call("redrive", run=run, **given) for run in owned]
        show.answer(told, as_json, lambda rows: moved(rows, door.served))


@exceptions.command("reprocess")
@click.argument("id")
@options.reason
@options.here
def reprocess(id: str, reason: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Make a new run from the message of an exception's run; `runs reprocess` takes a corrected one."""
    _repair("reprocess", id, reason, data, packs, client, as_json)


@exceptions.command("cancel")
@click.argument("id")
@options.reason
@click.option("--undo", is_flag=True, help="Undo what it did first, newest first.")
@options.here
def cancel(
    id: str, reason: str, undo: bool, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """End the run of an exception. Nothing is undone without --undo."""
    _repair("cancel", id, reason, data, packs, client, as_json, undo=undo)


def _repair(
    verb: str, id: str, reason: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool, **more: Any
) -> None:
    with desk(data, packs) as door:
        run = door.call("exception_run", id=id, client=client)["run"]
        told = door.call(verb, run=run, by=options.me(), reason=reason, client=client, **more)
        show.answer(told, as_json, lambda row: moved([row], door.served))


@click.group()
def approvals() -> None:
    """What people have to decide. Nobody decides what they asked for."""


@approvals.command("list")
@click.option(
    "--state", type=click.Choice(["open", "approved", "rejected", "all"]), default="open", show_default=True,
    help="Which.",
)  # fmt: skip
@options.limit
@options.here
def list_approvals(state: str, limit: int, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Newest first."""
    with desk(data, packs) as door:
        wanted = "" if state == "all" else state
        told = door.call("approvals_list", state=wanted, limit=limit, client=client)
    columns = ("id", "created_at", "flow", "role", "requester", "reason", "state", "run")
    less = ("state", "created_at", "run", "flow", "requester", "role", "reason")
    show.answer(told, as_json, lambda page: show.table(page["approvals"], *columns, none="no approvals", less=less))


@approvals.command("show")
@click.argument("id")
@options.here
def show_approval(id: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """One approval with the document to be decided."""
    with desk(data, packs) as door:
        told = door.call("approvals_show", id=id, client=client)
    show.answer(told, as_json, _tell_approval)


def _tell_approval(told: dict[str, Any]) -> None:
    for name, value in told.items():
        if name not in ("document", "decisions") and value not in (None, "", []):
            show.fact(name.replace("_", " "), str(value))
    for decision in told.get("decisions", []):
        comment = f": {decision['comment']}" if decision.get("comment") else ""
        show.fact(decision["verdict"], f"by {decision['user']} at {decision['at'][:19]}{comment}")
    show.document(told["document"])


def _decision(command: Any) -> Any:
    command = click.option("--comment", default="", help="Kept with the decision.")(command)
    return click.option("--user", "login", required=True, help="Login of the person who decides.")(command)


@approvals.command("approve")
@click.argument("id")
@_decision
@options.here
def approve(
    id: str, login: str, comment: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Decide for a user, who must hold the role and must not be the requester."""
    _decide(id, "approved", login, comment, data, packs, client, as_json)


@approvals.command("reject")
@click.argument("id")
@_decision
@options.here
def reject(
    id: str, login: str, comment: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Decide against it for a user, by the same rules."""
    _decide(id, "rejected", login, comment, data, packs, client, as_json)


def _decide(
    id: str, verdict: str, login: str, comment: str, data: Path, packs: tuple[Path, ...], client: str,
    as_json: bool,
) -> None:  # fmt: skip
    with desk(data, packs) as door:
        told = door.call(
            "approvals_decide", id=id, verdict=verdict, login=login, comment=comment, by=options.me(),
            client=client,
        )  # fmt: skip
    show.answer(told, as_json, lambda row: show.table([row], "approval", "state", "user", "run"))
