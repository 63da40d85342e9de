"""The flows of the README: one that sends and waits for the application, one that hears it on another connection."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.workshop import flow

README = Path("connectors/mllp/README.md")


def examples() -> list[Any]:
    """The JSON blocks of *When the application answers later*, in their order."""
    section = README.read_text().partition("### When the application answers later")[2].partition("\n## ")[0]
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]


def sending() -> dict[str, Any]:
    (nodes, _) = examples()
    return flow("out", *nodes, keys={"control_id": "=control_id"})


def hearing() -> dict[str, Any]:
    (_, whole) = examples()
    return {"version": "1.0.0", "owner": "supply_chain", **whole}
