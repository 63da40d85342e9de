"""Replies to JSON, and pages to one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NoReturn
from urllib.parse import urljoin

from pydantic import Field
from requests.utils import parse_header_links

from connectors.sdk import Model, OutcomeUnknown, Rejected
from connectors.sdk.http import SAFE, HttpReply, status_error
from connectors.sdk.http_url import origin, shown
from connectors.sdk.json import parse_json

MOST_PAGES: Final = 100


class NoPaging(Model):
    """One request, one reply."""

    type: Literal["none"] = "none"


class LinkPaging(Model):
    """The next page stands in the header ``Link`` with ``rel="next"`` (RFC 8288)."""

    type: Literal["link"]
    items: str = Field(
        default="",
        description="where a page's list stands, names joined by dots; empty: the page is the list",
        examples=["items"],
    )


class NextPaging(Model):
    """The next page stands in a field of the body, as a URL or as a cursor; absent, null or empty ends."""

    type: Literal["next"]
    items: str = Field(
        description="where a page's list stands, names joined by dots", examples=["items", "data.prices"]
    )
    next: str = Field(
        default="next",
        description="where the URL or cursor of the next page stands, names joined by dots",
        examples=["next", "meta.cursor"],
    )
    cursor: str | None = Field(
        default=None,
        description="query field that takes the cursor; without it the field is read as a URL",
        examples=["cursor"],
    )


Paging = Annotated[NoPaging | LinkPaging | NextPaging, Field(discriminator="type")]


@dataclass(frozen=True)
class Page:
    """What to ask for next: a URL, or the first request again with this query field more."""

    url: str | None = None
    cursor: tuple[tuple[str, str], ...] = ()


#: Asks for one page; ``None`` for the first.
Fetch = Callable[[Page | None], HttpReply]


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


def merged(fetch: Fetch, paging: LinkPaging | NextPaging, ok: Sequence[int]) -> tuple[HttpReply, list[Any]]:
    """The last reply, and the items of all pages in order.

    Raises ``Rejected`` where a page leads back to an earlier one, to another origin, past 100 pages, or holds
    no list.
    """
    items: list[Any] = []
    for reply in _pages(fetch, paging, ok):
        items += listed(reply, paging.items)
    return reply, items


def _pages(fetch: Fetch, paging: LinkPaging | NextPaging, ok: Sequence[int]) -> Iterator[HttpReply]:
    seen: set[Page | None] = {None}
    page: Page | None = None
    start = ""
    for _ in range(MOST_PAGES):
        reply = fetch(page)
        judge(reply, ok)
        yield reply
        start = start or reply.url
        page = _next(reply, paging)
        if page is None:
            return
        if page.url is not None and origin(page.url) != origin(start):
            _refuse(reply, f"names a next page at another origin, {shown(page.url)}")
        if page in seen or page.url == start:
            _refuse(reply, "names a next page that was read already")
        seen.add(page)
    _refuse(reply, f"is page {MOST_PAGES} and still names a next one")


def _next(reply: HttpReply, paging: LinkPaging | NextPaging) -> Page | None:
    if isinstance(paging, LinkPaging):
        for link in parse_header_links(reply.headers.get("Link", "")):
            if "next" in link.get("rel", "").lower().split():
                return Page(url=urljoin(reply.url, link["url"]))
        return None
    value = at(body_of(reply, "GET"), paging.next)
    if value is None or value in ("", False):
        return None
    if not isinstance(value, str | int):
        _refuse(reply, f"holds no URL or cursor at {paging.next}")
    if paging.cursor is not None:
        return Page(cursor=((paging.cursor, str(value)),))
    return Page(url=urljoin(reply.url, str(value)))


def listed(reply: HttpReply, path: str) -> list[Any]:
    """The list at that path of a reply. Raises ``Rejected`` where there is none."""
    found = at(body_of(reply, "GET"), path)
    if not isinstance(found, list):
        _refuse(reply, f"holds no list at {path or 'its top'}")
    return found


def at(value: Any, path: str) -> Any:
    """What stands there, names joined by dots; ``None`` where nothing does."""
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _refuse(reply: HttpReply, why: str) -> NoReturn:
    raise Rejected(
        f"the reply of {shown(reply.url)} {why}",
        next_action="correct paging of the node, or ask for less",
        details={"status": reply.status, "excerpt": reply.excerpt()},
    )
