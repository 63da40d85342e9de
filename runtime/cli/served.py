"""Which packs a command opens: those it is given, those served last from the same data, the one it stands in."""

from __future__ import annotations

import json
from pathlib import Path

import click


def remember(data: Path, packs: tuple[Path, ...]) -> None:
    """Kept beside the data; no pack is the demo pack."""
    (data / "packs.json").write_text(json.dumps([str(pack.resolve()) for pack in packs]), encoding="utf-8")


def chosen(data: Path, packs: tuple[Path, ...]) -> tuple[Path, ...]:
    """Empty for the demo pack, where that was served. A remembered pack that is gone is left out. Raises
    ``UsageError`` where nothing says which pack is meant."""
    if packs:
        return packs
    kept = data / "packs.json"
    if kept.is_file():
        return _there([Path(pack) for pack in json.loads(kept.read_text(encoding="utf-8"))])
    here = Path.cwd()
    if (here / "pack.json").is_file():
        return (here,)
    raise click.UsageError(
        f"no pack is meant: none was served from {data}, and this folder holds no pack.json; say --pack FOLDER"
    )


def around(path: Path) -> tuple[Path, ...]:
    """The pack that a file lies in, if it lies in one."""
    return tuple(place for place in path.resolve().parents if (place / "pack.json").is_file())[:1]


def _there(packs: list[Path]) -> tuple[Path, ...]:
    found = tuple(pack for pack in packs if pack.is_dir())
    if packs and not found:
        gone = ", ".join(str(pack) for pack in packs)
        raise click.UsageError(f"the pack that was served last is gone ({gone}): say --pack FOLDER")
    return found
