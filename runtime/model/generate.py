"""Writes what is generated: JSON Schemas and the reference part of the connectors' READMEs.

python -m runtime.model.generate            writes
python -m runtime.model.generate --check    only tells, and fails where something is stale
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from connectors.sdk import Misconfigured
from runtime.model import reference, schema
from runtime.model.pack import ROOT


def stale(root: Path = ROOT) -> list[Path]:
    """Generated files that are not what would be written now. Raises ``Misconfigured``."""
    return schema.stale(root / "runtime" / "schemas") + reference.stale(root)


def write(root: Path = ROOT) -> list[Path]:
    """Writes all of them; returns those that changed. Raises ``Misconfigured``."""
    return schema.write_all(root / "runtime" / "schemas") + reference.write_references(root)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail where something is stale.")
def main(check: bool) -> None:
    """Generate JSON Schemas and connector references."""
    try:
        paths = stale() if check else write()
    except Misconfigured as error:
        raise click.ClickException(f"{error.message}; {error.next_action}") from error
    for path in paths:
        click.echo(f"{'stale' if check else 'wrote'}: {path.relative_to(ROOT)}")
    if check and paths:
        click.echo("run: python -m runtime.model.generate", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
