"""Checks documents against JSON Schema 2020-12, with local schemas only."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from runtime.mapping.errors import MappingError

#: Where the canonical model lies in a checkout, and in an installed wheel.
_FOLDERS = (
    Path(__file__).parents[2] / "mappings" / "canonical",
    Path(__file__).parents[1] / "base" / "mappings" / "canonical",
)
_EXCERPT = 80
#: Rules whose message is clear only with their number.
_LIMITS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
#: Rules (``false`` is none by name) whose message quotes values at its end.
_QUOTING = (None, "items", "unevaluatedItems")


class SchemaProblem(MappingError):
    """The schema itself is unknown, unreadable, or no JSON Schema."""


@dataclass(frozen=True)
class Violation:
    """``pointer`` is an RFC 6901 JSON pointer into the document, also to a field that is missing; ``message``
    names the rule and no value, because it goes into errors; ``excerpt`` is the value there, or the object that
    lacks the field, cut short; ``rule`` the keyword of JSON Schema that it breaks, such as ``required``."""

    pointer: str
    message: str
    excerpt: str
    rule: str = ""


class Schemas:
    """A closed set of schemas by ``$id``; what they refer to must be among them, nothing is fetched. Safe for
    threads."""

    def __init__(self, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        self._schemas = dict(schemas)
        resources = ((name, Resource.from_contents(body, DRAFT202012)) for name, body in schemas.items())
        self._registry: Registry[Any] = Registry().with_resources(resources)
        self._validators: dict[str, Draft202012Validator] = {}

    @classmethod
    def from_folder(cls, folder: Path) -> Schemas:
        """Every ``*.schema.json`` in the folder, by its ``$id``. Raises ``SchemaProblem`` naming the file."""
        found: dict[str, Mapping[str, Any]] = {}
        for file in sorted(folder.glob("*.schema.json")):
            try:
                body = json.loads(file.read_text(encoding="utf-8"))
                Draft202012Validator.check_schema(body)
                name = body["$id"]
            except (ValueError, KeyError, SchemaError) as error:
                raise SchemaProblem(
                    f"{file} is no JSON Schema with an $id: {error}", name=str(file), next_action="correct the file"
                ) from error
            if name in found:
                raise SchemaProblem(f"{file}: $id {name!r} is taken by another file", name=str(file))
            found[name] = body
        return cls(found)

    def __iter__(self) -> Any:
        return iter(self._schemas)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """Raises ``SchemaProblem`` for a name that is not in the set."""
        if name not in self._schemas:
            known = ", ".join(sorted(self._schemas)) or "none"
            raise SchemaProblem(f"no schema called {name!r}", name=name, next_action=f"known are: {known}")
        return self._schemas[name]

    def validate(self, schema: str | Mapping[str, Any], document: Any) -> list[Violation]:
        """Everything wrong with the document, in its own order; an empty list means that it conforms.

        ``schema`` is a name in this set or a schema itself, which may refer to those of the set.
        """
        try:
            errors = [_deepest(error) for error in self._validator(schema).iter_errors(document)]
        except Unresolvable as error:
            raise SchemaProblem(
                f"the schema refers to {error.ref!r}, which is not here", next_action="refer to local schemas only"
            ) from error
        return [_violation(error) for error in sorted(errors, key=lambda error: _order(error.absolute_path))]

    def _validator(self, schema: str | Mapping[str, Any]) -> Draft202012Validator:
        key = schema if isinstance(schema, str) else json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            body = self[schema] if isinstance(schema, str) else schema
            try:
                Draft202012Validator.check_schema(body)
            except SchemaError as error:
                raise SchemaProblem(f"this is no JSON Schema: {error.message}", next_action="correct it") from error
            self._validators[key] = Draft202012Validator(
                body, registry=self._registry, format_checker=FormatChecker(["date"])
            )
        return self._validators[key]


@functools.cache
def canonical() -> Schemas:
    """The canonical model that ships."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])
    return Schemas.from_folder(folder)


def validate(schema: str | Mapping[str, Any], document: Any) -> list[Violation]:
    """``Schemas.validate`` with the canonical model that ships: ``validate("canonical/requisition", document)``."""
    return canonical().validate(schema, document)


def _deepest(error: ValidationError) -> ValidationError:
    """Of ``anyOf`` and the like, the branch that came nearest, which is the one meant."""
    return best_match([error]) if error.context else error


def _order(path: Any) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (-1, step) for step in path]


def _violation(error: ValidationError) -> Violation:
    path = [*error.absolute_path, *_absent(error)]
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in path]
    excerpt = json.dumps(error.instance, ensure_ascii=False, default=str)
    wanted = error.schema.get("description", "") if isinstance(error.schema, Mapping) else ""
    message = f"{_rule(error)}{f' (expected: {wanted})' if wanted and error.validator == 'pattern' else ''}"
    cut = excerpt if len(excerpt) <= _EXCERPT else excerpt[: _EXCERPT - 1] + "…"
    return Violation("".join(f"/{step}" for step in steps), message, cut, str(error.validator))


def _absent(error: ValidationError) -> list[str]:
    """The field that is missing, which is what a person looks for, and not the object that lacks it."""
    return [error.message.split("'")[1]] if error.validator == "required" else []


def _rule(error: ValidationError) -> str:
    """jsonschema's messages quote the value, which may be a whole document, or say who a patient is."""
    whole = repr(error.instance)
    if error.validator in _QUOTING:
        return "nothing may stand here" if error.validator is None else "there are more items than there may be"
    if not error.message.startswith(whole):
        return error.message
    limit = f" ({error.validator} {error.validator_value})" if error.validator in _LIMITS else ""
    return f"the value{error.message[len(whole) :]}{limit}"
