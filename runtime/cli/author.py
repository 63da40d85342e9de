"""``lint`` and ``map``: what integrators do while they write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from runtime.cli import options, show

if TYPE_CHECKING:
    from runtime.model.lint import Finding

_path = click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))


@click.command()
@_path
@options.as_json
def lint(path: Path | None, as_json: bool) -> None:
    """Find every mistake in PATH: a flow file, a folder of flows, or a pack; else what this folder holds.

    Prints file, JSON pointer, code, message and suggestion. Exit 1 where there are errors, 2 where there is nothing
    to lint.
    """
    from runtime.cli.linting import findings_in
    from runtime.governance.views import plain

    findings = findings_in(path)
    errors = sum(1 for finding in findings if finding.severity == "error")
    told = {"findings": plain(findings), "errors": errors, "warnings": len(findings) - errors}
    show.answer(told, as_json, lambda _: _tell(findings, errors))
    if errors:
        raise click.exceptions.Exit(1)


def _tell(findings: list[Finding], errors: int) -> None:
    from connectors.sdk.visible import visible

    for finding in findings:
        click.echo(str(finding))
        if finding.excerpt:
            click.echo(visible(finding.excerpt))
    warnings = show.count(len(findings) - errors, "warning")
    click.echo(f"{show.count(errors, 'error')}, {warnings}" if findings else "no findings")


@click.command("map")
@click.argument("mapping")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--engine", type=click.Choice(["jsonatapy", "jsonata-python"]), default="jsonatapy", show_default=True,
    help="The JSONata engine.",
)  # fmt: skip
@options.here
def map_file(
    mapping: str, file: BinaryIO, engine: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Apply MAPPING, a mapping's name or its mapping.jsonata, to the JSON in FILE; - is standard input.

    A name is looked up in the pack that `orderly run` would open.
    """
    from connectors.sdk.json import parse_json
    from runtime.cli.testing import mappings_for

    raw = file.read()
    try:
        document = parse_json(raw)
    except ValueError as error:
        raise _not_json(file.name, error) from error
    name, mappings = mappings_for(mapping, data, packs, client)
    made = mappings.apply(name, document, engine)
    show.answer(made, as_json, lambda value: click.echo(json.dumps(value, indent=2, ensure_ascii=False)))


def _not_json(name: str, error: ValueError) -> Exception:
    from runtime.api.problem import ProblemError, problem

    return ProblemError(problem(400, "The document is not JSON", f"{name}: {error}", "malformed_json"))
