"""What a stranger gets, and what nobody gets: pages without signing in, secrets and patients in logs and views."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from runtime.console.app import create_app
from runtime.console.visitor import COOKIE
from runtime.services import Services, Settings
from tests.faults.outside import ORDER, Outside, opened, write_pack
from tests.faults.server import PASSWORD, Server
from tests.runtime.console.house import until

pytestmark = pytest.mark.timeout(180)

OPEN = {"static", "brand", "health.live", "health.ready", "signin.page", "signin.sign_in"}
KEYED = ORDER | {
    "flow": "keyed",
    "trigger": {"type": "webhook"},
    "nodes": [{"id": "seen", "type": "publish", "parameters": {"event": "seen", "key": "=requisitionNumber"}}],
}
ERP_PASSWORD = "erp-demo-secret"
PATIENT = "Zebrowskaya^Quintessa"
HL7 = "\r".join(
    [
        "MSH|^~\\&|WARDSTOCK|MERCY|ORDERLY|MERCY|20261124081500||OMS^O05^OMS_O05|WARD0099|P|2.5.1",
        f"PID|1||990017^^^MERCY^MR||{PATIENT}||19500101|F",
        "ORC|NW|WR-1||WR-1||||||||ABERG^Berg^Anna||^NET^Internet^anna.berg@mercy.example|||^Ward 3||||"
        "^^^^^^^^^MERCY-MAIN",
        "RQD|1|||ITM-1003^Suture set^L|1|EA|CC-OR1|||20261201",
        "",
    ]
)


# strangers


@dataclass(frozen=True)
class Site:
    url: str
    services: Services
    values: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Served over HTTP, with a run that waits for an approval, and one that is an exception."""
    with opened() as outside:
        yield from _site(tmp_path_factory.mktemp("site"), outside)


def _site(folder: Path, outside: Outside) -> Iterator[Site]:
    services = Services(Settings(folder / "data", (write_pack(folder / "pack", outside),), port=0, threads=2))
    services.start()
    try:
        url = services.listen(create_app(services))
        outside.portal.connect(f"{url}/hooks/mercy/requisition_intake", outside.secret)
        outside.portal.send(outside.requisition("REQ-CANARY", item="ITM-2001"))
        outside.portal.send(outside.requisition("REQ-CANARY-2", costCenter="CC-NONE"))
        store = services.clients["mercy"].store
        until(lambda: bool(store.approvals().rows and store.exceptions().rows), "an approval and an exception")
        approval, exception = store.approvals().rows[0], store.exceptions().rows[0]
        yield Site(url, services, {"approval": approval.id, "exception": exception.id, "run": approval.run})
    finally:
        services.stop()


def addresses(site: Site) -> Iterator[tuple[str, str, str]]:
    """(endpoint, method, path) of every rule, with ids that exist."""
    rules = create_app(site.services).url_map
    ids = {"client": "mercy", "flow": "requisition_intake", "run": site.values["run"], "filename": "nowhere.css"}
    for rule in rules.iter_rules():
        subject = "approval" if rule.endpoint.startswith("approvals") else "exception"
        given = {name: ids.get(name, site.values[subject]) for name in rule.arguments}
        path = rules.bind("localhost").build(rule.endpoint, given, method=next(iter(rule.methods or {"GET"})))
        for method in sorted(rule.methods or ()):
            yield rule.endpoint, method, path


@pytest.mark.parametrize("cookie", ["", "mercy.forged", "mercy.", "nobody.x", "mercy." + "a" * 3000])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_nothing_but_health_and_sign_in_is_answered_to_a_stranger(site: Site, accept: str, cookie: str) -> None:
    """Read from the routes themselves, so that a page added later is held to it too."""
    asked = 0
    with requests.Session() as stranger:
        stranger.trust_env = False
        headers = {"Accept": accept, **({"Cookie": f"{COOKIE}={cookie}"} if cookie else {})}
        for endpoint, method, path in addresses(site):
            if endpoint in OPEN or method == "OPTIONS":
                continue
            answer = stranger.request(method, site.url + path, headers=headers, allow_redirects=False, timeout=10)
            asked += 1
            to_sign_in = answer.status_code == 303 and answer.headers["location"].startswith("/login")
            assert to_sign_in or answer.status_code in (401, 404), (method, path, answer.status_code)
            assert "REQ-CANARY" not in answer.text, (method, path)
    assert asked > 25, "the routes are there"


