"""``rest.collect``: one message for each item, in the order in which they grew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.rest.connector import Collect, CollectParameters, RestSettings
from connectors.sdk import Arrival, NotSent, Receipt, Rejected
from tests.connectors.sdk.http_peer import Line, Peer, always, reply
from tests.harness import MemoryContext

Polled = tuple[list[Arrival], list[str]]


@pytest.fixture
def polled() -> Iterator[Callable[..., Polled]]:
    """Polls an API that answers with this; what was handed over, and the requests."""
    contexts: list[MemoryContext] = []

    def run(answer: Any, come_to: Any = None, **parameters: Any) -> Polled:
        arrivals: list[Arrival] = []

        def accept(arrival: Arrival) -> Receipt:
            arrivals.append(arrival)
            return Receipt("accepted", "run1")

        with Peer(always(reply(200, json.dumps(answer).encode()))) as peer:
            contexts.append(MemoryContext(RestSettings(url=peer.url, allow=["127.0.0.0/8"]), type="rest"))
            contexts[-1].come_to = come_to
            count = Collect().poll(CollectParameters(**parameters), contexts[-1], accept)
            assert count == len(arrivals)
            return arrivals, [request.line.split()[1] for request in peer.requests]

    yield run
    for context in contexts:
        context.close()


def test_each_item_is_a_json_message_of_its_own(polled: Callable[..., Polled]) -> None:
    arrivals, asked = polled([{"n": 1}, {"n": "é"}], path="/orders", query={"status": "new"})

    assert asked == ["/orders?status=new"]
    assert [json.loads(arrival.raw) for arrival in arrivals] == [{"n": 1}, {"n": "é"}]
    assert {arrival.content_type for arrival in arrivals} == {"application/json"}
    assert arrivals[0].identity != arrivals[1].identity
    assert arrivals[0].cursor is None


@pytest.mark.parametrize(
    ("values", "in_order"),
    [
        ([10, 9, 9.5], [9, 9.5, 10]),
        (
            ["2026-11-21T12:00:00+01:00", "2026-11-21T11:30:00Z"],
            ["2026-11-21T12:00:00+01:00", "2026-11-21T11:30:00Z"],
        ),
        (["v10", "v09"], ["v09", "v10"]),
        (["1001", "999", "1000"], ["999", "1000", "1001"]),
    ],
    ids=["numbers", "times of two zones", "text", "numbers as text"],
)
def test_items_are_handed_over_in_the_order_in_which_they_grew(
    polled: Callable[..., Polled], values: list[Any], in_order: list[Any]
) -> None:
    """So that whatever is stored, nothing before it is missing."""
    items = [{"meta": {"at": value}} for value in values]

    arrivals, _ = polled({"data": items}, items="data", since={"field": "meta.at", "query": "since"})

    assert [arrival.cursor for arrival in arrivals] == in_order


@pytest.mark.parametrize(
    ("come_to", "first", "asked"),
    [
        (None, "", "/"),
        (None, "0", "/?after=0"),
        (17, "0", "/?after=17"),
        ("a b", "", "/?after=a+b"),
        (0, "5", "/?after=0"),
    ],
)
def test_the_api_is_asked_from_where_the_last_poll_came_to(
    polled: Callable[..., Polled], come_to: Any, first: str, asked: str
) -> None:
    assert polled([], come_to, since={"field": "seq", "query": "after", "first": first})[1] == [asked]


def test_one_that_changed_is_another_message_and_one_that_comes_again_is_not(polled: Callable[..., Polled]) -> None:
    items = [{"id": "A", "seq": 1}, {"id": "A", "seq": 2}, {"id": "A", "seq": 2}]

    arrivals, _ = polled(items, id="id", since={"field": "seq", "query": "after"})

    assert [arrival.identity for arrival in arrivals] == ["A 1", "A 2", "A 2"]


@pytest.mark.parametrize("item", [{"id": "A"}, {"seq": None}, {"seq": True}, {"seq": {"n": 1}}, "A"])
def test_an_item_that_does_not_say_where_it_stands_is_taken_and_moves_nothing_on(
    polled: Callable[..., Polled], item: Any
) -> None:
    """It must not keep the others waiting."""
    arrivals, _ = polled([{"seq": 1}, item], since={"field": "seq", "query": "after"})

    assert [(json.loads(arrival.raw), arrival.cursor) for arrival in arrivals] == [(item, None), ({"seq": 1}, 1)]


@pytest.mark.parametrize(
    ("items", "why"),
    [([{"n": 1}, {"n": 2}], "no item of the reply has"), ([{"seq": 1}, {"seq": "a"}], "have numbers and texts")],
)
def test_a_reply_whose_items_cannot_be_put_in_order_is_refused_with_what_to_do(
    polled: Callable[..., Polled], items: list[Any], why: str
) -> None:
    with pytest.raises(Rejected, match=why) as refused:
        polled(items, since={"field": "seq", "query": "after"})

    assert "since.field" in refused.value.next_action


def test_the_poll_is_past_a_value_only_with_the_last_item_that_has_it(polled: Callable[..., Polled]) -> None:
    """An API that is asked for what is newer than 2 would not give the second item again."""
    items = [{"n": "a", "seq": 2}, {"n": "b", "seq": 2}, {"n": "c", "seq": 3}]

    arrivals, _ = polled(items, since={"field": "seq", "query": "after"})

    assert [arrival.cursor for arrival in arrivals] == [None, 2, 3]


def test_a_reply_that_is_no_list_is_refused(polled: Callable[..., Polled]) -> None:
    with pytest.raises(Rejected, match="holds no list at items"):
        polled({"rows": []}, items="items")


def test_what_cannot_be_stored_ends_the_poll() -> None:
    handed: list[Arrival] = []

    def accept(arrival: Arrival) -> Receipt:
        if handed:
            raise NotSent("not stored: disk full")
        handed.append(arrival)
        return Receipt("accepted", "run1")

    with Peer(always(reply(200, b"[1, 2, 3]"))) as peer:
        context = MemoryContext(RestSettings(url=peer.url, allow=["127.0.0.0/8"]), type="rest")
        with pytest.raises(NotSent, match="disk full"):
            Collect().poll(CollectParameters(), context, accept)
        context.close()

    assert [arrival.raw for arrival in handed] == [b"1"]


@pytest.mark.parametrize(
    ("come_to", "overlap", "asked"),
    [
        ("2026-11-24T08:00:00Z", "5m", "2026-11-24T07%3A55%3A00Z"),
        ("2026-11-24T00:00:00.25+01:00", "1s", "2026-11-23T23%3A59%3A59.25%2B01%3A00"),
        ("2026-11-24 08:00:00", "1h", "2026-11-24+07%3A00%3A00"),
        ("2026-11-24", "2d", "2026-11-22"),
        (1000, "10", "990"),
        ("1000", "10", "990"),
        (None, "10", "first"),
    ],
)
def test_the_overlap_asks_again_for_what_the_api_may_show_late(
    polled: Callable[..., Polled], come_to: Any, overlap: str, asked: str
) -> None:
    """Written as the API writes its own values."""
    since = {"field": "at", "query": "since", "first": "first", "overlap": overlap}

    assert polled([], come_to, since=since)[1] == [f"/?since={asked}"]


def test_what_the_overlap_brings_again_is_known_and_moves_the_poll_back_never(
    polled: Callable[..., Polled],
) -> None:
    items = [{"id": "late", "seq": 95}, {"id": "A", "seq": 100}, {"id": "B", "seq": 101}]
    since = {"field": "seq", "query": "after", "overlap": "10"}

    arrivals, _ = polled(items, 100, id="id", since=since)

    assert [(one.identity, one.cursor) for one in arrivals] == [("late 95", None), ("A 100", 100), ("B 101", 101)]


@pytest.mark.parametrize(("come_to", "overlap"), [("ORD-7", "5m"), ("ORD-7", "5"), (100, "5m")])
def test_an_overlap_that_cannot_be_taken_off_is_refused_with_what_to_do(
    polled: Callable[..., Polled], come_to: Any, overlap: str
) -> None:
    with pytest.raises(Rejected, match="cannot be taken off") as refused:
        polled([], come_to, since={"field": "at", "query": "since", "overlap": overlap})

    assert "since.overlap" in refused.value.next_action


def test_an_overlap_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="duration"):
        CollectParameters.model_validate({"since": {"field": "at", "query": "since", "overlap": "five minutes"}})


class Versioned:
    """A list with an ETag that follows its content."""

    def __init__(self) -> None:
        self.items = [{"id": "A"}]

    def __call__(self, line: Line) -> None:
        for request in line:
            tag = f'"{len(self.items)}"'
            if request.headers.get("if-none-match") == tag:
                line.send(reply(304, b"", ETag=tag))
            else:
                line.send(reply(200, json.dumps(self.items).encode(), ETag=tag, Last_Modified="yesterday"))


def test_a_list_that_has_not_changed_is_not_sent_again() -> None:
    api, stored, full = Versioned(), [], False

    def accept(arrival: Arrival) -> Receipt:
        if full:
            raise NotSent("not stored: disk full")
        stored.append(json.loads(arrival.raw)["id"])
        return Receipt("accepted", "run1")

    with Peer(api) as peer:
        context = MemoryContext(RestSettings(url=peer.url, allow=["127.0.0.0/8"]), type="rest")

        def poll(**parameters: Any) -> int:
            return Collect().poll(CollectParameters(id="id", **parameters), context, accept)

        assert [poll(), poll()] == [1, 0]
        api.items.append({"id": "B"})
        full = True
        with pytest.raises(NotSent):
            poll()
        full = False
        assert [poll(), poll(), poll(query={"status": "new"})] == [2, 0, 2]
        context.close()

    assert stored == ["A", "A", "B", "A", "B"]
    asked = [request.headers.get("if-none-match") for request in peer.requests]
    assert asked == [None, '"1"', '"1"', '"1"', '"2"', None]
    assert peer.requests[1].headers["if-modified-since"] == "yesterday"
