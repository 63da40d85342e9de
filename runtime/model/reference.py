"""The reference part of each connector's README, from its declaration: never written by hand, never stale."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from pydantic import BaseModel

from connectors import sdk
from connectors.sdk import Connector, Effect, Misconfigured, Operation, Role
from runtime.model.schema import Schema, model_schema

BEGIN, END = "<!-- reference -->", "<!-- /reference -->"

_ROLES = {
    Role.SOURCE: "source: starts flows",
    Role.CALL: "call: reaches a peer or the runtime",
    Role.READ: "read: bytes to JSON",
    Role.WRITE: "write: JSON to bytes",
}
_EFFECTS = {
    Effect.NONE: "none: repeating does nothing",
    Effect.IDEMPOTENT: "idempotent: repeating does nothing more",
    Effect.ONCE: "once: the node needs `look_up` and `undo`, or a reason for having none",
}


def reference(connector: Connector) -> str:
    """Markdown: the connection's settings, then each operation with parameters, output, outcomes and effect."""
    return "\n\n".join(_parts(connector)) + "\n"


def pages(root: Path) -> Iterator[tuple[Path, str]]:
    """``connectors/NAME/README.md`` with the reference between its marks, and what further pages a connector has.

    Connectors that do not lie under ``root`` are somebody else's. Raises ``Misconfigured`` for a README without the
    marks.
    """
    for name in sdk.names():
        path = root / "connectors" / name / "README.md"
        if path.is_file():
            connector = sdk.load(name)
            yield path, filled(path.read_text(encoding="utf-8"), reference(connector), path)
            for file, text in _further(connector).items():
                yield path.with_name(file), text


def _further(connector: Connector) -> Mapping[str, str]:
    if connector.pages is None:
        return {}
    pages: Mapping[str, str] = resolve_name(connector.pages)()
    return pages


def filled(page: str, text: str, path: Path) -> str:
    """The page with ``text`` between the two marks. Raises ``Misconfigured`` where it has not exactly these."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise Misconfigured(
            f"{path} has no place for the reference",
            next_action=f"put the lines {BEGIN} and {END} where it belongs, once each",
        )
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{text}{END}{rest.partition(END)[2]}"


def _parts(connector: Connector) -> Iterator[str]:
    if connector.settings is not None:
        yield f"### Connection `{connector.name}`"
        yield from _fields(connector.settings, "Setting")
    for operation in connector.operations:
        yield from _operation(f"{connector.name}.{operation.name}", operation)


def _operation(type: str, operation: type[Operation[Any]]) -> Iterator[str]:
    yield f"### `{type}`"
    yield operation.title()
    facts = [f"Role: {_ROLES[operation.role]}."]
    if operation.role is not Role.SOURCE:
        facts.append(f"Effect: {_EFFECTS[operation.effect_of({})]}{_varying(operation)}.")
        facts.append(f"Outcomes: {', '.join(f'`{name}`' for name in operation.outcomes)}.")
    yield "\n".join(f"- {fact}" for fact in facts)
    yield from _fields(operation.Parameters, "Parameter")
    if operation.Output is not None:
        yield from _fields(operation.Output, "Output")


def _varying(operation: type[Operation[Any]]) -> str:
    varies = operation.effect_of.__func__ is not Operation.effect_of.__func__  # type: ignore[attr-defined]
    return " (unless the parameters say otherwise)" if varies else ""


def _fields(model: type[BaseModel], heading: str) -> Iterator[str]:
    """A table of the model's fields, and one for each model that stands in it."""
    schema = model_schema(model, "{model}")
    inner: Schema = schema.pop("$defs", {})
    if not schema.get("properties"):
        yield f"No {heading.lower()}s of its own."
        return
    yield _table(schema, heading)
    for name, definition in inner.items():
        if definition.get("properties"):
            yield f"`{name}`: {definition.get('description', '')}".rstrip(": ")
            yield _table(definition, "Field")


def _table(schema: Schema, heading: str) -> str:
    required = schema.get("required", [])
    rows = [f"| {heading} | Type | Default | Meaning | Example |", "|---|---|---|---|---|"]
    for name, field in schema["properties"].items():
        default = "required" if name in required else _code(field["default"]) if "default" in field else ""
        example = _code(field["examples"][0]) if field.get("examples") else ""
        cells = (f"`{name}`", type_of(field), default, field.get("description", ""), example)
        rows.append("| " + " | ".join(cell(text) for text in cells) + " |")
    return "\n".join(rows)


def _code(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    fence = "``" if "`" in text else "`"
    return f"{fence}{text if len(text) <= 80 else text[:77] + '...'}{fence}"


def cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def type_of(field: Schema) -> str:
    """One or two words for the kind of value."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    for key in ("anyOf", "oneOf"):
        if key in field:
            return " or ".join(dict.fromkeys(type_of(choice) for choice in field[key]))
    if "enum" in field or "const" in field:
        return ", ".join(_code(value) for value in field.get("enum", [field.get("const")]))
    if field.get("format") == "password":
        return "secret"
    if field.get("pattern") == r"^\d+(ms|s|m|h|d)$":
        return "duration"
    if field.get("type") == "array":
        return f"list of {type_of(field.get('items', {}))}"
    return str(field.get("type", "any")).replace("integer", "whole number")
