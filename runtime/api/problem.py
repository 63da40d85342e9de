"""Problem documents (RFC 9457); imports nothing, so that the command line may use it at once.

``type`` is ``urn:orderly:problem:<kind>``, ``detail`` says what happened and why, ``next_action`` what to do.
"""

from __future__ import annotations

from typing import Any


class ProblemError(Exception):
    """A problem document that came as an answer, or that is to be one."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.problem = problem


def problem(status: int, title: str, detail: str, kind: str, **more: Any) -> dict[str, Any]:
    """The document; members that are empty are left out."""
    body = {"type": f"urn:orderly:problem:{kind}", "title": title, "status": status, "detail": detail, "kind": kind}
    return {**body, **{name: value for name, value in more.items() if value}}
