"""``interchanges``: what was sent to partners and came from them, and what became of it."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import click

from runtime.cli import options, show
from runtime.cli.remote import desk

_COLUMNS = ("id", "at", "direction", "partner", "standard", "usage", "number", "state", "due_at", "flow", "run")
_BAD = ("rejected", "partly", "quarantined", "void")
_FACTS = (
    "direction", "partner", "standard", "usage", "number", "flow", "run", "node", "iteration", "at", "sent_at",
    "due_at", "changed_at",
)  # fmt: skip


@click.group()
def interchanges() -> None:
    """Interchanges: what was sent to partners and came from them, and what became of it."""


@interchanges.command("list")
@click.option("--direction", type=click.Choice(["out", "in"]), default=None, help="Sent, or received.")
@click.option("--partner", default="", help="Only those of this partner.")
@click.option("--standard", default="", help="Only those of this one: x12, edifact.")
@click.option("--state", default="", help="Only those in this state, such as sent or rejected.")
@click.option("--number", default="", help="A control number, with or without zeros before it.")
@click.option("--key", default="", help="The business key of a set: a purchase order number.")
@click.option("--run", default="", metavar="ID", help="Only those that this run wrote or read.")
@click.option("--overdue", is_flag=True, help="Only what was sent and not acknowledged in time.")
@click.option("--since", default="", metavar="WHEN", help="Only those since then: a day, or ISO 8601.")
@click.option("--until", default="", metavar="WHEN", help="Only those that came before then.")
@click.option("--before", default=None, metavar="ID", help="Only older ones than this: the next page.")
@options.limit
@options.here
def list_interchanges(
    direction: str | None, overdue: bool, limit: int, before: str | None, data: Path, packs: tuple[Path, ...],
    client: str, as_json: bool, **where: str,
) -> None:  # fmt: skip
    """Newest first.

    What was sent is written, sent, arrived (TA1, CONTRL 8), accepted, partly or rejected (997, CONTRL), then
    acknowledged by the business (855, ORDRSP); void where its run ended without sending it.
    """
    with desk(data, packs) as door:
        told = door.call(
            "interchanges_list", direction=direction or "", overdue=overdue, limit=limit, before=before,
            client=client, **where,
        )  # fmt: skip
    show.answer(told, as_json, _table)


def _table(told: dict[str, Any]) -> None:
    rows = [{**row, "state": "overdue" if row["overdue"] else row["state"]} for row in told["interchanges"]]
    less = ("run", "usage", "due_at", "standard", "flow", "at", "direction", "partner")
    show.table(rows, *_COLUMNS, none="no interchanges", less=less)
    if told["after"]:
        show.fact("more", f"--before {told['after']}")


@interchanges.command("show")
@click.argument("interchange")
@click.option("--raw", is_flag=True, help="Only its bytes, as they were sent or came.")
@options.here
def show_interchange(
    interchange: str, raw: bool, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """One INTERCHANGE with its sets and what was said of them. INTERCHANGE is an id or a control number.

    `orderly interchanges show ID --raw | orderly x12 show -` shows it segment by segment.
    """
    with desk(data, packs) as door:
        if raw:
            told = door.call("interchanges_raw", interchange=interchange, by=options.me(), client=client)
        else:
            told = door.call("interchanges_show", interchange=interchange, client=client)
    if raw and not as_json:
        sys.stdout.buffer.write(base64.b64decode(told["bytes"]))
        return
    show.answer(told, as_json, _tell)


def _tell(told: dict[str, Any]) -> None:
    show.fact("interchange", told["id"])
    bad = told["overdue"] or told["state"] in _BAD
    show.fact("state", f"{told['state']}{', overdue' if told['overdue'] else ''}", bad=bad)
    for name in _FACTS:
        if told[name]:
            show.fact(name.replace("_", " "), str(told[name]))
    show.fact("bytes", f"{told['content']['size']} of {told['content']['type']}, {told['content']['$blob']}")
    if told["answer"] is not None:
        show.fact("answered", f"{told['answer']['size']} bytes, {told['answer']['$blob']}")
    for step in told["steps"]:
        show.fact(f"  {step['name']}", f"{step['state']}  {step['at'] or ''}".rstrip())
    show.table(told["sets"], "type", "number", "group_number", "key", "state", "code", "errors", none="no sets")
    if told["acknowledgements"]:
        said = [{**one, "by_run": one.get("run", "")} for one in told["acknowledgements"]]
        show.table(said, "kind", "code", "state", "errors", "by_run")
    for command in _next(told):
        show.fact("next", command)


def _next(told: dict[str, Any]) -> list[str]:
    if told["direction"] == "out" and told["state"] in ("rejected", "partly"):
        return [f"orderly runs reprocess {told['run']} --reason …    once what they name is corrected"]
    if told["overdue"]:
        return [f"ask {told['partner']} whether they have {told['number']}"]
    return []


@interchanges.command("numbers")
@click.option("--series", default="", metavar="TEXT", help="Only series with this in their name.")
@click.option("--partner", default="", help="Of what came: only that of this partner.")
@options.limit
@options.here
def numbers(
    series: str, partner: str, limit: int, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Control numbers: given, sent and void of each series of ours, and gaps in what partners sent.

    A number is void where its run ended, or was cancelled, without sending anything after it was given. --limit is
    for the void numbers and for the gaps of each partner.
    """
    with desk(data, packs) as door:
        told = door.call("interchanges_numbers", limit=limit, client=client)
    told["sent"] = [row for row in told["sent"] if series in row["series"]]
    told["void"] = [row for row in told["void"] if series in row["series"]]
    told["received"] = [row for row in told["received"] if partner in ("", row["partner"])]
    show.answer(told, as_json, _tell_numbers)


def _tell_numbers(told: dict[str, Any]) -> None:
    show.table(
        told["sent"], "series", "last", "given", "sent", "void", "before_ledger", none="no numbers were given"
    )
    if told["void"]:
        show.table([{**row, "void": row["number"]} for row in told["void"]], "void", "series", "at", "run", "node")
    if told["received"]:
        columns = ("partner", "standard", "usage", "received", "first", "last", "missing")
        show.table(told["received"], *columns)
    gaps = [{**gap, "partner": row["partner"]} for row in told["received"] for gap in row["gaps"]]
    if gaps:
        show.table(gaps, "partner", "after", "before", "missing")
