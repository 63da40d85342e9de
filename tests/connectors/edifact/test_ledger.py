"""What partners send goes through the real ledger: duplicates, numbers used again, gaps, known orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.edifact.codec import faults, named, read
from connectors.edifact.lossless import text_of
from connectors.sdk import BlobRef
from connectors.sdk.exchange import Exchanged, SetEntry
from runtime.model.run import Run, RunState
from tests.connectors.edifact.samples import ACME, message
from tests.workshop import Workshop, flow

THEM, US = "4012345000094:14", "5412345000013:14"


def order(number: str, reference: str = "1", function: str = "9") -> str:
    return message(f"BGM+220+{number}+{function}'DTM+137:20261124:102'UNS+S'", reference=reference)


BAD = message("BGM+220+PO-9+99999'DTM+137:20261124:102'UNS+S'", reference="2")


def interchange(number: str, *messages: str, test: bool = True) -> str:
    tail = "++++++1'" if test else "'"
    head = f"UNB+UNOC:3+{THEM}+{US}+261124:0930+{number}{tail}"
    return f"{head}{''.join(messages)}UNZ+{len(messages)}+{number}'"


INBOX = flow(
    "inbox",
    {
        "id": "read",
        "type": "edifact.read",
        "parameters": {"content": "=content", "reused": "=reused ? reused : 'raise'"},
        "into": "came",
    },
    {"id": "answer", "type": "edifact.acknowledge", "parameters": {"received": "=came"}, "into": "answer"},
    {
        "id": "take",
        "type": "for_each",
        "parameters": {"items": "=came.messages[accepted]"},
        "nodes": [
            {
                "id": "taken",
                "type": "publish",
                "parameters": {"event": "taken", "key": "=document.beginning.document_number"},
            }
        ],
    },
)

SILENT = flow(
    "silent_inbox",
    {
        "id": "read",
        "type": "edifact.read",
        "parameters": {"content": "=content", "partner": "=partner"},
        "into": "came",
    },
)


@pytest.fixture
def open_shop(workshop: Callable[..., Workshop]) -> Callable[..., Workshop]:
    def opened(environment: str = "test", **edifact: Any) -> Workshop:
        partners = {"acme": ACME | {"edifact": ACME["edifact"] | edifact}}
        return workshop(INBOX, SILENT, partners=partners, environment=environment)

    return opened


@pytest.fixture
def shop(open_shop: Callable[..., Workshop]) -> Workshop:
    return open_shop()


def take(shop: Workshop, content: str, **more: Any) -> Run:
    return shop.run("inbox", {"content": content, **more})


def came(shop: Workshop, run: Run) -> dict[str, Any]:
    outcome = shop.outcome(run.id, "read")
    assert outcome is not None, shop.story(run.id).exceptions
    return dict(outcome.output)


def answered(shop: Workshop, run: Run) -> tuple[dict[str, Any], bytes]:
    """The output of edifact.acknowledge and the bytes."""
    outcome = shop.outcome(run.id, "answer")
    assert outcome is not None
    content = outcome.output.get("content")
    return dict(outcome.output), shop.store.blobs.read(BlobRef.model_validate(content)) if content else b""


def taken(shop: Workshop, run: Run) -> list[str]:
    return [event.key for event in shop.story(run.id).events]


def states(shop: Workshop, **where: Any) -> list[str]:
    return [row["state"] for row in shop.store.interchanges.listed(direction="in", **where).rows]


def codes(shop: Workshop, run: Run) -> list[tuple[str, str]]:
    return [(one["code"], one["severity"]) for one in came(shop, run)["faults"]]


def uci(raw: bytes, at: int = 0) -> dict[str, Any]:
    [group] = read(raw)["interchanges"][at]["groups"]
    return dict(named(group["messages"][0])["interchange"])


def test_what_came_in_is_recorded_with_its_messages_and_the_contrl_that_answered_it(shop: Workshop) -> None:
    run = take(shop, interchange("1", order("PO-1"), order("PO-2", "2")))

    output, raw = answered(shop, run)
    assert taken(shop, run) == ["PO-1", "PO-2"]
    [row] = shop.store.interchanges.listed(direction="in").rows
    assert (row["standard"], row["partner"], row["usage"], row["number"]) == ("edifact", "acme", "T", "1")
    assert (row["state"], row["run"], row["answer"]) == ("received", run.id, output["content"])
    sets = shop.store.interchanges.one(row["id"])["sets"]
    assert [(one["type"], one["number"], one["key"]) for one in sets] == [
        ("ORDERS", "1", "PO-1"),
        ("ORDERS", "2", "PO-2"),
    ]
    assert uci(raw) | {"control_reference": "1", "action": "7"} == uci(raw)
    [sent] = shop.store.interchanges.listed(direction="out").rows
    assert sent["content"] == output["content"]


def test_one_bad_message_is_rejected_in_the_contrl_and_the_others_go_on(shop: Workshop) -> None:
    run = take(shop, interchange("1", order("PO-1"), BAD, order("PO-3", "3")))

    output, raw = answered(shop, run)
    assert taken(shop, run) == ["PO-1", "PO-3"]
    assert [(one["code"], one["rejected"]) for one in output["acknowledgements"]] == [("7", 1)]
    assert b"UCM+2+ORDERS:D:96A:UN+4'" in raw
    [row] = shop.store.interchanges.listed(direction="in").rows
    sets = shop.store.interchanges.one(row["id"])["sets"]
    assert [one["state"] for one in sets] == ["received", "rejected", "received"]


def test_the_same_number_and_content_is_answered_with_the_stored_contrl_and_nothing_is_taken(
    shop: Workshop,
) -> None:
    content = interchange("1", order("PO-1"))
    first = take(shop, content)

    again = take(shop, content.replace("'UN", "'\r\nUN"))

    assert came(shop, again)["duplicate"]
    assert (came(shop, again)["messages"], taken(shop, again)) == ([], [])
    output, _ = answered(shop, again)
    assert output["repeated"]
    assert output["content"] == answered(shop, first)[0]["content"]
    assert output["interchange_control_number"] == "1", "no new number is used"
    assert states(shop) == ["duplicate", "received"]
    assert len(shop.store.interchanges.listed(direction="out").rows) == 1


def test_a_duplicate_in_a_file_with_something_new_is_left_out_and_both_are_answered(shop: Workshop) -> None:
    known, fresh = interchange("1", order("PO-1")), interchange("2", order("PO-2"))
    take(shop, known)

    run = take(shop, known + fresh)

    assert not came(shop, run)["duplicate"]
    assert [one["duplicate"] for one in came(shop, run)["interchanges"]] == [True, False]
    assert taken(shop, run) == ["PO-2"]
    output, raw = answered(shop, run)
    assert [uci(raw, at)["control_reference"] for at in (0, 1)] == ["1", "2"]
    assert [one["acknowledgement_key"] for one in output["acknowledgements"]] == ["acme/2"]
    assert faults(read(raw)) == []


def test_a_duplicate_of_what_was_never_answered_is_answered_now(shop: Workshop) -> None:
    content = interchange("1", order("PO-1"), BAD)
    shop.run("silent_inbox", {"content": content})

    run = take(shop, content)

    output, raw = answered(shop, run)
    assert (came(shop, run)["duplicate"], output["repeated"], taken(shop, run)) == (True, False, [])
    assert b"UCM+2+ORDERS:D:96A:UN+4'" in raw
    assert answered(shop, take(shop, content))[0]["content"] == output["content"]


def test_the_same_number_with_other_content_is_refused_and_quarantined(shop: Workshop) -> None:
    first = take(shop, interchange("1", order("PO-1")))

    run = take(shop, interchange("1", order("PO-2")))

    [problem] = shop.story(run.id).exceptions
    assert (run.state, problem.kind, problem.field) == (
        RunState.EXCEPTION,
        "interchange_number_reused",
        "UNB 0020",
    )
    assert first.id in problem.message
    assert problem.details["0085"] == "26"
    assert states(shop) == ["quarantined", "received"]
    [row, _] = shop.store.interchanges.listed(direction="in").rows
    assert b"PO-2" in shop.store.blobs.read(BlobRef.model_validate(row["content"])), "a person can look at it"


def test_a_flow_that_wants_to_answer_it_tells_the_partner_error_26(shop: Workshop) -> None:
    take(shop, interchange("1", order("PO-1")))

    run = take(shop, interchange("1", order("PO-2")), reused="fault")

    assert codes(shop, run) == [("interchange_number_reused", "reject")]
    assert taken(shop, run) == []
    found = uci(answered(shop, run)[1])
    assert (found["action"], found["error"], found["service_segment"]) == ("4", "26", "UNB")
    assert states(shop) == ["quarantined", "received"]


def test_the_refusal_is_not_what_a_duplicate_of_the_first_is_answered_with(shop: Workshop) -> None:
    content = interchange("1", order("PO-1"))
    first = take(shop, content)
    take(shop, interchange("1", order("PO-2")), reused="fault")

    again = take(shop, content)

    assert answered(shop, again)[0]["content"] == answered(shop, first)[0]["content"]


def test_one_that_stands_twice_in_its_file_is_taken_and_answered_once(shop: Workshop) -> None:
    content = interchange("1", order("PO-1"))

    run = take(shop, content + content)

    assert taken(shop, run) == ["PO-1"]
    assert [one["acknowledgement_key"] for one in answered(shop, run)[0]["acknowledgements"]] == ["acme/1"]


def test_a_partner_who_uses_numbers_again_on_purpose_may(open_shop: Callable[..., Workshop]) -> None:
    shop = open_shop(checks={"interchange_number_reused": "warn"})
    take(shop, interchange("1", order("PO-1")))

    run = take(shop, interchange("1", order("PO-2")))

    assert codes(shop, run) == [("interchange_number_reused", "warn")]
    assert taken(shop, run) == ["PO-2"]


def test_numbers_that_are_left_out_are_a_warning(shop: Workshop) -> None:
    take(shop, interchange("7", order("PO-1")))

    run = take(shop, interchange("10", order("PO-2")))
    late = take(shop, interchange("8", order("PO-3")))

    [found] = came(shop, run)["faults"]
    assert (found["code"], found["severity"]) == ("control_number_gap", "warn")
    assert found["message"] == "2 numbers are missing between interchange 7 and 10 of partner acme"
    assert taken(shop, run) == ["PO-2"]
    assert (codes(shop, late), taken(shop, late)) == ([], ["PO-3"])


def test_a_partner_whose_numbers_are_times_is_asked_for_none(open_shop: Callable[..., Workshop]) -> None:
    shop = open_shop(checks={"control_number_gap": "ignore"})
    take(shop, interchange("20261124093000", order("PO-1")))

    assert codes(shop, take(shop, interchange("20261124093100", order("PO-2")))) == []
    assert codes(shop, take(shop, interchange("REF-7", order("PO-3")))) == []


@pytest.mark.parametrize(
    ("business", "faults", "orders"),
    [("warn", ["warn"], ["PO-1"]), ("reject", ["reject"], []), ("ignore", [], ["PO-1"])],
)
def test_a_known_order_under_a_new_number_is_a_business_duplicate_by_profile(
    open_shop: Callable[..., Workshop], business: str, faults: list[str], orders: list[str]
) -> None:
    shop = open_shop(duplicates={"business": business})
    take(shop, interchange("1", order("PO-1")))

    run = take(shop, interchange("2", order("PO-1")))

    [one] = came(shop, run)["messages"]
    assert [found["severity"] for found in one["faults"]] == faults
    assert all("interchange 1" in found["message"] for found in one["faults"])
    assert taken(shop, run) == orders
    assert (b"UCM+1+ORDERS:D:96A:UN+4+26'" in answered(shop, run)[1]) == (business == "reject")


def test_a_change_of_a_known_order_is_no_duplicate_and_after_the_window_nothing_is(
    open_shop: Callable[..., Workshop],
) -> None:
    shop = open_shop(duplicates={"business": "reject", "window": "30d"})
    take(shop, interchange("1", order("PO-1")))

    changed = take(shop, interchange("2", order("PO-1", function="5")))
    shop.pass_time(days=31)
    late = take(shop, interchange("3", order("PO-1")))

    assert (taken(shop, changed), taken(shop, late)) == (["PO-1"], ["PO-1"])


def test_production_does_not_cross_into_test_and_uses_none_of_its_numbers(shop: Workshop) -> None:
    live = interchange("1", order("PO-1"), test=False)

    crossed = take(shop, live)
    run = take(shop, interchange("1", order("PO-2")))

    assert codes(shop, crossed) == [("test_indicator_mismatch", "reject")]
    assert taken(shop, crossed) == []
    found = uci(answered(shop, crossed)[1])
    assert (found["action"], found["error"]) == ("4", "25")
    assert taken(shop, run) == ["PO-2"], "it is no number used again"
    rows = shop.store.interchanges.listed(direction="in").rows
    assert [(row["usage"], row["state"]) for row in rows] == [("T", "received"), ("P", "rejected")]


@pytest.mark.parametrize(
    ("environment", "partner", "mark"), [("test", "acme", "1"), ("production", "acme_live", "")]
)
def test_of_two_profiles_of_one_partner_that_of_the_packs_environment_takes_what_comes(
    workshop: Callable[..., Workshop], environment: str, partner: str, mark: str
) -> None:
    live = {"partner": "acme_live", "edifact": ACME["edifact"] | {"test": False}}
    shop = workshop(INBOX, partners={"acme": ACME, "acme_live": ACME | live}, environment=environment)

    run, other = (take(shop, interchange("1", order("PO-1"), test=one)) for one in (mark == "1", mark != "1"))

    assert [came(shop, one)["partner"] for one in (run, other)] == [partner, partner]
    assert (taken(shop, run), taken(shop, other)) == (["PO-1"], [])
    assert text_of(read(answered(shop, run)[1])["interchanges"][0]["header"], 11) == mark


def test_the_corrected_interchange_may_have_the_number_of_the_rejected_one(shop: Workshop) -> None:
    take(shop, interchange("1", order("PO-1")).replace("UNZ+1", "UNZ+4"))

    run = take(shop, interchange("1", order("PO-1")))

    assert (codes(shop, run), taken(shop, run)) == ([], ["PO-1"])
    assert states(shop) == ["received", "rejected"]


def test_what_has_no_unb_has_no_number_that_could_be_used_again(open_shop: Callable[..., Workshop]) -> None:
    loose = ("interchange_header_missing", "interchange_trailer_missing", "sender_mismatch", "receiver_mismatch")
    shop = open_shop("production", test=False, checks=dict.fromkeys(loose, "warn"))

    runs = [shop.run("silent_inbox", {"content": order(number), "partner": "acme"}) for number in ("PO-1", "PO-2")]

    assert [run.state for run in runs] == [RunState.DONE, RunState.DONE]
    assert {code for run in runs for code, _ in codes(shop, run)} == set(loose)


def test_an_order_response_acknowledges_the_order_it_names(shop: Workshop) -> None:
    """The business answer goes beyond what CONTRL says."""
    content = shop.store.blobs.put(b"ORDERS")
    entry = SetEntry("ORDERS", "1", key="PO-1")
    shop.store.interchanges.at("send", "r-1", "edi", "").written(
        Exchanged("edifact", "acme", "T", "41", content.blob, content, [entry])
    )
    response = message("BGM+231+SO-1+29'DTM+137:20261124:102'RFF+ON:PO-1'UNS+S'", type="ORDRSP:D:96A:UN")

    take(shop, interchange("5", response))

    [row] = shop.store.interchanges.listed(direction="out", number="41").rows
    assert row["state"] == "acknowledged"