def test_what_is_open_to_all_tells_nothing_of_the_hospital(site: Site) -> None:
    with requests.Session() as stranger:
        stranger.trust_env = False
        for endpoint, method, path in addresses(site):
            if endpoint in OPEN and method == "GET":
                answer = stranger.get(site.url + path, timeout=10)
                assert answer.status_code in (200, 404), path
                assert not re.search(r"REQ-CANARY|anna\.berg|omar", answer.text), path


# secrets and patients


@dataclass(frozen=True)
class Day:
    """What a server said and shows after a day with every kind of trouble."""

    log: str
    out: str
    views: str
    canaries: dict[str, str]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    with opened() as outside:
        return _lived(tmp_path_factory.mktemp("day"), outside)


def _lived(folder: Path, outside: Outside) -> Day:
    server = Server(write_pack(folder / "pack", outside, KEYED, ORDER), folder, level="debug")
    server.start()
    try:
        key = _day(server, outside)
        views = _views(server)
        server.terminate()
        assert server.exit_code() == 0, server.log.read_text()
    finally:
        server.stop()
    given = f"orderly:{ERP_PASSWORD}"
    canaries = {
        "password of the ERP": ERP_PASSWORD,
        "its Authorization header": base64.b64encode(given.encode()).decode(),
        "secret of OAuth2": "prices-demo-secret",
        "password of SFTP": "supplier-demo-secret",
        "bearer token of the portal": "portal-demo-key",
        "secret of the webhooks": outside.secret.removeprefix("whsec_"),
        "API key": key,
        "a wrong API key": "wrong-api-key-canary",
        "password of a user": PASSWORD,
        "a wrong password of a user": "wrong password canary",
        "secret in the vault": "vault-canary-value",
        "family name of a patient": PATIENT.partition("^")[0],
        "given name of a patient": PATIENT.partition("^")[2],
        "a body that could not be read": "unreadable-body-canary",
    }
    return Day(server.log.read_text(), server.output.read_text(), views, canaries)


def _day(server: Server, outside: Outside) -> str:
    """Everything that has to do with secrets and patients happens, well and badly; returns the API key."""
    server.hire("omar.said", "procurement_manager")
    server.call("secrets_set", name="spare", value="vault-canary-value", by="test")
    key = str(server.call("keys_add", name="ci", scopes=["hooks:keyed"], by="test")["key"])
    _people(server)
    _webhooks(server, outside, key)
    _ward(server, outside)
    _troubles(server, outside)
    return key


def _people(server: Server) -> None:
    server.person("omar.said")
    wrong = {"login": "omar.said", "password": "wrong password canary"}
    answer = requests.post(f"{server.url}/login", json=wrong, headers={"Accept": "application/json"}, timeout=10)
    assert answer.status_code == 401


def _webhooks(server: Server, outside: Outside, key: str) -> None:
    def keyed(with_key: str, body: bytes) -> int:
        headers = {"Authorization": f"Bearer {with_key}", "Content-Type": "application/json"}
        return requests.post(server.hook("keyed"), data=body, headers=headers, timeout=10).status_code

    assert keyed(key, json.dumps(outside.requisition("REQ-KEY")).encode()) == 202
    assert keyed("wrong-api-key-canary", b"{}") == 401
    assert keyed(key, b'{"unreadable-body-canary": ') == 400
    outside.portal.connect(server.hook("requisition_intake"), "whsec_" + "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmch")
    assert outside.portal.send(outside.requisition("REQ-FORGED"))[0].status == 401
    outside.portal.connect(server.hook("requisition_intake"), outside.secret)
    assert outside.portal.send(outside.requisition("REQ-1"))[0].status == 202
    assert outside.portal.send({"unreadable-body-canary": "unreadable-body-canary"})[0].status == 422


