"""Writes what is generated: JSON Schemas and the reference parts of READMEs.

python -m runtime.model.generate            writes
python -m runtime.model.generate --check    only tells, and fails where something is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from connectors.sdk import Misconfigured
from runtime.model import flow_page, reference, schema
from runtime.model.pack import ROOT


def stale(root: Path = ROOT) -> list[Path]:
    """Generated files that are not what would be written now. Raises ``Misconfigured``."""
    return schema.stale(root / "runtime" / "schemas") + [
        path for path, text in _pages(root) if _is_stale(path, text)
    ]


def write(root: Path = ROOT) -> list[Path]:
    """Writes all of them; returns those that changed. Raises ``Misconfigured``."""
    changed = [(path, text) for path, text in _pages(root) if _is_stale(path, text)]
    for path, text in changed:
        path.write_text(text, encoding="utf-8")
    return schema.write_all(root / "runtime" / "schemas") + [path for path, _ in changed]


def _pages(root: Path) -> Iterator[tuple[Path, str]]:
    yield from reference.pages(root)
    yield from flow_page.pages(root)


def _is_stale(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text(encoding="utf-8") != text


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail where something is stale.")
def main(check: bool) -> None:
    """Generate JSON Schemas and references."""
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
