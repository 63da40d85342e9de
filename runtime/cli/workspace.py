"""``init``: a workspace that lints, tests and serves as it is laid out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from runtime.cli import options, show

_MAPPING = """/* An order as the shop sends it -> the confirmation it gets back.
   Amounts are text; the $dec_ functions keep them exact. */
(
  $lines := [lines.{"item_number": item, "amount": $dec_round($dec_mul($dec(quantity), price), 2)}];
  {
    "order_number": number,
    "lines": $lines,
    "total": $dec_round($dec_sum($lines.amount), 2)
  }
)
"""

#: Names that no shell needs to quote; a client's id is one in small letters.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,39}")
_CLIENT = re.compile(r"[a-z][a-z0-9_-]{0,39}")

_ORDER = {"number": "A-1", "lines": [{"item": "GLOVES", "quantity": 3, "price": "4.10"}]}
_CONFIRMED = {
    "order_number": "A-1", "lines": [{"item_number": "GLOVES", "amount": "12.30"}], "total": "12.30",
}  # fmt: skip


def _flow() -> dict[str, Any]:
    return {
        "$schema": "../../schemas/flow.schema.json",
        "flow": "confirm_order", "version": "1.0.0", "title": "Confirm an order", "owner": "procurement",
        "trigger": {"type": "webhook", "accepts": "shop/order", "reply": {"result": {"within": "10s"}}},
        "identity": "=number",
        "keys": {"order": "=number"},
        "nodes": [
            {
                "id": "confirm", "type": "map", "into": "confirmation",
                "parameters": {"mapping": "order_to_confirmation"},
            },
            {"id": "answer", "type": "respond", "parameters": {"body": "=confirmation"}},
            {
                "id": "confirmed", "type": "publish",
                "parameters": {"event": "order.confirmed", "data": "=confirmation"},
            },
        ],
    }  # fmt: skip


def _schema() -> dict[str, Any]:
    decimal = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$", "description": "an amount, as text"}
    line = {
        "type": "object",
        "required": ["item", "quantity", "price"],
        "properties": {
            "item": {"type": "string", "minLength": 1},
            "quantity": {"type": "integer", "minimum": 1},
            "price": decimal,
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "shop/order",
        "title": "An order as the shop sends it",
        "type": "object",
        "required": ["number", "lines"],
        "properties": {
            "number": {"type": "string", "minLength": 1},
            "lines": {"type": "array", "minItems": 1, "items": line},
        },
    }


def _flow_case() -> dict[str, Any]:
    return {
        "given": _ORDER,
        "then": {
            "state": "done",
            "outputs": {"confirm": _CONFIRMED},
            "events": [{"event": "order.confirmed", "key": "A-1", "data": _CONFIRMED}],
            "reply": {"status": 200, "body": _CONFIRMED},
        },
    }


def _readme(name: str, client: str) -> str:
    return f"""# {name}

A pack for Orderly. From the folder above this one (`orderly` stands for where it is installed, such as
`.venv/bin/orderly`, until you `source .venv/bin/activate`):

    orderly lint {name}
    orderly test {name}
    orderly key add shop --pack {name}     # prints the key, once
    orderly serve {name}

and from another terminal

    curl -H "Authorization: Bearer KEY" -H "Content-Type: application/json" \\
      -d @{name}/sample_payloads/order.json http://127.0.0.1:8620/hooks/{client}/confirm_order
    orderly runs list
    orderly runs show A-1                  # by the order's number

A body that does not meet `mappings/shop/order.schema.json` is answered 422 with every fault, and makes no run.

| folder | what |
|---|---|
| `flows/` | one folder a flow: `flow.json`, `cases/` |
| `mappings/` | one folder a mapping: `mapping.jsonata`, `cases/`; schemas that flows accept |
| `connections/` | one file a peer; `orderly connection add` writes them |
| `schemas/` | what editors complete and explain with; made by `orderly init` |
"""


@click.command()
@click.argument("name", type=click.Path(path_type=Path))
@click.option("--client", "client", default="", help="Client id; else made from the folder's name.")
@options.as_json
def init(name: Path, client: str, as_json: bool) -> None:
    """Lay out a workspace in the new folder NAME: a pack with a flow, a mapping and their cases."""
    from runtime.model.schema import write_all

    if name.exists() and any(name.iterdir() if name.is_dir() else [name]):
        raise click.UsageError(f"{name} is there already and not empty: choose another name")
    title = name.resolve().name
    if not _NAME.fullmatch(title):
        raise click.BadParameter(
            f"{title!r} cannot name a pack: a letter, then letters, digits, '.', '-' and '_', at most 40 in all",
            param_hint="NAME",
        )
    client = client or title.lower().replace(".", "-")
    if not _CLIENT.fullmatch(client):
        raise click.BadParameter(
            f"{client!r} cannot name a client: a small letter, then small letters, digits, '-' and '_', at most 40 "
            "in all",
            param_hint="--client",
        )
    files: dict[str, Any] = {
        "pack.json": {"$schema": "schemas/pack.schema.json", "client": client, "name": title, "flows": []},
        "flows/confirm_order/flow.json": _flow(),
        "flows/confirm_order/cases/one_line.json": _flow_case(),
        "mappings/order_to_confirmation/mapping.jsonata": _MAPPING,
        "mappings/order_to_confirmation/cases/one_line.json": {"given": _ORDER, "then": _CONFIRMED},
        "mappings/shop/order.schema.json": _schema(),
        "sample_payloads/order.json": _ORDER,
        "README.md": _readme(title, client),
        ".gitignore": ".orderly/\n",
    }
    for place, content in files.items():
        path = name / place
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=2) + "\n"
        path.write_text(text, encoding="utf-8")
    write_all(name / "schemas")
    told = {"workspace": str(name), "client": client, "files": sorted(files)}
    show.answer(told, as_json, _tell)


def _tell(told: dict[str, Any]) -> None:
    show.fact("workspace", f"{told['workspace']} for client {told['client']}")
    for verb in ("lint", "test", "serve"):
        show.fact("next", f"orderly {verb} {told['workspace']}")
