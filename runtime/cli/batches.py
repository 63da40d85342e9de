"""``batches``: documents that wait for others to the same partner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runtime.cli import options, show
from runtime.cli.remote import desk

_COLUMNS = ("partner", "documents", "bytes", "oldest_at", "due_at", "rules", "flow")


@click.group()
def batches() -> None:
    """Documents that are collected for a partner, until they go together."""


@batches.command("list")
@options.here
def list_batches(data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """What waits for each partner, since when, and when it goes at the latest."""
    with desk(data, packs) as door:
        told = door.call("batches_list", client=client)
    show.answer(told, as_json, _tell)


def _tell(told: dict[str, Any]) -> None:
    show.table(told["batches"], *_COLUMNS, none="nothing is collected")
    for row in told["batches"]:
        if row["restored"]:
            why = "nobody has let them go since a restore: look at what the partner has, then send them"
            show.fact("held", f"{row['restored']} for {row['partner']}: {why}", bad=True)
        if not row["served"]:
            why = "which takes this on, is not there, or collects no more: `orderly lint`"
            show.fact("stays", f"flow {row['flow']}, {why}", bad=True)


@batches.command("send")
@click.argument("partner")
@click.option("--flow", default="", help="Only what this flow takes on.")
@click.option("--reason", default="", help="Why; kept in the audit.")
@options.here
def send_batch(
    partner: str, flow: str, reason: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Send now what is collected for PARTNER, whatever its profile says."""
    with desk(data, packs) as door:
        told = door.call("batches_send", partner=partner, flow=flow, reason=reason, by=options.me(), client=client)
    show.answer(told, as_json, _sent)


def _sent(told: dict[str, Any]) -> None:
    for run in told["runs"]:
        show.fact("sent", f"by run {run}")
    if not told["runs"]:
        show.fact("nothing", "what waited was sent, or withdrawn, at this very moment")
