"""Flows of one day at the hospital: small, and between them they pass every crash point of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.faults.outside import ORDER

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]

_850 = ROOT / "mappings" / "canonical_to_x12_850" / "cases" / "only_what_is_mandatory.json"
_HOOK = {"type": "webhook", "auth": "portal_hooks"}
_OFTEN = {"attempts": 1000, "first": "50ms", "longest": "50ms"}


def order(id: str, number: str = "requisitionNumber", **more: Any) -> Json:
    """A ``once`` effect: one purchase order. The ERP does not notice when it comes twice."""
    node: Json = json.loads(json.dumps(ORDER["nodes"][0]))
    node["parameters"]["body"] = node["parameters"]["body"].replace("requisitionNumber", f"({number})", 1)
    node["parameters"]["body"] = node["parameters"]["body"].replace("costCenter", "'CC-WARD3'", 1)
    node["look_up"]["settle"] = "50ms"
    return {**node, "id": id, "retry": _OFTEN, "faults": [{"code": "BUSY", "is": "not_done"}], "keys": {}, **more}


def tell(id: str, number: str = "requisitionNumber", **more: Any) -> Json:
    """An idempotent effect: the portal writes down each time that it is told."""
    body = f"={{'requisitionNumber': {number}, 'status': $run.effect_key}}"
    return {
        "id": id, "type": "rest.request", "connection": "portal", "effect": "idempotent", "retry": _OFTEN,
        "parameters": {"method": "POST", "path": "/status", "body": body}, **more,
    }  # fmt: skip


def flow(name: str, trigger: Json, *nodes: Json, **more: Any) -> Json:
    return {
        "flow": name,
        "version": "1.0.0",
        "owner": "procurement",
        "trigger": trigger,
        "nodes": list(nodes),
        **more,
    }


BUDGET = {
    "id": "budget", "type": "soap.call", "connection": "erp", "effect": "none", "retry": _OFTEN, "into": "budget",
    "parameters": {"operation": "CheckBudget", "body": {"CostCenter": "CC-WARD3", "Amount": "1.00"}},
}  # fmt: skip
_CALLS = {
    "id": "calls", "type": "call_flow",
    "parameters": {"flow": "called", "body": "={'requisitionNumber': requisitionNumber}", "wait": True},
}  # fmt: skip
_HEARS = {
    "id": "hears", "type": "wait",
    "parameters": {"event": "called.ended", "key": "=requisitionNumber", "within": "10m"},
    "on": {"timed_out": [{"id": "unheard", "type": "raise", "parameters": {"kind": "unheard", "message": "no"}}]},
}  # fmt: skip


def flows() -> list[Json]:
    document = json.loads(_850.read_text())["then"]
    document["beginning"]["order_number"] = "=erp.Number"
    edi = {"id": "edi", "type": "x12.write", "parameters": {"partner": "acme", "set": "850", "document": document}}
    items = {"id": "items", "type": "for_each", "parameters": {"items": [1, 2, 3], "at_once": 2}}
    cancel = {
        "type": "soap.call", "effect": "idempotent",
        "parameters": {"operation": "CancelPurchaseOrder", "body": "={'Number': Number}"},
    }  # fmt: skip
    never = [{"event": "never", "key": "=requisitionNumber", "within": "200ms"}]
    return [
        flow(
            "whole", {**_HOOK, "reply": {"result": {"within": "20s"}}},
            BUDGET, order("order"), tell("told"),
            {"id": "reply", "type": "respond", "parameters": {"status": 200, "body": "={'run': $run.id, 'order': erp.Number}"}},
            edi, {**items, "nodes": [tell("item", "$parent.requisitionNumber & '/' & $string($)")]},
            {"id": "both", "type": "parallel", "branches": {"calls": [_CALLS], "hears": [_HEARS]}},
            {"id": "pause", "type": "wait", "parameters": {"for": "50ms"}},
            {"id": "issued", "type": "publish", "parameters": {"event": "whole.issued", "key": "=requisitionNumber"}},
            identity="=requisitionNumber", keys={"requisition": "=requisitionNumber"},
        ),
        flow(
            "called", {"type": "call"}, order("order", "requisitionNumber & '-CALLED'"),
            {"id": "ended", "type": "publish", "parameters": {"event": "called.ended", "key": "=requisitionNumber"}},
            identity="=requisitionNumber",
        ),
        flow("heard", {"type": "event", "event": "whole.issued"}, {"id": "pause", "type": "wait", "parameters": {"for": "20ms"}}),
        flow(
            "together", {"type": "event", "event": "whole.issued", "batch": {"partner": "='acme'"}},
            {"id": "pause", "type": "wait", "parameters": {"for": "20ms"}},
        ),
        flow(
            "taken_back", _HOOK, order("order", undo=cancel), tell("told", expect=never),
            order("more", "requisitionNumber & '-MORE'", undo=cancel),
            {"id": "back", "type": "end", "parameters": {"outcome": "taken_back", "undo": True}},
            identity="=requisitionNumber",
        ),
        flow(
            "stops", _HOOK, {"id": "no", "type": "raise", "parameters": {"kind": "no_budget", "message": "no"}},
            identity="=requisitionNumber",
        ),
        flow("ticks", {"type": "schedule", "cron": "0 0 1 1 *", "zone": "UTC", "misfire": "all"}, tell("told", "'TICK'")),
        flow("not_yet", {"type": "schedule", "cron": "0 0 1 1 *", "zone": "UTC"}, tell("told", "'NOT-YET'")),
        flow(
            "inbox",
            {"type": "file.collect", "connection": "inbox", "every": "100ms", "accepts": "canonical/requisition",
             "parameters": {"folder": "/in", "glob": "*.txt", "stable": "0s", "archive": "/archive"}},
            {"id": "never", "type": "end", "parameters": {"outcome": "never"}},
        ),
    ]  # fmt: skip


def connections(pack: Path, files: Path) -> None:
    (files / "in").mkdir(parents=True)
    file = {"type": "file", "settings": {"root": str(files)}}
    (pack / "connections" / "inbox.json").write_text(json.dumps(file))
