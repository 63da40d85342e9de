"""What is done around the runs: who may come in, what is secret, what partners exchanged, what is old enough to go. A
program that can die anywhere and be run again.

``python -m tests.faults.administration SECTION PACK FOLDER`` says every verb of the section, also those that an
earlier process has said and died over, and prints what it came to as one line of JSON. Where saying a verb twice
means something else than saying it once, it asks first.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from connectors.sdk import Arrival
from runtime.access import AccessError
from runtime.api.control import Control
from runtime.console.app import create_app
from runtime.governance.housekeeper import Housekeeper
from runtime.model.run import ExceptionRow
from runtime.observe.logs import set_up
from runtime.services import Services, Settings
from runtime.store.shared import system_clock
from runtime.store.store import NotFound, Refused
from tests.faults.day_flows import BUDGET, ROOT, flow, tell
from tests.faults.server import PASSWORD
from tests.runtime.console.house import until

_CALLED = {"type": "call"}
_BY = "omar.said"
_855 = ROOT / "sample_payloads" / "x12" / "855_accepted.edi"
_850 = ROOT / "mappings" / "canonical_to_x12_850" / "cases" / "only_what_is_mandatory.json"
#: As often as somebody comes in, or something is tidied up: not once.
_OFTEN = {"login", "retention.applied"}
#: Longer than two parts of a large blob in the database.
_LARGE = 600_000
IN_LINE = [f"LINE-{n:02}" for n in range(24)]


def flows() -> list[dict[str, Any]]:
    document = json.loads(_850.read_text())["then"]
    reconcile = {"partner": "acme", "interchange_control_number": "=edi.interchange_control_number", "code": "A"}
    return [
        flow(
            "exchanges", _CALLED,
            {"id": "edi", "type": "x12.write", "into": "edi",
             "parameters": {"partner": "acme", "set": "850", "document": document}},
            {"id": "came", "type": "x12.read", "parameters": {"content": "=content"}, "into": "came"},
            {"id": "answer", "type": "x12.acknowledge", "parameters": {"received": "=came"}},
            {"id": "reconcile", "type": "x12.reconcile", "parameters": reconcile},
            identity="=number",
        ),
        flow("in_line", _CALLED, BUDGET, tell("told", "number"), identity="=number"),
        flow(
            "waits", _CALLED, {"id": "signal", "type": "wait", "parameters": {"event": "never", "key": "=number"}},
            identity="=number",
        ),
        flow(
            "kept", _CALLED,
            {"id": "issued", "type": "publish", "parameters": {"event": "kept.issued", "key": "=number"}},
            identity="=number",
        ),
    ]  # fmt: skip


class Watch:
    """The time, and as much later as was said."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self._ahead

    def forward(self, minutes: int) -> None:
        self._ahead += timedelta(minutes=minutes)


class Browser:
    """It has its cookies on its own disk: they outlive a crash of the server, and an answer that never came is not
    among them."""

    def __init__(self, url: str, file: Path) -> None:
        self._url = url
        self._file = file
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = "application/json"
        if file.exists():
            kept = json.loads(file.read_text())
            self._session.cookies.update(kept["cookies"])
            self._session.headers["X-CSRF-Token"] = kept["csrf"]

    def sign_in(self, login: str) -> None:
        if self._file.exists():
            return
        answer = self._session.post(f"{self._url}/login", json={"login": login, "password": PASSWORD}, timeout=60)
        assert answer.status_code == 200, answer.text
        csrf = self._session.headers["X-CSRF-Token"] = answer.json()["csrf"]
        self._file.write_text(json.dumps({"cookies": dict(self._session.cookies), "csrf": csrf}))

    def sees(self, path: str) -> bool:
        return self._session.get(self._url + path, timeout=60, allow_redirects=False).status_code == 200

    def sign_out(self) -> None:
        assert self._session.post(f"{self._url}/logout", timeout=60).status_code == 200


