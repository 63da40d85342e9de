"""JSON Schemas (2020-12) of the files that people write, generated from the models and the connectors.

Editors complete and explain with them. What depends on ``type`` hangs on ``if``/``then``, so that a message
names the one field that is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from connectors import sdk
from connectors.sdk import Role
from connectors.sdk.part import load_part, parts
from runtime.model.calendar import Calendar
from runtime.model.doors import DOORS
from runtime.model.flow import CONTROL, Flow, OperationNode
from runtime.model.help import HELP
from runtime.model.lints.operations import TRIGGERS
from runtime.model.pack import ConnectionFile, PackFile
from runtime.model.partner import Partner
from runtime.model.policy import Policy

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EXPRESSION: Schema = {"type": "string", "pattern": "^=[^=]", "description": "a JSONata expression"}
REFERENCE: Schema = {
    "type": "string",
    "pattern": "^(env|file|vault|simulator):",
    "description": "a value kept elsewhere: env:NAME, file:PATH, vault:NAME",
}

_NODES = {*(node.__name__ for node in CONTROL.values()), OperationNode.__name__}
_PLAIN = {"type", "description", "default", "examples", "title"}
_ABOUT = ("description", "default", "examples")


def flow_schema() -> Schema:
    """``flow.json``, with the parameters of every operation of the installed connectors."""
    schema = _of(Flow)
    definitions: Schema = schema["$defs"]
    definitions["expression"] = EXPRESSION
    steps = _operations(lambda role: role is not Role.SOURCE)
    for type, operation in _operations(lambda _: True).items():
        definitions[_parameters_of(type)] = _values(operation.Parameters, type, definitions, EXPRESSION)
        if type in steps:
            definitions[f"node {type}"] = _node(definitions["OperationNode"], type, operation)
    targets = {type: CONTROL[type].__name__ for type in CONTROL} | {type: f"node {type}" for type in steps}
    definitions["Node"] = {
        "type": "object",
        "required": ["id", "type"],
        "properties": {"type": {"enum": list(targets), "description": HELP["type"]}},
        "allOf": [_when(type, {"$ref": f"#/$defs/{name}"}) for type, name in targets.items()],
    }
    del definitions["OperationNode"]
    _by_type(definitions["Trigger"], _operations(lambda role: role is Role.SOURCE), TRIGGERS)
    readers = _operations(lambda role: role is Role.READ)
    for type in readers:
        definitions[f"decode {type}"] = _without(definitions[_parameters_of(type)], "content")
    _by_type(definitions["Decode"], readers, kind="decode")
    for name in ("LookUp", "Undo"):
        _by_type(definitions[name], steps)
    return schema


def pack_schema() -> Schema:
    return _of(PackFile)


def policy_schema() -> Schema:
    return _of(Policy)


def calendar_schema() -> Schema:
    return _of(Calendar)


def partner_schema() -> Schema:
    """``partners/NAME.json``, with the part of every installed connector. In ``environments`` nothing is required:
    there stands only what differs."""
    schema = _of(Partner)
    definitions: Schema = schema.setdefault("$defs", {})
    for name in parts():
        found = load_part(name)
        assert found is not None, "parts have one"
        part = model_schema(found.profile, f"#/$defs/{name} {{model}}")
        definitions |= {f"{name} {inner}": definition for inner, definition in part.pop("$defs", {}).items()}
        schema["properties"][name] = {**part, "additionalProperties": False}
    schema["additionalProperties"] = False
    shared = [key for key in schema["properties"] if key not in ("$schema", "partner", "name", "environments")]
    partial = {key: _partial(schema["properties"][key], definitions) for key in shared}
    definitions["environment"] = {"type": "object", "properties": partial, "additionalProperties": False}
    schema["properties"]["environments"] = {
        **{
            key: schema["properties"]["environments"][key]
            for key in _ABOUT
            if key in schema["properties"]["environments"]
        },
        "type": "object",
        "properties": {
            one: {"$ref": "#/$defs/environment", "description": f"in {one}"} for one in ("test", "production")
        },
        "additionalProperties": False,
    }
    return schema


def _partial(schema: Schema, definitions: Schema) -> Schema:
    """The same with nothing required, also in what it refers to."""
    made = {key: value for key, value in schema.items() if key != "required"}
    if "$ref" in made:
        name = made["$ref"].rpartition("/")[2]
        if f"part of {name}" not in definitions:
            definitions[f"part of {name}"] = {}
            definitions[f"part of {name}"] = _partial(definitions[name], definitions)
        made["$ref"] = f"#/$defs/part of {name}"
    if "properties" in made:
        made["properties"] = {key: _partial(value, definitions) for key, value in made["properties"].items()}
    return made


def connection_schema() -> Schema:
    """``connections/NAME.json``, with the settings of every installed connector."""
    schema = _of(ConnectionFile)
    definitions: Schema = schema.setdefault("$defs", {})
    definitions["reference"] = REFERENCE
    rules, types = [], []
    reached = {name: sdk.load(name).settings for name in sdk.names()}
    for name, settings in {**reached, **DOORS}.items():
        if settings is not None:
            types.append(name)
            definitions[f"settings {name}"] = _values(settings, name, definitions, REFERENCE)
            rules.append(_when(name, {"properties": {"settings": {"$ref": f"#/$defs/settings {name}"}}}))
    schema["properties"]["type"]["enum"] = sorted(types)
    schema["allOf"] = rules
    return schema


#: Every schema that is written, by file name.
SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "calendar.schema.json": calendar_schema,
    "connection.schema.json": connection_schema,
    "flow.schema.json": flow_schema,
    "pack.schema.json": pack_schema,
    "partner.schema.json": partner_schema,
    "policy.schema.json": policy_schema,
}


def write_all(folder: Path) -> list[Path]:
    """Writes every schema, the same bytes every time; returns those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = stale(folder)
    for path in changed:
        path.write_text(_text(path.name), encoding="utf-8")
    return changed


