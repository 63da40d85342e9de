"""Files that are collected: put away only once they are stored, kept whole even where nobody can read them."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.sdk import Arrival, BlobRef, Misconfigured, NotSent, Poll
from runtime.intake.sources import Source
from runtime.model.run import RunState
from runtime.services import Services, Settings
from tests.brittle import CANARY, installed
from tests.connectors.sdk.http_peer import Line, reply
from tests.connectors.sdk.http_peer import Peer as HttpPeer
from tests.runtime.console.house import until
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
SEEN = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "data": "=$"}}
COLLECT = {
    "type": "file.collect", "connection": "inbox", "every": "50ms",
    "parameters": {"folder": "/in", "archive": "/archive", "stable": "0s"},
}  # fmt: skip
CHECKED = flow("inbox", SEEN, trigger={**COLLECT, "accepts": "canonical/requisition"})
TAKING = flow("inbox", SEEN, trigger=COLLECT)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "exchange"
    (folder / "in").mkdir(parents=True)
    return folder


@pytest.fixture
def door(workshop: Open, inbox: Path) -> Callable[[dict[str, Any]], Workshop]:
    def open_door(collecting: dict[str, Any]) -> Workshop:
        connection = {"type": "file", "settings": {"root": str(inbox)}}
        return workshop(collecting, connections={"inbox": connection})

    return open_door


def source(shop: Workshop) -> Source:
    return shop.services.sources.all[0]


def poll(shop: Workshop) -> int:
    """One poll, on this thread."""
    parameters, context = source(shop).prepared()
    operation = source(shop).operation()
    assert issubclass(operation, Poll)
    return operation().poll(parameters, context, source(shop).accept)


@pytest.fixture
def listing(workshop: Open) -> Iterator[tuple[Workshop, list[dict[str, Any]], HttpPeer]]:
    """A flow that polls a REST API, the items the API has (``id``, ``seq``), and the API: it gives those that are
    not older than ``after``."""
    items: list[dict[str, Any]] = []

    def answer(line: Line) -> None:
        for request in line:
            after = int(parse_qs(urlsplit(request.line.split()[1]).query).get("after", ["0"])[0])
            found = [item for item in items if item["seq"] >= after]
            line.send(reply(200, json.dumps({"items": found}).encode()))

    with HttpPeer(answer) as peer:
        parameters = {
            "path": "/requisitions", "items": "items", "id": "id", "since": {"field": "seq", "query": "after"},
        }  # fmt: skip
        trigger = {"type": "rest.collect", "connection": "portal", "every": "1h", "parameters": parameters}
        connection = {"type": "rest", "settings": {"url": peer.url, "allow": ["127.0.0.0/8"]}}
        yield workshop(flow("portal", SEEN, trigger=trigger), connections={"portal": connection}), items, peer


def asked_after(peer: HttpPeer) -> list[str]:
    return [request.line.split()[1].partition("?")[2] for request in peer.requests]


def test_items_of_an_api_become_one_run_each_and_the_next_poll_goes_on_after_the_last(
    listing: tuple[Workshop, list[dict[str, Any]], HttpPeer],
) -> None:
    shop, items, peer = listing
    items += [{"id": "B", "seq": 2}, {"id": "A", "seq": 1}]
    assert poll(shop) == 2
    items.append({"id": "A", "seq": 3})

    assert poll(shop) == 2, "the last one is asked for again, in case another has the same number"

    assert asked_after(peer) == ["", "after=2"]
    shop.drain()
    bodies = [shop.story(run.id).body for run in shop.store.runs().rows]
    assert bodies == [{"id": "A", "seq": 3}, {"id": "B", "seq": 2}, {"id": "A", "seq": 1}]


def test_a_poll_that_is_cut_off_goes_on_after_the_last_item_that_was_stored(
    listing: tuple[Workshop, list[dict[str, Any]], HttpPeer],
) -> None:
    """How far it has come is in the commit of each item: nothing is left out, and nothing taken twice."""
    shop, items, peer = listing
    items += [{"id": name, "seq": number} for number, name in enumerate("ABCD", 1)]
    parameters, context = source(shop).prepared()
    operation = source(shop).operation()
    assert issubclass(operation, Poll)
    left = iter("AB")

    def accept(arrival: Arrival) -> Any:
        if next(left, None) is None:
            shop.services.store.close()
        return source(shop).accept(arrival)

    with pytest.raises(NotSent, match="not stored"):
        operation().poll(parameters, context, accept)
    shop.again()

    assert poll(shop) == 3
    assert asked_after(peer) == ["", "after=2"]
    assert sorted(shop.story(run.id).body["id"] for run in shop.store.runs().rows) == ["A", "B", "C", "D"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_becomes_a_run_with_its_bytes_and_is_archived(door: Callable[..., Workshop], inbox: Path) -> None:
    shop = door(TAKING)
    (inbox / "in" / "1.json").write_text('{"n": "1"}')
    (inbox / "in" / "2.txt").write_bytes(b"plain \xff bytes")

    assert poll(shop) == 2
    shop.drain()

    stories = {shop.story(run.id).headers["file_name"]: shop.story(run.id) for run in shop.store.runs().rows}
    assert stories["1.json"].body == {"n": "1"}
    assert stories["2.txt"].body["headers"]["file_name"] == "2.txt"
    reference = BlobRef.model_validate(stories["2.txt"].body["content"])
    assert shop.store.blobs.read(reference) == b"plain \xff bytes"
    assert {story.run.state for story in stories.values()} == {RunState.DONE}
    assert (names(inbox / "in"), names(inbox / "archive")) == ([], ["1.json", "2.txt"])


def test_what_could_not_be_stored_stays_where_it_is_and_is_taken_after_the_restart(
    door: Callable[..., Workshop], inbox: Path
) -> None:
    shop = door(TAKING)
    (inbox / "in" / "1.json").write_text('{"n": "1"}')
    shop.services.store.close()

    with pytest.raises(NotSent, match="not stored"):
        poll(shop)

    assert (names(inbox / "in"), names(inbox / "archive")) == (["1.json"], [])
    shop.again()
    assert poll(shop) == 1
    assert (names(inbox / "in"), names(inbox / "archive")) == ([], ["1.json"])
    assert len(shop.store.runs().rows) == 1


def test_a_file_that_was_stored_and_not_archived_before_a_crash_makes_no_second_run(
    door: Callable[..., Workshop], inbox: Path
) -> None:
    """The crash came between the commit and the archive: the file is found again, and known."""
    shop = door(TAKING)
    path = inbox / "in" / "1.json"
    path.write_text('{"n": "1"}')
    taken: list[Arrival] = []

    class Crashed(Exception):
        pass

    def accept_and_crash(arrival: Arrival) -> Any:
        taken.append(arrival)
        source(shop).accept(arrival)
        raise Crashed

    parameters, context = source(shop).prepared()
    operation = source(shop).operation()
    assert issubclass(operation, Poll)
    with pytest.raises(Crashed):
        operation().poll(parameters, context, accept_and_crash)
    assert path.exists()

    shop.again()
    assert poll(shop) == 1

    assert len(shop.store.runs().rows) == 1
    assert names(inbox / "archive") == ["1.json"]
    assert len(taken) == 1


def test_unreadable_content_is_kept_whole_as_an_exception_of_the_flows_owner_and_holds_up_nobody(
    door: Callable[..., Workshop], inbox: Path
) -> None:
    shop = door(CHECKED)
    broken = b'{"requisition_number": "R-1", "requisition_number": \xff'
    (inbox / "in" / "1.json").write_bytes(broken)
    (inbox / "in" / "2.json").write_text('{"schema": "requisition/1"}')

    assert poll(shop) == 2

    kinds = {row.kind: row for row in shop.store.exceptions().rows}
    assert set(kinds) == {"malformed_json", "invalid_document"}
    row = kinds["malformed_json"]
    assert (row.owner, row.flow, row.details["headers"]["file_name"]) == ("procurement", "inbox", "1.json")
    assert row.raw is not None
    assert shop.store.blobs.read(BlobRef(blob=row.raw, size=len(broken))) == broken
    assert list(shop.store.runs().rows) == []
    assert (names(inbox / "in"), names(inbox / "archive")) == ([], ["1.json", "2.json"])


@pytest.mark.parametrize("content", ['{"schema": "requisition/1"}', "{"])
def test_where_the_exception_cannot_be_stored_either_the_file_stays(
    door: Callable[..., Workshop], inbox: Path, content: str
) -> None:
    """``accept`` promises: only ``NotSent`` where nothing was stored."""
    shop = door(CHECKED)
    shop.services.clients["mercy"].current("inbox")
    (inbox / "in" / "1.json").write_text(content)
    shop.services.store.close()

    with pytest.raises(NotSent, match="not stored"):
        poll(shop)

    assert names(inbox / "in") == ["1.json"]


def test_a_flow_with_an_identity_of_its_own_tells_files_apart_by_it(
    door: Callable[..., Workshop], inbox: Path
) -> None:
    shop = door(flow("inbox", SEEN, trigger=COLLECT, identity="=n"))
    for name in ("1.json", "2.json"):
        (inbox / "in" / name).write_text('{"n": "1"}')
    (inbox / "in" / "3.json").write_text('{"n": "1", "more": true}')

    assert poll(shop) == 3

    assert len(shop.store.runs().rows) == 1, "the second is a duplicate"
    assert [row.kind for row in shop.store.exceptions().rows] == ["identity_conflict"]


def test_a_file_that_comes_again_after_its_run_was_reprocessed_is_still_the_same_file(
    door: Callable[..., Workshop], inbox: Path
) -> None:
    """Its sameness is that of its bytes, for the new run as for the first one."""
    shop = door(TAKING)
    again = Arrival(b'{"n" : "1"}', "application/json", {"file_name": "1.json"}, "in/1.json 2026-11-24")
    first = source(shop).accept(again)
    shop.drain()
    assert first.run is not None

    new = shop.repair.reprocess(first.run, "omar.said", "once more")
    receipt = source(shop).accept(again)

    assert (receipt.state, receipt.run) == ("duplicate", new.run)
    assert list(shop.store.exceptions().rows) == []


def test_a_folder_that_is_not_there_is_told_with_what_to_do(door: Callable[..., Workshop], inbox: Path) -> None:
    shop = door(TAKING)
    (inbox / "in").rmdir()

    with pytest.raises(Misconfigured) as told:
        poll(shop)

    assert "/in" in told.value.message
    assert "create the folder" in told.value.next_action


def test_a_file_that_meets_a_mistake_of_ours_is_an_exception_with_its_bytes_and_the_next_file_is_taken(
    door: Callable[..., Workshop], inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder may break on what one file holds: it must not block the folder for ever."""
    (inbox / "in" / "1.txt").write_text(CANARY)
    (inbox / "in" / "2.txt").write_text("2")
    with installed(tmp_path, monkeypatch):
        shop = door(flow("inbox", SEEN, trigger={**COLLECT, "decode": {"type": "brittle.read"}}))

        assert poll(shop) == 2

    rows = shop.store.exceptions().rows
    assert [row.kind for row in rows] == ["unreadable", "unreadable"]
    assert CANARY not in "".join(row.message for row in rows)
    kept = {row.raw for row in rows}
    assert kept == {f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" for text in (CANARY, "2")}
    assert names(inbox / "archive") == ["1.txt", "2.txt"]


# on its own threads


@pytest.fixture
def running(tmp_path: Path, inbox: Path) -> Iterator[Services]:
    """Started services over the folder ``in`` that is not there yet."""
    (inbox / "in").rmdir()
    pack = tmp_path / "pack"
    for name, content in (
        ("pack.json", {"client": "mercy", "name": "Mercy"}),
        ("connections/inbox.json", {"type": "file", "settings": {"root": str(inbox)}}),
        ("flows/inbox/flow.json", TAKING),
    ):
        (pack / name).parent.mkdir(parents=True, exist_ok=True)
        (pack / name).write_text(json.dumps(content))
    services = Services(Settings(tmp_path / "data", (pack,), threads=2))
    services.start()
    yield services
    services.stop()


def test_a_poll_that_fails_is_told_and_tried_again_until_it_works(running: Services, inbox: Path) -> None:
    (collecting,) = running.sources.all
    until(lambda: "no such place as /in" in collecting.state, "the source to tell what is wrong")

    (inbox / "in").mkdir()
    (inbox / "in" / "1.json").write_text('{"n": "1"}')

    store = running.clients["mercy"].store
    until(lambda: names(inbox / "archive") == ["1.json"], "the file to be archived")
    until(lambda: [run.state for run in store.runs().rows] == [RunState.DONE], "the run of the file to be done")
    until(lambda: collecting.state == "running", "the source to tell that it works again")


def test_a_listener_that_breaks_is_told_and_tried_again(
    workshop: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread goes on, and stopping it does not raise whatever its ``close`` does."""
    with installed(tmp_path, monkeypatch):
        shop = workshop(flow("listens", SEEN, trigger={"type": "brittle.listen"}))
        sources = shop.services.sources
        sources.start()
        (listening,) = sources.all
        seen: list[str] = []
        until(lambda: seen.append(listening.state) or listening.state.startswith("listening on"), "the second try")
        assert sources.alive
        sources.stop()

    assert any("broke with RuntimeError" in state for state in seen)
    assert CANARY not in "".join([*seen, listening.state])


def test_a_listener_whose_port_is_taken_says_so_and_takes_it_once_it_is_free(workshop: Open) -> None:
    """After a restart the old process may still have it; nobody has to start anything by hand."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        trigger = {"type": "mllp.listen", "connection": "ward", "decode": {"type": "hl7.read"}}
        settings = {"host": "127.0.0.1", "port": port}
        shop = workshop(
            flow("ward", SEEN, trigger=trigger), connections={"ward": {"type": "mllp", "settings": settings}}
        )
        sources = shop.services.sources
        sources.start()
        (listening,) = sources.all
        until(lambda: f"cannot listen on 127.0.0.1:{port}" in listening.state, "the listener to tell what is wrong")

    try:
        until(lambda: listening.state == f"listening on 127.0.0.1:{port}", "the listener to have its port")
    finally:
        sources.stop()
