"""Replies to JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.sdk import OutcomeUnknown, Rejected
from connectors.sdk.http import SAFE, HttpReply, status_error
from connectors.sdk.http_url import shown
from connectors.sdk.json import parse_json


def judge(reply: HttpReply, ok: Sequence[int]) -> None:
    """Raises what the status means unless it is among ``ok``, or 2xx where ``ok`` is empty."""
    if reply.status in ok if ok else 200 <= reply.status < 300:
        return
    raise status_error(reply) or Rejected(
        f"{shown(reply.url)} answered {reply.status}, which ok does not list",
        next_action="add the status to ok of the node if it is fine",
        code=str(reply.status),
        details={"status": reply.status, "excerpt": reply.excerpt()},
    )


def body_of(reply: HttpReply, method: str) -> Any:
    """The JSON of a reply, read strictly; ``None`` where there is no body and none is needed.

    Raises ``Rejected`` for a GET answered by anything else, such as a log-in page or nothing, and
    ``OutcomeUnknown`` for other methods: what is no answer of the API does not tell whether the API acted.
    """
    if not reply.content and (method != "GET" or reply.status in (204, 304)):
        return None
    try:
        return parse_json(reply.content)
    except ValueError as error:
        kind = reply.headers.get("Content-Type", "no content type").partition(";")[0]
        what = f"{kind}: {reply.excerpt()}" if reply.content else "an empty body"
        refusal = Rejected if method in SAFE else OutcomeUnknown
        raise refusal(
            f"{shown(reply.url)} answered {reply.status} with {what} where JSON was expected ({error})",
            next_action="check url and auth of the connection; output: response would take any body",
            code=str(reply.status),
            details={"status": reply.status, "content_type": kind, "excerpt": reply.excerpt()},
        ) from error


def lenient_body_of(reply: HttpReply) -> Any:
    """The JSON of a reply, its text where it is none, ``None`` where it is empty."""
    if not reply.content:
        return None
    try:
        return parse_json(reply.content)
    except ValueError:
        return reply.content.decode("utf-8", "replace")


def at(value: Any, path: str) -> Any:
    """What stands there, names joined by dots; ``None`` where nothing does."""
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value


class Validators:
    """What an API said its reply can be known by (RFC 9110 8.8), of the last one that was taken whole.

    Kept by flow, in memory: after a restart the first reply is read again."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, dict[str, str]]] = {}

    def of(self, flow: str, asked: str) -> dict[str, str]:
        """Headers that ask for the reply only if it changed; none where something else was asked the last time."""
        before, headers = self._kept.get(flow, ("", {}))
        return dict(headers) if before == asked else {}

    def keep(self, flow: str, asked: str, reply: HttpReply) -> None:
        """Only once all that the reply brought is stored."""
        given = {
            "If-None-Match": reply.headers.get("ETag"),
            "If-Modified-Since": reply.headers.get("Last-Modified"),
        }
        self._kept[flow] = asked, {name: value for name, value in given.items() if value}
