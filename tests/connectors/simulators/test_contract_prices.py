"""The contract price API, called the way the shipped flow calls it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from connectors.rest.connector import Request, RequestParameters, RestSettings
from connectors.sdk import CredentialsRefused, NotSent, Rejected, load_simulator
from connectors.simulators.contract_prices import ContractPrices
from tests.harness import MemoryContext

PAGING = {"type": "next", "items": "items"}


@pytest.fixture
def prices() -> Iterator[tuple[ContractPrices, Mapping[str, str]]]:
    simulator = ContractPrices()
    endpoints = simulator.start()
    yield simulator, endpoints
    simulator.stop()


def _context(endpoints: Mapping[str, str], secret: str = "prices-demo-secret") -> MemoryContext:
    auth = {
        "type": "oauth2_client_credentials",
        "token_url": endpoints["token_url"],
        "client_id": "orderly",
        "client_secret": secret,
    }
    return MemoryContext(RestSettings(url=endpoints["url"], auth=auth, allow=["127.0.0.1"]))


def _get(context: MemoryContext, items: str, **parameters: Any) -> Any:
    return Request().run(RequestParameters(path="/prices", query={"items": items}, **parameters), context)


def test_prices_of_all_pages_come_in_the_order_asked(prices: tuple[ContractPrices, Mapping[str, str]]) -> None:
    simulator, endpoints = prices
    context = _context(endpoints)

    found = _get(context, "ITM-3001,ITM-1001,ITM-1002,ITM-2001,ITM-1003", paging=PAGING)

    assert [(line["item"], line["price"]) for line in found] == [
        ("ITM-3001", "2400.00"), ("ITM-1001", "11.20"), ("ITM-1002", "7.45"), ("ITM-2001", "1850.00"),
        ("ITM-1003", "24.00"),
    ]  # fmt: skip
    assert found[1] == {
        "item": "ITM-1001", "contract": "GPO-7731", "price": "11.20", "currency": "USD", "unit": "BX"
    }  # fmt: skip
    assert [entry["page"] for entry in simulator.journal.entries("prices")] == [1, 2, 3]
    assert len(simulator.journal.entries("token", client_id="orderly")) == 1
    context.close()


def test_an_item_without_a_contract_is_absent(prices: tuple[ContractPrices, Mapping[str, str]]) -> None:
    context = _context(prices[1])

    assert _get(context, "ITM-2002", paging=PAGING) == []
    assert [line["item"] for line in _get(context, "ITM-2002,ITM-1001", paging=PAGING)] == ["ITM-1001"]
    context.close()


def test_a_limit_is_announced_with_the_time_to_wait_and_then_lifted(
    prices: tuple[ContractPrices, Mapping[str, str]],
) -> None:
    simulator, endpoints = prices
    context = _context(endpoints)
    simulator.limit_next(1, retry_after=7)

    with pytest.raises(NotSent) as caught:
        _get(context, "ITM-1001")

    assert caught.value.retry_after == 7.0
    assert _get(context, "ITM-1001")["items"][0]["price"] == "11.20"
    assert simulator.journal.entries("limited") == [{"kind": "limited", "retry_after": 7}]
    context.close()


def test_a_forgotten_token_is_replaced_by_the_client(prices: tuple[ContractPrices, Mapping[str, str]]) -> None:
    simulator, endpoints = prices
    context = _context(endpoints)
    _get(context, "ITM-1001")
    simulator.forget_tokens()

    assert _get(context, "ITM-1001")["next"] is None

    assert len(simulator.journal.entries("token")) == 2
    assert len(simulator.journal.entries("refused", status=401, error="invalid_token")) == 1
    context.close()


def test_a_wrong_secret_gets_no_token(prices: tuple[ContractPrices, Mapping[str, str]]) -> None:
    simulator, endpoints = prices
    context = _context(endpoints, secret="guessed")

    with pytest.raises(CredentialsRefused, match="invalid_client"):
        _get(context, "ITM-1001")

    assert simulator.journal.entries("token") == []
    context.close()


def test_the_secret_may_come_in_the_body_of_the_token_request(
    prices: tuple[ContractPrices, Mapping[str, str]],
) -> None:
    """RFC 6749 2.3.1 lets servers take either."""
    form = {"grant_type": "client_credentials", "client_id": "orderly", "client_secret": "prices-demo-secret"}

    answer = requests.post(prices[1]["token_url"], data=form, timeout=10)

    assert answer.json()["token_type"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_prices_need_a_token_and_a_page_that_is_a_number(
    prices: tuple[ContractPrices, Mapping[str, str]],
) -> None:
    simulator, endpoints = prices
    context = _context(endpoints)

    assert requests.get(f"{endpoints['url']}/prices", timeout=10).status_code == 401
    with pytest.raises(Rejected) as caught:
        Request().run(RequestParameters(path="/prices", query={"page": "x"}), context)

    assert caught.value.code == "400"
    assert [entry["status"] for entry in simulator.journal.entries("refused")] == [401, 400]
    context.close()


def test_it_is_installed_under_its_name() -> None:
    assert load_simulator("contract_prices") is ContractPrices
