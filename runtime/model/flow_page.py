"""The reference part of ``flows/README.md``: the flows that ship, and every field that a flow file may have."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from runtime.mapping.functions import REGISTERED
from runtime.model.flow import CONTROL, NodeBase
from runtime.model.help import VARIABLES
from runtime.model.lints.sites import OUTCOMES
from runtime.model.reference import cell, filled, type_of
from runtime.model.schema import Schema, flow_schema

_EVERY_NODE = "MapNode"
_OF_OPERATIONS = "node rest.request"
_MANY = 4
_ANGLES = re.compile(r"<(\w+)>")
_COMMON = {*NodeBase.model_fields, "type", "parameters"}
_PARTS = {
    "Retry": "retry", "Fault": "faults", "LookUp": "look_up", "Undo": "undo", "Expect": "expect",
}  # fmt: skip


def pages(root: Path) -> Iterator[tuple[Path, str]]:
    """The page as it should be, where it is there. Raises ``Misconfigured`` for one without the marks."""
    path = root / "flows" / "README.md"
    if path.is_file():
        text = "\n\n".join(_sections(path.parent)) + "\n"
        yield path, filled(path.read_text(encoding="utf-8"), text, path)


def _sections(folder: Path) -> Iterator[str]:
    schema = flow_schema()
    parts: dict[str, Schema] = schema["$defs"]
    yield "## What ships"
    yield "\n".join(["| Flow | What it does | Starts by |", "|---|---|---|", *_shipped(folder)])
    yield "## A flow"
    yield _table(schema, "Field")
    yield "## Its trigger"
    yield from _part(parts, "Trigger")
    for name, place in {
        "Batch": "batch",
        "Decode": "decode",
        "Reply": "reply",
        "ReplyResult": "reply.result",
    }.items():
        yield f"`{place}`:"
        yield from _part(parts, name)
    yield "## Every node"
    yield _table(_any_node(parts[_EVERY_NODE]), "Field")
    yield "## Control nodes"
    for type, model in CONTROL.items():
        yield from _node(parts, type, parts[model.__name__])
    yield "## Operations of connectors"
    yield (
        "A node of type `<connector>.<operation>` reaches a peer, or turns bytes into JSON and back. Its parameters"
        " and outcomes stand in the connector's README."
    )
    yield _table(_fields(parts[_OF_OPERATIONS], lambda name: name not in _COMMON), "Field")
    for name, place in _PARTS.items():
        yield f"`{place}`:"
        yield from _part(parts, name)
    yield "## What expressions see"
    yield "\n".join(["| Variable | What it is |", "|---|---|", *_variables()])
    yield "Beside the functions of JSONata:"
    yield "\n".join(["| Function | |", "|---|---|", *_functions()])


def _shipped(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*/flow.json")):
        flow = json.loads(file.read_text(encoding="utf-8"))
        name = flow["flow"]
        yield f"| [{name}]({file.relative_to(folder).as_posix()}) | {flow['title']} | `{flow['trigger']['type']}` |"


def _part(parts: dict[str, Schema], name: str) -> Iterator[str]:
    if "description" in parts[name]:
        yield " ".join(parts[name]["description"].split())
    yield _table(parts[name], "Field")


def _node(parts: dict[str, Schema], type: str, node: Schema) -> Iterator[str]:
    yield f"### `{type}`"
    yield " ".join(node["description"].split())
    if type in OUTCOMES:
        yield f"Outcomes: {', '.join(f'`{name}`' for name in OUTCOMES[type])}."
    own = _fields(node, lambda name: name not in _COMMON)
    if own["properties"]:
        yield _table(own, "Field")
    given = node["properties"].get("parameters", {}).get("$ref", "").rpartition("/")[2]
    if given:
        yield _table(parts[given], "Parameter")
    if "Case" in json.dumps(own):
        yield _table(parts["Case"], "Field of a case")


def _any_node(node: Schema) -> Schema:
    """What all have; a type is any, and parameters are each one's own."""
    fields = _fields(node, lambda name: name in _COMMON)["properties"]
    kinds = {"type": {"type": "string"}, "parameters": {"type": "object"}}
    shown = {
        name: {"description": field.get("description", "")} | kinds.get(name, field)
        for name, field in fields.items()
    }
    return {"properties": shown, "required": ["id", "type"]}


def _fields(schema: Schema, shown: Callable[[str], bool]) -> Schema:
    return schema | {"properties": {name: field for name, field in schema["properties"].items() if shown(name)}}


def _table(schema: Schema, heading: str) -> str:
    required = schema.get("required", [])
    rows = [f"| {heading} | Type | Default | Meaning |", "|---|---|---|---|"]
    for name, field in schema["properties"].items():
        about = _ANGLES.sub(r"\\<\1>", field.get("description", ""))
        kind = "operation" if len(field.get("enum", ())) > _MANY else type_of(field)
        default = "required" if name in required else _default(field)
        rows.append(f"| `{name}` | {cell(kind)} | {default} | {cell(about)} |")
    return "\n".join(rows)


def _default(field: Schema) -> str:
    value = field.get("default")
    return f"`{json.dumps(value)}`" if isinstance(value, str | int) and value != "" else ""


def _variables() -> Iterator[str]:
    for name, about in VARIABLES.items():
        yield f"| `${name}` | {about} |"


def _functions() -> Iterator[str]:
    for name, function in REGISTERED.items():
        about = inspect.getdoc(function)
        if about:
            yield f"| `${name}` | {cell(' '.join(about.split()))} |"
