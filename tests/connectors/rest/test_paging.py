"""Lists in pages, in the ways that APIs have for them; none is left out silently."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.sdk import Rejected
from tests.connectors.sdk.http_peer import Line, Peer, Script, always, reply

Ask = Callable[..., Any]
Answer = Callable[[Mapping[str, str]], Any]


def api(answer: Answer) -> Script:
    """Answers by the query of each request."""

    def script(line: Line) -> None:
        for request in line:
            fields = parse_qs(urlsplit(request.line.split()[1]).query)
            line.send(reply(200, json.dumps(answer({name: many[-1] for name, many in fields.items()})).encode()))

    return script


ROWS = list(range(7))


def by_offset(query: Mapping[str, str]) -> Any:
    """Gives three at most, however many one asks for."""
    start = int(query["skip"])
    return {"rows": ROWS[start : start + min(3, int(query.get("top", 3)))], "meta": {"total": len(ROWS)}}


def by_number(query: Mapping[str, str]) -> Any:
    start = 3 * int(query["page"])
    return {"rows": ROWS[start : start + 3], "meta": {"pages": "3"}}


def by_last(query: Mapping[str, str]) -> Any:
    start = int(query.get("starting_after", -1)) + 1
    return {"rows": [{"id": row} for row in ROWS[start : start + 3]], "has_more": start + 3 < len(ROWS)}


def by_count(query: Mapping[str, str]) -> Any:
    start = int(query.get("offset", 0))
    return {"rows": ROWS[start : start + 3], "hasMore": start + 3 < len(ROWS)}


OFFSET = {"type": "offset", "items": "rows", "offset": "skip", "limit": "top", "size": 5}
NUMBER = {"type": "page", "items": "rows", "first": 0}
MORE = {"type": "more", "items": "rows"}


@pytest.mark.parametrize(
    ("answer", "paging", "asked"),
    [
        (by_offset, OFFSET, ["skip=0&top=5", "skip=3&top=5", "skip=6&top=5", "skip=7&top=5"]),
        (by_offset, {**OFFSET, "total": "meta.total"}, ["skip=0&top=5", "skip=3&top=5", "skip=6&top=5"]),
        (by_number, NUMBER, ["page=0", "page=1", "page=2", "page=3"]),
        (by_number, {**NUMBER, "pages": "meta.pages"}, ["page=0", "page=1", "page=2"]),
        (by_count, MORE, ["", "offset=3", "offset=6"]),
    ],
)
def test_pages_are_counted_until_there_are_no_more(
    ask: Ask, answer: Answer, paging: dict[str, Any], asked: list[str]
) -> None:
    """A page shorter than asked for is no end: this API never gives five."""
    with Peer(api(answer)) as peer:
        assert ask(peer, path="/p", paging=paging) == ROWS

    assert [urlsplit(request.line.split()[1]).query for request in peer.requests] == asked


def test_the_next_page_may_be_asked_for_by_the_last_item(ask: Ask) -> None:
    with Peer(api(by_last)) as peer:
        paging = {"type": "more", "items": "rows", "more": "has_more", "query": "starting_after", "last": "id"}

        assert ask(peer, path="/p", paging=paging) == [{"id": row} for row in ROWS]


@pytest.mark.parametrize("paging", [OFFSET, NUMBER, MORE])
def test_an_api_that_does_not_heed_the_page_is_found_out(ask: Ask, paging: dict[str, Any]) -> None:
    """Else the same orders would come a hundred times."""
    with (
        Peer(api(lambda query: {"rows": [1], "hasMore": True})) as peer,
        pytest.raises(Rejected, match="once more"),
    ):
        ask(peer, path="/p", paging=paging)

    assert len(peer.requests) == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"rows": [], "hasMore": True}, "has none itself"),
        ({"rows": [1]}, "neither true nor false at hasMore"),
        ({"rows": [1], "hasMore": "yes"}, "neither true nor false at hasMore"),
        ({"rows": [{"n": 1}], "hasMore": True}, "last item without id"),
    ],
)
def test_a_reply_that_does_not_say_how_to_go_on_is_rejected(ask: Ask, answer: Any, why: str) -> None:
    with Peer(always(reply(200, json.dumps(answer).encode()))) as peer, pytest.raises(Rejected, match=why):
        ask(peer, path="/p", paging={**MORE, "last": "id"})


def pages(answers: dict[str, Any]) -> Script:
    def script(line: Line) -> None:
        for request in line:
            line.send(reply(200, json.dumps(answers[request.line.split()[1]]).encode()))

    return script


def test_odata_v4_pages_become_one_list(ask: Ask) -> None:
    """OData JSON Format 4.01, 4.6.10; the link may be relative to the request."""
    answers = {
        "/s4/PurchaseOrder?$top=2": {"value": [1], "@odata.nextLink": "PurchaseOrder?$skiptoken=2"},
        "/s4/PurchaseOrder?$skiptoken=2": {"value": [2], "@nextLink": "/s4/PurchaseOrder?$skiptoken=3"},
        "/s4/PurchaseOrder?$skiptoken=3": {"value": []},
    }
    with Peer(pages(answers)) as peer:
        assert ask(peer, path="/s4/PurchaseOrder?$top=2", paging={"type": "odata"}) == [1, 2]


def test_odata_v2_pages_become_one_list(ask: Ask) -> None:
    """OData 2.0 JSON format, "Representing Collections of Entries": ``d.results`` and ``d.__next``."""
    with Peer(lambda line: pages(answers)(line)) as peer:
        answers: dict[str, Any] = {
            "/A_PurchaseOrder": {"d": {"results": [{"PurchaseOrder": "4500000001"}], "__next": f"{peer.url}/n"}},
            "/n": {"d": [{"PurchaseOrder": "4500000002"}]},
        }

        orders = ask(peer, path="/A_PurchaseOrder", paging={"type": "odata"})

    assert [order["PurchaseOrder"] for order in orders] == ["4500000001", "4500000002"]


def test_what_is_no_odata_collection_is_rejected(ask: Ask) -> None:
    with Peer(always(reply(200, b'{"d": {"PurchaseOrder": "1"}}'))) as peer, pytest.raises(Rejected, match="OData"):
        ask(peer, path="/A_PurchaseOrder('1')", paging={"type": "odata"})


def test_the_most_pages_are_the_nodes_own(ask: Ask) -> None:
    with Peer(api(by_offset)) as peer, pytest.raises(Rejected, match="page 2 and there is a next"):
        ask(peer, path="/p", paging={**OFFSET, "most": 2})

    assert len(peer.requests) == 2
