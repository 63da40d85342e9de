"""Options that many verbs share, and who is at the keyboard."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from runtime.cli.border import as_json

__all__ = [
    "as_json", "client", "data", "folder", "here", "limit", "me", "packs", "reason", "search", "skip_numbers",
    "store", "threads",
]  # fmt: skip

folder = click.Path(file_okay=False, path_type=Path)

data = click.option(
    "--data", type=folder, envvar="ORDERLY_DATA", default=Path(".orderly"), show_default=True,
    help="Folder that holds everything that is kept (ORDERLY_DATA).",
)  # fmt: skip
store = click.option(
    "--store", envvar="ORDERLY_STORE", default="", metavar="URL",
    help="postgresql://… where the store is one (ORDERLY_STORE) [default: orderly.db in --data].",
)  # fmt: skip
skip_numbers = click.option(
    "--skip-numbers", type=click.IntRange(0, 10_000_000), default=1000, show_default=True,
    help="How far control numbers jump past the last that the backup knows of.",
)  # fmt: skip
packs = click.option(
    "--pack", "packs", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True,
    help="Pack to open where no server runs; else those that were served last, or the one in this folder.",
)  # fmt: skip
client = click.option("--client", default="", help="Client meant, where several are served.")
limit = click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many."
)
threads = click.option(
    "--threads", type=click.IntRange(1, 256), default=16, show_default=True,
    help="Runs at one time: half of them normal work, a quarter each urgent and bulk.",
)  # fmt: skip
max_body_bytes = click.option(
    "--max-body-bytes", type=click.IntRange(1, 2**30), envvar="ORDERLY_MAX_BODY_BYTES", default=5_000_000,
    show_default=True, help="Larger bodies are refused with 413 (ORDERLY_MAX_BODY_BYTES).",
)  # fmt: skip
all_cpus = click.option(
    "--all-cpus", is_flag=True,
    help="Let its threads run on any CPU. Left out the process keeps to one, where it does more: only one thread"
    " of it runs Python at a time.",
)  # fmt: skip
reason = click.option("--reason", required=True, help="Why; it is kept with what is done.")


def search(command: Any) -> Any:
    """What runs and exceptions are looked for by, and where the next page begins."""
    for option in (
        click.option("--before", default=None, metavar="ID", help="Only older ones than this: the next page."),
        click.option("--until", default="", metavar="WHEN", help="Only those that came before then."),
        click.option("--since", default="", metavar="WHEN", help="Only those since then: a day, or ISO 8601."),
        click.option("--owner", default="", help="Only those of this owner."),
        click.option("--kind", default="", help="Only failures of this kind."),
        click.option(
            "--key", default="", metavar="TEXT", help="A business key, identity or id; REQ-10* begins so."
        ),
        click.option("--flow", default="", help="Only those of this flow."),
    ):
        command = option(command)
    return command


def here(command: Any) -> Any:
    """``--data``, ``--pack``, ``--client`` and ``--json``: what every verb over a store needs."""
    for option in (as_json, client, packs, data):
        command = option(command)
    return command


def me() -> str:
    """The name that goes into the audit: the command line knows the account, not the person."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "command line"
