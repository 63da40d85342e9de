"""What people do to runs: redrive, reprocess, cancel, let others pass, assign, note; one by one or many at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from runtime.cli import many, options, show
from runtime.cli.remote import desk


def of_runs(subject: str) -> list[click.Command]:
    """The verbs over ``runs`` or ``dead_letters``: which of the two ``--where`` looks among."""
    return [_redrive(subject), _reprocess(subject), _cancel(subject), undo_plan, step_aside, assign, note]


def _redrive(subject: str) -> click.Command:
    @click.command("redrive")
    @click.argument("ids", metavar="[RUN]...", nargs=-1)
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
        """Go on from the failed node, with new attempts."""
        asked = _asked(ids, many.Many(where, dry_run, yes, previewed))
        if asked.asked:
            many.check_reason(asked, reason)
        with desk(data, packs) as door:
            if asked.asked:
                action = "redrive_current" if release == "current" else "redrive"
                many.repair(door, subject, action, asked, ids=ids, reason=reason, client=client, as_json=as_json)
                return
            given = {"by": options.me(), "reason": reason, "release": release, "client": client}
            told = [door.call("redrive", run=run, **given) for run in ids]
            show.answer(told, as_json, lambda rows: moved(rows, door.served))

    return redrive


def _reprocess(subject: str) -> click.Command:
    @click.command("reprocess")
    @click.argument("ids", metavar="[RUN]...", nargs=-1)
    @many.reason
    @click.option("--payload", type=click.File("rb"), help="The corrected message as JSON, of one run; - is stdin.")
    @click.option("--carry-over", is_flag=True, help="Take over what was done and must happen once.")
    @click.option(
        "--happened", multiple=True, metavar="NODE=JSON", help="Nobody knew: it happened, and this was the answer."
    )
    @click.option("--not-happened", multiple=True, metavar="NODE", help="Nobody knew: it did not happen.")
    @many.options_of_many
    @options.here
    def reprocess(
        ids: tuple[str, ...], reason: str, payload: BinaryIO | None, carry_over: bool, happened: tuple[str, ...],
        not_happened: tuple[str, ...], where: tuple[str, ...], dry_run: bool, yes: bool,
        previewed: BinaryIO | None, data: Path, packs: tuple[Path, ...], client: str, as_json: bool,
    ) -> None:  # fmt: skip
        """Make a new run of the current release from the original message, or from a corrected one.

        The old run stays as it is, and names the new one. It is refused while something that must happen once was
        done or may have been, unless you say what becomes of it.
        """
        asked = _asked(ids, many.Many(where, dry_run, yes, previewed))
        many.check_reason(asked, reason)
        single = {
            "payload": payload,
            "--carry-over": carry_over,
            "--happened": happened,
            "--not-happened": not_happened,
        }
        with desk(data, packs) as door:
            if asked.asked or len(ids) > 1:
                if any(single.values()):
                    raise click.UsageError(
                        "a corrected message and what is carried over belong to one run that is done at once: name"
                        " one run, without --where and --dry-run"
                    )
                many.repair(
                    door, subject, "reprocess", asked, ids=ids, reason=reason, client=client, as_json=as_json
                )
                return
            told = door.call(
                "reprocess", run=ids[0], by=options.me(), reason=reason, edited=payload is not None,
                body=_json(payload.read().decode(), "--payload") if payload is not None else None,
                carry=carry_over, happened=_answers(happened), not_happened=not_happened, client=client,
            )  # fmt: skip
            show.answer(told, as_json, lambda row: moved([row], door.served))

    return reprocess


def _cancel(subject: str) -> click.Command:
    @click.command("cancel")
    @click.argument("ids", metavar="[RUN]...", nargs=-1)
    @options.reason
    @click.option(
        "--undo", is_flag=True, help="Undo what it did first, newest first; undo-plan shows what that is."
    )
    @many.options_of_many
    @options.here
    def cancel(
        ids: tuple[str, ...], reason: str, undo: bool, where: tuple[str, ...], dry_run: bool, yes: bool,
        previewed: BinaryIO | None, data: Path, packs: tuple[Path, ...], client: str, as_json: bool,
    ) -> None:  # fmt: skip
        """End a run that stands still. Nothing is undone without --undo."""
        asked = _asked(ids, many.Many(where, dry_run, yes, previewed))
        many.check_reason(asked, reason)
        with desk(data, packs) as door:
            if asked.asked or len(ids) > 1:
                if undo:
                    raise click.UsageError("what is undone is looked at run by run: name one")
                many.repair(door, subject, "cancel", asked, ids=ids, reason=reason, client=client, as_json=as_json)
                return
            told = door.call("cancel", run=ids[0], by=options.me(), reason=reason, undo=undo, client=client)
            show.answer(told, as_json, lambda row: moved([row], door.served))

    return cancel


def _asked(ids: tuple[str, ...], asked: many.Many) -> many.Many:
    if not ids and not asked.where and asked.previewed is None:
        raise click.UsageError("name the runs, or say --where or --previewed")
    if ids and asked.where:
        raise click.UsageError("name the runs or say --where, not both")
    return replace(asked, yes=asked.yes or bool(ids))


def _answers(given: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for each in given:
        place, equals, answer = each.partition("=")
        if not equals:
            raise click.BadParameter(f"{each!r} is not NODE=JSON", param_hint="--happened")
        found[place] = _json(answer, "--happened")
    return found


def _json(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"is not JSON: {error}", param_hint=option) from error


@click.command("undo-plan")
@click.argument("run")
@options.here
def undo_plan(run: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Show what `cancel --undo` would undo, newest first, and what would stay."""
    with desk(data, packs) as door:
        told = door.call("undo_plan", run=run, client=client)
    show.answer(told, as_json, _tell_plan)


