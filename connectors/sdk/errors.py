"""Errors a connector raises, grouped by what the runtime does next.

    ConnectorError
    ├── NotSent             the effect provably did not happen: retried with backoff
    ├── OutcomeUnknown      sent, no answer: a ``once`` node becomes uncertain, others are retried
    ├── Rejected            the peer refused for good: a dead letter
    ├── BusinessError       the business said no: an exception with an owner, never retried
    ├── CredentialsRefused  the peer did not accept who we are: the connection is paused for a person
    └── Misconfigured       our own settings cannot work: a dead letter, or a refusal to start

A connector translates foreign exceptions into these at its seam and lets no other escape.
"""

from __future__ import annotations

from typing import Any


class ConnectorError(Exception):
    """What went wrong in one sentence, and what a person should do next.

    ``code`` is the peer's own code (a SOAP fault code, an HTTP status): the ``faults`` table of a connection
    or node is matched against it. ``details`` is small JSON for the time line and never holds secrets.
    """

    def __init__(
        self, message: str, *, next_action: str = "", code: str = "", details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_action = next_action
        self.code = code
        self.details = details or {}


class NotSent(ConnectorError):
    """Safe to retry. ``retry_after`` is the peer's own wish in seconds, if it gave one."""

    def __init__(self, message: str, *, retry_after: float | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.retry_after = retry_after


class OutcomeUnknown(ConnectorError):
    """The first byte was sent and no complete answer came back."""


class Rejected(ConnectorError):
    """The peer answered and refused; the same request would be refused again."""


class BusinessError(ConnectorError):
    """A refusal in business terms. ``owner`` is a role; empty means the flow's owner."""

    def __init__(self, message: str, *, kind: str, owner: str = "", field: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        self.kind = kind
        self.owner = owner
        self.field = field


class CredentialsRefused(ConnectorError):
    """The peer refused our credentials, certificate or host key check failed."""


class Misconfigured(ConnectorError):
    """A setting or parameter cannot work as it stands; ``field`` says which."""

    def __init__(self, message: str, *, field: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        self.field = field
