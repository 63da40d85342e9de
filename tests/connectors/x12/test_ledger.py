"""X12 interchanges through the real ledger: what came before is not taken twice, and how that is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sdk import BlobRef
from connectors.x12.codec import faults, read
from connectors.x12.lossless import text_of
from runtime.model.run import Run, RunState
from tests.connectors.x12.made import interchange
from tests.connectors.x12.samples import ACME
from tests.workshop import Workshop, flow

INBOX = flow(
    "inbox",
    {
        "id": "read",
        "type": "x12.read",
        "parameters": {"content": "=content", "reused": "=reused ? reused : 'raise'"},
        "into": "came",
    },
    {"id": "answer", "type": "x12.acknowledge", "parameters": {"received": "=came"}, "into": "answer"},
)


@pytest.fixture
def shop(workshop: Callable[..., Workshop]) -> Workshop:
    profile: dict[str, Any] = {**ACME["x12"], "acknowledge": {"ta1": "rejected"}}  # type: ignore[dict-item]
    return workshop(INBOX, partners={"acme": {**ACME, "x12": profile}})


def order(number: str, control: str = "7") -> str:
    raw = interchange(f"850|BEG*00*NE*{number}**20261120~PO1*1*5*EA~CTT*1~").decode()
    return raw.replace("*000000007", f"*00000000{control}")


def take(shop: Workshop, content: str, **more: Any) -> Run:
    return shop.run("inbox", {"content": content, **more})


def output(shop: Workshop, run: Run, node: str) -> dict[str, Any]:
    outcome = shop.outcome(run.id, node)
    assert outcome is not None, shop.story(run.id).exceptions
    return dict(outcome.output)


def sent(shop: Workshop, run: Run) -> bytes:
    return shop.store.blobs.read(BlobRef.model_validate(output(shop, run, "answer")["content"]))


def orders(shop: Workshop, run: Run) -> list[str]:
    return [one["document"]["beginning"]["order_number"] for one in output(shop, run, "read")["sets"]]


def test_a_duplicate_is_answered_with_the_stored_997_under_its_old_number(shop: Workshop) -> None:
    first = take(shop, order("PO-1"))

    again = take(shop, order("PO-1"))

    assert output(shop, again, "read")["duplicate"]
    assert output(shop, again, "answer")["repeated"]
    assert sent(shop, again) == sent(shop, first)


def test_a_duplicate_in_a_file_with_something_new_is_left_out_and_both_are_answered(shop: Workshop) -> None:
    take(shop, order("PO-1"))

    run = take(shop, order("PO-1") + order("PO-2", "8"))

    assert not output(shop, run, "read")["duplicate"]
    assert orders(shop, run) == ["PO-2"]
    document = read(sent(shop, run))
    assert faults(document) == []
    assert [text_of(one["header"], 13) for one in document["interchanges"]] == ["000000001", "000000002"]


def test_a_number_used_again_is_an_exception_or_told_to_the_partner_as_ta105_025(shop: Workshop) -> None:
    take(shop, order("PO-1"))

    refused = take(shop, order("PO-2"))
    told = take(shop, order("PO-3"), reused="fault")

    assert refused.state is RunState.EXCEPTION
    assert shop.story(refused.id).exceptions[0].kind == "interchange_number_reused"
    assert b"TA1*000000007*261120*0930*R*025~" in sent(shop, told)
    assert b"997" in sent(shop, take(shop, order("PO-1"))), "a duplicate of the first gets the first answer"
    states = [row["state"] for row in shop.store.interchanges.listed(direction="in").rows]
    assert states == ["duplicate", "quarantined", "quarantined", "received"]


@pytest.fixture
def open_shop(workshop: Callable[..., Workshop]) -> Callable[..., Workshop]:
    """With this in the partner's X12 part."""

    def opened(**x12: Any) -> Workshop:
        sends = flow(
            "outbox",
            {"id": "edi", "type": "x12.write", "into": "edi",
             "parameters": {"partner": "acme", "set": "850", "document": "=document"}},
        )  # fmt: skip
        return workshop(INBOX, sends, partners={"acme": {**ACME, "x12": {**ACME["x12"], **x12}}})  # type: ignore[dict-item]

    return opened