def _tell_plan(told: dict[str, Any]) -> None:
    show.table(told["undos"], "node", "iteration", "operation", "connection", "happened_at", none="nothing to undo")
    for row in told["stays"]:
        show.fact("stays", f"{row['node']} ({row['operation']}): {row['why']}", bad=True)
    for row in told["called"]:
        show.fact("stays", f"run {row['run']} of {row['flow']}, which it called, is {row['state']}", bad=True)
    if told["refused"]:
        show.fact("refused", told["refused"], bad=True)


@click.command("step-aside")
@click.argument("run")
@options.reason
@options.here
def step_aside(run: str, reason: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Let the runs of the same key (order_by) pass RUN, which stands still."""
    with desk(data, packs) as door:
        told = door.call("step_aside", run=run, by=options.me(), reason=reason, client=client)
        show.answer(told, as_json, lambda row: _tell_aside(row, door.served))


def _tell_aside(told: dict[str, Any], served: bool) -> None:
    show.table([told], "run", "flow", "state")
    show.fact("next", f"run {told['next']} goes on" if told["next"] else "nobody stands behind it")
    if told["next"] and not served:
        show.fact("next", "no server runs on these data: `orderly serve` goes on with it")


@click.command("assign")
@click.argument("run")
@click.argument("assignee")
@click.option("--note", default="", help="What the assignee should know.")
@options.here
def assign(
    run: str, assignee: str, note: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Give RUN to ASSIGNEE, the login or mail address of a user, to put it right."""
    with desk(data, packs) as door:
        told = door.call("runs_assign", run=run, assignee=assignee, note=note, by=options.me(), client=client)
    show.answer(told, as_json, lambda row: show.table([row], "run", "flow", "state", "assignee"))


@click.command("note")
@click.argument("run")
@click.option("--note", required=True, help="What you found or did.")
@options.here
def note(run: str, note: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Keep a note with RUN."""
    with desk(data, packs) as door:
        told = door.call("runs_note", run=run, note=note, by=options.me(), client=client)
    show.answer(told, as_json, lambda row: show.table([row], "run", "flow", "state", "note"))


def moved(rows: list[dict[str, Any]], served: bool) -> None:
    """What was set in motion, and who goes on with it."""
    show.table(rows, "run", "flow", "state")
    if not served and any(row["state"] == "ready" for row in rows):
        show.fact("next", "no server runs on these data: `orderly serve` goes on with it")
