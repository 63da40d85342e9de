"""``partner``: a trading partner's profile, and a scenario with its simulator."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from runtime.cli import options, served, show

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,79}")


@click.group()
def partner() -> None:
    """Trading partners: who they are to EDI, and whether we understand each other."""


@partner.command("init")
@click.argument("name")
@click.option("--standard", default="", help="x12 or edifact; asked for at a terminal, like all that is left out.")
@click.option("--ours", default="", metavar="ID", help="Who we are to them: ISA06 of what we send, or UNB 0004.")
@click.option("--theirs", default="", metavar="ID", help="Who they are: ISA08 of what we send, or UNB 0010.")
@click.option("--qualifier", default="", help="Of both ids: ISA05 and ISA07 [ZZ], UNB 0007 [14 for a GLN].")
@click.option("--version", default="", help="Of what we send: 004010, or D:96A:UN:EAN008.")
@click.option("--title", default="", help="What people see [NAME].")
@click.option("--supplier-number", default="", help="Number of the supplier in the master data.")
@click.option("--connection", default="", metavar="NAME", help="Through which they are reached, such as acme_sftp.")
@click.option("--folder", default="/in", show_default=True, help="There, for what they are sent.")
@click.option("--samples", type=options.folder, default=None, help="Folder for samples [beside the profile].")
@options.here
def init(
    name: str, standard: str, ours: str, theirs: str, qualifier: str, version: str, title: str,
    supplier_number: str, connection: str, folder: str, samples: Path | None, data: Path, packs: tuple[Path, ...],
    client: str, as_json: bool,
) -> None:  # fmt: skip
    """Write partners/NAME.json and sample documents both ways. Nothing that is there is overwritten."""
    from datetime import UTC, datetime

    from runtime.api import partner_draft
    from runtime.model.pack import Pack

    place = served.one_pack(data, packs, client)
    path = place / "partners" / f"{name}.json"
    if not _NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r} cannot name a partner: a small letter, then small letters, digits, '-' and '_'",
            param_hint="NAME",
        )
    if path.exists():
        raise click.UsageError(f"{path} is there already: edit it, or choose another name")
    standard = standard or _asked("--standard", "Standard: x12 or edifact")
    content = partner_draft.draft(
        name, title=title, standard=standard, qualifier=qualifier, version=version,
        ours=ours or _asked("--ours", "Our id, as they know us"), theirs=theirs or _asked("--theirs", "Their id"),
        supplier_number=supplier_number,
        delivery={"connection": connection, "folder": folder} if connection else None,
        schema="../schemas/partner.schema.json" if (place / "schemas").is_dir() else "",
    )  # fmt: skip
    pack = Pack.read(place)
    warnings = partner_draft.doubts(content)
    partner_draft.check(path, pack, content)
    made = list(partner_draft.samples(pack, content, datetime.now(UTC)))
    files = partner_draft.written(samples or path.with_suffix(""), made)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    told = {
        "partner": name, "file": str(path), "samples": [str(one) for one in files], "warnings": warnings,
        "delivers": bool(connection),
    }  # fmt: skip
    show.answer(told, as_json, _tell_made)


def _asked(option: str, question: str) -> str:
    """At a terminal. Raises ``UsageError`` where nobody can be asked."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask at: say {option}")
    return str(click.prompt(question)).strip()


def _tell_made(told: dict[str, Any]) -> None:
    show.fact("wrote", told["file"])
    for one in told["samples"]:
        show.fact("sample", one)
    for one in told["warnings"]:
        show.fact("warning", one, bad=True)
    show.fact("next", f"orderly partner test {told['partner']}")
    if not told["delivers"]:
        path = f'connections/NAME.json, and "delivery": {{"connection": "NAME"}} in {told["file"]}'
        show.fact("then", f"say where they are reached: {path}")


@partner.command("test")
@click.argument("name")
@click.option("--standard", default="", help="Only this one, of a partner with several.")
@options.here
def test(name: str, standard: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Trade with the partner's simulator on this machine: what held, and what did not. Exit 1 if anything fails.

    Orders go out by the profile over SFTP, the acknowledgement, the confirmation line by line, the despatch advice
    and the invoice come in; one order is refused, one answer is of the other environment, one order is faulty.
    Nothing leaves this machine, and nothing enters the store.
    """
    from runtime.api.partner_trial import try_partner
    from runtime.model.pack import Pack
    from runtime.observe.logs import set_up

    set_up("critical")
    pack = Pack.read(served.one_pack(data, packs, client))
    verdicts = [one.as_json() for one in try_partner(pack, name, standard)]
    told = {"partner": name, "ok": all(one["ok"] for one in verdicts), "trials": verdicts}
    show.answer(told, as_json, _tell_tried)
    if not told["ok"]:
        raise click.exceptions.Exit(1)


def _tell_tried(told: dict[str, Any]) -> None:
    for trial in told["trials"]:
        click.echo(f"{told['partner']}, {trial['standard']}, {trial['environment']}")
        for one in trial["held"]:
            line = f"{one['about']}: {one['what']}"
            show.fact("held" if one["ok"] else "failed", line, bad=not one["ok"])
            if not one["ok"] and one["why"]:
                show.fact("", one["why"])
        bad = sum(1 for one in trial["held"] if not one["ok"])
        click.echo(f"{show.count(len(trial['held']) - bad, 'thing')} held, {bad} did not\n")
