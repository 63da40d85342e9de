"""One repair for many at once: looked at first, then done for exactly those that were looked at."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO

import click

from runtime.cli import options, show
from runtime.cli.remote import Desk

#: For verbs that only look with ``--dry-run``: whether one is needed is for ``check_reason``.
reason = click.option("--reason", default="", help="Why; it is kept with what is done.")
#: A thousand of them may take minutes.
_LONGEST = 1800.0
_SHOWN = 20


@dataclass(frozen=True)
class Many:
    """How it was asked for, if it was."""

    where: tuple[str, ...]
    dry_run: bool
    yes: bool
    previewed: BinaryIO | None

    @property
    def asked(self) -> bool:
        return bool(self.where) or self.dry_run or self.previewed is not None


def options_of_many(command: Any) -> Any:
    for option in (
        click.option("--previewed", type=click.File("rb"), help="Those of this answer of --dry-run --json."),
        click.option("--yes", is_flag=True, help="Do not ask again."),
        click.option("--dry-run", is_flag=True, help="Only show what would be done, and what would be refused."),
        click.option(
            "--where", multiple=True, metavar="KEY=VALUE",
            help="All for which it holds: flow, kind, owner, text, since, until, state; may be repeated.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def check_reason(asked: Many, reason: str, option: str = "--reason") -> None:
    """Nothing is done without one; to look needs none. Raises ``UsageError``."""
    if not asked.dry_run and not reason.strip():
        raise click.UsageError(f"say why: {option}; it is kept with what is done")


def conditions(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``state`` may be said several times. Raises ``BadParameter``."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--where")
        found.setdefault("text" if name == "key" else name, []).append(value)
    doubled = [name for name, values in found.items() if len(values) > 1 and name != "state"]
    if doubled:
        raise click.BadParameter(f"{doubled[0]} is said twice", param_hint="--where")
    return {name: values if name == "state" else values[0] for name, values in found.items()}


def repair(
    door: Desk,
    subject: str,
    action: str,
    many: Many,
    *,
    ids: tuple[str, ...],
    reason: str,
    client: str,
    as_json: bool,
) -> None:
    """Previews, asks, does. Exit 1 where one that was previewed could not be done."""
    preview = _preview(door, subject, action, many, ids, client)
    if many.dry_run:
        show.answer(preview, as_json, tell_preview)
        return
    if not as_json and many.previewed is None:
        tell_preview(preview)
    if preview["would"] and not many.yes and many.previewed is None:
        _confirm(len(preview["would"]), action)
    told = door.call(
        "bulk_do", action=action, chosen=preview["would"], by=options.me(), reason=reason, timeout=_LONGEST,
        client=client,
    )  # fmt: skip
    show.answer(told, as_json, _tell_done)
    if told["refused"]:
        raise click.exceptions.Exit(1)


def _preview(
    door: Desk, subject: str, action: str, many: Many, ids: tuple[str, ...], client: str
) -> dict[str, Any]:
    if many.previewed is None:
        where = conditions(many.where)
        if subject != "exceptions" and "state" in where:
            where["states"] = where.pop("state")
        elif "state" in where:
            where["state"] = where["state"][-1]
        told: dict[str, Any] = door.call(
            "bulk_preview", subject=subject, action=action, where=where, ids=ids, client=client
        )
        return told
    if ids or many.where:
        raise click.UsageError("--previewed says which: leave out ids and --where")
    try:
        read = json.loads(many.previewed.read())
        if read["action"] != action:
            raise click.UsageError(f"the preview is of {read['action']!r}, this is {action!r}")
        return {"would": read["would"]}
    except (ValueError, KeyError, TypeError) as error:
        raise click.BadParameter("is no answer of --dry-run --json", param_hint="--previewed") from error


def _confirm(count: int, action: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("say --yes, or look first with --dry-run")
    click.confirm(f"{action.replace('_', ' ')} {count}?", abort=True, err=True)


def tell_preview(told: dict[str, Any]) -> None:
    show.table(told["counts"], "flow", "kind", "would", "refused", none="nothing is found")
    show.fact("would", f"{told['action'].replace('_', ' ')}: {len(told['would'])} {told['subject']}")
    for row in told["refused"][:_SHOWN]:
        show.fact("refused", f"{row['id']}  {row['why_not']}", bad=True)
    if len(told["refused"]) > _SHOWN:
        show.fact("refused", f"and {len(told['refused']) - _SHOWN} more: --json shows all")
    if told["more"]:
        show.fact("more", "there are more than can be done at one time: do these, then the rest")


def _tell_done(told: dict[str, Any]) -> None:
    show.fact("done", str(len(told["done"])))
    for row in told["refused"]:
        show.fact("refused", f"{row['id']}  {row['why']}", bad=True)
    show.fact("bulk", f"{told['bulk']}, in the audit of each")
