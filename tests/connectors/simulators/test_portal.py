"""The procurement portal: signed webhooks out, status updates in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests

from connectors.rest.connector import Request, RequestParameters, RestSettings
from connectors.sdk import CredentialsRefused, Misconfigured, Rejected, load_simulator
from connectors.sdk.webhooks import verify
from connectors.simulators.portal import Portal, Reply
from tests.connectors.sdk.http_peer import Line, Peer, always, reply
from tests.harness import MemoryContext

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def portal() -> Iterator[Portal]:
    simulator = Portal()
    yield simulator
    simulator.stop()


@pytest.fixture
def url(portal: Portal) -> str:
    return portal.start()["url"]


def test_a_requisition_is_posted_under_a_signature_that_verifies(portal: Portal) -> None:
    requisition = portal.requisition("REQ-1", [{"itemNumber": "ITM-1001", "quantity": 10}])
    with Peer(always(reply(202, b'{"run": "r1"}'))) as peer:
        portal.connect(f"{peer.url}/hooks/mercy/requisitions", SECRET)

        replies = portal.send(requisition)

    assert replies == [Reply(202, {"run": "r1"})]
    sent = peer.requests[0]
    assert sent.line == "POST /hooks/mercy/requisitions HTTP/1.1"
    assert json.loads(sent.body) == requisition
    webhook_id = verify([SECRET], sent.headers, sent.body, datetime.now(UTC))
    (entry,) = portal.journal.entries("delivery")
    assert datetime.fromisoformat(entry.pop("at")).tzinfo is not None
    assert [entry] == [
        {
            "kind": "delivery",
            "requisition_number": "REQ-1",
            "webhook_id": webhook_id,
            "status": 202,
            "duplicate": False,
        }
    ]


def test_a_repeated_delivery_keeps_its_id_and_counts_as_duplicate_when_answered_200(portal: Portal) -> None:
    seen: list[str] = []

    def receiver(line: Line) -> None:
        for request in line:
            again = request.headers["webhook-id"] in seen
            seen.append(request.headers["webhook-id"])
            line.send(reply(200 if again else 202))

    with Peer(receiver) as peer:
        portal.connect(peer.url, SECRET)
        replies = portal.send(portal.requisition("REQ-2", []), times=2)

    assert [answer.status for answer in replies] == [202, 200]
    assert len(set(seen)) == 1
    assert len(portal.journal.entries("delivery", requisition_number="REQ-2")) == 2
    assert len(portal.journal.entries("delivery", duplicate=True)) == 1


def test_an_unsigned_refusal_is_reported_as_it_came(portal: Portal) -> None:
    with Peer(always(reply(401, b"who are you", Content_Type="text/plain"))) as peer:
        portal.connect(peer.url, SECRET)

        assert portal.send(portal.requisition("REQ-3", []), webhook_id="msg_9") == [Reply(401, "who are you")]

    assert portal.journal.entries("delivery", webhook_id="msg_9", status=401, duplicate=False)


def test_nothing_is_sent_before_the_portal_knows_where(portal: Portal) -> None:
    with pytest.raises(Misconfigured, match="where to send"):
        portal.send(portal.requisition("REQ-4", []))


def test_a_receiver_that_hangs_up_is_an_error_and_no_delivery(portal: Portal) -> None:
    with Peer(lambda line: next(iter(line))) as peer:
        portal.connect(peer.url, SECRET)

        with pytest.raises(ConnectionError, match="REQ-5"):
            portal.send(portal.requisition("REQ-5", []))

    assert portal.journal.entries("delivery") == []


def test_a_requisition_is_filled_from_the_catalogue_and_may_be_overridden(portal: Portal) -> None:
    made = portal.requisition(
        "REQ-6",
        [
            {"itemNumber": "ITM-2001", "quantity": 2},
            {"itemNumber": "ITM-1001", "quantity": 1, "estimatedPrice": "9.99"},
        ],
        costCenter="CC-OR1",
        urgency="urgent",
    )

    assert set(made) == {
        "requisitionNumber", "revision", "requestedBy", "facility", "costCenter", "neededBy", "urgency", "category",
        "currency", "lines",
    }  # fmt: skip
    assert (made["costCenter"], made["urgency"], made["category"]) == ("CC-OR1", "urgent", "equipment")
    assert set(made["requestedBy"]) == {"name", "email", "department"}
    assert made["lines"][0] == {
        "line": 1, "itemNumber": "ITM-2001", "description": "Infusion pump", "quantity": 2, "unit": "EA",
        "estimatedPrice": "1850.00",
    }  # fmt: skip
    assert (made["lines"][1]["line"], made["lines"][1]["estimatedPrice"]) == (2, "9.99")


def _tell(portal: Portal, url: str, body: object, key: str = "portal-demo-key") -> object:
    auth = {"type": "bearer", "token": key}
    context = MemoryContext(RestSettings(url=url, auth=auth, allow=["127.0.0.0/8"]))
    try:
        return Request().run(RequestParameters(method="POST", path="/status", body=body), context)
    finally:
        context.close()


def test_a_status_update_is_journaled(portal: Portal, url: str) -> None:
    told = {"requisitionNumber": "REQ-7", "status": "ordered", "purchaseOrder": "4500000001"}

    assert _tell(portal, url, told) == {"received": True}

    assert portal.journal.entries("status", requisition_number="REQ-7", status="ordered")[0]["told"] == told


def test_a_status_update_without_the_key_is_refused(portal: Portal, url: str) -> None:
    with pytest.raises(CredentialsRefused):
        _tell(portal, url, {"requisitionNumber": "REQ-8", "status": "ordered"}, key="guessed")

    assert portal.journal.entries("status") == []
    assert portal.journal.entries("refused", status=401)


@pytest.mark.parametrize("body", [{"status": "ordered"}, {"requisitionNumber": 7, "status": "x"}, ["x"]])
def test_a_status_update_that_names_no_requisition_is_refused(portal: Portal, url: str, body: object) -> None:
    with pytest.raises(Rejected, match="requisitionNumber") as caught:
        _tell(portal, url, body)

    assert caught.value.code == "400"


def test_there_is_nothing_else_to_call(portal: Portal, url: str) -> None:
    assert requests.get(f"{url}/status", timeout=10).status_code == 404


def test_it_is_installed_under_its_name() -> None:
    assert load_simulator("portal") is Portal
