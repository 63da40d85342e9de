"""Is this JSON a lossless view? Checked before anything is written from it."""

from __future__ import annotations

from typing import Any, cast

from connectors.edifact.errors import EdifactError
from connectors.edifact.lossless import Document
from connectors.sdk.lossless import LosslessView

VIEW = LosslessView("edifact", EdifactError)
bad, _object, _list, _text = VIEW.bad, VIEW.object_at, VIEW.list_at, VIEW.text_at
_SEGMENT_TEXTS = ("glue", "raw", "encoding")
_DELIMITERS = ("component", "element", "decimal", "release", "repetition", "segment")


def document_of(value: Any) -> Document:
    """The value itself with what may be absent filled in. Raises ``EdifactError`` with a JSON pointer."""
    tree = _object(value, "")
    interchanges = [
        _interchange(one, f"/interchanges/{number}") for number, one in enumerate(_list(tree, "interchanges", ""))
    ]
    return cast(Document, {"interchanges": interchanges, "trailing": _text(tree, "trailing", "")})


def segment_of(value: Any, place: str) -> Any:
    """A segment of the lossless view. Raises as ``document_of``."""
    tree = _object(value, place)
    if "id" not in tree:
        raise bad(place, "a segment needs an id")
    _text(tree, "id", place)
    for key in _SEGMENT_TEXTS:
        if key in tree:
            _text(tree, key, place)
    for number, element in enumerate(_list(tree, "elements", place)):
        if not _is_element(element):
            what = 'an element must be text, a list of texts, or {"repeat": [...]}'
            raise bad(f"{place}/elements/{number}", what)
    return tree if "elements" in tree else tree | {"elements": []}


def _interchange(value: Any, place: str) -> Any:
    tree = _object(value, place)
    given = _object(tree.get("delimiters"), f"{place}/delimiters")
    una = tree.get("una")
    if una is not None and not (isinstance(una, str) and len(una) == 6):
        raise bad(f"{place}/una", "una must be the six characters after UNA, or null")
    return {
        "before": _text(tree, "before", place),
        "una": una,
        "encoding": _text(tree, "encoding", place) or "latin-1",
        "delimiters": {name: _text(given, name, f"{place}/delimiters") for name in _DELIMITERS},
        "glue": _text(tree, "glue", place),
        "wrapped": tree.get("wrapped") is True,
        "header": _optional(tree, "header", place),
        "segments": _segments(tree, place),
        "groups": [
            _group(one, f"{place}/groups/{number}") for number, one in enumerate(_list(tree, "groups", place))
        ],
        "trailer": _optional(tree, "trailer", place),
    }


def _group(value: Any, place: str) -> Any:
    tree = _object(value, place)
    return {
        "header": _optional(tree, "header", place),
        "segments": _segments(tree, place),
        "messages": [
            {"segments": _segments(_object(one, f"{place}/messages/{number}"), f"{place}/messages/{number}")}
            for number, one in enumerate(_list(tree, "messages", place))
        ],
        "trailer": _optional(tree, "trailer", place),
    }


def _segments(tree: Any, place: str) -> list[Any]:
    return [
        segment_of(one, f"{place}/segments/{number}") for number, one in enumerate(_list(tree, "segments", place))
    ]


def _optional(tree: Any, key: str, place: str) -> Any:
    return None if tree.get(key) is None else segment_of(tree[key], f"{place}/{key}")


def _is_element(value: Any) -> bool:
    if isinstance(value, dict):
        repeat = value.get("repeat")
        return isinstance(repeat, list) and all(map(_is_composite, repeat))
    return _is_composite(value)


def _is_composite(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))
