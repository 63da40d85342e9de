"""Tokens out of the replies of those that give them, and what it means where they give none. No I/O."""

from __future__ import annotations

import json
import math
import time

from connectors.sdk.errors import CredentialsRefused, Misconfigured, NotSent, Rejected
from connectors.sdk.http_auth import Csrf, Token
from connectors.sdk.http_reply import HttpReply, retry_after
from connectors.sdk.http_url import shown


def access_token(reply: HttpReply) -> Token:
    """RFC 6749 5.1 and 5.2. Raises ``NotSent``, ``CredentialsRefused`` and ``Misconfigured``."""
    where = f"the token endpoint {shown(reply.url)}"
    _refuse_trouble(reply, where, "access token")
    if reply.status in (400, 401, 403):
        raise CredentialsRefused(
            f"{where} answered {reply.status} and gave no token: {reply.excerpt()}",
            next_action="check client_id, client_secret and scope of the connection, then resume it",
            code=str(reply.status),
        )
    try:
        answer = json.loads(reply.content)
        value, lifetime = str(answer["access_token"]), float(answer.get("expires_in") or "inf")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Misconfigured(
            f"{where} answered {reply.status} without an access token",
            next_action="check auth.token_url of the connection",
            field="auth.token_url",
        ) from error
    return Token(value, time.monotonic() + lifetime - min(60.0, lifetime / 10))


def csrf_token(reply: HttpReply, csrf: Csrf) -> Token:
    """As SAP Gateway gives it: in the header that asked for it, whatever the body. Raises as ``access_token``."""
    where = f"{shown(reply.url)}, asked for a token in {csrf.header},"
    _refuse_trouble(reply, where, "token")
    if reply.status in (401, 403):
        raise CredentialsRefused(
            f"{where} answered {reply.status}: it does not accept who we are",
            next_action="check auth of the connection, set the secret anew, then resume the connection",
            code=str(reply.status),
        )
    value = reply.headers.get(csrf.header, "")
    if not value or value.lower() in ("fetch", "required"):
        raise Misconfigured(
            f"{where} answered {reply.status} without one",
            next_action="name a path that gives the token in csrf.path of the connection, or remove csrf",
            field="csrf.path",
        )
    cookies = "; ".join(f"{name}={content}" for name, content in reply.cookies.items())
    return Token(value, math.inf, cookies)


def wants_another(reply: HttpReply, csrf: Csrf) -> bool:
    """Whether the peer did nothing because the token, or the session it belongs to, is over."""
    return reply.status == 403 and reply.headers.get(csrf.header, "").lower() == "required"


def still_refused(reply: HttpReply) -> Rejected:
    """A fresh token did not help either."""
    return Rejected(
        f"{shown(reply.url)} does not accept a token it has just given: {reply.excerpt() or 'no reason given'}",
        next_action="check that csrf.path belongs to the same service, and that nothing between us drops cookies",
        code=str(reply.status),
    )


def _refuse_trouble(reply: HttpReply, where: str, what: str) -> None:
    if reply.status == 429 or reply.status >= 500:
        raise NotSent(
            f"{where} answered {reply.status}: no {what}",
            next_action="nothing, the request is retried; ask the peer's operator if it lasts",
            code=str(reply.status),
            retry_after=retry_after(reply),
        )
