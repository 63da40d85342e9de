"""One day at the hospital, lived through once for each crash point: what those outside do, and what must be true in
the evening, however the server died meanwhile."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.simulators.portal import Portal
from runtime.api.problem import ProblemError
from runtime.store.sqlite import SqliteStore
from tests.faults.day_flows import connections, flows
from tests.faults.on_disk import in_flight, left_open
from tests.faults.outside import Outside, write_pack
from tests.faults.server import Server
from tests.runtime.console.house import until

#: Requisitions by the flow that takes them.
POSTED = {"whole": ["REQ-1", "REQ-2"], "taken_back": ["BACK-1"], "stops": ["STOP-1"]}
ORDERED = ["BACK-1", "BACK-1-MORE", "REQ-1", "REQ-1-CALLED", "REQ-2", "REQ-2-CALLED"]
TICKS = [datetime(year, 1, 1, tzinfo=UTC) for year in (2024, 2025, 2026)]
TOLD = Counter(
    ["BACK-1", *["TICK"] * len(TICKS), *(f"{n}{end}" for n in POSTED["whole"] for end in ("", "/1", "/2", "/3"))]
)
#: Runs by flow, once everything is over.
RUNS = {"whole": 2, "called": 2, "heard": 2, "together": 2, "taken_back": 1, "stops": 1, "ticks": len(TICKS)}


#: Alembic has one context in a process, and days are lived side by side.
_ALONE = threading.Lock()


@dataclass
class Day:
    """``server`` may die at any time; before it is started again, ``count`` is to be called."""

    outside: Outside
    folder: Path
    in_flight: int = 0
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        pack = write_pack(self.folder / "pack", self.outside, *flows())
        connections(pack, self.folder / "files")
        self.server = Server(pack, self.folder)
        with _ALONE, closing(SqliteStore(self.server.data / "orderly.db")) as store:
            store.for_client("mercy").put_cursor("schedule:ticks", "2023-06-01T00:00:00+00:00")
        (self.folder / "files" / "in" / "unreadable.txt").write_text("this is no requisition")

    def trouble(self) -> None:
        """The ERP is not always there: it refuses the first order, and hangs up on another one."""
        self.outside.erp.fault_next("CreatePurchaseOrder", "BUSY")
        self.outside.erp.hang_up_after("CreatePurchaseOrder", 1, RequisitionNumber="REQ-2")

    def count(self) -> None:
        """The server is dead: what it had in flight may come twice."""
        self.in_flight += in_flight(self.server.data / "orderly.db")

    def live(self) -> None:
        """Returns in the evening: everything was posted, and nothing goes on any more."""
        with ThreadPoolExecutor(4) as posting:
            posted = [posting.submit(self._post, flow, number) for flow, all in POSTED.items() for number in all]
            self.replies = [one.result(90) for one in posted]
        try:
            until(self._over, "the day to be over", 60)
        except TimeoutError as late:
            raise AssertionError(f"{late}: {self._shown()}; {self.server.log.read_text()[-3000:]}") from late

    def _post(self, flow: str, number: str) -> int:
        """As a portal does: the same webhook again for as long as it gets no answer."""
        portal = Portal()
        body = self.outside.requisition(number)
        while True:
            assert self.server.up.wait(60), "the server came up again"
            portal.connect(self.server.hook(flow), self.outside.secret)
            try:
                (reply,) = portal.send(body, webhook_id=f"msg_{number}")
            except ConnectionError:
                threading.Event().wait(0.02)
                continue
            if reply.status < 500:
                return reply.status

    def _over(self) -> bool:
        try:
            shown = self._shown()
            kinds = {row["kind"] for row in self._exceptions()}
        except (OSError, ProblemError):
            return False
        return {"overdue", "invalid_document"} <= kinds and all(
            Counter(state for (of, state), n in shown.items() for _ in range(n) if of == flow)
            == {"exception" if flow == "stops" else "done": count}
            for flow, count in RUNS.items()
        )

    def _shown(self) -> Mapping[tuple[str, str], int]:
        return Counter((run["flow"], run["state"]) for run in self.server.runs())

    def _exceptions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.server.call("exceptions_list")["exceptions"]
        return found

    # in the evening

    def check(self) -> None:
        """Nothing lost, no order doubled, nothing open; what is idempotent was repeated no more than was in flight."""
        orders = self.outside.orders
        assert self.outside.ordered() == ORDERED, "one purchase order for each"
        assert len(set(self.outside.references())) == len(ORDERED)
        numbers = {entry["number"]: entry["requisition_number"] for entry in orders.entries("purchase_order")}
        taken_back = [numbers[entry["number"]] for entry in orders.entries("cancelled")]
        assert taken_back == ["BACK-1-MORE", "BACK-1"], "newest first, each once"
        told = Counter(entry["requisition_number"] for entry in self.outside.portal.journal.entries("status"))
        assert told.keys() == TOLD.keys(), "everybody was told"
        assert not TOLD - told
        assert (told - TOLD).total() <= self.in_flight, (told - TOLD, self.in_flight)
        assert Counter(run["flow"] for run in self.server.runs()) == RUNS
        kinds = Counter(row["kind"] for row in self._exceptions())
        assert (kinds["no_budget"], kinds["overdue"]) == (1, 1)
        assert set(kinds) == {"no_budget", "overdue", "invalid_document"}
        assert kinds["invalid_document"] <= 2, "a file that was not archived yet is read again"
        assert set(self.replies) <= {200, 202}, self.replies
        assert left_open(self.server.data / "orderly.db") == 0
