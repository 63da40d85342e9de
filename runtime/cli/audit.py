"""``audit``: who did what to which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from runtime.cli import options, show
from runtime.cli.remote import desk


@click.group()
def audit() -> None:
    """Who did what to which: only ever added to."""


@audit.command("list")
@click.option("--action", default="", help="Only this: raw.viewed, run.cancelled, exception.resolved, …")
@click.option("--actor", default="", help="Only what this person or account did.")
@click.option(
    "--subject", default="", metavar="ID", help="Only what was done to this run, exception or connection."
)
@click.option("--since", default="", metavar="WHEN", help="Only since then: a day, or ISO 8601.")
@click.option("--until", default="", metavar="WHEN", help="Only before then.")
@options.limit
@options.here
def list_audit(
    action: str, actor: str, subject: str, since: str, until: str, limit: int, data: Path,
    packs: tuple[Path, ...], client: str, as_json: bool,
) -> None:  # fmt: skip
    """Newest first.

    `orderly audit list --action raw.viewed` tells who took which message with patients away, and when: its subject
    is the run, exception or interchange whose bytes they are.
    """
    with desk(data, packs) as door:
        told = door.call(
            "audit_list", action=action, actor=actor, subject=subject, since=since, until=until, limit=limit,
            client=client,
        )  # fmt: skip
    show.answer(told, as_json, _table)


def _table(told: dict[str, Any]) -> None:
    rows = [{**row, "details": json.dumps(row["details"]) if row["details"] else ""} for row in told["entries"]]
    show.table(rows, "at", "actor", "action", "subject", "details", none="no entries", less=("details",))
