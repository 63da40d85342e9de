"""Decisions of people. Nobody approves what they asked for, whatever door they come through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runtime.access import User
from runtime.access.users import folded
from runtime.model.release import digest
from runtime.model.run import ApprovalRow
from runtime.model.sought import Said
from runtime.store.store import ClientStore, Refused


class NotEntitled(Exception):
    """This person may not decide this; ``kind`` says why in a stable word."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def is_requester(user: User, requester: str) -> bool:
    """Login, mail address and name are compared as sign-in compares them: each one is the person. Whoever has the
    same name as the requester cannot be told from them either."""
    return _word(requester) in {_word(each) for each in (user.login, user.mail, user.name)} - {""}


def _word(name: str) -> str:
    return " ".join(folded(name).split())


def check_entitled(user: User, approval: ApprovalRow) -> None:
    """Raises ``NotEntitled``."""
    if is_requester(user, approval.requester):
        raise NotEntitled(
            "own_request", f"{user.login} asked for this and cannot decide it; another {approval.role} has to"
        )
    if approval.role not in user.roles:
        raise NotEntitled("role_missing", f"{user.login} does not hold the role {approval.role} that this needs")
    if any(decision["user"] == user.login for decision in approval.decisions):
        raise NotEntitled("decided_before", f"{user.login} has decided this before; another {approval.role} has to")


@dataclass(frozen=True)
class Decided:
    run: str
    state: str


def decide(
    store: ClientStore, user: User, id: str, verdict: str, comment: str, document_hash: str | None, now: datetime
) -> Decided:
    """Records ``approved`` or ``rejected``. ``document_hash``, where given, must be that of the document the
    person was shown. Of several who decide at one time each one is measured against what the one before decided.
    Raises ``NotFound``, ``Refused`` (decided already, expired, another document) or ``NotEntitled``; a refused try
    is audited too."""
    run = store.approval(id).run

    def judge(approval: ApprovalRow) -> tuple[dict[str, Any], str]:
        check_entitled(user, approval)
        if approval.due_at is not None and approval.due_at <= now:
            raise Refused(
                f"approval {id} expired at {approval.due_at:%Y-%m-%d %H:%M} UTC: it has to be asked for anew"
            )
        if {document_hash or approval.document_hash, digest(approval.document)} != {approval.document_hash}:
            raise Refused("the document is not the one that was shown; look at it again before deciding")
        decision = {
            "user": user.login, "verdict": verdict, "comment": comment, "at": now.isoformat(),
            "document_hash": approval.document_hash, "policy_hash": approval.policy_hash,
        }  # fmt: skip
        return decision, _state(approval, verdict)

    try:
        said = Said(user.login, more={"run": run})
        state = store.decide(id, judge, said, f"approval.{verdict}").state
    except NotEntitled as error:
        store.audit(user.login, "approval.refused", id, {"why": error.kind, "run": run})
        raise
    return Decided(run, state)


def _state(approval: ApprovalRow, verdict: str) -> str:
    if verdict == "rejected":
        return "rejected"
    given = 1 + sum(1 for decision in approval.decisions if decision["verdict"] == "approved")
    return "approved" if given >= approval.needs else "open"


def summary(approval: ApprovalRow) -> dict[str, Any]:
    """What lists show of an approval."""
    return {
        "id": approval.id, "run": approval.run, "flow": approval.flow, "node": approval.node,
        "policy": approval.policy, "role": approval.role, "needs": approval.needs, "reason": approval.reason,
        "requester": approval.requester, "state": approval.state, "document_hash": approval.document_hash,
        "created_at": approval.created_at.isoformat() if approval.created_at else None,
        "due_at": approval.due_at.isoformat() if approval.due_at else None,
        "decisions": list(approval.decisions),
    }  # fmt: skip
