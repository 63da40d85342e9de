"""SIGKILL at any moment, then a start on the same data: everything accepted comes to its end, once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.outside import Outside
from tests.faults.server import Server
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(180)

MANY = 20


def started(server: Server, outside: Outside, flow: str = "order") -> None:
    server.start()
    outside.portal.connect(server.hook(flow), outside.secret)


def send(outside: Outside, number: str, **more: Any) -> str:
    """Accepted; the run."""
    (reply,) = outside.portal.send(outside.requisition(number, **more))
    assert reply.status == 202, reply
    return str(reply.body["run"])


def post_until_answered(server: Server, outside: Outside, number: str) -> str:
    """As a portal does: the same webhook again for as long as it gets no answer; the run in the end."""
    body, webhook_id = outside.requisition(number), f"msg_{number}"
    while True:
        assert server.up.wait(60), "the server came up again"
        try:
            (reply,) = outside.portal.send(body, webhook_id=webhook_id)
        except ConnectionError:
            continue
        if reply.status in (200, 202):
            return str(reply.body["run"])


def test_requisitions_posted_over_three_kills_are_all_ordered_once_and_nothing_is_left_over(
    server: Server, outside: Outside
) -> None:
    """The whole loop: webhook, prices, budget, order, 850, 997 and 855, while the server is killed three times."""
    numbers = [f"REQ-{n:03}" for n in range(MANY)]
    started(server, outside, "requisition_intake")

    def again() -> None:
        server.kill()
        started(server, outside, "requisition_intake")

    with ThreadPoolExecutor(8) as posting:
        posted: list[Future[str]] = [
            posting.submit(post_until_answered, server, outside, number) for number in numbers
        ]
        outside.portal.journal.wait("delivery", 3)
        again()
        outside.orders.wait("purchase_order", 2)
        again()
        outside.supplier.journal.wait("order", 4)
        again()
        accepted = [future.result(60) for future in posted]
    _all_done(server, 2 * MANY + 2 * MANY)

    assert len(set(accepted)) == MANY
    assert outside.ordered() == numbers, "every accepted requisition has exactly one order"
    issued = [entry["number"] for entry in outside.orders.entries("purchase_order")]
    received = [entry["purchase_order"] for entry in outside.supplier.journal.entries("order")]
    assert sorted(received) == sorted(issued), "and the supplier has each order once"
    files = sorted(path.name for path in (outside.supplier.folder / "in").iterdir())
    assert len(files) == 2 * MANY, f"each order and the 997 that answers its acknowledgement: {files}"
    assert list((outside.supplier.folder / "out").iterdir()) == [], "every answer was collected"
    confirmed = Counter(entry["number"] for entry in outside.orders.entries("confirmed"))
    assert confirmed == Counter(issued), "and every acknowledgement reached the ERP"
    for run in server.runs(flow="requisition_to_order"):
        expected = server.story(run["id"])["expectations"]
        assert {row["event_type"]: row["state"] for row in expected} == {
            "x12.997": "met", "purchase_order.acknowledged": "met",
        }  # fmt: skip
    assert server.call("exceptions_list")["exceptions"] == []


def _all_done(server: Server, least: int) -> None:
    """Every run there is; at least so many: an intake and an order, a 997 and an 855 for each requisition."""

    def settled() -> bool:
        runs = server.runs()
        called = [run for run in runs if run["flow"] not in ("supplier_inbox", "x12_answer")]
        return len(called) >= least and all(run["state"] == "done" for run in runs)

    try:
        until(settled, "every run to be done", 90)
    except TimeoutError as late:
        states = Counter((run["flow"], run["state"], run["why"]) for run in server.runs())
        raise AssertionError(f"{late}: {states}") from late


def test_a_kill_between_the_order_and_its_answer_leaves_it_uncertain_and_the_look_up_finds_it(
    server: Server, outside: Outside
) -> None:
    """At once: the dead process's lease, of half a minute, ends when the next one opens the store."""
    started(server, outside)
    outside.erp.slow("CreatePurchaseOrder", 60)
    run = send(outside, "REQ-1")
    outside.orders.wait("purchase_order")

    server.kill()
    outside.erp.release()
    started(server, outside)
    story = server.comes_to(run, "done", seconds=15)

    assert outside.ordered() == ["REQ-1"]
    tried = [(row["kind"], row["result"]) for row in story["attempts"]]
    assert tried == [("send", "cut off"), ("look_up", "found")]
    assert story["keys"]["purchase_order"] == outside.orders.entries("purchase_order")[0]["number"]