def in_ledger(shop: Workshop, number: str) -> list[str]:
    """States of the sets of an interchange that came."""
    [row] = shop.store.interchanges.listed(direction="in", number=number).rows
    return [one["state"] for one in shop.store.interchanges.one(row["id"])["sets"]]


@pytest.mark.parametrize(
    ("business", "told", "state"),
    [("warn", ["warn"], "received"), ("reject", ["reject"], "rejected"), ("ignore", [], "received")],
)
def test_a_known_order_under_a_new_number_is_a_business_duplicate_by_profile(
    open_shop: Callable[..., Workshop], business: str, told: list[str], state: str
) -> None:
    shop = open_shop(duplicates={"business": business})
    take(shop, order("PO-1"))

    run = take(shop, order("PO-1", "8"))

    [one] = output(shop, run, "read")["sets"]
    assert [found["severity"] for found in one["faults"]] == told
    assert all("interchange 000000007" in found["message"] for found in one["faults"])
    assert one["accepted"] == (business != "reject")
    assert (b"AK5*R*5" in sent(shop, run)) == (business == "reject")
    assert in_ledger(shop, "8") == [state]


def test_an_order_that_stands_twice_in_an_interchange_is_taken_once_where_the_profile_rejects_it(
    open_shop: Callable[..., Workshop],
) -> None:
    body = "850|BEG*00*NE*PO-1**20261120~PO1*1*5*EA~CTT*1~"
    shop = open_shop(duplicates={"business": "reject"})

    run = take(shop, interchange(body, body).decode())

    first, second = output(shop, run, "read")["sets"]
    assert (first["accepted"], second["accepted"]) == (True, False)
    assert "in this interchange too" in second["faults"][0]["message"]
    assert in_ledger(shop, "7") == ["received", "rejected"]
    assert b"AK9*P*2*2*1" in sent(shop, run)


def test_a_change_of_a_known_order_is_no_duplicate_and_after_the_window_nothing_is(
    open_shop: Callable[..., Workshop],
) -> None:
    shop = open_shop(duplicates={"business": "reject", "window": "30d"})
    take(shop, order("PO-1"))

    changed = take(shop, order("PO-1", "8").replace("BEG*00", "BEG*04"))
    shop.pass_time(days=31)
    late = take(shop, order("PO-1", "9"))

    assert (in_ledger(shop, "8"), in_ledger(shop, "9")) == (["received"], ["received"])
    assert [output(shop, run, "read")["sets"][0]["accepted"] for run in (changed, late)] == [True, True]


@pytest.mark.parametrize(("verdict", "states"), [(None, "exception"), ("warn", "done"), ("ignore", "done")])
def test_an_order_number_that_went_out_before_goes_out_again_only_by_profile(
    open_shop: Callable[..., Workshop], verdict: str | None, states: str
) -> None:
    shop = open_shop(preflight={"duplicate_document": verdict} if verdict else {})
    document = {
        "beginning": {"purpose": "00", "order_type": "NE", "order_number": "PO-1", "order_date": "20261124"},
        "lines": [{"line_number": "1", "quantity": "10", "unit": "BX", "unit_price": "7.20"}],
    }
    shop.run("outbox", {"document": document})

    again = shop.run("outbox", {"document": document})

    assert str(again.state) == states
    assert len(shop.store.interchanges.listed(direction="out").rows) == (1 if states == "exception" else 2)


def test_numbers_left_out_are_a_warning_and_a_known_order_is_a_business_duplicate(shop: Workshop) -> None:
    take(shop, order("PO-1", "1"))

    run = take(shop, order("PO-1", "4"))

    read_out = output(shop, run, "read")
    assert [one["message"] for one in read_out["faults"]] == [
        "2 numbers are missing between interchange 000000001 and 000000004 of partner acme"
    ]
    [one] = read_out["sets"]
    assert (one["accepted"], [found["code"] for found in one["faults"]]) == (True, ["business_duplicate"])
