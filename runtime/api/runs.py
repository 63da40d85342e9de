"""Runs: search, look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.api.desk import Desk, meant, searched
from runtime.api.trial import traced
from runtime.engine.client import Client
from runtime.governance.searching import dead_letters, run_search
from runtime.governance.views import plain, run_row, story_view
from runtime.governance.waiting import waits_for
from runtime.mapping import is_expression
from runtime.model.flow import OperationNode
from runtime.model.run import Run
from runtime.store.store import ClientStore, Refused, Story


class Runs(Desk):
    def runs_list(
        self, *, client: str = "", states: Sequence[str] = (), flow: str = "", key: str = "", kind: str = "",
        owner: str = "", since: str = "", until: str = "", limit: int = 50, before: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """``{"runs": [...], "after"}``, newest first. ``key`` is the value of a business key, an identity or an id,
        or with ``*`` how a key or an id begins; ``kind`` and ``owner`` are those of a failure and of the flow."""
        owned = self._client(client)
        asked = {
            "text": key, "flow": flow, "kind": kind, "owner": owner, "states": states, "since": since,
            "until": until,
        }  # fmt: skip
        page = owned.store.found_runs(searched(run_search, owned, asked), limit=limit, before=before)
        return {"runs": rows_of(owned.store, page.rows), "after": page.after}

    def dead_letters_list(
        self, *, client: str = "", flow: str = "", key: str = "", kind: str = "", owner: str = "", since: str = "",
        until: str = "", limit: int = 50, before: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Dead runs that nobody has reprocessed; as ``runs_list``."""
        owned = self._client(client)
        asked = {"text": key, "flow": flow, "kind": kind, "owner": owner, "since": since, "until": until}
        page = owned.store.found_runs(searched(dead_letters, owned, asked), limit=limit, before=before)
        return {"runs": rows_of(owned.store, page.rows), "after": page.after}

    def runs_show(self, run: str, *, client: str = "") -> dict[str, Any]:
        """Everything known of one run, with ``trace`` (each node's input and output) and the connection of each
        step of its time line. ``run`` is its id, the beginning of one, or the value of a business key; where
        several are meant, ``{"runs": [...]}`` as ``runs_list``. ``waits_for`` says why it does not go on,
        ``repairs`` what people did, newest first. Raises ``NotFound``."""
        owner = self._client(client)
        found = meant(owner.store, run)
        if len(found) != 1:
            keys = owner.store.keys_of([each.id for each in found])
            return {"runs": [run_row(each, keys.get(each.id, {})) for each in found], "after": None}
        story = owner.store.story(found[0].id)
        reached = _connections(owner, story)
        told = story_view(story)
        told["time_line"] = [{**step, "connection": _reached(step, reached)} for step in told["time_line"]]
        return {
            **told, "trace": traced(owner, story), "waits_for": waits_for(owner, story),
            "repairs": plain(owner.store.audit_of(story.run.id)),
            "reprocessed_as": [successor.id for successor in owner.store.successors(story.run.id)],
        }  # fmt: skip

    def flows(self, *, client: str = "") -> dict[str, Any]:
        """What is loaded, and what is out and why."""
        registry = self._client(client).registry
        return {
            "flows": [
                {
                    "flow": name, "version": release.flow.version, "title": release.flow.title,
                    "owner": release.flow.owner, "trigger": release.flow.trigger.type, "release": release.hash,
                }
                for name, release in sorted(registry.releases.items())
            ],
            "out": [{"flow": name, "findings": plain(findings)} for name, findings in registry.out.items()],
        }  # fmt: skip

    def exception_run(self, id: str, *, client: str = "") -> dict[str, Any]:
        """The run an exception belongs to. Raises ``NotFound``, or ``Refused`` where it has none."""
        row = self._client(client).store.exception(id)
        if row.run is None:
            raise Refused(
                f"exception {id} belongs to no run, because its message could not be taken: "
                "ask the sender for a mended one, then resolve the exception"
            )
        return {"run": row.run}


def _connections(client: Client, story: Story) -> dict[tuple[str, str], str]:
    """By the kind of step and the node; one that an expression named, as its effect was sent through it."""
    sent = {intent.node: intent.connection for intent in story.intents}
    found = {}
    for _, node in client.release(story.run.release).flow.walk():
        if isinstance(node, OperationNode):
            for kind, asked in (("send", node), ("look_up", node.look_up), ("undo", node.undo)):
                name = getattr(asked, "connection", None) or node.connection
                name = sent.get(node.id) if is_expression(name) else name
                if name:
                    found[kind, node.id] = name
    return found


def _reached(step: dict[str, Any], known: dict[tuple[str, str], str]) -> str:
    return known.get((step["kind"], step["node"]), "")


def rows_of(store: ClientStore, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """With their keys, what they failed of and whose they are."""
    ids = [run.id for run in runs]
    keys, kinds, assigned = store.keys_of(ids), store.failures(ids), store.assignees(ids)
    return [
        {**run_row(run, keys.get(run.id, {})), "kind": kinds.get(run.id, ""), "assignee": assigned.get(run.id, "")}
        for run in runs
    ]
