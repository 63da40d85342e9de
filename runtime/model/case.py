"""Case files: what is given, what peers would answer, and what must come of it.

A mapping's case is ``{given, then}`` and ``then`` is its whole result. A flow's case is ``{given, stubs, then}``;
of ``then`` only what it names is compared: members of an object that it leaves out may be anything, lists are
compared whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from connectors.sdk.model import Model
from runtime.model.pack import BadFile, read_json

M = TypeVar("M", bound=Model)

#: The time in every case that names none.
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class MappingCase(Model):
    given: Any
    then: Any
    now: datetime = NOON


class Then(Model):
    """``outputs`` by node id (``id.3`` for the fourth item of a ``for_each``); ``effects`` in the order they
    happened, calls of other flows last: ``{node, parameters}`` or ``{node, flow, body}``; ``events`` as
    ``{event, key, data}``; ``state`` is the run's, or ``not_taken`` where the door refused."""

    state: str | None = None
    outcome: str | None = None
    outputs: dict[str, Any] | None = None
    effects: list[Any] | None = None
    events: list[Any] | None = None
    exception: dict[str, Any] | None = None
    reply: dict[str, Any] | None = None


class FlowCase(Model):
    """``given`` comes to the flow's door: a JSON document, a text that stands for bytes, or
    ``{"$file": "path beside the case"}``.

    ``stubs`` by node id: an output; ``{"outcome": …, "output": …}`` for an outcome by name; ``{"error": {"type":
    "BusinessError", "message": …}}``; or a list of these, one for each time the node's peer is asked (attempts,
    items, look-ups), the last one from then on. For ``approve``, ``{"outcome": "approved"}``; for a ``wait`` for
    an event, ``{"event": data}``. A node that names no connection runs for real unless it has a stub.
    """

    given: Any
    content_type: str | None = None
    stubs: dict[str, Any] = {}
    now: datetime = NOON
    then: Then = Field(default_factory=Then)


def read_flow_case(path: Path) -> FlowCase:
    """Raises ``BadFile``."""
    return _read(path, FlowCase)


def read_mapping_case(path: Path) -> MappingCase:
    """Raises ``BadFile``."""
    return _read(path, MappingCase)


def _read(path: Path, model: type[M]) -> M:
    try:
        return model.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise BadFile(f"{path}: /{place}: {first['msg']}", field=str(path)) from error


def differences(expected: Any, actual: Any, *, whole: bool, place: str = "") -> Iterator[str]:
    """Readable, one for each place. ``whole``: objects may have no members beyond the expected ones."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in expected:
            if name not in actual:
                yield f"{place}/{name}: missing, expected {_short(expected[name])}"
            else:
                yield from differences(expected[name], actual[name], whole=whole, place=f"{place}/{name}")
        for name in actual.keys() - expected.keys() if whole else ():
            yield f"{place}/{name}: not expected, is {_short(actual[name])}"
    elif isinstance(expected, list) and isinstance(actual, list):
        for index, (left, right) in enumerate(zip(expected, actual, strict=False)):
            yield from differences(left, right, whole=whole, place=f"{place}/{index}")
        if len(expected) != len(actual):
            more = actual[len(expected) :] or expected[len(actual) :]
            yield f"{place or '/'}: {len(expected)} expected, {len(actual)} there; from there on {_short(more)}"
    elif not _same(expected, actual):
        yield f"{place or '/'}: expected {_short(expected)}, is {_short(actual)}"


def _same(expected: Any, actual: Any) -> bool:
    return expected == actual and isinstance(expected, bool) == isinstance(actual, bool)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else f"{text[:197]}..."
