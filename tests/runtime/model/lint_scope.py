"""Three flows without a finding, and the names that exist for them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from runtime.model.lint import Finding, Scope, lint_flow
from runtime.model.pack import base_folder

HERE = Path(__file__).parent

SCOPE = Scope(
    flows=["requisition_to_order"],
    mappings=[
        "canonical_to_erp_order", "canonical_to_x12_850", "line", "mark_urgent", "portal_to_requisition",
        "requisition_to_purchase_order",
    ],
    schemas=["canonical/requisition"],
    schema_files={"canonical/requisition": base_folder() / "mappings/canonical/requisition.schema.json"},
    connections={"acme_sftp": "sftp", "contracts": "rest", "erp": "soap", "stock": "sql", "portal": "webhook_hmac"},
    policies=["procurement"],
    partners=["acme"],
)  # fmt: skip

#: Set as a value, takes the key away.
GONE = object()


def flow(name: str) -> Any:
    return json.loads((HERE / f"{name}.json").read_text())


def changed(name: str, pointer: str, value: Any) -> Any:
    """The flow with one place changed; ``-`` as last part appends to a list."""
    document = copy.deepcopy(flow(name))
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    holder = document
    for part in way:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    if value is GONE:
        del holder[last]
    elif isinstance(holder, list):
        index = len(holder) if last == "-" else int(last)
        holder[index : index + 1] = [value]
    else:
        holder[last] = value
    return document


def findings(name: str, pointer: str, value: Any) -> list[Finding]:
    return lint_flow(changed(name, pointer, value), f"{name}.json", SCOPE)