def stale(folder: Path) -> list[Path]:
    """Schemas that are missing or not what would be written now."""
    paths = [folder / name for name in SCHEMAS]
    return [path for path in paths if not path.is_file() or path.read_text(encoding="utf-8") != _text(path.name)]


def _text(name: str) -> str:
    return json.dumps(SCHEMAS[name](), indent=1, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    """Durations as people write them."""

    def encode_default(self, dft: Any) -> Any:
        return written(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def written(duration: timedelta) -> str:
    """``"10s"``, ``"5m"``: the shortest way to write a duration."""
    milliseconds = round(duration.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def model_schema(model: type[BaseModel], template: str = "#/$defs/{model}") -> Schema:
    """A model's schema, with names as files have them and without titles that only repeat them."""
    raw = model.model_json_schema(by_alias=True, ref_template=template, schema_generator=_Generator)
    return _tidy(raw)  # type: ignore[no-any-return]


def _of(model: type[BaseModel]) -> Schema:
    schema = model_schema(model)
    for name, definition in {model.__name__: schema, **schema.get("$defs", {})}.items():
        for key, field in definition.get("properties", {}).items():
            text = field.get("description") or HELP.get(f"{name}.{key}") or HELP.get(key)
            definition["properties"][key] = {"description": text, **field} if text else field
    return {"$schema": DIALECT, "title": f"Orderly {model.__name__.removesuffix('File').lower()}", **schema}


def _tidy(schema: Any) -> Any:
    """Without generated titles and ``null`` as a choice; a choice of nodes becomes one reference."""
    if isinstance(schema, list):
        return [_tidy(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    choices = {member.get("$ref", "").rpartition("/")[2] for member in schema.get("oneOf", [])}
    if choices == _NODES:
        return {"$ref": "#/$defs/Node"}
    tidy = {key: _tidy_member(key, value) for key, value in schema.items()}
    if isinstance(tidy.get("title"), str):
        del tidy["title"]
    if isinstance(tidy.get("description"), str):
        tidy["description"] = re.sub(r"\s+", " ", tidy["description"].replace("``", "`")).strip()
    return _without_null(tidy)


def _tidy_member(key: str, value: Any) -> Any:
    if key in ("default", "examples", "enum", "const"):
        return value
    if key in ("properties", "$defs"):
        return {name: _tidy(inner) for name, inner in value.items()}
    return _tidy(value)


def _without_null(schema: Schema) -> Schema:
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if schema.get("default", ...) is None:
        schema = {key: value for key, value in schema.items() if key != "default"}
    if len(choices) == len(schema.get("anyOf", [])):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**choices[0], **rest} if len(choices) == 1 else {**rest, "anyOf": choices}


def _operations(wanted: Callable[[Role], bool]) -> dict[str, type[sdk.Operation[Any]]]:
    return {
        f"{name}.{operation.name}": operation
        for name in sdk.names()
        for operation in sdk.load(name).operations
        if wanted(operation.role)
    }


def _parameters_of(type: str) -> str:
    return f"parameters {type}"


def _values(model: type[BaseModel], prefix: str, definitions: Schema, instead: Schema) -> Schema:
    """A model's schema where any value may also be ``instead``; what it refers to goes to ``definitions``."""
    schema = model_schema(model, f"#/$defs/{prefix} {{model}}")
    name = "expression" if instead is EXPRESSION else "reference"
    for inner, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix} {inner}"] = _open(definition, name)
    return _open(schema, name)


def _open(schema: Schema, name: str) -> Schema:
    opened = dict(schema)
    if "properties" in opened:
        opened["properties"] = {key: _or(_open(value, name), name) for key, value in opened["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(opened.get(key), dict):
            opened[key] = _or(_open(opened[key], name), name)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in opened:
            opened[key] = [_open(choice, name) for choice in opened[key]]
    return opened


def _or(schema: Schema, name: str) -> Schema:
    if schema.get("format") == "password":
        told = f"{schema.get('description', '')} (a secret: env:NAME, file:PATH or vault:NAME)"
        return {**{key: schema[key] for key in _ABOUT if key in schema}, "description": told, "type": "string"}
    any_text = schema.get("type", "string") == "string" and schema.keys() <= _PLAIN
    if any_text or "const" in schema:
        return schema
    about = {key: value for key, value in schema.items() if key in _ABOUT}
    rest = {key: value for key, value in schema.items() if key not in _ABOUT}
    return {**about, "anyOf": [rest, {"$ref": f"#/$defs/{name}"}]}


def _node(base: Schema, type: str, operation: type[sdk.Operation[Any]]) -> Schema:
    """One operation's node: its own parameters and outcomes, a connection where it reaches a peer."""
    properties = {**base["properties"], "type": {"const": type, "description": operation.title()}}
    properties["parameters"] = {"$ref": f"#/$defs/{_parameters_of(type)}", "description": HELP["parameters"]}
    nodes = properties["on"]["additionalProperties"]
    outcomes = dict.fromkeys(operation.outcomes, nodes)
    properties["on"] = {
        "type": "object",
        "description": HELP["on"],
        "properties": outcomes,
        "additionalProperties": False,
    }
    required = ["id", "type", *_required(operation)]
    if sdk.load(type.partition(".")[0]).settings is None:
        del properties["connection"]
    else:
        required.append("connection")
    return {**base, "description": operation.title(), "properties": properties, "required": required}


def _required(operation: type[sdk.Operation[Any]]) -> list[str]:
    fields = operation.Parameters.model_fields.values()
    return ["parameters"] if any(field.is_required() for field in fields) else []


def _by_type(
    definition: Schema, operations: Iterable[str], more: Iterable[str] = (), kind: str = "parameters"
) -> None:
    """Hangs the parameters of each operation on ``type``."""
    definition["properties"]["type"]["enum"] = [*more, *operations]
    definition["allOf"] = [
        _when(type, {"properties": {"parameters": {"$ref": f"#/$defs/{kind} {type}"}}}) for type in operations
    ]


def _without(schema: Schema, name: str) -> Schema:
    """A decoder is not given its content: that is what came in."""
    properties = {key: value for key, value in schema["properties"].items() if key != name}
    return {
        **schema,
        "properties": properties,
        "required": [key for key in schema.get("required", []) if key != name],
    }


def _when(type: str, then: Schema) -> Schema:
    return {"if": {"properties": {"type": {"const": type}}, "required": ["type"]}, "then": then}
