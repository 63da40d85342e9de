"""One message that cannot be processed, among many that can."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import Arrival, BlobRef
from runtime.model.run import Run, RunState
from runtime.services import Services
from tests.faults.crowd import comes_to, opened, store_runs, write_pack
from tests.faults.peer import listening

MESSAGES, POISONED = 1_000, 613
KEYS, BAD_KEY = 50, "K07"
WORKERS = 8


def flow(name: str, *nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "flow": name, "version": "1.0.0", "owner": "procurement", "trigger": {"type": "call"}, "nodes": list(nodes),
        **more,
    }  # fmt: skip


PRICED: dict[str, Any] = {
    "id": "priced", "type": "publish",
    "parameters": {"event": "priced", "key": "=key", "data": "={'n': n, 'amount': $dec_mul(quantity, '2.50')}"},
}  # fmt: skip
#: Ends only where all workers are free to ask at the same time: what is urgent any of them takes.
MEETING = flow(
    "meeting",
    {"id": "meet", "type": "rest.request", "connection": "peer", "effect": "idempotent",
     "parameters": {"method": "POST", "path": "/meet", "body": "={'n': n}"}},
    lane="urgent",
)  # fmt: skip


def line(n: int, key: str = "A") -> dict[str, Any]:
    return {"n": n, "key": key, "quantity": "4"}


def found(services: Services, state: RunState) -> list[Run]:
    return list(services.clients["mercy"].store.runs(states=[state], limit=500).rows)


def seen(services: Services, key: str) -> list[int]:
    """The numbers of the lines of that key, in the order in which they were priced."""
    events = services.clients["mercy"].store.events_after(0, ["priced"], limit=MESSAGES)
    return [event.data["n"] for event in events if event.key == key]


def test_one_poison_message_among_a_thousand_is_a_dead_letter_and_no_worker_is_lost(tmp_path: Path) -> None:
    """Of 1,000 messages 999 are processed, the one that cannot be is a dead letter with its reason, and all workers
    go on."""
    with listening() as peer:
        connection = {"type": "rest", "settings": {"url": peer.url, "allow": ["127.0.0.0/8"]}}
        pack = write_pack(tmp_path / "pack", flow("lines", PRICED), MEETING, connections={"peer": connection})
        bodies = [line(n) for n in range(MESSAGES)]
        bodies[POISONED]["quantity"] = "4,00"
        with opened(tmp_path, pack, threads=WORKERS) as services:
            ids = store_runs(services, "lines", bodies)

            services.start()
            comes_to(services, done=MESSAGES - 1, dead=1)

            (dead,) = found(services, RunState.DEAD)
            assert dead.id == ids[POISONED]
            assert "'4,00' is not a decimal" in dead.why
            assert dead.why.startswith("priced: ")
            assert sorted(seen(services, "A")) == [n for n in range(MESSAGES) if n != POISONED]
            peer.meet(WORKERS)
            store_runs(services, "meeting", [{"n": n} for n in range(WORKERS)])
            comes_to(services, done=MESSAGES - 1 + WORKERS, dead=1)
            assert peer.most_at_once == WORKERS
            assert services.ailing() == []


def test_a_poison_message_parks_its_own_key_and_no_other(tmp_path: Path) -> None:
    """Where runs of one key go in sequence, one that stands still holds those behind it and no other key, until a
    person passes it."""
    each = MESSAGES // KEYS
    bodies = [line(n, f"K{n % KEYS:02}") for n in range(MESSAGES)]
    bodies[2 * KEYS + 7]["quantity"] = "four"
    with opened(tmp_path, write_pack(tmp_path / "pack", flow("lines", PRICED, order_by="=key"))) as services:
        ids = store_runs(services, "lines", bodies)
        poisoned = ids[2 * KEYS + 7]

        services.start()
        comes_to(services, done=MESSAGES - (each - 2), dead=1, held=each - 3)

        (dead,) = found(services, RunState.DEAD)
        assert dead.id == poisoned
        assert "'four' is not a decimal" in dead.why
        assert seen(services, BAD_KEY) == [7, KEYS + 7]
        behind = found(services, RunState.HELD)
        assert all(f"of the same key {BAD_KEY}" in run.why for run in behind)
        services.repair("mercy").step_aside(poisoned, "omar", "the supplier sends it anew")
        comes_to(services, done=MESSAGES - 1, dead=1)
        assert seen(services, BAD_KEY) == [n for n in range(7, MESSAGES, KEYS) if n != 2 * KEYS + 7]
        assert all(
            seen(services, f"K{key:02}") == list(range(key, MESSAGES, KEYS)) for key in range(KEYS) if key != 7
        )


#: What an expression does with a harmless message, and with the one that makes it explode.
BOMBS = {
    "a huge range": ("$sum([1..n])", 4, 9_000_000_000, "too many elements"),
    "a range that fits no sequence": ("$sum([1..n])", 4, 9_000_000, "maximum sequence length of 1000000"),
    "deep recursion": (
        "($down := function($n) { $n = 0 ? 0 : 1 + $down($n - 1) }; $down(n))", 4, 1_000_000, "Stack overflow",
    ),
    "recursion without an end": (
        "($down := function($n) { $n = 0 ? 0 : $down($n - 1) }; $down(n))", 4, -1, "timeout after 5000 millisec",
    ),
    "a list that grows by copies": (
        "$count($reduce([1..n], function($all, $one) { $append($all, $one) }, []))", 4, 900_000, "timeout",
    ),
    "a very wide pad": ("$length($pad('a', n))", 4, 100_000_000_000, "from -10000 to 10000"),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_an_input_that_makes_an_expression_explode_is_a_dead_letter_and_the_others_are_processed(
    bomb: str, tmp_path: Path
) -> None:
    """An expression that a message makes explode is cut off at a bound, its run is a dead letter that says so, and
    nobody loses a lease meanwhile."""
    source, harmless, explosive, why = BOMBS[bomb]
    node = {
        "id": "worked_out",
        "type": "publish",
        "parameters": {"event": "priced", "key": "=key", "data": f"={source}"},
    }
    bodies = [{"n": harmless, "key": "A"} for _ in range(40)]
    bodies[17]["n"] = explosive
    with opened(tmp_path, write_pack(tmp_path / "pack", flow("lines", node))) as services:
        ids = store_runs(services, "lines", bodies)

        services.start()
        comes_to(services, done=39, dead=1)

        (dead,) = found(services, RunState.DEAD)
        assert dead.id == ids[17]
        assert why in dead.why
        assert Counter(run.fence for run in services.clients["mercy"].store.runs(limit=50).rows) == {1: 40}
        assert services.ailing() == []


@pytest.mark.parametrize("pattern", ["/^(a+)+$/", "/(a|aa)+$/", "/^(a|a?)+$/"])
def test_a_pattern_that_backtracks_elsewhere_takes_no_time_here(pattern: str, tmp_path: Path) -> None:
    """Regular expressions are matched in linear time, so that a text of 20,000 letters that would keep a
    backtracking engine busy for ever is processed like any other."""
    node = {"id": "matched", "type": "publish", "parameters": {"event": "matched", "key": "=key",
            "data": f"=$contains(text, {pattern})"}}  # fmt: skip
    bodies = [{"text": "a" * 20_000 + "!" if n == 3 else "aaa", "key": str(n)} for n in range(8)]
    with opened(tmp_path, write_pack(tmp_path / "pack", flow("lines", node))) as services:
        store_runs(services, "lines", bodies)

        services.start()
        comes_to(services, done=8)

        events = services.clients["mercy"].store.events_after(0, ["matched"])
        assert {event.key: event.data for event in events} == {str(n): n != 3 for n in range(8)}


def test_what_explodes_at_the_door_is_an_exception_and_those_behind_it_are_taken(tmp_path: Path) -> None:
    """A file whose identity cannot be worked out is kept with its bytes as an exception with an owner; the next
    ones are taken."""
    lines = flow("lines", PRICED, identity="=$string($sum([1..n]))")
    with opened(tmp_path, write_pack(tmp_path / "pack", lines)) as services:
        mercy = services.clients["mercy"]

        def take(n: int) -> str:
            arrival = Arrival(json.dumps(line(n)).encode(), "application/json")
            return services.intake(mercy).take_raw("lines", arrival, "file", sum_of_bytes=False).state

        services.start()
        told = [take(n) for n in (1, 2, 9_000_000_000, 3, 4)]

        comes_to(services, done=4)
        assert told == ["accepted", "accepted", "excepted", "accepted", "accepted"]
        (kept,) = mercy.store.exceptions().rows
        assert (kept.kind, kept.owner) == ("unmappable", "procurement")
        assert "too many elements" in kept.message
        assert json.loads(mercy.store.blobs.read(BlobRef(blob=kept.raw or "", size=0, type=""))) == line(
            9_000_000_000
        )
