"""Every error that a person or program can be told of, as a problem document."""

from __future__ import annotations

from typing import Any

from connectors.sdk import BusinessError, ConnectorError, CredentialsRefused, Misconfigured, NotSent
from runtime.access import AccessError, LockedOut
from runtime.api.problem import ProblemError, problem
from runtime.engine.door import NotAccepted
from runtime.governance.approvals import NotEntitled
from runtime.intake.accept import NotTaken
from runtime.mapping import MappingError
from runtime.store.store import IdentityConflict, NotFound, Refused, StoreError, Unavailable

_BUG = "this is a bug of Orderly: report it with what you did and the trace that `orderly --debug` shows"

#: Kind, status and title by error, the more special first.
_KINDS: list[tuple[type[Exception], str, int, str]] = [
    (NotFound, "not_found", 404, "There is no such thing"),
    (Refused, "refused", 409, "It cannot be done now"),
    (IdentityConflict, "identity_conflict", 409, "Another document came under this identity before"),
    (Unavailable, "unavailable", 503, "The store is not to be had"),
    (StoreError, "store", 500, "The store could not do it"),
    (LockedOut, "locked_out", 429, "Too many wrong passwords"),
    (AccessError, "access", 422, "That cannot be"),
    (Misconfigured, "misconfigured", 422, "Something is not set up right"),
    (CredentialsRefused, "credentials_refused", 502, "The peer refused our credentials"),
    (NotSent, "not_sent", 502, "The peer was not reached"),
    (ConnectorError, "peer", 502, "The peer could not do it"),
    (MappingError, "mapping", 422, "The expression cannot be used"),
    (OSError, "file", 422, "A file or an address cannot be used"),
]


def problem_of(error: BaseException) -> dict[str, Any]:
    """The document that says what the error says. What nobody foresaw is told as a bug."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, NotTaken):
        violations = [{"pointer": each.pointer, "detail": each.message} for each in error.violations]
        return problem(
            error.status, error.title, error.detail, error.kind, field=error.field, run=error.run, errors=violations
        )
    if isinstance(error, NotEntitled):
        return problem(403, "This person may not decide this", str(error), error.kind)
    if isinstance(error, NotAccepted):
        return problem(
            422, "The flow does not accept this document", error.message, error.kind, field=error.field,
            errors=[{"pointer": each.pointer, "detail": each.message} for each in error.violations],
            next_action="mend what is wrong with it, and send it again",
        )  # fmt: skip
    if isinstance(error, BusinessError):
        return problem(
            422, "The business said no", error.message, error.kind,
            next_action=error.next_action, owner=error.owner, field=error.field,
        )  # fmt: skip
    for known, kind, status, title in _KINDS:
        if isinstance(error, known):
            return problem(status, title, str(error), kind, **_more(error))
    return problem(
        500, "This should not have happened", f"{type(error).__name__}: {error}", "bug", next_action=_BUG
    )


def _more(error: Exception) -> dict[str, Any]:
    return {name: getattr(error, name, "") for name in ("next_action", "field", "run")}
