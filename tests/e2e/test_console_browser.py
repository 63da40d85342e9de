"""The console as a person meets it: real services, a real server, a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from connectors.sdk.webhooks import sign
from runtime.console.app import create_app
from runtime.model.run import RunState
from tests.runtime.console.house import PASSWORD, SECRET, House, open_house, requisition

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PHONE = {"width": 390, "height": 800}


@dataclass(frozen=True)
class Served:
    house: House
    url: str

    def post(self, number: str, total: str = "120.00", **more: str) -> str:
        """A signed webhook over HTTP; the run it started."""
        body = json.dumps(requisition(number, total, **more)).encode()
        headers = sign(SECRET, f"msg_{number}", datetime.now(UTC), body)
        answer = requests.post(
            f"{self.url}/hooks/mercy/order", data=body, headers={**headers, "content-type": "application/json"},
            timeout=20,
        )  # fmt: skip
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with open_house(tmp_path_factory.mktemp("served")) as house:
        yield Served(house, house.services.listen(create_app(house.services)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium: install it with apt-get install -y chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        yield started
        started.close()


@dataclass(frozen=True)
class Desk:
    """A page of a signed-in person, with everything the browser complained about."""

    page: Page
    complaints: list[str]

    @classmethod
    def of(cls, browser: Browser, url: str, login: str, **look: object) -> Desk:
        page = browser.new_context(base_url=url, **look).new_page()  # type: ignore[arg-type]
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/")
        page.get_by_label("Login or mail address").fill(login)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Runs")).to_be_visible()
        return cls(page, complaints)


def test_a_person_approves_and_sees_the_run_done(served: Served, browser: Browser) -> None:
    served.house.outbox.mkdir(exist_ok=True)
    run = served.post("REQ-E2E-1", "9000.00")
    served.house.comes_to(run, RunState.WAITING)
    desk = Desk.of(browser, served.url, "omar.said@mercy.example")
    page = desk.page

    page.get_by_label("Business key or run id").fill("REQ-E2E-1")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="requisition REQ-E2E-1").click()
    expect(page.get_by_role("heading", name="REQ-E2E-1")).to_be_visible()
    expect(page.locator("#progress")).to_contain_text("waiting")
    page.get_by_role("link", name="decide").click()
    card = page.locator(".approval", has_text="REQ-E2E-1")
    card.get_by_label("Comment").fill("needed in OR 1")
    card.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text("Approved.")

    page.goto(f"/runs/{run}")
    expect(page.locator("#progress .badge-done")).to_be_visible(timeout=20_000)
    page.reload()
    expect(page.locator("#node-hand_over")).to_contain_text("file.deliver")
    expect(page.locator(".decision")).to_contain_text("needed in OR 1")
    assert (served.house.outbox / "REQ-E2E-1.json").exists()
    assert desk.complaints == []


def test_a_waiting_run_shows_its_end_without_being_reloaded(served: Served, browser: Browser) -> None:
    """The time line asks again by itself, and stops asking when the run is done."""
    served.house.outbox.mkdir(exist_ok=True)
    run = served.post("REQ-E2E-LIVE", "9000.00")
    served.house.comes_to(run, RunState.WAITING)
    desk = Desk.of(browser, served.url, "omar.said")
    desk.page.goto(f"/runs/{run}")
    expect(desk.page.locator("#progress")).to_have_attribute("hx-trigger", "every 3s")

    store = served.house.services.clients["mercy"].store
    store.cancel(run, "the surgery was postponed")

    expect(desk.page.locator("#progress")).to_contain_text("the surgery was postponed", timeout=20_000)
    assert desk.page.locator("#progress").get_attribute("hx-trigger") is None
    assert desk.complaints == []


def test_the_requester_sees_the_request_and_cannot_decide_it(served: Served, browser: Browser) -> None:
    run = served.post("REQ-E2E-OWN", "9000.00")
    served.house.comes_to(run, RunState.WAITING)

    page = Desk.of(browser, served.url, "anna.berg").page
    page.get_by_role("link", name="Approvals").click()

    card = page.locator(".approval", has_text="REQ-E2E-OWN")
    expect(card).to_contain_text("You cannot decide this")
    expect(card.get_by_role("button")).to_have_count(0)


def test_a_dead_letter_is_redriven_after_the_cause_is_mended(served: Served, browser: Browser) -> None:
    if served.house.outbox.exists():
        served.house.outbox.rename(served.house.outbox.with_name("outbox.before"))
    run = served.post("REQ-E2E-DEAD")
    served.house.comes_to(run, RunState.DEAD)
    desk = Desk.of(browser, served.url, "lena.fox")
    desk.page.get_by_role("link", name="Dead letters").click()
    expect(desk.page.get_by_role("article")).to_contain_text("create the folder")

    served.house.outbox.mkdir()
    desk.page.get_by_role("button", name="Redrive REQ-E2E-DEAD").click()

    expect(desk.page.get_by_role("status")).to_contain_text("goes on")
    expect(desk.page.locator("#progress .badge-done")).to_be_visible(timeout=20_000)
    assert (served.house.outbox / "REQ-E2E-DEAD.json").exists()
    assert desk.complaints == []


def test_an_exception_is_taken_and_resolved(served: Served, browser: Browser) -> None:
    run = served.post("REQ-E2E-EX", cost_center="CC-NOPE")
    served.house.comes_to(run, RunState.EXCEPTION)
    page = Desk.of(browser, served.url, "lena.fox").page
    page.get_by_role("link", name="Exceptions").click()
    page.get_by_role("link", name="unknown cost center").first.click()

    page.get_by_role("button", name="Assign to me").click()
    expect(page.get_by_role("status")).to_contain_text("yours")
    page.get_by_label("Note").fill("the ward sent it again with CC-OR1")
    page.get_by_role("button", name="Resolve").click()

    expect(page.get_by_role("status")).to_contain_text("resolved")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_and_nothing_is_blocked_by_the_content_policy(
    served: Served, browser: Browser, scheme: str
) -> None:
    run = served.post(f"REQ-E2E-{scheme}-" + "X" * 80, note="y" * 400)
    served.house.comes_to(run, RunState.DONE, RunState.DEAD)
    desk = Desk.of(browser, served.url, "omar.said", viewport=PHONE, color_scheme=scheme)

    for path in ("/runs", f"/runs/{run}", "/approvals", "/exceptions", "/dead-letters", "/uncertain"):
        desk.page.goto(path)
        wider = desk.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider == 0, path
    assert desk.complaints == []


def test_the_keyboard_alone_signs_in_and_skips_to_the_content(served: Served, browser: Browser) -> None:
    page = browser.new_context(base_url=served.url).new_page()
    page.goto("/")
    page.keyboard.type("omar.said")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()


def test_signing_out_closes_the_pages(served: Served, browser: Browser) -> None:
    page = Desk.of(browser, served.url, "omar.said").page

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/runs")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
