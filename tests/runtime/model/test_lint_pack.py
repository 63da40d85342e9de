"""Lints of the files of a pack, on real folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.model.lint import Finding, Scope, lint_file, lint_folder, lint_pack
from runtime.model.pack import ROOT, Pack
from tests.runtime.model.lint_scope import flow

POLICY = {
    "policy": "procurement",
    "rules": [{"name": "large", "when": "=$number(document.total) >= 5000",
               "approvers": [{"role": "procurement_manager", "needs": 1}], "reason": "='Total ' & document.total"}],
    "otherwise": {"approvers": []},
}  # fmt: skip
ERP = {"type": "soap", "settings": {"url": "https://erp.example", "wsdl": "https://erp.example/?wsdl"}}
X12: dict[str, Any] = {"ours": {"qualifier": "ZZ", "id": "MERCY"}, "theirs": {"qualifier": "ZZ", "id": "ACME"}}
FILES: dict[str, Any] = {
    "pack.json": {"client": "mercy", "name": "Mercy", "simulators": {"supplier": {"type": "supplier"}}},
    "connections/erp.json": ERP,
    "connections/contracts.json": {"type": "rest", "settings": {"url": "simulator:contract_prices/url"}},
    "connections/acme_sftp.json": {"type": "sftp", "settings": {
        "host": "sftp.acme.example", "port": "simulator:supplier/port", "user": "orderly",
        "password": "env:ACME", "host_key": "simulator:supplier/host_key"}},
    "connections/portal.json": {"type": "webhook_hmac", "settings": {"secret": "env:PORTAL"}},
    "policies/procurement.json": POLICY,
    "partners/acme.json": {"partner": "acme", "name": "Acme", "x12": X12},
    "flows/every_node/flow.json": flow("every_node"),
    "flows/requisition_to_order/flow.json": flow("good"),
}  # fmt: skip
MAPPINGS = ("canonical_to_erp_order", "canonical_to_x12_850", "line", "mark_urgent", "portal_to_requisition",
            "requisition_to_purchase_order")  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pack in which everything is right."""
    for name, content in FILES.items():
        write(tmp_path, name, content)
    write(tmp_path, "pack.json", FILES["pack.json"] | {"simulators": {
        "supplier": {"type": "supplier"}, "contract_prices": {"type": "contract_prices"}}})  # fmt: skip
    for name in MAPPINGS:
        place = tmp_path / "mappings" / name / "mapping.jsonata"
        place.parent.mkdir(parents=True)
        place.write_text("{'number': $uppercase(requisition_number)}")
    write(tmp_path, "mappings/canonical/requisition.schema.json", {})
    return tmp_path


def write(folder: Path, name: str, content: Any) -> None:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content if isinstance(content, str) else json.dumps(content))


def test_a_good_pack_has_no_finding(folder: Path) -> None:
    """References to secrets and simulators are not judged as values."""
    assert lint_pack(Pack.read(folder)) == []


def test_a_number_of_gs1_with_a_wrong_check_digit_in_the_master_data_is_a_warning(folder: Path) -> None:
    items = (
        "code,gtin,code:gtin14,note\nI-1,9521234300014,09521234300014,1\nI-2,9521234300015,,9521234300015\nI-3,,,\n"
    )
    write(folder, "masterdata/item.csv", items)
    write(folder, "masterdata/location.csv", "code,code:gln\nW-1,9521230000017\nW-2,9521230000018\n")

    found = lint_pack(Pack.read(folder))

    assert [(one.code, one.severity, Path(one.file).name, one.pointer) for one in found] == [
        ("check-digit", "warning", "item.csv", "/3/gtin"), ("check-digit", "warning", "location.csv", "/3/code:gln"),
    ]  # fmt: skip
    assert "line 3, I-2: 9521234300015 is no GTIN: its check digit is 5" in found[0].message


def setting(**change: Any) -> dict[str, Any]:
    return {"type": "soap", "settings": ERP["settings"] | change}  # type: ignore[operator]


def acme(**change: Any) -> dict[str, Any]:
    return {"partner": "acme", "name": "Acme", "x12": X12} | change


