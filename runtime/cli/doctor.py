"""``doctor``: what is wrong, or soon will be, with a server or without."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from runtime.cli import options, show
from runtime.cli.remote import desk

#: Reading a large database takes its time.
_LONGEST = 1800.0


@click.command()
@options.as_json
@options.packs
@options.data
def doctor(data: Path, packs: tuple[Path, ...], as_json: bool) -> None:
    """Check store, queue, clocks, disk, keys, credentials, certificates, flows and backups.

    Asks every peer, changes nothing there. Exit 1 where something is wrong; what only soon will be is a warning.
    """
    findings = _findings(data, packs)
    counts = {status: sum(each["status"] == status for each in findings) for status in ("ok", "warning", "error")}
    show.answer({**counts, "findings": findings}, as_json, _tell)
    if counts["error"]:
        raise click.exceptions.Exit(1)


def _findings(data: Path, packs: tuple[Path, ...]) -> list[dict[str, Any]]:
    if not (data / "orderly.db").exists() and not os.environ.get("ORDERLY_STORE"):
        return [
            _finding("store", "warning", f"nothing is stored in {data} yet", "", "orderly serve, or another --data")
        ]
    from connectors.sdk import ConnectorError
    from runtime.api.problem import ProblemError
    from runtime.store.store import StoreError

    try:
        with desk(data, packs, peers=True) as door:
            told = "a server answers" if door.served else "no server runs on these data"
            server = _finding("server", "ok" if door.served else "warning", told, *_serve(door.served))
            return [server, *door.call("doctor", served=door.served, timeout=_LONGEST)["findings"]]
    except (StoreError, ConnectorError, ProblemError, OSError) as error:
        return [_broken(error), *_of_files(data)]


def _serve(served: bool) -> tuple[str, str]:
    return ("", "") if served else ("messages are not taken and runs do not go on", "orderly serve")


def _broken(error: Exception) -> dict[str, Any]:
    """What keeps everything else from being looked at."""
    from runtime.api.problems import problem_of

    problem = problem_of(error)
    advice = problem.get("next_action") or "do what it says, then ask the doctor again"
    return _finding("store", "error", problem["detail"], "nothing else could be looked at", advice)


def _of_files(data: Path) -> list[dict[str, Any]]:
    from runtime.governance.doctor import disk, key_file
    from runtime.governance.views import plain

    return [plain(found) for found in (*disk(data), *key_file(data))]


def _finding(check: str, status: str, what: str, why: str, advice: str) -> dict[str, Any]:
    return {"check": check, "status": status, "what": what, "why": why, "next_action": advice, "client": ""}


def _tell(told: dict[str, Any]) -> None:
    for each in told["findings"]:
        of = f"{each['client']}: " if each["client"] else ""
        why = f": {each['why']}" if each["why"] else ""
        show.fact(each["status"], f"{of}{each['check']}: {each['what']}{why}", bad=each["status"] == "error")
        if each["status"] != "ok" and each["next_action"]:
            show.fact("", f"  next: {each['next_action']}")
