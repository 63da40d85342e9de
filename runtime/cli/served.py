"""Which packs a command opens: those it is given, those served last from the same data, the one it stands in."""

from __future__ import annotations

import json
from pathlib import Path

import click


def remember(data: Path, packs: tuple[Path, ...]) -> None:
    """Kept beside the data; no pack is the demo pack."""
    (data / "packs.json").write_text(json.dumps([str(pack.resolve()) for pack in packs]), encoding="utf-8")


def before(data: Path) -> tuple[Path, ...]:
    """Those served last from these data, a restored folder's too; empty where there are none, or it was the demo
    pack. Raises ``UsageError`` where they are gone."""
    kept = data / "packs.json"
    if not kept.is_file():
        return ()
    return _there([Path(pack) for pack in json.loads(kept.read_text(encoding="utf-8"))])


def chosen(data: Path, packs: tuple[Path, ...]) -> tuple[Path, ...]:
    """Empty for the demo pack, where that was served. A remembered pack that is gone is left out. Raises
    ``UsageError`` where nothing says which pack is meant."""
    if packs:
        return packs
    if (data / "packs.json").is_file():
        return before(data)
    here = Path.cwd()
    if (here / "pack.json").is_file():
        return (here,)
    raise click.UsageError(
        f"no pack is meant: none was served from {data}, and this folder holds no pack.json; say --pack FOLDER"
    )


def one_pack(data: Path, packs: tuple[Path, ...], client: str) -> Path:
    """The one pack that a file is written into. Raises ``UsageError`` where there are several or none."""
    from runtime.model.pack import Pack

    found = [pack for pack in chosen(data, packs) if not client or Pack.read(pack).client == client]
    if len(found) != 1:
        raise click.UsageError(
            "say which pack to write to: --pack DIR"
            if not found
            else f"several packs are served ({', '.join(str(pack) for pack in found)}): say --client or --pack"
        )
    return found[0]


def around(path: Path) -> tuple[Path, ...]:
    """The pack that a file lies in, if it lies in one."""
    return tuple(place for place in path.resolve().parents if (place / "pack.json").is_file())[:1]


def _there(packs: list[Path]) -> tuple[Path, ...]:
    found = tuple(pack for pack in packs if pack.is_dir())
    if packs and not found:
        gone = ", ".join(str(pack) for pack in packs)
        raise click.UsageError(f"the pack that was served last is gone ({gone}): say --pack FOLDER")
    return found
