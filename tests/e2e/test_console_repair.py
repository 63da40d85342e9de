"""Repair as a person does it in a browser: tick, look, do; correct a message; pause a peer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from runtime.model.run import RunState
from tests.e2e.test_console_browser import PHONE, Desk, Served, browser, served
from tests.runtime.console.house import requisition

__all__ = ["browser", "served"]
pytestmark = pytest.mark.browser


def test_dead_letters_are_ticked_looked_at_and_redriven(browser: Browser, served: Served) -> None:
    runs = [served.post(f"REQ-MANY-{n}") for n in range(3)]
    for run in runs:
        served.house.comes_to(run, RunState.DEAD)
    desk = Desk.of(browser, served.url, "lena.fox")
    page = desk.page
    page.goto("/dead-letters?text=REQ-MANY-*")
    for number in (0, 2):
        page.get_by_label(f"Tick REQ-MANY-{number}").check()

    page.get_by_role("button", name="Redrive…", exact=True).click()
    expect(page.get_by_role("heading", name="Redrive 2 runs?")).to_be_visible()
    expect(page.get_by_role("link", name="REQ-MANY-1")).to_have_count(0)
    served.house.outbox.mkdir(exist_ok=True)
    page.get_by_label("Why?").fill("the folder is there")
    page.get_by_role("button", name="Redrive 2").click()

    expect(page.get_by_role("heading", name="2 done")).to_be_visible()
    for number in (0, 2):
        served.house.comes_to(runs[number], RunState.DONE)
    assert served.house.services.clients["mercy"].store.run(runs[1]).state is RunState.DEAD
    assert desk.complaints == []
    served.house.outbox.rename(served.house.outbox.with_name("outbox.redriven"))


def test_a_message_is_corrected_in_the_browser(browser: Browser, served: Served) -> None:
    run = served.post("REQ-EDIT", cost_center="CC-NOPE")
    served.house.comes_to(run, RunState.EXCEPTION)
    desk = Desk.of(browser, served.url, "lena.fox")
    page = desk.page
    page.goto(f"/runs/{run}")
    page.get_by_role("link", name="Reprocess…").click()
    expect(page.get_by_label("Message")).to_have_value(json.dumps(_body(served, run), indent=2))

    page.get_by_label("Message").fill(json.dumps({**_body(served, run), "cost_center": "CC-OR1"}))
    page.get_by_label("Why?").fill("mistyped")
    page.get_by_role("button", name="Reprocess").click()

    expect(page.get_by_text("This is the new run.")).to_be_visible()
    page.get_by_role("link", name=run).click()
    expect(page.get_by_text("Reprocessed as")).to_be_visible()
    expect(page.get_by_text("mistyped")).to_be_visible()
    assert desk.complaints == []


def _body(served: Served, run: str) -> dict[str, object]:
    body: dict[str, object] = served.house.services.clients["mercy"].store.story(run).body
    return body


def test_a_connection_is_paused_and_resumed_on_a_phone_and_nothing_sticks_out(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    desk = Desk.of(browser, served.url, "lena.fox", viewport=PHONE)
    page = desk.page
    page.goto("/connections")
    page.locator("summary", has_text="Pause outbox").click()
    page.locator("#why-outbox").fill("the disk is changed")

    page.get_by_role("button", name="Pause outbox").click()
    run = served.post("REQ-HELD", total=requisition("x")["total"])
    served.house.comes_to(run, RunState.HELD)
    page.goto("/connections")
    expect(page.get_by_text("1 run waits for it.")).to_be_visible()
    for path in ("/connections", f"/runs/{run}", f"/runs/{run}/cancel", "/dead-letters", "/exceptions"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    page.goto("/connections")
    page.get_by_role("button", name="Resume outbox").click()

    expect(page.get_by_text("The connection is working again.")).to_be_visible()
    served.house.comes_to(run, RunState.DEAD, RunState.DONE)
    assert desk.complaints == []
