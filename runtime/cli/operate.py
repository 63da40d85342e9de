"""``run``, ``runs`` and ``dead-letters``: start runs, look at them, put right what did not go through."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, BinaryIO

import click

from runtime.cli import options, repairing, served, show
from runtime.cli.housekeeping import release
from runtime.cli.remote import Without, desk

_BAD = {"dead", "exception", "uncertain", "held"}


@click.command()
@click.argument("flow")
@click.option("--payload", type=click.File("rb"), required=True, help="The message; - is standard input.")
@click.option("--content-type", default="", help="Media type; else told by the file's name, or JSON.")
@click.option("--trace", is_flag=True, help="Show each node's input, output and time.")
@click.option("--timeout", type=click.FloatRange(0, 3600), default=30.0, show_default=True, help="Seconds to wait.")
@options.here
def run(
    flow: str, payload: BinaryIO, content_type: str, trace: bool, timeout: float, data: Path,
    packs: tuple[Path, ...], client: str, as_json: bool,
) -> None:  # fmt: skip
    """Run FLOW, a flow's name or its flow.json, until the run stands still. Its effects are real.

    Exit 1 where the message is not taken, or the run or one that it calls ends as a dead letter, an exception
    or uncertain.
    """
    path, definition = Path(flow), None
    if path.suffix == ".json":
        from runtime.model.pack import read_json

        definition = read_json(path)
        packs = packs or served.around(path)
    raw = payload.read()
    with desk(data, packs, peers=True, without=Without.MADE) as door:
        told = door.call(
            "run_flow", flow=flow, payload=base64.b64encode(raw).decode(), trace=trace, timeout=timeout,
            content_type=content_type or _media(payload.name), definition=definition,
            file=str(path) if definition is not None else "", client=client,
        )  # fmt: skip
    show.answer(told, as_json, _tell_run)
    if _is_bad(told):
        raise click.exceptions.Exit(1)


def _is_bad(told: dict[str, Any]) -> bool:
    """The run, or one that it called."""
    return told["state"] in _BAD or any(_is_bad(child) for child in told["children"])


def _media(name: str) -> str:
    kinds = {".edi": "application/edi-x12", ".x12": "application/edi-x12", ".hl7": "application/hl7-v2"}
    kinds |= {".xml": "application/xml", ".csv": "text/csv", ".txt": "text/plain"}
    return kinds.get(Path(name).suffix.lower(), "application/json")


def _tell_run(told: dict[str, Any], depth: int = 0) -> None:
    indent = "  " * depth
    again = " (came before: this is the first run)" if told.get("duplicate") else ""
    keys = ", ".join(f"{name}={value}" for name, value in told["keys"].items())
    end = f" as {told['outcome']}" if told["outcome"] and told["outcome"] != told["state"] else ""
    show.fact(f"{indent}{told['flow']}", f"{told['state']}{end}{again}  {keys}", bad=told["state"] in _BAD)
    show.fact(f"{indent}run", told["run"])
    if told["why"]:
        show.fact(f"{indent}why", told["why"], bad=True)
    for exception in told["exceptions"]:
        show.fact(f"{indent}owner", f"{exception['owner']} ({exception['kind']}, exception {exception['id']})")
    for approval in told["approvals"]:
        show.fact(f"{indent}approval", f"{approval['id']} by {approval['role']}: {approval['reason']}")
    if told["reply"] is not None:
        show.fact(f"{indent}reply", f"{told['reply']['status']} {json.dumps(told['reply']['body'])}")
    for step in told.get("trace", []):
        _tell_step(step, indent)
    for child in told["children"]:
        _tell_run(child, depth + 1)


def _tell_step(step: dict[str, Any], indent: str) -> None:
    where = f"{step['node']}[{step['iteration']}]" if step["iteration"] else step["node"]
    took = f"{step['milliseconds']} ms" if step["milliseconds"] is not None else ""
    tries = f", attempt {step['attempts']}" if step["attempts"] > 1 else ""
    show.fact(f"{indent}  {where}", f"  {step['outcome']}{tries}  {took}", bad=step["error"] is not None)
    for name in ("input", "output", "error"):
        if step[name] is not None:
            show.fact(f"{indent}    {name:<6}", json.dumps(step[name], ensure_ascii=False))


@click.group()
def runs() -> None:
    """Runs: one execution of a flow for one message."""


@runs.command("list")
@click.option("--state", "states", multiple=True, help="Only runs in this state; may be repeated.")
@options.search
@options.limit
@options.here
def list_runs(
    states: tuple[str, ...], limit: int, before: str | None, data: Path, packs: tuple[Path, ...], client: str,
    as_json: bool, **where: str,
) -> None:  # fmt: skip
    """Newest first."""
    with desk(data, packs) as door:
        told = door.call("runs_list", states=states, limit=limit, before=before, client=client, **where)
    show.answer(told, as_json, _table)


@click.group("dead-letters")
def dead_letters() -> None:
    """Runs that failed for technical reasons, with no attempts left."""


@dead_letters.command("list")
@options.search
@options.limit
@options.here
def list_dead_letters(
    limit: int, before: str | None, data: Path, packs: tuple[Path, ...], client: str, as_json: bool, **where: str
) -> None:
    """Newest first."""
    with desk(data, packs) as door:
        told = door.call("dead_letters_list", limit=limit, before=before, client=client, **where)
    show.answer(told, as_json, _table)


def _table(told: dict[str, Any]) -> None:
    columns = ("id", "created_at", "flow", "state", "outcome", "keys", "kind", "assignee", "why")
    less = ("assignee", "kind", "outcome", "created_at", "why", "keys", "flow")
    show.table(told["runs"], *columns, none="no runs", less=less)
    if told["after"]:
        show.fact("more", f"--before {told['after']}")


@click.command("show")
@click.argument("run")
@click.option("--full", is_flag=True, help="Print every node's input and output too.")
@options.here
def show_run(run: str, full: bool, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """RUN's time line, and what to do next. RUN is an id, the beginning of one, or a business key's value, which
    several runs may have: they are listed then.

    Every node's input and output is there with --full, and always under --json.
    """
    with desk(data, packs) as door:
        told = door.call("runs_show", run=run, client=client)
    show.answer(told, as_json, lambda story: _tell_story(story, full))


def _tell_story(told: dict[str, Any], full: bool) -> None:
    if "runs" in told:
        _table(told)
        return
    show.fact("run", told["id"])
    show.fact("flow", f"{told['flow']} {told['version']}")
    show.fact("state", f"{told['state']}  {told['why']}", bad=told["state"] in _BAD)
    show.fact("keys", ", ".join(f"{name}={value}" for name, value in told["keys"].items()))
    for reason in told["waits_for"]:
        show.fact("waits", reason["text"])
    if told["reprocess_of"]:
        show.fact("made from", f"{told['reprocess_of']}, which was reprocessed; its own page says by whom and why")
    for successor in told["reprocessed_as"]:
        show.fact("went on as", successor)
    show.table(told["time_line"], "at", "kind", "node", "connection", "result", "text")
    if told["children"]:
        show.table(told["children"], "id", "flow", "state", "outcome")
    if told["repairs"]:
        show.table(
            [{**row, **(row["details"] or {})} for row in told["repairs"]], "at", "actor", "action", "why", "note"
        )
    for step in told["trace"] if full else []:
        _tell_step(step, "")
    for command in _next(told):
        show.fact("next", command)


def _next(told: dict[str, Any]) -> list[str]:
    """What a person does about a run that stands still for good."""
    if told["reprocessed_as"]:
        return []
    if told["state"] in ("dead", "exception"):
        return [f"orderly runs redrive {told['id']}    once the cause is mended"]
    paused = [why["connection"] for why in told["waits_for"] if why["kind"] == "connection" and why.get("by")]
    if paused:
        return [f"orderly connection resume {paused[0]}"]
    ahead = [why["run"] for why in told["waits_for"] if why["kind"] == "order" and "run" in why]
    if ahead:
        return [f"orderly runs step-aside {ahead[0]} --reason …    lets this one pass"]
    return [
        f"orderly runs settle {told['id']} {node['node']}"
        + (f" --iteration {node['iteration']}" if node["iteration"] else "")
        + " --happened|--not-happened --reason …"
        for node in told["nodes"]
        if node["state"] == "uncertain"
    ]


@runs.command("settle")
@click.argument("run")
@click.argument("node")
@click.option("--happened/--not-happened", required=True, help="Whether the effect happened at the peer.")
@click.option("--output", default="null", help="JSON that becomes the node's output where it happened.")
@click.option("--iteration", default="", help='Which item of a for_each, such as "3".')
@options.reason
@options.here
def settle(
    run: str, node: str, happened: bool, output: str, iteration: str, reason: str, data: Path,
    packs: tuple[Path, ...], client: str, as_json: bool,
) -> None:  # fmt: skip
    """Say what became of an uncertain NODE: it goes on with the output, or is sent again."""
    try:
        given = json.loads(output)
    except ValueError as error:
        raise click.BadParameter(f"is not JSON: {error}", param_hint="--output") from error
    with desk(data, packs) as door:
        told = door.call(
            "settle", run=run, node=node, iteration=iteration, happened=happened, output=given, by=options.me(),
            reason=reason, client=client,
        )  # fmt: skip
        show.answer(told, as_json, lambda row: repairing.moved([row], door.served))


runs.add_command(release)
for _command in (show_run, *repairing.of_runs("runs")):
    runs.add_command(_command)
for _command in (show_run, *repairing.of_runs("dead_letters")):
    dead_letters.add_command(_command)
