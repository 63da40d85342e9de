"""A pack says how long; the housekeeper sees to it, a little at a time, and nothing that is needed goes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from flask import Flask

from connectors.sdk.webhooks import sign
from runtime.governance.housekeeper import Housekeeper
from runtime.model.run import RunState
from runtime.store.store import NotFound
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="
ORDERS = flow(
    "orders", {"id": "issued", "type": "publish", "parameters": {"event": "issued", "key": "=number"}},
    trigger={"type": "webhook", "auth": "door"}, identity="=number",
)  # fmt: skip
RUSH = flow("rush", {"id": "out", "type": "end", "parameters": {"outcome": "gone"}}, identity="=number")
LISTENING = flow(
    "listening", {"id": "out", "type": "end", "parameters": {"outcome": "heard"}},
    trigger={"type": "event", "event": "issued"},
)  # fmt: skip
PARENT = flow(
    "parent",
    {"id": "call", "type": "call_flow", "into": "called",
     "parameters": {"flow": "rush", "body": "={'number': number}", "wait": True}},
)  # fmt: skip


@pytest.fixture
def shop(workshop: Open) -> Workshop:
    made = workshop(
        ORDERS, RUSH, LISTENING, PARENT,
        connections={"door": {"type": "webhook_hmac", "settings": {"secret": SECRET}}},
    )  # fmt: skip
    keeps(made, {"default": "365d", "flows": {"rush": "30d"}, "states": {"cancelled": "7d"}, "events": "20d"})
    return made


def keeps(shop: Workshop, retention: dict[str, Any]) -> None:
    file = json.loads((shop.pack / "pack.json").read_text())
    shop._write("pack.json", {**file, "retention": retention})
    shop.again()


def keep(shop: Workshop) -> dict[str, int]:
    """What one pass removes."""
    services = shop.services
    housekeeper = Housekeeper(
        services.clients, services.retention, lambda client: services.store.blobs(client).places,
        services.store.now, pause=0.0,
    )  # fmt: skip
    return asdict(housekeeper.keep(services.clients["mercy"]))


def listen(shop: Workshop) -> None:
    shop.services.clock.events(shop.services.clients["mercy"])
    shop.drain()


def removed(**some: int) -> dict[str, int]:
    return {"runs": 0, "events": 0, "exceptions": 0, "raw": 0, "interchanges": 0, "blobs": 0, **some}


def test_each_run_goes_at_the_age_for_its_flow_and_state(shop: Workshop) -> None:
    """A flow's age goes before a state's, which goes before the default."""
    orders, rush = shop.run("orders", {"number": "1"}).id, shop.run("rush", {"number": "1"}).id
    cancelled = shop.take("orders", {"number": "2"})
    shop.store.cancel(cancelled, "not wanted")
    listen(shop)
    stays: list[set[str]] = []
    for days in (8, 23, 335):
        shop.pass_time(days=days)
        keep(shop)
        stays.append({run.id for run in shop.store.runs().rows if run.flow != "listening"})

    assert stays == [{orders, rush}, {orders}, set()]


def test_a_pack_that_asks_for_nothing_keeps_everything(shop: Workshop) -> None:
    keeps(shop, {})
    run = shop.run("rush", {"number": "1"}).id
    shop.pass_time(days=36_500)

    assert keep(shop) == removed()
    assert shop.store.run(run).state is RunState.DONE


def test_a_webhook_that_comes_again_after_its_run_is_gone_is_answered_and_starts_nothing(shop: Workshop) -> None:
    app = Flask("hooks")
    app.register_blueprint(shop.services.webhooks().blueprint())
    raw = json.dumps({"number": "1"}).encode()

    def post() -> Any:
        headers = {**sign(SECRET, "msg_1", shop.now, raw), "Content-Type": "application/json"}
        return app.test_client().post("/hooks/mercy/orders", data=raw, headers=headers)

    first = post()
    shop.drain()
    listen(shop)
    shop.pass_time(days=366)
    assert keep(shop)["runs"] == 2
    with pytest.raises(NotFound):
        shop.store.run(first.json["run"])

    again = post()

    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json == {"run": first.json["run"], "state": "done"}
    assert list(shop.store.runs().rows) == []


def test_a_caller_that_waits_for_a_run_that_is_gone_goes_on(shop: Workshop) -> None:
    child = shop.run("rush", {"number": "1"}).id
    shop.pass_time(days=31)
    assert keep(shop) == removed(runs=1)

    parent = shop.run("parent", {"number": "1"})

    assert parent.state is RunState.DONE
    outcome = shop.outcome(parent.id, "call")
    assert outcome is not None
    assert outcome.output == {"run": child, "outcome": None, "reply": None}


def test_an_event_waits_for_the_flow_that_listens_to_it(shop: Workshop) -> None:
    shop.run("orders", {"number": "1"})
    shop.pass_time(days=366)
    assert keep(shop) == removed(runs=1), "the run goes, its event was not heard yet"

    listen(shop)

    assert keep(shop) == removed(events=1)
    assert [run.flow for run in shop.store.runs().rows] == ["listening"]


def test_an_event_waits_for_a_flow_that_is_out_for_now(shop: Workshop) -> None:
    """Somebody broke the file; when it is mended the flow goes on where it was."""
    shop.run("orders", {"number": "1"})
    listen(shop)
    shop._write("flows/listening/flow.json", {**LISTENING, "nodes": [{"id": "what", "type": "nothing"}]})
    shop.again()
    shop.run("orders", {"number": "2"})
    shop.pass_time(days=366)
    assert keep(shop) == removed(runs=3, events=1), "only the one that was heard"

    shop._write("flows/listening/flow.json", LISTENING)
    shop.again()
    listen(shop)

    (heard,) = shop.store.runs(flow="listening").rows
    assert shop.story(heard.id).headers["event_key"] == "2"


def test_what_was_removed_is_audited(shop: Workshop) -> None:
    shop.run("rush", {"number": "1"})
    shop.pass_time(days=31)

    keep(shop)
    keep(shop)

    (entry,) = [entry for entry in shop.store.audit_trail() if entry["action"] == "retention.applied"]
    assert (entry["actor"], entry["details"]) == ("orderly", removed(runs=1))


def test_a_blob_that_nobody_names_goes_a_day_after_it_was_put(shop: Workshop) -> None:
    ref = shop.store.blobs.put(b"nobody came for it")
    assert keep(shop) == removed()
    path = next((shop.settings.data / "blobs" / "mercy").glob("[0-9a-f][0-9a-f]/*"))

    os.utime(path, (0, 0))

    assert keep(shop) == removed(blobs=1)
    assert not path.exists(), ref


def test_it_is_started_and_stopped_with_everything_else(shop: Workshop) -> None:
    """And stops at once, in the middle of its pause."""
    shop.services.housekeeper.start()

    shop.services.housekeeper.stop()

    assert not shop.services.housekeeper._background._thread.is_alive()


ENVELOPE = (
    "ISA*00*          *00*          *ZZ*ACMEMED        *ZZ*MERCYHOSP      *261124*0800*U*00401*{n:09d}*0*T*>~"
    "GS*PR*ACMEMED*MERCYHOSP*20261124*0800*{n}*X*004010~ST*855*0001~BAK*00*AD*PO-1*20261124~SE*3*0001~"
    "GE*1*{n}~IEA*1*{n:09d}~"
)
INBOX = flow("inbox", {"id": "read", "type": "x12.read", "parameters": {"content": "=content"}})
ACME: dict[str, Any] = {
    "partner": "acme", "name": "Acme",
    "x12": {"ours": {"qualifier": "ZZ", "id": "MERCYHOSP"}, "theirs": {"qualifier": "ZZ", "id": "ACMEMED"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "days"),
    [
        ({"duplicates": {"window": "60d"}}, 60),
        ({"duplicates": {"window": "10d"}}, 30),
        ({}, 90),
        ({"duplicates": {"window": "soon"}}, None),
    ],
    ids=[
        "the partner's window",
        "not before their runs",
        "the window where nothing is said",
        "a profile that is wrong",
    ],
)
def test_interchanges_go_after_their_runs_once_no_duplicate_is_looked_for_so_far_back(
    workshop: Open, profile: dict[str, Any], days: int | None
) -> None:
    """The last one stays: the next number is compared with it."""
    shop = workshop(INBOX, partners={"acme": ACME})
    for number in (1, 2):
        assert shop.run("inbox", {"content": ENVELOPE.format(n=number)}).state is RunState.DONE
    shop._write("partners/acme.json", {**ACME, "x12": {**ACME["x12"], **profile}})
    keeps(shop, {"default": "30d"})
    began = shop.now

    for day in (29, 31, 59, 61, 89, 91, 1000):
        shop.pass_time(seconds=(began - shop.now).total_seconds() + day * 86_400)
        keep(shop)
        gone = days is not None and day > days
        left = [row["number"] for row in shop.store.interchanges.listed().rows]
        assert left == (["000000002"] if gone else ["000000002", "000000001"]), f"after {day} days"
    assert list(shop.store.runs().rows) == []
