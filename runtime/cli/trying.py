"""``test``: cases of flows and mappings, without any peer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.cli import options, show

if TYPE_CHECKING:
    from runtime.api.cases import Verdict


@click.command()
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@options.as_json
def test(path: Path | None, as_json: bool) -> None:
    """Run the cases in PATH: a case, a flow, a mapping, a folder or a pack; else what this folder holds.

    Flows run on a temporary store with the case's stubs in place of their peers; every case runs on both JSONata
    engines. Exit 1 where one fails. Where only the second engine answers otherwise, that is told and no failure.
    """
    from runtime.cli.testing import case_files, verdicts
    from runtime.governance.views import plain
    from runtime.observe.logs import set_up

    set_up("critical")
    cases = case_files(path)
    if not cases:
        raise click.UsageError(
            f"there are no cases in {path or Path.cwd()}: write one to flows/NAME/cases/ or mappings/NAME/cases/"
        )
    found = []
    for verdict in verdicts(cases):
        found.append(verdict)
        if not as_json:
            _tell(verdict)
    failed = sum(1 for verdict in found if not verdict.ok)
    told = {
        "cases": [{**plain(verdict), "ok": verdict.ok} for verdict in found],
        "passed": len(found) - failed, "failed": failed,
    }  # fmt: skip
    show.answer(told, as_json, lambda _: click.echo(f"{len(found) - failed} passed, {failed} failed"))
    if failed:
        raise click.exceptions.Exit(1)


def _tell(verdict: Verdict) -> None:
    name = f"{verdict.kind} {verdict.name}: {Path(verdict.case).stem}"
    show.fact("ok" if verdict.ok else "FAILED", name, bad=not verdict.ok)
    for line in verdict.differences:
        click.echo(f"           {line}")
    for line in verdict.engines:
        click.echo(f"           engines differ: {line}")
