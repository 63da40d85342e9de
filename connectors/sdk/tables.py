"""Tables of a standard as data: folders of JSON, where a version says only how it differs from another.

``<version>/version.json`` may name what the version ``derives_from``. Then ``elements.json`` and ``segments.json``
hold only entries that are new or differ. A segment's entry is whole, or has ``change`` ({name: what differs}) and
``add`` (elements at its end). A document's file is whole, or has ``changes``, a list of
``{"in": [loop names], "after": name, "add": use}``, ``{"in": …, "remove": name}`` or
``{"in": …, "change": name, "to": what differs}``.

A folder of one's own, named by the environment variable ``ORDERLY_EDI_SETS``, lies over what is delivered:
``x12/004010/elements.json`` in it adds to the delivered elements of 004010 as a derived version would, and
``x12/004010ACME/`` with a ``version.json`` is a version of a partner's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from connectors.sdk.errors import Misconfigured

OWN_SETS = "ORDERLY_EDI_SETS"
_SHARED = ("elements", "segments")

Data = dict[str, Any]

#: What it raises to take a table that is not as it should be.
UNFIT = (LookupError, TypeError, ValueError, AttributeError)


class Tables:
    """``folders`` hold the versions, each laid over those before it. ``pattern`` is what the file of a document is
    called. ``inherits`` is true where a version has the documents of the one that it derives from."""

    def __init__(self, folders: tuple[Path, ...], pattern: str, *, inherits: bool) -> None:
        self._folders = folders
        self._pattern = pattern
        self._inherits = inherits
        self._loaded: dict[tuple[str, str], Data] = {}

    def versions(self) -> list[str]:
        """Versions that have a folder, in the order of their names."""
        found = (path for folder in self._folders for path in folder.iterdir() if path.is_dir())
        return sorted({path.name for path in found if not path.name.startswith(".")})

    def documents(self, version: str) -> list[str]:
        """Types of the documents that are declared for a version."""
        if version not in self.versions():
            return []
        base = self.derives_from(version) if self._inherits else None
        own = {path.stem for folder in self._folders for path in (folder / version).glob(self._pattern)}
        return sorted(own | set(self.documents(base) if base else ()))

    def derives_from(self, version: str) -> str | None:
        """Raises ``Misconfigured`` for a version that is not there, or one that derives from itself."""
        chain = self._chain(version)
        return chain[1] if len(chain) > 1 else None

    def load(self, version: str, name: str) -> Data:
        """The whole ``elements``, ``segments`` or document of a version; empty where it has none. Not to be
        changed. Raises ``Misconfigured`` for tables that do not fit together."""
        if (version, name) not in self._loaded:
            self._loaded[version, name] = self._whole(version, name)
        return self._loaded[version, name]

    def _whole(self, version: str, name: str) -> Data:
        base = self.derives_from(version)
        whole = self.load(base, name) if base else {}
        for path, own in self._own(version, name):
            try:
                whole = _laid(whole, own, name)
            except UNFIT as error:
                raise misfit(path, error) from error
        return whole

    def _chain(self, version: str) -> list[str]:
        chain = [version]
        while given := self._base(chain[-1]):
            path, base = given
            if base in chain or base not in self.versions():
                raise misfit(
                    path, f"{chain[-1]} cannot derive from {base!r}", "name another version that is declared"
                )
            chain.append(base)
        return chain

    def _base(self, version: str) -> tuple[Path, str] | None:
        named = [
            (path, own["derives_from"]) for path, own in self._own(version, "version") if "derives_from" in own
        ]
        return named[-1] if named else None

    def _own(self, version: str, name: str) -> Iterator[tuple[Path, Data]]:
        for folder in self._folders:
            path = folder / version / f"{name}.json"
            if path.is_file():
                yield path, _read(path)


def folders(standard: str, delivered: Path) -> tuple[Path, ...]:
    """Where the tables of ``x12`` or ``edifact`` lie. Raises ``Misconfigured`` for a folder that is not there."""
    own = os.environ.get(OWN_SETS, "")
    if not own:
        return (delivered,)
    if not Path(own).is_dir():
        raise Misconfigured(
            f"{OWN_SETS} names {own}, which is no folder",
            field=OWN_SETS,
            next_action="set it to the folder that has x12/ or edifact/ with tables of your own, or unset it",
        )
    return (delivered, Path(own) / standard) if (Path(own) / standard).is_dir() else (delivered,)


def misfit(path: Path | str, why: str | Exception, action: str = "", within: str = "") -> Misconfigured:
    """A table that cannot be taken as it stands; ``within`` is the entry that is wrong."""
    words = f"there is no {why}" if isinstance(why, KeyError) else str(why)
    return Misconfigured(
        f"tables {path}: {f'{within}: ' if within else ''}{words}",
        field=OWN_SETS,
        next_action=action
        or "correct that file: the READMEs of connectors/x12 and connectors/edifact show its form",
    )


@cache
def _read(path: Path) -> Data:
    try:
        loaded: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise misfit(path, f"not JSON that can be read: {error}") from error
    if not isinstance(loaded, dict):
        raise misfit(path, "not a JSON object")
    data: Data = loaded
    return data


def _laid(inherited: Data, own: Data, name: str) -> Data:
    if name in _SHARED:
        entry_of = _element if name == "elements" else _segment
        return inherited | {key: entry_of(inherited.get(key), entry) for key, entry in own.items()}
    return _document(inherited, own)


def _element(inherited: Any, own: Any) -> Any:
    return inherited | own if isinstance(inherited, dict) and isinstance(own, dict) else own


def _segment(inherited: Any, own: Data) -> Data:
    if "elements" in own:
        return own
    if not isinstance(inherited, dict):
        raise ValueError(f"there is no segment to change by {', '.join(own)}")
    differs = dict(own.get("change", {}))
    elements = [item | differs.pop(_name(item), {}) for item in inherited["elements"]]
    if differs:
        raise ValueError(f"{inherited['title']} has no element {', '.join(differs)}")
    kept = {key: value for key, value in own.items() if key not in ("change", "add")}
    whole: Data = inherited | kept
    return whole | {"elements": elements + own.get("add", [])}


def _name(item: Data) -> str:
    """What an element is called in ``change``: a composite without a name by its number."""
    return str(item.get("name") or item["composite"])


def _document(inherited: Data, own: Data) -> Data:
    if "contents" in own:
        return own
    whole = deepcopy(inherited) | {key: value for key, value in own.items() if key != "changes"}
    for change in own.get("changes", []):
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
    names = [use["name"] for use in contents]
    if name not in names:
        raise ValueError(f"there is no {name!r} among {', '.join(names)}")
    return names.index(name)
