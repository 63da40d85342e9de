"""``edifact.reconcile``: what a CONTRL says of what was sent, entered in the real ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.edifact.words import WORDS
from runtime.model.run import Run, RunState
from tests.connectors.edifact.samples import ACME, DOCUMENT
from tests.workshop import Workshop, flow

SEND = flow(
    "send",
    {
        "id": "edi",
        "type": "edifact.write",
        "parameters": {"partner": "=partner", "message": "=message", "document": "=document"},
        "into": "edi",
    },
)
HEAR = flow(
    "hear",
    {
        "id": "reconcile",
        "type": "edifact.reconcile",
        "parameters": {
            "partner": "=partner ? partner : 'acme'",
            "interchange_control_number": "=number",
            "code": "=code",
            "errors": "=[errors]",
            "sets": "=[sets]",
            "groups": "=[groups]",
            "rejected": "=rejected ? rejected : 'raise'",
        },
        "into": "reconciled",
        "on": {
            "partly": [{"id": "some", "type": "end", "parameters": {"outcome": "partly"}}],
            "rejected": [{"id": "none", "type": "end", "parameters": {"outcome": "rejected"}}],
        },
    },
)
PRODUCTION = ACME | {"partner": "acme", "edifact": ACME["edifact"] | {"test": False}}


@pytest.fixture
def shop(workshop: Callable[..., Workshop]) -> Workshop:
    grouped = ACME | {"partner": "grouped", "edifact": ACME["edifact"] | {"groups": True}}
    partners = {"acme": ACME, "grouped": grouped}
    return workshop(SEND, HEAR, partners=partners)


def send(shop: Workshop, partner: str = "acme", message: str = "ORDERS") -> str:
    """The number of the interchange."""
    run = shop.run("send", {"partner": partner, "message": message, "document": DOCUMENT})
    outcome = shop.outcome(run.id, "edi")
    assert outcome is not None, run
    return str(outcome.output["interchange_control_number"])


def hear(shop: Workshop, number: str, code: str, **more: Any) -> Run:
    return shop.run("hear", {"number": number, "code": code, **more})


def sent(shop: Workshop) -> list[dict[str, Any]]:
    """Newest first, with their messages."""
    ledger = shop.store.interchanges
    return [ledger.one(row["id"]) for row in ledger.listed(direction="out").rows]


def problem(shop: Workshop, run: Run) -> Any:
    [row] = shop.story(run.id).exceptions
    return row


def test_what_is_written_is_in_the_ledger_with_its_number_and_the_orders(shop: Workshop) -> None:
    send(shop)

    [one] = sent(shop)
    assert (one["standard"], one["partner"], one["usage"], one["number"]) == ("edifact", "acme", "T", "1")
    assert (one["state"], one["flow"], one["node"]) == ("written", "send", "edi")
    assert [(each["type"], each["number"], each["key"]) for each in one["sets"]] == [("ORDERS", "1", "PO-1001")]


@pytest.mark.parametrize(
    ("code", "state"), [("7", "accepted"), ("A", "accepted"), ("8", "arrived"), ("1", "accepted"), ("5", "arrived")]
)
def test_a_contrl_sets_the_state_of_what_it_answers(shop: Workshop, code: str, state: str) -> None:
    number = send(shop)

    run = hear(shop, number, code)

    assert run.state is RunState.DONE
    assert [one["state"] for one in sent(shop)] == [state]
    assert [note["kind"] for note in sent(shop)[0]["acknowledgements"]] == ["CONTRL"]


def test_a_receipt_comes_first_or_last_and_takes_nothing_back(shop: Workshop) -> None:
    number = send(shop)

    states = []
    for code in ("8", "7", "8"):
        hear(shop, number, code)
        states.append(sent(shop)[0]["state"])

    assert states == ["arrived", "accepted", "accepted"]


def test_zeros_that_the_partner_puts_before_the_number_do_not_matter(shop: Workshop) -> None:
    send(shop)

    assert hear(shop, "00000000000001", "7").state is RunState.DONE


def test_a_rejected_interchange_is_an_exception_in_plain_words(shop: Workshop) -> None:
    number = send(shop)

    run = hear(shop, number, "4", errors=[{"code": "UCI 23"}])

    found = problem(shop, run)
    assert (run.state, found.kind, found.field) == (RunState.EXCEPTION, "rejected_by_partner", "UCI 0083")
    assert found.message == "acme rejected interchange 1 (PO-1001): they do not know the sender (UCI 23)"
    assert [each["state"] for each in sent(shop)[0]["sets"]] == ["rejected"]


def test_the_only_message_rejected_is_the_whole_rejected(shop: Workshop) -> None:
    """UCI says 7, the UCM below it 4: with one message nothing is left."""
    number = send(shop)
    errors = [{"position": "13", "element": "2", "component": "2", "code": "UCD 12"}]

    run = hear(shop, number, "P", sets=[{"set_control_number": "1", "code": "R", "errors": errors}])

    assert problem(shop, run).message == (
        "acme rejected interchange 1 (PO-1001): at 13 element 2 component 2: a value is not valid (UCD 12)"
    )
    assert [one["state"] for one in sent(shop)] == ["rejected"]


def test_a_rejection_may_be_an_outcome_for_the_flow(shop: Workshop) -> None:
    number = send(shop)

    run = hear(shop, number, "4", rejected="outcome")

    assert (run.state, run.outcome) == (RunState.DONE, "rejected")


def test_a_group_that_is_rejected_takes_its_messages_with_it(shop: Workshop) -> None:
    """UCF names the group only; other groups of the interchange are accepted."""
    number = send(shop, "grouped")

    other = hear(shop, number, "P", partner="grouped", groups=groups("2"))
    before = sent(shop)[0]["state"]
    run = hear(shop, number, "P", partner="grouped", groups=groups("1"))

    assert (other.state, before) == (RunState.EXCEPTION, "accepted")
    assert run.state is RunState.EXCEPTION
    [each] = sent(shop)[0]["sets"]
    assert (each["state"], each["errors"]) == ("rejected", ["a count does not match (UCF 29)"])


def groups(number: str) -> list[dict[str, Any]]:
    return [{"group_control_number": number, "code": "R", "errors": [{"code": "UCF 29"}]}]


@pytest.mark.parametrize("number", ["2", "REF-77"])
def test_a_contrl_of_nothing_that_was_sent_is_an_exception(shop: Workshop, number: str) -> None:
    send(shop)

    found = problem(shop, hear(shop, number, "7"))

    assert (found.kind, found.field) == ("acknowledgement_unmatched", "UCI 0020")
    assert f"acknowledges interchange {number} (CONTRL, code 7, usage T)" in found.message
    assert [one["state"] for one in sent(shop)] == ["written"]


def test_a_contrl_of_a_test_never_answers_production(workshop: Callable[..., Workshop]) -> None:
    """The live profile has the same ids and numbers of its own; the pack went back to test on the same data."""
    shop = workshop(SEND, HEAR, partners={"acme": PRODUCTION}, environment="production")
    send(shop)
    shop._write("partners/acme.json", ACME)
    shop._write("pack.json", {"client": "mercy", "name": "Mercy", "environment": "test"})
    shop.again()

    assert problem(shop, hear(shop, "1", "7")).kind == "acknowledgement_unmatched"
    assert [(one["usage"], one["state"]) for one in sent(shop)] == [("P", "written")]


def test_codes_that_nobody_knows_are_told_as_they_came() -> None:
    assert WORDS.of("UCD 999") == "UCD 999"
    assert WORDS.of({"position": "3", "code": "UCS 35"}) == "at 3: a segment occurs too often (UCS 35)"
