"""Dead letters: runs whose attempts are used up, with the error and what to do before a redrive."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from runtime.console.answers import asked, before, shown
from runtime.console.visitor import visitor
from runtime.governance.searching import dead_letters
from runtime.governance.views import plain, run_row
from runtime.model.run import OutcomeRow, OutcomeState
from runtime.store.store import Story

SEARCHED = ("text", "flow", "kind", "owner", "since", "until")


@dataclass(frozen=True)
class DeadLetterPages:
    def blueprint(self) -> Blueprint:
        pages = Blueprint("dead_letters", __name__, url_prefix="/dead-letters")
        pages.get("")(self.index)
        return pages

    def index(self) -> Response:
        known, where = visitor(), asked(SEARCHED)
        store = known.store
        page = store.found_runs(dead_letters(known.client, where), limit=25, before=before())
        letters = [(story, failed(story)) for story in (store.story(run.id) for run in page.rows)]
        assigned = store.assignees([run.id for run in page.rows])
        return shown(
            {
                "dead_letters": [
                    {
                        **run_row(story.run, story.keys), "failed": [plain(row) for row in rows],
                        "assignee": assigned.get(story.run.id, ""),
                    }
                    for story, rows in letters
                ],
                "after": page.after,
            },
            "dead_letters/index.html", page=page, letters=letters, assigned=assigned, where=where,
            flows=sorted(known.client.registry.releases),
        )  # fmt: skip


def failed(story: Story) -> list[OutcomeRow]:
    """The nodes that a redrive would try again."""
    return [row for row in story.outcomes if row.state in (OutcomeState.DEAD, OutcomeState.EXCEPTION)]
