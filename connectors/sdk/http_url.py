"""URLs of the HTTP client: what may be called, how a path is joined, what messages show of it."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from connectors.sdk.errors import Misconfigured


def parsed(url: str, field: str) -> SplitResult:
    """A whole ``http`` or ``https`` URL without its fragment; ``field`` is the setting it stands in.

    Raises ``Misconfigured`` for anything else, and for one that holds credentials.
    """
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError as error:
        raise bad_url(url, str(error), field) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid:
        raise bad_url(url, "it is not http:// or https:// and a host", field)
    if parts.username is not None or parts.password is not None:
        raise bad_url(url, "it holds a user name; credentials belong into auth", field)
    if any(ord(c) <= 32 or c == "\\" for c in url):
        raise bad_url(url, "it holds white space or a backslash", field)
    refuse_dots(parts.path, url, field)
    return parts._replace(fragment="")


def joined(base: SplitResult, path: str) -> str:
    """The path below the base, with the path's own query; the base itself, query and all, where it is empty."""
    if not path:
        return urlunsplit(base)
    if any(ord(c) < 32 or c == "\\" for c in path):
        raise bad_url(path, "it holds a control character or a backslash", "path")
    only, _, query = path.partition("#")[0].partition("?")
    refuse_dots(only, path, "path")
    return urlunsplit(base._replace(path=f"{base.path.rstrip('/')}/{only.lstrip('/')}", query=query))


def refuse_dots(path: str, url: str, field: str) -> None:
    """A code of a document that is put into a path must not climb out of it."""
    if {".", ".."} & set(unquote(path).replace("\\", "/").split("/")):
        raise bad_url(url, "its path holds . or .. as a segment", field)


def bad_url(url: str, why: str, field: str) -> Misconfigured:
    return Misconfigured(
        f"{shown(url)} cannot be called: {why}",
        next_action=f"correct {field} of the connection or node",
        field=field,
    )


def shown(url: str) -> str:
    """For messages: without user information, and without the query, which may hold a key or personal data."""
    return re.sub(r"//[^/]*@", "//", url.partition("?")[0])[:200]


def origin(url: str) -> tuple[str, str, int]:
    """RFC 6454 4."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
