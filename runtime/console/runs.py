"""Runs: the list, one run whole with what can be done to it, its raw message, and its redrive."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for

from runtime.console.answers import before, done, given, shown, text, word
from runtime.console.raw import download, look
from runtime.console.run_page import NodeView, node_views
from runtime.console.visitor import visitor
from runtime.engine.client import Client
from runtime.governance.repair import PINNED
from runtime.governance.searching import run_search
from runtime.governance.views import plain, run_row, story_view, time_line
from runtime.governance.waiting import waits_for
from runtime.model.run import FINISHED, Run, RunState
from runtime.services import Services

STATES = tuple(str(state) for state in RunState)
_REPROCESSED = frozenset({RunState.DEAD, RunState.EXCEPTION, RunState.CANCELLED, RunState.DONE})


@dataclass(frozen=True)
class RunPages:
    services: Services

    def blueprint(self) -> Blueprint:
        pages = Blueprint("runs", __name__, url_prefix="/runs")
        pages.get("")(self.index)
        pages.get("/<run>")(self.one)
        pages.get("/<run>/raw")(self.raw)
        pages.post("/<run>/redrive")(self.redrive)
        return pages

    def index(self) -> Response:
        store = visitor().store
        state, flow = word("state", STATES), request.args.get("flow", "")
        key = request.args.get("q", "").strip()
        asked = {"text": key, "flow": flow, "states": [state] if state else []}
        page = store.found_runs(run_search(visitor().client, asked), limit=50, before=before())
        keys = store.keys_of([run.id for run in page.rows])
        return shown(
            {"runs": [run_row(run, keys[run.id]) for run in page.rows], "after": page.after}, "runs/index.html",
            page=page, keys=keys, state=state, flow=flow, q=key, states=STATES, finished=FINISHED,
            flows=sorted({release.flow.flow for release in visitor().client.registry.releases.values()}),
            live=request.args.get("live") != "off" and before() is None,
        )  # fmt: skip

    def one(self, run: str) -> Response:
        known = visitor()
        story = known.store.story(run)
        nodes: list[NodeView] = node_views(known.client, story)
        waits = waits_for(known.client, story)
        repairs = known.store.audit_of(run)
        successors = known.store.successors(run)
        more = {"waits_for": waits, "repairs": plain(repairs), "reprocessed_as": [each.id for each in successors]}
        return shown(
            {**story_view(story), **more}, "runs/one.html",
            story=story, run=story.run, nodes=nodes, line=time_line(story), raw=look(known.store.blobs, story.raw),
            finished=story.run.state in FINISHED, waits=waits, repairs=repairs, successors=successors,
            offered=self._offered(story.run), newer=_has_newer_release(known.client, story.run),
            assignee=known.store.assignees([run]).get(run, ""),
            people=[user for user in self.services.access(known.client.id).users.list() if not user.disabled],
        )  # fmt: skip

    def _offered(self, run: Run) -> frozenset[str]:
        """What this person may do to the run as it stands."""
        store, may = visitor().store, visitor().may
        offered = {
            action
            for action, role in (("redrive", "run.redrive"), ("cancel", "run.cancel"))
            if may(role) and not store.refusals(action, [run.id])
        }
        standing = run.state in _REPROCESSED and not store.successors(run.id)
        if standing and may("run.reprocess"):
            offered.add("reprocess")
        heads = run.order_key is not None and run.held_by != "order" and run.state not in FINISHED
        if heads and may("run.step_aside"):
            offered.add("step_aside")
        return frozenset(offered)

    def raw(self, run: str) -> Response:
        """The bytes as they came."""
        known = visitor()
        return download(known.store, known.store.story(run).raw, run, known.user.login)

    def redrive(self, run: str) -> Response:
        """``{"release": "pinned" | "current", "why"}``, both of which may be left out."""
        known, fields = visitor(), given()
        known.check_may("run.redrive", run)
        release = text(fields, "release") or PINNED
        self.services.repair(known.client.id).redrive(run, known.user.login, text(fields, "why"), release)
        state = known.store.run(run).state
        notice = "redriven" if release == PINNED else "redriven_current"
        return done({"run": run, "state": str(state)}, url_for("runs.one", run=run), notice)


def _has_newer_release(client: Client, run: Run) -> bool:
    current = client.registry.releases.get(run.flow)
    return current is not None and current.hash != run.release
