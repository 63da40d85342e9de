"""Versions of the standard as data: what a version derives from, and what differs in it.

``sets/<version>/version.json`` may name ``derives_from``. Then ``elements.json`` and ``segments.json`` hold only
entries that are new or differ. A segment's entry is whole, or has ``change`` ({name: what differs}) and ``add``
(elements at its end). A set's file is whole, or has ``changes``, a list of
``{"in": [loop names], "after": name, "add": use}``, ``{"in": …, "remove": name}`` or
``{"in": …, "change": name, "to": what differs}``.
"""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

SETS = Path(__file__).with_name("sets")

Data = dict[str, Any]


@cache
def version_names() -> list[str]:
    """Versions that have a folder, oldest first."""
    return sorted(path.name for path in SETS.iterdir() if path.is_dir())


@cache
def set_names(version: str) -> list[str]:
    """Types of the sets that are declared for a version, or for one that it derives from."""
    if version not in version_names():
        return []
    base = derives_from(version)
    own = {path.stem for path in (SETS / version).glob("[0-9]*.json")}
    return sorted(own | set(set_names(base) if base else ()))


@cache
def derives_from(version: str) -> str | None:
    given = _own(version, "version").get("derives_from")
    return str(given) if given else None


@cache
def load(version: str, name: str) -> Data:
    """A whole ``elements``, ``segments`` or set of a version. Not to be changed."""
    base, own = derives_from(version), _own(version, name)
    if base is None:
        return own
    inherited = load(base, name) if name in ("elements", "segments") or name in set_names(base) else {}
    if name == "elements":
        return inherited | {key: inherited.get(key, {}) | entry for key, entry in own.items()}
    if name == "segments":
        return inherited | {key: _segment(inherited.get(key, {}), entry) for key, entry in own.items()}
    return _set(inherited, own)


@cache
def _own(version: str, name: str) -> Data:
    path = SETS / version / f"{name}.json"
    if not path.is_file():
        return {}
    loaded: Data = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _segment(inherited: Data, own: Data) -> Data:
    if "elements" in own:
        return own
    differs = own.get("change", {})
    elements = [item | differs.get(item["name"], {}) for item in inherited["elements"]]
    kept = {key: value for key, value in own.items() if key not in ("change", "add")}
    return inherited | kept | {"elements": elements + own.get("add", [])}


def _set(inherited: Data, own: Data) -> Data:
    if "contents" in own or not own:
        return own or inherited
    whole = deepcopy(inherited) | {key: value for key, value in own.items() if key != "changes"}
    for change in own["changes"]:
        _change(whole["contents"], change)
    return whole


def _change(contents: list[Data], change: Data) -> None:
    for name in change.get("in", []):
        contents = contents[_index(contents, name)]["contents"]
    if "add" in change:
        contents.insert(_index(contents, change["after"]) + 1, change["add"])
    elif "remove" in change:
        del contents[_index(contents, change["remove"])]
    else:
        contents[_index(contents, change["change"])].update(change["to"])


def _index(contents: list[Data], name: str) -> int:
    return next(index for index, use in enumerate(contents) if use["name"] == name)
