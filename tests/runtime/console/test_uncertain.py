"""Did it happen? A person answers for a peer that cannot be asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from runtime.console.app import create_app
from runtime.model.run import RunState
from tests.runtime.console.house import House, open_house
from tests.runtime.console.program import Program

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def bank() -> Iterator[str]:
    """Takes every payment and hangs up without a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    caller.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture(scope="module")
def unsure(bank: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("unsure"), bank=bank) as opened:
        yield opened


@pytest.fixture
def lena(unsure: House) -> Program:
    return Program.signed_in(create_app(unsure.services), "lena.fox")


def pay(unsure: House, number: str) -> str:
    run = unsure.send({"payment_number": number}, "transfer")
    unsure.comes_to(run, RunState.UNCERTAIN)
    return run


def test_what_nobody_knows_is_asked_of_people(lena: Program, unsure: House) -> None:
    run = pay(unsure, "PAY-ASK")

    row = next(row for row in lena.get("/uncertain").get_json()["uncertain"] if row["id"] == run)
    page = lena.page("/uncertain")

    assert row["intent"]["operation"] == "rest.request"
    assert row["intent"]["parameters"]["body"] == {"payment_number": "PAY-ASK"}
    assert "PAY-ASK" in page
    assert "It happened" in page


def test_yes_takes_the_answer_that_the_person_found(lena: Program, unsure: House) -> None:
    run = pay(unsure, "PAY-YES")

    answer = lena.form(
        f"/runs/{run}/settle", node="pay", iteration="", happened="yes", output='{"receipt": "R-7"}',
        why="the bank told me on the phone",
    )  # fmt: skip
    unsure.comes_to(run, RunState.DONE)

    story = lena.get(f"/runs/{run}").get_json()
    assert answer.location == f"/runs/{run}?done=settled"
    assert story["nodes"][0]["output"] == {"receipt": "R-7"}
    assert len([row for row in story["attempts"] if row["kind"] == "send"]) == 1
    assert "the bank told me on the phone" in lena.page(f"/runs/{run}")


def test_no_sends_it_again(lena: Program, unsure: House) -> None:
    run = pay(unsure, "PAY-NO")

    answer = lena.post(
        f"/runs/{run}/settle", {"node": "pay", "happened": False, "why": "their journal does not have it"}
    )
    unsure.comes_to(run, RunState.UNCERTAIN)

    sent = [row for row in lena.get(f"/runs/{run}").get_json()["attempts"] if row["kind"] == "send"]
    assert answer.status_code == 200
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"happened": "maybe", "why": "x"}, 400),
        ({"happened": "yes", "why": "x", "output": "{"}, 400),
        ({"happened": "yes", "why": "  "}, 409),
        ({"happened": "no", "why": "x", "node": "other"}, 409),
    ],
)
def test_an_answer_that_cannot_be_used_changes_nothing(
    lena: Program, unsure: House, fields: dict[str, str], status: int
) -> None:
    run = pay(unsure, f"PAY-BAD-{fields}"[:60])

    answer = lena.form(f"/runs/{run}/settle", **{"node": "pay", "iteration": "", **fields})

    assert answer.status_code == status
    assert unsure.services.clients["mercy"].store.run(run).state is RunState.UNCERTAIN


def test_a_payment_that_nobody_settled_is_asked_about_before_it_is_reprocessed(
    lena: Program, unsure: House
) -> None:
    run = pay(unsure, "PAY-EDIT")
    assert lena.post(f"/runs/{run}/cancel", {"why": "so", "undo": True}).status_code == 409
    lena.post(f"/runs/{run}/cancel", {"why": "we ask the bank first"})
    assert "Did pay happen?" in lena.page(f"/runs/{run}/reprocess")
    message = '{"payment_number": "PAY-EDIT"}'

    silent = lena.form(f"/runs/{run}/reprocess", body=message, why="so")
    unread = lena.form(f"/runs/{run}/reprocess", body=message, why="so", **{"did:pay": "yes", "answer:pay": "{"})
    answers = {"did:pay": "yes", "answer:pay": '{"paid": true}'}
    made = lena.form(f"/runs/{run}/reprocess", body=message, why="the statement has it", **answers)

    assert (silent.status_code, "nobody knows whether" in silent.text) == (409, True)
    assert (unread.status_code, "the answer of pay is" in unread.text) == (422, True)
    new = made.headers["Location"].split("/runs/")[1].partition("?")[0]
    unsure.comes_to(new, RunState.DONE)
    story = unsure.services.clients["mercy"].store.story(new)
    assert [(row.node, row.output) for row in story.outcomes] == [("pay", {"paid": True})]
