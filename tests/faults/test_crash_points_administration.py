"""A process ends itself before and after everything that is committed around the runs; what it was told is said again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runtime.store.crash import Side, Step
from tests.faults.administration import IN_LINE, flows
from tests.faults.crashes import died
from tests.faults.day_flows import flow
from tests.faults.fleet import database
from tests.faults.forked import Ended, Forks
from tests.faults.on_disk import asked
from tests.faults.outside import Outside, set_connection, write_pack

pytestmark = pytest.mark.timeout(600)

#: In the order in which they come: who died at one of them goes on to the next.
ACCOUNTS = (
    Step.CREATE_KEY, Step.REVOKE_KEY, Step.PUT_SECRET, Step.DELETE_SECRET, Step.CREATE_USER, Step.PROBE,
    Step.VERIFY_PASSWORD, Step.OPEN_SESSION, Step.MOVE_SESSION_ON, Step.END_SESSION, Step.CHANGE_USER, Step.CLOSE,
)  # fmt: skip
EXCHANGE = (
    Step.INTERCHANGE_WRITTEN, Step.INTERCHANGE_RECEIVED, Step.INTERCHANGE_ANSWERED, Step.INTERCHANGE_RECONCILED,
    Step.FOLLOW_UP,
)  # fmt: skip
LINE = (Step.NEXT_IN_LINE, Step.LEAVE_PLACES, Step.TAKE_PLACE, Step.EMPTY_PLACES)
RETENTION = (
    Step.REMOVE_RAW, Step.REMOVE_RUNS, Step.REMOVE_TICKS, Step.REMOVE_EVENTS, Step.REMOVE_EXCEPTIONS,
    Step.REMOVE_INTERCHANGES,
)  # fmt: skip
LARGE = (Step.PUT_PART, Step.NAME_BLOB, Step.FORGET_PARTS, Step.REMOVE_BLOBS)
RESTORE, RELEASE, RELEASE_ALL = Step.HOLD_RESTORED, Step.RELEASE_RESTORED, Step.LET_GO
TRIAL = Step.PUBLISH


@pytest.fixture
def pack(tmp_path: Path, outside: Outside) -> Path:
    """One call at a time to the portal; what is over is removed a day later."""
    folder = write_pack(tmp_path / "pack", outside, *flows())
    set_connection(folder, "portal", {}, limits={"at_once": 1})
    file = json.loads((folder / "pack.json").read_text())
    (folder / "pack.json").write_text(
        json.dumps({**file, "retention": {"default": "1d", "raw": {"application/json": "1d"}}})
    )
    return folder


class Office:
    """Says a section of the administration, in a process of its own each time."""

    def __init__(self, forked: Forks, pack: Path, folder: Path, **variables: str) -> None:
        self._forked = forked
        self._pack = pack
        self._variables = variables
        self.folder = folder
        folder.mkdir()

    def dies(self, section: str, steps: Sequence[Step]) -> None:
        """Once on each side of each step."""
        for step in steps:
            for side in Side:
                died(self._say(section, ORDERLY_CRASH_AT=f"{step}.{side}"), f"{step}.{side}")

    def says(self, section: str) -> Any:
        """What it comes to."""
        done = self._say(section)
        assert done.code == 0, done.errors
        return json.loads(done.output)

    def _say(self, section: str, **variables: str) -> Ended:
        given = (section, str(self._pack), str(self.folder))
        return self._forked.run("tests.faults.administration:main", *given, **{**self._variables, **variables})

    def holds(self, query: str) -> list[tuple[Any, ...]]:
        return asked(self.folder / "data" / "orderly.db", query)


@pytest.mark.parametrize(
    ("section", "steps"), [("accounts", ACCOUNTS), ("exchange", EXCHANGE), ("retention", RETENTION)]
)
def test_what_is_said_again_after_each_death_comes_to_what_it_comes_to_when_it_is_said_once(
    forked: Forks, pack: Path, tmp_path: Path, section: str, steps: Sequence[Step]
) -> None:
    """SIGKILL before and after each commit of users, keys, secrets, sign-ins, probes and the end of a process; of the
    exchange ledger; of retention. Who says it again has what there is when nobody dies, each deed in the audit once."""
    office = Office(forked, pack, tmp_path / "dies")

    office.dies(section, steps)

    assert office.says(section) == Office(forked, pack, tmp_path / "lives").says(section)
    assert office.holds("SELECT count(*) FROM tick") == [(1 if section == "retention" else 0,)]


def test_those_in_line_before_a_peer_are_called_though_the_process_dies_that_calls_them(
    forked: Forks, pack: Path, tmp_path: Path, outside: Outside
) -> None:
    """SIGKILL before and after a place at a peer that takes one call at a time is taken, left, and found taken by a dead
    process, and before and after the next runs in line are called, once the ERP is back: each run is done."""
    outside.erp.hang_up_after("CheckBudget", 3)
    office = Office(forked, pack, tmp_path / "line")

    office.dies("line", LINE)

    assert office.says("line") == {"runs": {"done": len(IN_LINE)}}
    told = Counter(entry["requisition_number"] for entry in outside.portal.journal.entries("status"))
    assert told.keys() == set(IN_LINE)
    assert told.total() <= len(IN_LINE) + 2 * len(LINE), "one call was under way at each death"


def test_large_bytes_in_the_database_are_whole_or_gone_wherever_the_process_dies(
    forked: Forks, pack: Path, tmp_path: Path
) -> None:
    """SIGKILL on PostgreSQL before and after a part of a large body is stored, the body is named, parts of a dead
    process are tidied away, and what nobody needs is removed: each message is taken once, and no part of it is left."""
    with database() as url:
        office = Office(forked, pack, tmp_path / "large", ORDERLY_STORE=url, ORDERLY_LEASE_SECONDS="1")

        office.dies("retention", LARGE)

        assert office.says("retention") == Office(forked, pack, tmp_path / "lives").says("retention")
        with psycopg.connect(url) as connection:
            left = connection.execute(
                "SELECT (SELECT count(*) FROM orderly.blob_part), (SELECT count(*) FROM orderly.large_blob)"
            ).fetchall()
        assert left == [(2, 2)], "the last interchange that came, and its answer, stay"


def test_a_restore_and_what_it_holds_are_let_go_whole_and_once_though_the_command_dies(
    forked: Forks, pack: Path, tmp_path: Path
) -> None:
    """SIGKILL of `orderly restore` and `orderly runs release` before and after their commits: the data folder is not
    there until the restore is whole; said again each run is released, and the audit says so once."""
    office = Office(forked, pack, tmp_path / "office")
    first, _ = office.says("backup")["runs"]
    data = office.folder / "restored"

    def orderly(*words: str, **variables: str) -> Ended:
        return forked.run("runtime.cli:main", *words, "--data", str(data), "--json", **variables)

    def dies_twice(step: Step, *words: str) -> None:
        for side in Side:
            died(orderly(*words, ORDERLY_CRASH_AT=f"{step}.{side}"), f"{step}.{side}")

    def holds(query: str) -> list[tuple[Any, ...]]:
        return asked(data / "orderly.db", query)

    restore = ("restore", str(office.folder / "backup"))
    dies_twice(RESTORE, *restore)
    assert not data.exists()
    assert orderly(*restore).code == 0
    assert holds("SELECT state, count(*) FROM run GROUP BY state") == [("held", 2)]

    release = ("runs", "release", first, "--pack", str(pack))
    dies_twice(RELEASE, *release)
    assert holds("SELECT id FROM run WHERE state = 'ready'") == [(first,)]
    assert orderly(*release).code == 1, "it is released already"
    release_all = ("runs", "release", "--all", "--pack", str(pack))
    dies_twice(RELEASE_ALL, *release_all)
    assert json.loads(orderly(*release_all).output) == {"released": []}

    assert holds("SELECT state, count(*) FROM run GROUP BY state") == [("ready", 2)]
    told = [(action, json.loads(details).get("runs")) for action, details in holds(
        "SELECT action, details FROM audit WHERE action IN ('restore.made', 'run.released', 'runs.released')"
        " ORDER BY seq"
    )]  # fmt: skip
    assert told == [("restore.made", None), ("run.released", None), ("runs.released", 1), ("runs.released", 0)]


def test_a_trial_that_dies_over_an_event_leaves_nothing_and_is_run_again(
    forked: Forks, pack: Path, tmp_path: Path
) -> None:
    """SIGKILL of `orderly test` before and after the event of a case is published in its store for the time being."""
    waits = {"id": "answer", "type": "wait", "parameters": {"event": "answered", "key": "=number"}}
    case = {"given": {"number": "1"}, "stubs": {"answer": {"event": {"ok": True}}}, "then": {"outcome": "done"}}
    folder = pack / "flows" / "hears"
    (folder / "cases").mkdir(parents=True)
    (folder / "flow.json").write_text(json.dumps(flow("hears", {"type": "call"}, waits)))
    (folder / "cases" / "heard.json").write_text(json.dumps(case))
    lent = {"TMPDIR": str(tmp_path)}
    for side in Side:
        point = f"{TRIAL}.{side}"
        died(forked.run("runtime.cli:main", "test", str(folder), ORDERLY_CRASH_AT=point, **lent), point)

    again = forked.run("runtime.cli:main", "test", str(folder), **lent)

    assert again.code == 0, again.output + again.errors
