"""Typed models held against raw JSON: what pydantic refuses, as findings with exact pointers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from runtime.model.flow import CONTROL, OperationNode
from runtime.model.lints.finding import Place, Report, did_you_mean

NODE_TAGS: dict[str, type[BaseModel]] = {**CONTROL, "operation": OperationNode}

_SCALARS = re.compile(r"(str|int|float|bool|literal\[.*\]|constrained-.*|function-.*)")
_DURATION = "is not a duration"


def lint_shape(report: Report, model: type[BaseModel], raw: Any) -> None:
    """Everything about a file's shape: unknown and missing keys, wrong types, names out of pattern."""
    for error in refusals(model, raw):
        place, missing = locate(raw, error["loc"])
        if _of_another_branch(raw, error["loc"]):
            continue
        if error["type"] == "extra_forbidden":
            name = str(error["loc"][-1])
            report.error(
                "unknown-key",
                place,
                f"the key {name!r} means nothing here",
                nearest_field(model, error["loc"], name),
            )
        elif error["type"] == "missing":
            report.error("missing-key", place, f"the key {missing!r} is missing", f"add {missing!r}")
        else:
            report.error(_code(error), place, plain(error))


def _code(error: ErrorDetails) -> str:
    return "bad-duration" if _DURATION in error["msg"] else "bad-field"


def refusals(model: type[BaseModel], raw: Any) -> list[ErrorDetails]:
    """What the model says against the document, in its own order; nothing where it is fine."""
    try:
        model.model_validate(raw)
    except ValidationError as error:
        return error.errors(include_url=False, include_context=False)
    return []


def lint_values(
    report: Report,
    place: Place,
    model: type[BaseModel],
    raw: dict[str, Any],
    later: Callable[[str], bool],
    what: str,
) -> None:
    """Values held against a model of parameters or settings. ``later`` tells the strings that stand for a
    value nobody knows yet (an expression, a reference): they and what depends on them are not judged.
    """
    for error in refusals(model, raw):
        inner, missing = locate(raw, error["loc"])
        if error["type"] == "extra_forbidden":
            name = str(error["loc"][-1])
            advice = nearest_field(model, error["loc"], name)
            report.error(f"unknown-{what}", (*place, *inner), f"there is no {what} {name!r}", advice)
        elif error["type"] == "missing" and not (len(error["loc"]) > 1 and _later_at(raw, inner, later)):
            advice = f"add {missing!r}"
            report.error(f"missing-{what}", (*place, *inner), f"the {what} {missing!r} is required", advice)
        elif error["type"] != "missing" and not _later_at(raw, inner, later):
            report.error(f"bad-{what}", (*place, *inner), f"{_name(inner)}{plain(error)}")


def _name(inner: Place) -> str:
    return f"{inner[-1]!r}: " if inner else ""


def _later_at(raw: Any, place: Place, later: Callable[[str], bool]) -> bool:
    value = raw
    for part in place:
        value = value[part]
    return any(later(text) for _, text in strings(value))


def strings(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every string in a JSON value with its place; keys are not values."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from strings(inner, (*place, index))


def locate(raw: Any, loc: Place) -> tuple[Place, str]:
    """Where in the document an error is: pydantic's place without the names of union members, and the name of
    the key that is missing there, if that is the error."""
    place: list[str | int] = []
    value = raw
    for part in loc:
        if _leads_on(value, part):
            value = value[part]
            place.append(part)
    return tuple(place), str(loc[-1]) if loc else ""


def _leads_on(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _of_another_branch(raw: Any, loc: Place) -> bool:
    """Whether the error only says that a value is not of some other member of a union: an object is judged as
    an object, anything else as the plain value."""
    for index, part in enumerate(loc):
        value = _reach(raw, locate(raw, loc[:index])[0])
        if isinstance(part, str) and isinstance(value, dict) and part not in value and _SCALARS.fullmatch(part):
            return True
    return False


def _reach(raw: Any, place: Place) -> Any:
    for part in place:
        raw = raw[part]
    return raw


def plain(error: ErrorDetails) -> str:
    """Pydantic's message as one sentence about the value."""
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":
        return f"{error['input']!r} does not match the pattern {message.split(chr(39))[1]}"
    if error["type"].startswith("value_error"):
        return message
    message = message.removeprefix("Input ").removeprefix("List ").removeprefix("Dictionary ")
    shown = repr(error["input"])
    return f"{shown if len(shown) <= 60 else shown[:57] + '...'} {message}"


def nearest_field(model: type[BaseModel], loc: Place, name: str) -> str:
    return did_you_mean(name, fields_at(model, loc[:-1]))


def fields_at(model: type[BaseModel], loc: Place) -> list[str]:
    """The keys that an object at this place of pydantic's may have."""
    candidates = [model]
    for part in loc:
        named = [NODE_TAGS[str(part)]] if part in NODE_TAGS and OperationNode in candidates else []
        named = named or [candidate for candidate in candidates if candidate.__name__ == part]
        candidates = named or list(_inner(candidates, part)) or candidates
    return sorted({key for candidate in candidates for key in _keys(candidate)})


def _inner(candidates: list[type[BaseModel]], part: str | int) -> Iterator[type[BaseModel]]:
    for candidate in candidates:
        for name, field in candidate.model_fields.items():
            if part in (name, field.alias):
                yield from models(field.annotation)


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a value of this annotation may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    arguments = get_args(annotation)
    for argument in arguments[:1] if get_origin(annotation) is Annotated else arguments:
        yield from models(argument)


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
