"""A partner who changes their replies is noticed before orders are made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.rest.connector import RequestParameters
from connectors.sdk import BusinessError, Misconfigured, OutcomeUnknown
from tests.connectors.sdk.http_peer import Peer, always, reply

Ask = Callable[..., Any]

PRICE = {
    "type": "object",
    "required": ["item", "price"],
    "properties": {"price": {"type": "string", "pattern": "^[0-9.]+$"}, "until": {"format": "date"}},
}


def answering(body: Any, status: int = 200) -> Peer:
    return Peer(always(reply(status, json.dumps(body).encode())))


def test_a_reply_as_agreed_passes(ask: Ask) -> None:
    with answering({"item": "A", "price": "11.20", "new": True}) as peer:
        assert ask(peer, expected=PRICE)["price"] == "11.20"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"item": "A", "price": 11.2}, '$.price breaks type "string"'),
        ({"item": "A"}, '$ breaks required ["item", "price"]'),
        ({"item": "A", "price": "1", "until": "24.11.2026"}, '$.until breaks format "date"'),
        ([], '$ breaks type "object"'),
    ],
)
def test_drift_of_a_read_is_an_exception_for_a_person(ask: Ask, body: Any, told: str) -> None:
    """It names the place and the rule and no value, which may be about somebody."""
    with answering(body) as peer, pytest.raises(BusinessError) as drift:
        ask(peer, path="/prices", expected=PRICE)

    assert (drift.value.kind, drift.value.details["faults"]) == ("contract_drift", [told])
    assert told in drift.value.message and "/prices" in drift.value.message
    assert "11.2" not in drift.value.message and "24.11" not in drift.value.message
    assert drift.value.next_action


@pytest.mark.parametrize("output", ["body", "response"])
def test_drift_of_a_change_leaves_its_outcome_unknown(ask: Ask, output: str) -> None:
    """The peer has acted; sent once more it would act twice."""
    with answering({"number": 1}, 201) as peer, pytest.raises(OutcomeUnknown) as drift:
        ask(peer, method="POST", expected=PRICE, output=output)

    assert drift.value.code == "contract_drift"
    assert len(peer.requests) == 1


def test_the_list_of_all_pages_is_what_is_looked_at(ask: Ask) -> None:
    with answering({"value": [{"item": "A", "price": 1}]}) as peer, pytest.raises(BusinessError, match=r"\$\[0\]"):
        ask(peer, paging={"type": "odata"}, expected={"type": "array", "items": PRICE})


def test_references_are_looked_for_in_the_schema_alone(ask: Ask) -> None:
    """Nothing is fetched, least of all from where a schema says."""
    inside = {"$ref": "#/$defs/price", "$defs": {"price": PRICE}}
    with answering({"item": "A", "price": "1"}) as peer:
        assert ask(peer, expected=inside)
        for outside in (f"{peer.url}/schema.json", "#/$defs/none"):
            with pytest.raises(Misconfigured, match="does not hold") as refused:
                ask(peer, expected={"$ref": outside})
            assert refused.value.field == "expected"

    assert [request.line for request in peer.requests] == ["GET / HTTP/1.1"] * 3


def test_what_is_no_schema_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValidationError, match="no JSON Schema"):
        RequestParameters(expected={"type": "objekt"})


def test_a_reply_that_has_not_changed_has_nothing_to_look_at(ask: Ask) -> None:
    """A conditional GET by the node's own headers."""
    with Peer(always(reply(304, b""))) as peer:
        answer = ask(peer, headers={"If-None-Match": '"v1"'}, ok=[200, 304], output="response", expected=PRICE)

    assert (answer["status"], answer["body"]) == (304, None)
    assert peer.requests[0].headers["if-none-match"] == '"v1"'
