"""Interchanges as a person meets them in a browser: on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from connectors.sdk.exchange import Answer, Exchanged, SetEntry
from runtime.console.app import create_app
from runtime.model.run import RunState
from tests.e2e.test_console_browser import PHONE, Desk, browser
from tests.runtime.console.house import House, open_house, requisition, until

__all__ = ["browser"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, str]]:
    """Three orders: one accepted by the translator, one overdue, one whose run still waits."""
    with open_house(tmp_path_factory.mktemp("served")) as house:
        house.outbox.mkdir()
        for number in range(1, 4):
            write(house, number)
        store = house.services.clients["mercy"].store
        until(lambda: len(store.interchanges.listed(overdue=True).rows) == 2, "two to be overdue")
        at = store.interchanges.at("functional_acknowledgement", "run", "reconcile", "")
        at.reconcile(Answer("x12", "acme", "T", "group", "1", "997", "accepted", "A"))
        yield house, house.services.listen(create_app(house.services))


def write(house: House, number: int) -> None:
    store = house.services.clients["mercy"].store
    run = house.send(requisition(f"REQ-I-{number}", "9000.00"))
    house.comes_to(run, RunState.WAITING)
    content = store.blobs.put(f"ISA*{number:09d}~".encode(), "application/edi-x12")
    entry = SetEntry("850", "0001", str(number), f"PO-{number}")
    store.interchanges.at("order", run, "edi", "").written(
        Exchanged(
            "x12", "acme", "T", f"{number:09d}", content.blob, content, [entry], within=timedelta(milliseconds=1)
        )
    )
    if number < 3:
        (asked,) = [row for row in store.approvals().rows if row.run == run]
        store.decide(
            asked.id, lambda _: ({"user": "omar.said", "verdict": "approved", "at": "2026-11-24"}, "approved")
        )
        house.comes_to(run, RunState.DONE)


def test_a_person_finds_what_is_overdue_and_follows_it_to_its_alert(
    served: tuple[House, str], browser: Browser
) -> None:
    desk = Desk.of(browser, served[1], "omar.said@mercy.example")
    page = desk.page

    page.get_by_role("link", name="Interchanges").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("tbody tr", has_text="000000001")).to_contain_text("accepted")
    page.get_by_role("link", name="Overdue").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="000000002").click()
    expect(page.locator(".steps")).to_contain_text("overdue")
    expect(page.get_by_role("row", name="PO-2")).to_contain_text("sent")
    page.get_by_text("The exception that was raised").click()
    expect(page.get_by_text("What to do:")).to_be_visible()
    expect(page.get_by_text("acme was sent interchange 000000002")).to_be_visible()

    page.goto("/interchanges/numbers")
    expect(page.get_by_role("heading", name="Control numbers")).to_be_visible()
    assert desk.complaints == []


def test_on_a_phone_nothing_is_wider_than_the_screen(
    served: tuple[House, str], browser: Browser, tmp_path: Path
) -> None:
    desk = Desk.of(browser, served[1], "omar.said@mercy.example", viewport=PHONE)
    page = desk.page
    store = served[0].services.clients["mercy"].store
    ids = [row["id"] for row in store.interchanges.listed().rows]

    for path in ("/interchanges", "/interchanges/numbers", *(f"/interchanges/{id}" for id in ids)):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    assert desk.complaints == []
