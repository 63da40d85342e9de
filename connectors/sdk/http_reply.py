"""A reply of the HTTP client, and what its status means for the effect."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connectors.sdk.errors import ConnectorError, NotSent, OutcomeUnknown, Rejected
from connectors.sdk.http_url import shown

_EXCERPT: Final = 300


@dataclass(frozen=True)
class HttpReply:
    """A whole reply. ``headers`` is case-insensitive; ``url`` is where it came from, without credentials.

    ``stored`` is what a sink made of the body, which ``content`` then lacks."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    stored: Any = None

    def excerpt(self) -> str:
        """At most 300 characters of the body, for messages."""
        return " ".join(self.content[: 4 * _EXCERPT].decode("utf-8", "replace").split())[:_EXCERPT]


#: In seconds. Whoever asks for longer is asked again after a day.
_LONGEST_WAIT = 86_400.0


def retry_after(reply: HttpReply) -> float | None:
    """Seconds that ``Retry-After`` asks for, given as a number or a date (RFC 9110 10.2.3), a day at most; else
    ``None``."""
    value = reply.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return min(float(value), _LONGEST_WAIT)
    try:
        return min(max(0.0, parsedate_to_datetime(value).timestamp() - time.time()), _LONGEST_WAIT)
    except ValueError:
        return None


def status_error(reply: HttpReply) -> ConnectorError | None:
    """What a status means for the effect; ``None`` for 2xx and 304.

    5xx and 408 prove nothing: ``OutcomeUnknown``, with ``retry_after`` in its details where the peer named it.
    So do 301, 302 and 303, with which many servers answer a request they have carried out. 429: ``NotSent``.
    Any other: ``Rejected`` with the status as ``code`` and an excerpt of the body.
    """
    status, code = reply.status, str(reply.status)
    if 200 <= status < 300 or status == 304:
        return None
    if status == 429:
        return too_many(reply)
    details: dict[str, Any] = {"status": status, "excerpt": reply.excerpt()}
    if (wait := retry_after(reply)) is not None:
        details["retry_after"] = wait
    where = f"{shown(reply.url)} answered {status}"
    if status in (301, 302, 303):
        return OutcomeUnknown(
            f"{where}, a redirect to {shown(reply.headers.get('Location', 'nowhere'))}: not followed",
            next_action="set url of the connection to where the peer really is, or check that we are logged in",
            code=code,
            details=details,
        )
    if status >= 500 or status == 408:
        return OutcomeUnknown(
            f"{where}: it may or may not have acted",
            next_action="ask the peer's operator if it lasts",
            code=code,
            details=details,
        )
    return Rejected(
        f"{where}: {details['excerpt'] or 'no reason given'}",
        next_action="correct what the peer refuses, then redrive",
        code=code,
        details=details,
    )


def refuses_certificate(reply: HttpReply) -> bool:
    """What nginx and those made of it answer, with status 400, to a certificate they miss or do not trust."""
    return (
        reply.status == 400
        and reply.url.startswith("https:")
        and any(words in reply.content for words in (b"SSL certificate error", b"No required SSL certificate"))
    )


def too_many(reply: HttpReply) -> NotSent:
    """429: the peer did not take the request (RFC 6585 4)."""
    return NotSent(
        f"{shown(reply.url)} answered 429: too many requests",
        next_action="nothing, the request is retried; lower the limits of the connection if it happens often",
        code="429",
        retry_after=retry_after(reply),
    )