def rule(**change: Any) -> dict[str, Any]:
    rules = POLICY["rules"]
    return POLICY | {"rules": [rules[0] | change]}  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "content", "code", "pointer", "message"),
    [
        ("pack.json", {"client": "mercy", "name": "M", "flws": []}, "unknown-key", "/flws", "'flws' means nothing"),
        ("pack.json", {"client": "Mercy", "name": "M"}, "bad-field", "/client", "'Mercy' does not match"),
        ("pack.json", FILES["pack.json"] | {"flows": ["gone"]}, "unknown-flow", "/flows/0", "no flow 'gone'"),
        ("connections/erp.json", {"type": "saop"}, "unknown-connection-type", "/type", "no connection type 'saop'"),
        ("connections/erp.json", {"type": "x12"}, "connection-type", "/type", "'x12' reaches no peer"),
        ("connections/erp.json", setting(urll="x"), "unknown-setting", "/settings/urll", "no setting 'urll'"),
        ("connections/erp.json", {"type": "soap", "settings": {"wsdl": "https://e.example"}}, "missing-setting",
         "/settings", "'url' is required"),
        ("connections/erp.json", setting(timeout="long"), "bad-setting", "/settings/timeout", "'long' is not a duration"),
        ("connections/erp.json", setting(auth={"type": "basic", "user": "o", "password": "hunter2"}), "secret-in-file",
         "/settings/auth/password", "stands in the file itself"),
        ("connections/erp.json", setting(url="simulator:erq/url"), "unknown-simulator", "/settings/url", "no simulator 'erq'"),
        ("policies/procurement.json", rule(when="total > 5"), "not-an-expression", "/rules/0/when", "is a fixed text"),
        ("policies/procurement.json", rule(when="=total >"), "bad-expression", "/rules/0/when", "is not JSONata"),
        ("policies/procurement.json", rule(aprovers=[]), "unknown-key", "/rules/0/aprovers", "'aprovers'"),
        ("policies/procurement.json", POLICY | {"rules": [*POLICY["rules"], *POLICY["rules"]]}, "duplicate-rule",  # type: ignore[misc]
         "/rules/1/name", "'large' stands twice"),
        ("policies/procurement.json", POLICY | {"policy": "buying"}, "name-differs", "/policy", "calls itself 'buying'"),
        ("partners/acme.json", {"partner": "acme"}, "missing-key", "", "'name' is missing"),
        ("partners/acme.json", {"partner": "acne", "name": "A"}, "name-differs", "/partner", "calls itself 'acne'"),
        ("partners/acme.json", acme(x12=X12 | {"usge": "T"}), "unknown-key", "/x12/usge", "no key 'usge'"),
        ("partners/acme.json", acme(x12={"ours": X12["ours"]}), "missing-key", "/x12", "'theirs' is required"),
        ("partners/acme.json", acme(x12=X12 | {"encoding": "utf8"}), "bad-key", "/x12/encoding", "'utf8'"),
        ("partners/acme.json", acme(x12=X12 | {"checks": {"usage_mismatch": "warn"}}), "bad-partner",
         "/x12/checks/usage_mismatch", "never let through"),
        ("partners/acme.json", acme(x12=X12 | {"usage": "P"}), "bad-partner", "/x12/usage", "the pack runs in test"),
        ("partners/acme.json", acme(x12=X12 | {"preflight": {"duplicat": "warn"}}), "bad-partner",
         "/x12/preflight/duplicat", "which no check has"),
        ("partners/acme.json", acme(units={"BX": "CT", "CA": "CT"}), "bad-field", "/units", "could not be read back"),
        ("partners/acme.json", acme(identifiers={"ours": {"gln": "9521234600016"}}), "bad-field",
         "/identifiers/ours/gln", "check digit is 6"),
        ("partners/acme.json", acme(unitz={}), "unknown-key", "/unitz", "'unitz'"),
        ("partners/acme.json", acme(rest={}), "unknown-key", "/rest", "'rest' has no part"),
        ("partners/acme.json", acme(x12=[]), "bad-field", "/x12", "x12 must be an object"),
        ("partners/acme.json", acme(mappings={"out": {"850": "cannonical_to_x12_850"}}), "unknown-mapping",
         "/mappings/out/850", "no mapping 'cannonical_to_x12_850'"),
        ("partners/acme.json", acme(delivery={"connection": "amce_sftp"}), "unknown-connection",
         "/delivery/connection", "no connection 'amce_sftp'"),
        ("partners/acme.json", acme(delivery={"connection": "erp"}), "connection-type", "/delivery/connection",
         "is of type 'soap', needed is"),
        ("partners/acme.json", acme(environments={"test": {"delivery": {"connection": "erp"}}}), "connection-type",
         "/environments/test/delivery/connection", "is of type 'soap'"),
        ("partners/acme.json", acme(environments={"production": {"x12": {}}}), "partner-environment", "/environments",
         "the pack runs in test"),
        ("partners/acme.json", acme(environments={"test": {"x12": {"theirs": {"qualifier": "ZZZ"}}}}), "bad-key",
         "/environments/test/x12/theirs/qualifier", "'ZZZ'"),
        ("partners/acme.json", acme(environments={"test": {"name": "Acme Test"}}), "misplaced-key",
         "/environments/test/name", "the same in every environment"),
        ("flows/every_node/flow.json", flow("every_node") | {"flow": "other"}, "name-differs", "/flow", "calls itself 'other'"),
        ("mappings/line/mapping.jsonata", "{'a': }", "bad-expression", "", "is not JSONata"),
        ("mappings/line/mapping.jsonata", "$upcase(a)", "unknown-function", "", "no function '$upcase'"),
        ("mappings/line/mapping.jsonata", "($total := 1; $totl)", "unknown-variable", "", "no variable '$totl'"),
        ("mappings/line/mapping.jsonata", "$map_with('lines', $)", "unknown-mapping", "", "no mapping 'lines'"),
    ],
)  # fmt: skip
def test_one_mistake_in_a_pack_makes_one_finding(
    folder: Path, name: str, content: Any, code: str, pointer: str, message: str
) -> None:
    """The finding names the file, the place in it and what is wrong."""
    if name == "pack.json" and "simulators" not in content:
        (folder / "connections/contracts.json").unlink()
        (folder / "connections/acme_sftp.json").unlink()
        write(folder, "flows/every_node/flow.json", flow("polling") | {"flow": "every_node"})
    write(folder, name, content)

    found = [each for each in lint_folder(folder) if each.file == str(folder / name)]

    assert [(each.code, each.severity, each.pointer) for each in found] == [(code, "error", pointer)], found
    assert message in found[0].message