class Administration:
    def __init__(self, services: Services, watch: Watch, folder: Path) -> None:
        self._services = services
        self._watch = watch
        self._folder = folder
        self._client = services.clients["mercy"]
        self._store = self._client.store
        self._control = Control(services)

    def _say(self, verb: str, **given: Any) -> None:
        """Once more is refused with a reason, or changes nothing."""
        with suppress(AccessError, NotFound, Refused):
            getattr(self._control, verb)(by=_BY, **given)

    def _said(self, action: str) -> bool:
        return any(row["action"] == action for row in self._store.audit_trail())

    def _audit(self) -> dict[str, int]:
        return Counter(row["action"] for row in self._store.audit_trail() if row["action"] not in _OFTEN)

    # who may come in

    def accounts(self) -> dict[str, Any]:
        if not self._said("api_key.create"):
            self._say("keys_add", name="portal", scopes=["hooks:*"])
        self._say("keys_revoke", name="portal")
        if not self._said("secret.set"):
            self._say("secrets_set", name="token", value="swordfish")
        self._say("secrets_delete", name="token")
        self._say("users_add", login="anna.berg", password=PASSWORD, roles=["operator"])
        self._in_and_out()
        if not self._said("user.disable"):
            self._say("users_disable", login="anna.berg")
        users = self._control.users_list()["users"]
        return {
            "users": [(row["login"], row["roles"], row["disabled"]) for row in users],
            "keys": [(row["name"], row["revoked_at"] is not None) for row in self._control.keys_list()["keys"]],
            "secrets": self._services.vault.for_client("mercy").names(),
            "audit": self._audit(),
        }

    def _in_and_out(self) -> None:
        browser = Browser(self._services.listen(create_app(self._services)), self._folder / "browser.json")
        assert browser.sees("/health/ready"), "the store takes what is written"
        browser.sign_in("anna.berg")
        if browser.sees("/runs"):
            self._watch.forward(minutes=6)
            assert browser.sees("/runs"), "a use moves the end of the session on"
            browser.sign_out()
        assert not browser.sees("/runs"), "who signed out is out"

    # what partners exchange, and who stands in line before a peer that takes one at a time

    def exchange(self) -> dict[str, Any]:
        self._take("exchanges", "EX-1", content=_855.read_text())
        self._come_to("done")
        ledger = self._store.interchanges
        until(lambda: not any(one["given"] for one in ledger.numbers()["sent"]), "the numbers to be sent or void")
        return {
            "numbers": [[one["series"], one["last"], one["sent"], one["void"]] for one in ledger.numbers()["sent"]],
            "ledger": sorted(
                [row["direction"], row["number"], row["state"], len(row["acknowledgements"]), bool(row["answer"]),
                 [(one["type"], one["number"], one["state"]) for one in ledger.one(row["id"])["sets"]]]
                for row in ledger.listed().rows
            ),
        }  # fmt: skip

    def line(self) -> dict[str, Any]:
        for number in IN_LINE:
            self._take("in_line", number)
        self._come_to("done")
        return {"runs": Counter(run.state for run in self._store.runs().rows)}

    # what was brought to safety

    def backup(self) -> dict[str, Any]:
        for number in ("WAITS-1", "WAITS-2"):
            self._take("waits", number)
        self._come_to("waiting")
        self._control.backup(str(self._folder / "backup"), by=_BY)
        return {"runs": [run.id for run in self._store.runs().rows]}

    # what was kept long enough

    def retention(self) -> dict[str, Any]:
        if not self._said("exception.resolved"):
            open = self._store.exceptions().rows
            odd = ExceptionRow("odd", "procurement", "a file that nobody can read", flow="kept")
            id = open[0].id if open else self._store.raise_exception(odd)
            self._say("exceptions_resolve", id=id, note="it was a picture")
        if self._store.last_tick("kept") is None:
            for year in (2024, 2023, 2022):
                self._store.tick("kept", datetime(year, 1, 1, tzinfo=UTC), None)
        for number in ("OLD-1", "OLD-2"):
            self._take("kept", number, filling=number * (_LARGE // len(number)))
        self._take("exchanges", "EX-OLD", content=_855.read_text())
        self._come_to("done")
        ledger = self._store.interchanges
        until(lambda: not any(one["given"] for one in ledger.numbers()["sent"]), "the numbers to be sent or void")
        self._tidy_up()
        again = [
            self._take("kept", number, filling=number * (_LARGE // len(number))) for number in ("OLD-1", "OLD-2")
        ]
        self._tidy_up()
        counts = self._services.retention("mercy").daily_counts()
        return {
            "again": again,
            "runs": len(self._store.runs().rows),
            "events": len(self._store.events_after(0, [])),
            "exceptions": len(self._store.exceptions(state="").rows),
            "ledger": [(row["direction"], row["number"]) for row in ledger.listed().rows],
            "numbers": [(one["series"], one["last"]) for one in ledger.numbers()["sent"]],
            "ticks": [str(self._store.last_tick("kept"))],
            "counted": Counter({f"{one.flow} {one.state}": one.runs for one in counts}),
            "blobs": sum(len(list(place.old(place.now()))) for place in self._services.store.blobs("mercy").places),
            "audit": self._audit(),
        }

    def _tidy_up(self) -> None:
        """More than a year later, and what is large is removed at once."""
        housekeeper = Housekeeper(
            self._services.clients, self._services.retention,
            lambda client: self._services.store.blobs(client).places,
            lambda: self._services.store.now() + timedelta(days=400), pause=0.0, grace=0.0,
        )  # fmt: skip
        housekeeper.keep(self._client)

    def _take(self, flow: str, number: str, **more: Any) -> str:
        body = json.dumps({"number": number, **more}).encode()
        intake = self._services.intake(self._client)
        return intake.take_raw(flow, Arrival(body, "application/json"), "call", sum_of_bytes=False).state

    def _come_to(self, state: str) -> None:
        self._services.start()
        until(lambda: {run.state for run in self._store.runs().rows} <= {state}, f"every run to be {state}", 60)


def main() -> None:
    section, pack, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    set_up("warning", False)
    watch = Watch()
    shared = {} if section != "accounts" else {"clock": watch}
    services = Services(Settings(folder / "data", (pack,), port=0, threads=2, **shared))
    try:
        said: Callable[[], dict[str, Any]] = getattr(Administration(services, watch, folder), section)
        print(json.dumps(said()))
    finally:
        services.stop()


if __name__ == "__main__":
    main()
