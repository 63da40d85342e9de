"""The pages of a list, one after the other, in the ways that APIs have for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import urljoin

from pydantic import Field
from requests.utils import parse_header_links

from connectors.rest.transport import at, body_of, judge
from connectors.sdk import Model, Rejected
from connectors.sdk.http import HttpReply
from connectors.sdk.http_url import origin, shown

_Most = Annotated[
    int,
    Field(ge=1, le=10_000, description="pages read; one more is refused, never left out silently", examples=[100]),
]
_Items = Annotated[
    str,
    Field(
        description="where a page's list stands, names joined by dots; empty: the page is the list",
        examples=["items", "data.prices"],
    ),
]
_Size = Annotated[
    int | None,
    Field(ge=1, description="how many items a page is asked for; empty leaves it to the API", examples=[200]),
]


class NoPaging(Model):
    """One request, one reply."""

    type: Literal["none"] = "none"


class LinkPaging(Model):
    """The next page stands in the header ``Link`` with ``rel="next"`` (RFC 8288)."""

    type: Literal["link"]
    items: _Items = ""
    most: _Most = 100


class NextPaging(Model):
    """The next page stands in a field of the body, as a URL or as a cursor; absent, null or empty ends."""

    type: Literal["next"]
    items: _Items
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
    most: _Most = 100


class ODataPaging(Model):
    """OData: lists and links of V4 (``value``, ``@odata.nextLink``) and of V2 (``d.results``, ``d.__next``)."""

    type: Literal["odata"]
    most: _Most = 100


class OffsetPaging(Model):
    """The number of items read so far goes into the query. An empty page ends, or ``total``.

    A page that is shorter than asked for ends nothing: many APIs give fewer than one asks for.
    """

    type: Literal["offset"]
    items: _Items
    offset: str = Field(default="offset", description="query field of the number", examples=["offset", "$skip"])
    limit: str = Field(default="limit", description="query field of size", examples=["limit", "$top"])
    size: _Size = None
    total: str = Field(
        default="",
        description="where the number of all items stands, names joined by dots; spares the last, empty page",
        examples=["totalResults"],
    )
    most: _Most = 100


class NumberPaging(Model):
    """Pages have numbers. An empty page ends, or ``pages``."""

    type: Literal["page"]
    items: _Items
    page: str = Field(default="page", description="query field of the number", examples=["page"])
    first: int = Field(default=1, ge=0, description="number of the first page", examples=[0])
    per_page: str = Field(default="per_page", description="query field of size", examples=["per_page"])
    size: _Size = None
    pages: str = Field(
        default="",
        description="where the number of all pages stands, names joined by dots; spares the last, empty page",
        examples=["total_pages"],
    )
    most: _Most = 100


class MorePaging(Model):
    """The reply says in a field whether there are more; the next page is asked for by a number or by an item."""

    type: Literal["more"]
    items: _Items
    more: str = Field(default="hasMore", description="where true or false stands", examples=["hasMore", "has_more"])
    query: str = Field(
        default="offset", description="query field of the next page", examples=["offset", "starting_after"]
    )
    last: str = Field(
        default="",
        description="field of the last item that goes there; empty: the number of items read so far",
        examples=["id"],
    )
    most: _Most = 100


Pages = LinkPaging | NextPaging | ODataPaging | OffsetPaging | NumberPaging | MorePaging
Paging = Annotated[NoPaging | Pages, Field(discriminator="type")]


@dataclass(frozen=True)
class Page:
    """What to ask for next: a URL, or the first request again with these query fields more."""

    url: str | None = None
    cursor: tuple[tuple[str, str], ...] = ()


#: Asks for one page; ``None`` for the first.
Fetch = Callable[[Page | None], HttpReply]


def merged(fetch: Fetch, paging: Pages, ok: Sequence[int]) -> tuple[HttpReply, list[Any]]:
    """The last reply, and the items of all pages in order.

    Raises ``Rejected`` where a page leads back to an earlier one or comes again, leads to another origin or past
    ``most`` pages, or holds no list.
    """
    pages = list(_pages(fetch, paging, ok))
    return pages[-1][0], [item for _, found in pages for item in found]


def _pages(fetch: Fetch, paging: Pages, ok: Sequence[int]) -> Iterator[tuple[HttpReply, list[Any]]]:
    page = _first(paging)
    seen: set[Page | None] = {page}
    start, before, count = "", b"", 0
    for number in range(paging.most):
        reply = fetch(page)
        judge(reply, ok)
        found = _items(reply, paging)
        counted = isinstance(paging, OffsetPaging | NumberPaging | MorePaging)
        if counted and found and reply.content == before:
            _refuse(reply, "is the page before once more: the API does not heed the query field of the page")
        yield reply, found
        start, before, count = start or reply.url, reply.content, count + len(found)
        page = _next(reply, paging, found, count, number + 1)
        if page is None:
            return
        if page.url is not None and origin(page.url) != origin(start):
            _refuse(reply, f"names a next page at another origin, {shown(page.url)}")
        if page in seen or page.url == start:
            _refuse(reply, "names a next page that was read already")
        seen.add(page)
    _refuse(reply, f"is page {paging.most} and there is a next one")


def _first(paging: Pages) -> Page | None:
    if isinstance(paging, OffsetPaging):
        return Page(cursor=_sized(paging, 0))
    if isinstance(paging, NumberPaging):
        return Page(cursor=_sized(paging, paging.first))
    return None


def _sized(paging: OffsetPaging | NumberPaging, place: int) -> tuple[tuple[str, str], ...]:
    place_field, size_field = (
        (paging.offset, paging.limit) if isinstance(paging, OffsetPaging) else (paging.page, paging.per_page)
    )
    size = () if paging.size is None else ((size_field, str(paging.size)),)
    return ((place_field, str(place)), *size)


def _items(reply: HttpReply, paging: Pages) -> list[Any]:
    if not isinstance(paging, ODataPaging):
        return listed(reply, paging.items)
    body = body_of(reply, "GET")
    found = next((list_ for path in ("value", "d.results", "d") if isinstance(list_ := at(body, path), list)), None)
    if found is None:
        _refuse(reply, "is no OData collection: it has no list at value, d.results or d")
    return found


def _next(reply: HttpReply, paging: Pages, found: list[Any], count: int, number: int) -> Page | None:
    if isinstance(paging, LinkPaging):
        return _linked(reply)
    body = body_of(reply, "GET")
    if isinstance(paging, ODataPaging):
        names = (("@odata.nextLink",), ("@nextLink",), ("d", "__next"))
        link = next((value for name in names if isinstance(value := _named(body, name), str) and value), None)
        return None if link is None else Page(url=urljoin(reply.url, link))
    if isinstance(paging, NextPaging):
        return _told(reply, paging, at(body, paging.next))
    if isinstance(paging, MorePaging):
        return _more(reply, paging, at(body, paging.more), found, count)
    end = at(body, paging.total if isinstance(paging, OffsetPaging) else paging.pages)
    done = count if isinstance(paging, OffsetPaging) else number
    if not found or (isinstance(end, int | str) and str(end).isdecimal() and done >= int(end)):
        return None
    return Page(cursor=_sized(paging, count if isinstance(paging, OffsetPaging) else paging.first + number))


def _linked(reply: HttpReply) -> Page | None:
    for link in parse_header_links(reply.headers.get("Link", "")):
        if "next" in link.get("rel", "").lower().split():
            return Page(url=urljoin(reply.url, link["url"]))
    return None


def _told(reply: HttpReply, paging: NextPaging, value: Any) -> Page | None:
    if value is None or value in ("", False):
        return None
    if not isinstance(value, str | int):
        _refuse(reply, f"holds no URL or cursor at {paging.next}")
    if paging.cursor is not None:
        return Page(cursor=((paging.cursor, str(value)),))
    return Page(url=urljoin(reply.url, str(value)))


def _more(reply: HttpReply, paging: MorePaging, more: Any, found: list[Any], count: int) -> Page | None:
    if not isinstance(more, bool):
        _refuse(reply, f"holds neither true nor false at {paging.more}")
    if not more:
        return None
    if not found:
        _refuse(reply, f"says at {paging.more} that there are more, and has none itself")
    place = at(found[-1], paging.last) if paging.last else count
    if not isinstance(place, str | int) or isinstance(place, bool) or place == "":
        _refuse(reply, f"has a last item without {paging.last}")
    return Page(cursor=((paging.query, str(place)),))


def listed(reply: HttpReply, path: str) -> list[Any]:
    """The list at that path of a reply. Raises ``Rejected`` where there is none."""
    found = at(body_of(reply, "GET"), path)
    if not isinstance(found, list):
        _refuse(reply, f"holds no list at {path or 'its top'}")
    return found


def _named(body: Any, names: Sequence[str]) -> Any:
    """Names that hold dots themselves."""
    for name in names:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _refuse(reply: HttpReply, why: str) -> NoReturn:
    raise Rejected(
        f"the reply of {shown(reply.url)} {why}",
        next_action="correct paging of the node, or ask for less",
        details={"status": reply.status, "excerpt": reply.excerpt()},
    )
