"""What is collected for partners, as people see it: how much, since when, and when it goes."""

from __future__ import annotations

from typing import Any

from connectors.sdk.model import written
from runtime.engine.client import Client
from runtime.model.batching import Batching, BatchRules, Collection
from runtime.model.pack import BadFile


def collected(client: Client) -> list[dict[str, Any]]:
    """By flow and partner.

    ``{flow, partner, documents, bytes, urgent, restored, oldest_at, due_at, rules, served}``: ``due_at`` is when it
    goes at the latest, ``rules`` are the partner's, in words; ``served`` says whether the flow that takes it on is
    there. ``restored`` are further documents, which nobody has let go since a restore.
    """
    return [_row(client, of) for of in client.store.batches.collected()]


def _row(client: Client, of: Collection) -> dict[str, Any]:
    try:
        rules: BatchRules | None = client.pack.batching(of.partner)
        told = _in_words(rules.given) if rules is not None else ""
    except BadFile as error:
        rules, told = None, f"cannot be used: {error}"
    release = client.registry.releases.get(of.flow)
    return {
        "flow": of.flow, "partner": of.partner, "documents": of.count, "bytes": of.bytes, "urgent": of.urgent,
        "restored": of.restored, "oldest_at": of.oldest, "due_at": rules.due_at(of) if rules is not None else None,
        "rules": told, "served": release is not None and release.flow.trigger.batch is not None,
    }  # fmt: skip


def _in_words(rules: Batching | None) -> str:
    if rules is None:
        return "each at once, alone"
    told = [f"{rules.count} documents"] if "count" in rules.model_fields_set else []
    if "bytes" in rules.model_fields_set:
        told.append(f"{rules.bytes} bytes")
    if rules.cut_off:
        days = f" on working days of {rules.calendar}" if rules.calendar else ""
        told.append(f"{', '.join(rules.cut_off)} {rules.zone}{days}")
    if rules.within is not None:
        told.append(f"after {written(rules.within)}")
    return "; ".join(told)