def test_a_flow_that_orders_and_has_no_identity_is_told_where_it_is_called(folder: Path) -> None:
    """Called again with the same document it would order again; what only reads may be called as often as you like."""
    called = {key: value for key, value in flow("good").items() if key != "identity"}
    calling = {"id": "call", "type": "call_flow", "parameters": {"flow": "requisition_to_order"}}
    caller = {
        "flow": "caller", "version": "1.0.0", "owner": "procurement", "trigger": {"type": "call"}, "nodes": [calling],
    }  # fmt: skip
    write(folder, "flows/caller/flow.json", caller)
    assert lint_pack(Pack.read(folder)) == []
    write(folder, "flows/requisition_to_order/flow.json", called)

    found = [each for each in lint_pack(Pack.read(folder)) if each.file.endswith("caller/flow.json")]

    assert [(each.code, each.severity, each.pointer) for each in found] == [
        ("call-without-identity", "warning", "/nodes/0/parameters/flow")
    ]
    assert "node 'order'" in found[0].message

    once = [node["id"] for node in called["nodes"] if node.get("effect") == "once"]
    called["nodes"] = [node for node in called["nodes"] if node["id"] not in once]
    write(folder, "flows/requisition_to_order/flow.json", called)
    assert not [each for each in lint_pack(Pack.read(folder)) if each.code == "call-without-identity"]


def test_a_secret_that_no_trigger_asks_for_is_told(folder: Path) -> None:
    """Whoever signs with it is refused like a stranger; a trigger without ``auth`` takes API keys."""
    open_flow = flow("every_node")
    del open_flow["trigger"]["auth"]
    write(folder, "flows/every_node/flow.json", open_flow)

    (found,) = lint_pack(Pack.read(folder))

    assert (found.code, found.severity, Path(found.file).name) == ("unused-door", "warning", "portal.json")
    assert found.suggestion == 'add "auth": "portal" to the trigger of the webhook'
    write(folder, "flows/every_node/flow.json", '{"flow":')
    assert [each.code for each in lint_pack(Pack.read(folder))] == ["bad-json"]


def test_long_source_is_shown_around_the_place_only(folder: Path) -> None:
    """A mapping has a hundred lines: those around the mistake, with a mark below it, are enough."""
    lines = ["{", *(f"  'field_{n}': field_{n}," for n in range(80)), "  'last': $sum(lines.price ]", "}", ""]
    write(folder, "mappings/line/mapping.jsonata", "\n".join(lines))

    (found,) = lint_pack(Pack.read(folder))

    assert found.code == "bad-expression"
    assert (found.line, found.column) == (82, 28)
    assert found.message.startswith("this is not JSONata at line 82, column 28: ")
    assert "field_1" not in found.message
    assert found.excerpt.splitlines() == [
        "   81 |   'field_79': field_79,", "   82 |   'last': $sum(lines.price ]", "      | " + " " * 27 + "^",
    ]  # fmt: skip