def test_a_kill_between_the_intent_and_the_first_byte_sends_the_order_once(
    server: Server, outside: Outside
) -> None:
    """The ERP never heard of it: the look-up finds nothing, and is the last word."""
    started(server, outside)
    outside.erp.slow("CreatePurchaseOrder", 60)
    run = send(outside, "REQ-1")
    outside.orders.wait("purchase_order")
    server.kill()
    outside.erp.release()
    outside.erp._orders.clear()

    started(server, outside)
    story = server.comes_to(run, "done")

    tried = [(row["kind"], row["result"]) for row in story["attempts"]]
    assert tried == [("send", "cut off"), ("look_up", "not found"), ("send", "done")]
    assert len(set(outside.references())) == 1, "under the same reference"
    assert len(outside.erp.orders()) == 1


def test_a_kill_during_a_retried_order_does_not_order_twice(server: Server, outside: Outside) -> None:
    """The first tries were refused and proved nothing was done; the one that is under way proves nothing yet."""
    started(server, outside)
    outside.erp.go_down()
    run = send(outside, "REQ-1")
    until(lambda: len(server.story(run)["attempts"]) >= 2, "the second attempt to be refused")
    outside.erp.slow("CreatePurchaseOrder", 60)
    outside.erp.come_up()
    outside.orders.wait("purchase_order")

    server.kill()
    outside.erp.release()
    started(server, outside)
    story = server.comes_to(run, "done")

    assert outside.ordered() == ["REQ-1"]
    kinds = [(row["kind"], row["result"]) for row in story["attempts"]]
    assert set(kinds[:-2]) == {("send", "NotSent")}
    assert kinds[-2:] == [("send", "cut off"), ("look_up", "found")]


def test_a_run_that_waits_for_an_approval_survives_a_kill_and_goes_on_after_the_decision(
    server: Server, outside: Outside
) -> None:
    started(server, outside, "requisition_intake")
    server.hire("omar.said", "procurement_manager")
    send(outside, "REQ-1", item="ITM-2001")
    until(lambda: server.call("approvals_list")["approvals"], "the approval to be asked for")
    (waiting,) = server.runs(flow="requisition_to_order")

    server.kill()
    started(server, outside, "requisition_intake")
    assert outside.ordered() == []
    omar = server.person("omar.said")
    approval = omar.approval_of("REQ-1")
    assert approval is not None
    status, told = omar.decide(approval, "approve", "needed in OR 1")

    assert status == 200, told
    story = server.comes_to(waiting["id"], "done")
    assert outside.ordered() == ["REQ-1"]
    assert story["approvals"][0]["decisions"][0]["user"] == "omar.said"


def test_a_kill_right_after_the_202_loses_nothing(server: Server, outside: Outside) -> None:
    """Whether its first step had begun or not: the answer was a promise."""
    for count in range(1, 4):
        started(server, outside)
        run = send(outside, f"REQ-{count}")
        server.kill()

        started(server, outside)
        server.comes_to(run, "done")
        server.kill()

    assert outside.ordered() == ["REQ-1", "REQ-2", "REQ-3"]


def test_a_terminated_server_finishes_what_is_under_way_and_the_next_one_goes_on(
    server: Server, outside: Outside
) -> None:
    started(server, outside)
    outside.erp.go_down()
    later = send(outside, "REQ-LATER")
    server.comes_to(later, "waiting")
    outside.erp.slow("CreatePurchaseOrder", 60)
    outside.erp.come_up()
    outside.orders.wait("purchase_order")
    now = send(outside, "REQ-NOW")
    outside.orders.wait("purchase_order", 2)

    server.terminate()
    assert server._process is not None
    assert server._process.poll() is None, "it waits for the answers that are under way"
    outside.erp.release()
    assert server.exit_code() == 0, server.log.read_text()
    started(server, outside)

    for run in (later, now):
        story = server.comes_to(run, "done")
        assert "look_up" not in [row["kind"] for row in story["attempts"]], "nothing was left half done"
    assert outside.ordered() == ["REQ-LATER", "REQ-NOW"]
    assert "Traceback" not in server.log.read_text()