def _ward(server: Server, outside: Outside) -> None:
    """A message about a patient, one that does not fit and one that is none."""
    until(lambda: "source.listening" in server.log.read_text(), "the MLLP listener")
    (line,) = [line for line in server.log.read_text().splitlines() if "source.listening" in line]
    host, _, port = json.loads(line)["address"].rpartition(":")
    outside.ward.connect(host, int(port))
    assert outside.ward.send(HL7.encode())["code"] in ("AA", "CA")
    without_lines = "\r".join(HL7.split("\r")[:2]) + "\r"
    for bad in (without_lines.replace("WARD0099", "WARD0100"), f"PID|1||1||{PATIENT}\r"):
        assert outside.ward.send(bad.encode())["code"] not in ("AA", "CA")


def _troubles(server: Server, outside: Outside) -> None:
    """Every kind of failure with a secret at hand, each waited for."""
    outside.prices.forget_tokens()
    outside.erp.hang_up_after("CreatePurchaseOrder", RequisitionNumber="REQ-2")
    outside.erp.fault_next("CheckBudget", "LOCKED")
    outside.portal.send(outside.requisition("REQ-3"))
    until(lambda: "dead" in _states(server), "a dead letter")
    outside.portal.send(outside.requisition("REQ-2"))
    until(lambda: "uncertain" in _states(server), "an uncertain order")
    outside.supplier.wrong.read_only = True
    until(lambda: _states(server).count("dead") >= 2, "a delivery that was refused")
    outside.supplier.wrong.read_only = False
    outside.portal.send(outside.requisition("REQ-4"))
    until(lambda: "file_collected" in server.log.read_text(), "the supplier's answer to an order")


def _states(server: Server) -> list[str]:
    return [run["state"] for run in server.runs(flow="requisition_to_order")]


def _views(server: Server) -> str:
    """All JSON that the console and the command line show of runs, exceptions, connections, people and keys."""
    omar: Any = server.person("omar.said")._session
    pages = ["/runs", "/approvals", "/exceptions", "/dead-letters", "/uncertain"]
    pages += [f"/runs/{run['id']}" for run in server.runs()]
    shown = [omar.get(server.url + page, timeout=10).text for page in pages]
    shown += [json.dumps(server.story(run["id"])) for run in server.runs()]
    for function in ("runs_list", "exceptions_list", "connections_list", "users_list", "keys_list"):
        shown.append(json.dumps(server.call(function)))
    for row in server.call("exceptions_list", state="")["exceptions"]:
        shown.append(json.dumps(server.call("exceptions_show", id=row["id"])))
    return "\n".join(shown)


def test_the_day_had_all_those_troubles(day: Day) -> None:
    """Else the tests below would prove nothing."""
    for said in ("webhook.refused", "message.excepted", "file_collected"):
        assert said in day.log, f"{said}: {day.log}"
    assert "Traceback" not in day.log
    for seen in ("OutcomeUnknown", "LOCKED", "denies access", "WR-1", "REQ-KEY", "uncertain"):
        assert seen in day.views, seen


@pytest.mark.parametrize(
    "what",
    [
        "password of the ERP", "its Authorization header", "secret of OAuth2", "password of SFTP",
        "bearer token of the portal", "secret of the webhooks", "API key", "a wrong API key", "password of a user",
        "a wrong password of a user", "secret in the vault", "family name of a patient", "given name of a patient",
        "a body that could not be read",
    ],
)  # fmt: skip
def test_it_stands_in_no_log_and_no_view(day: Day, what: str) -> None:
    """At debug level too."""
    canary = day.canaries[what]

    for where in ("log", "out", "views"):
        text = getattr(day, where)
        assert canary not in text, (
            f"{where}: ...{text[max(0, text.index(canary) - 300) : text.index(canary) + 100]}"
        )