def test_findings_of_all_files_come_together(folder: Path) -> None:
    """A bad file does not keep the others from being looked at."""
    write(folder, "connections/erp.json", '{"type": "soap",')
    write(folder, "policies/procurement.json", POLICY | {"polcy": 1})
    write(folder, "flows/every_node/flow.json", flow("every_node") | {"ownr": "x"})

    assert [each.code for each in lint_pack(Pack.read(folder))] == ["bad-json", "unknown-key", "unknown-key"]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ('{\n  "flow": "x",\n}', 3, 1, "not JSON at line 3, column 1"),
        ('{"flow": "x"', 1, 13, "not JSON at line 1, column 13"),
        ('{"a": 1, "a": 2}', 1, 10, "the key 'a' at line 1, column 10 stands twice"),
        ('{"b": {"a": ["a"]},\n "c": "{",\n "b": 2}', 3, 2, "the key 'b' at line 3, column 2 stands twice"),
        ('{"a": 1, "a": {"b": 1, "b": 2}}', 1, 10, "the key 'a' at line 1, column 10 stands twice"),
        ('{"a": NaN}', 1, 7, "is not JSON"),
        ("[" * 100_000, 0, 0, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_one_finding_with_its_place(
    tmp_path: Path, text: str, line: int, column: int, message: str
) -> None:
    """Line and column count from 1."""
    path = tmp_path / "flow.json"
    path.write_text(text)

    found = lint_file(path, Scope())

    assert [(each.code, each.line, each.column) for each in found] == [("bad-json", line, column)]
    assert message in found[0].message
    assert str(found[0]).startswith(f"{path}:{line}:{column}: " if line else f"{path}: ")


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    """So that a list of paths can be linted whole."""
    found = lint_file(tmp_path / "flow.json", Scope())

    assert [each.code for each in found] == ["bad-json"]
    assert "cannot be read" in found[0].message


def test_a_file_is_linted_as_what_its_folder_says(folder: Path) -> None:
    """One function for one path, whatever it is."""
    for name in (*FILES, "mappings/line/mapping.jsonata"):
        assert lint_file(folder / name, Scope()) == [], name

    write(folder, "policies/procurement.json", {})
    assert {each.code for each in lint_file(folder / "policies/procurement.json", Scope())} == {"missing-key"}


def test_a_finding_reads_as_one_line() -> None:
    """File, place, severity, code, what is wrong, what to do."""
    finding = Finding(
        "unknown-key", "error", "flow.json", "/nods", "the key 'nods' means nothing here", "remove it"
    )

    assert str(finding) == "flow.json: /nods: error unknown-key: the key 'nods' means nothing here (remove it)"


def test_a_connector_that_cannot_be_imported_is_a_finding_of_its_users(tmp_path: Path) -> None:
    """Somebody else's broken connector stops neither the lint nor the other flows."""
    write(tmp_path, "brittle.py", "import a_module_that_nobody_has\n")
    write(tmp_path, "brittle-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: brittle\nVersion: 1.0\n")
    entry = "[orderly.connectors]\nbrittle = brittle:connector\n"
    write(tmp_path, "brittle-1.0.dist-info/entry_points.txt", entry)
    write(tmp_path, "flow.json", flow("polling") | {"nodes": [{"id": "a", "type": "brittle.call"}]})
    code = "import sys, pathlib; from runtime.model.lint import *\n" \
           "for f in lint_file(pathlib.Path(sys.argv[1]), Scope()): print(f.code, f.pointer, f.message)"  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "flow.json"],
        env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split(" ", 2)[:2] == ["connector-broken", "/nodes/0/type"]
    assert "the connector of 'brittle.call' cannot be imported" in done.stdout


def test_what_a_simulator_is_told_is_no_secret(folder: Path) -> None:
    """A stand-in on this machine keeps none."""
    settings = FILES["connections/acme_sftp.json"]["settings"]
    write(folder, "connections/acme_sftp.json", {"type": "sftp", "settings": settings | {"password": "demo"}})

    assert lint_pack(Pack.read(folder)) == []
