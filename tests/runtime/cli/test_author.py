"""``lint``, ``test``, ``map`` and ``init``: what integrators do, without any server or peer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.api.cases import Verdict
from runtime.cli.border import paragraph
from runtime.cli.testing import case_files, verdicts
from runtime.model.pack import base_folder
from tests.runtime.cli.command import POLICY, Desk, flow, orderly, write_pack


def _write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def _answer(*arguments: str, code: int = 0, **more: Any) -> Any:
    done = orderly(*arguments, "--json", **more)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return json.loads(done.stdout)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "mercy", tmp_path / "outbox")


def test_every_shipped_flow_has_a_case_and_every_shipped_case_passes() -> None:
    """The cases are the offline proof of what ships; both engines agree on all of them."""
    cases = case_files(base_folder() / "flows") + case_files(base_folder() / "mappings")
    with_cases = {case.parent.parent.name for case in cases}
    flows = {path.parent.name for path in (base_folder() / "flows").glob("*/flow.json")}
    assert flows <= with_cases

    told = _answer("test", cwd=base_folder())

    assert (told["passed"], told["failed"]) == (len(cases), 0)
    assert [case["case"] for case in told["cases"] if case["engines"]] == []


def test_what_ships_has_no_findings() -> None:
    assert _answer("lint", cwd=base_folder()) == {"findings": [], "errors": 0, "warnings": 0}


def test_a_finding_has_file_pointer_code_message_and_suggestion(pack: Path) -> None:
    path = _write(pack / "flows" / "typo" / "flow.json", flow("typo", {"id": "a", "type": "file.delivr"}))

    for target in (path, pack / "flows", pack):
        told = _answer("lint", str(target), code=1)
        found = [each for each in told["findings"] if each["file"].endswith("typo/flow.json")]
        assert found[0]["pointer"] == "/nodes/0/type"
        assert "file.deliver" in found[0]["suggestion"]
        assert found[0]["code"]

    shown = orderly("lint", str(path))
    assert shown.returncode == 1
    assert "typo/flow.json" in shown.stdout
    assert "1 error, 0 warnings" in shown.stdout


def test_a_misspelt_name_in_an_expression_is_a_warning_that_names_the_one_meant(pack: Path) -> None:
    nodes = [
        {"id": "confirm", "type": "publish", "parameters": {"event": "confirmed"}, "into": "confirmation"},
        {"id": "answer", "type": "respond", "parameters": {"body": "=confirmaton"}},
    ]
    _write(pack / "mappings" / "canonical" / "note.schema.json", {"properties": {"number": {"type": "string"}}})
    made = {**flow("typo", *nodes), "identity": "=numbr", "keys": {"order": "=numbr"}, "order_by": "=numbr"}
    made["trigger"] = {"type": "webhook", "accepts": "canonical/note"}
    path = _write(pack / "flows" / "typo" / "flow.json", made)

    told = _answer("lint", str(path))

    assert (told["errors"], told["warnings"]) == (0, 4)
    assert {(each["pointer"], each["suggestion"]) for each in told["findings"]} == {
        ("/identity", "did you mean 'number'?"),
        ("/keys/order", "did you mean 'number'?"),
        ("/order_by", "did you mean 'number'?"),
        ("/nodes/1/parameters/body", "did you mean 'confirmation'?"),
    }


def test_a_secret_for_webhooks_that_no_flow_uses_is_told(pack: Path) -> None:
    _write(pack / "connections" / "portal.json", {"type": "webhook_hmac", "settings": {"secret": "env:PORTAL"}})

    assert "warning unused-door: no trigger names 'portal' in 'auth'" in orderly("lint", str(pack)).stdout


def test_where_there_is_nothing_to_lint_it_says_so(tmp_path: Path) -> None:
    """A wrong folder must not look like a good one."""
    done = orderly("lint", str(tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is nothing to lint in {tmp_path}" in done.stderr


def test_a_mistake_in_a_mapping_is_shown_with_its_line(pack: Path) -> None:
    source = "{\n" + "".join(f"  'n{n}': n{n},\n" for n in range(40)) + "  'total': $sum(lines.price ]\n}\n"
    path = _write(pack / "mappings" / "big" / "mapping.jsonata", source)

    done = orderly("lint", str(path))

    assert done.returncode == 1
    assert f"{path}:42:29: /: error bad-expression: this is not JSONata at line 42, column 29" in done.stdout
    assert "   42 |   'total': $sum(lines.price ]\n      | " + " " * 28 + "^\n" in done.stdout
    assert "'n1'" not in done.stdout


def test_a_key_that_stands_twice_is_told_with_its_place(pack: Path, tmp_path: Path) -> None:
    path = _write(tmp_path / "order.json", '{"number": "1",\n "number": "2"}')
    mapping = _write(pack / "mappings" / "same" / "mapping.jsonata", "$")

    done = orderly("map", str(mapping), str(path), "--pack", str(pack))

    assert done.returncode == 1
    assert "the key 'number' at line 2, column 2 stands twice" in done.stderr


def test_json_that_is_none_is_found_with_its_line(pack: Path) -> None:
    path = _write(pack / "flows" / "bad" / "flow.json", '{\n "flow": \n}')

    told = _answer("lint", str(path), code=1)

    assert (told["findings"][0]["code"], told["findings"][0]["line"]) == ("bad-json", 3)


def test_a_mapping_case_that_fails_says_where_and_what(pack: Path) -> None:
    _write(pack / "mappings" / "twice" / "mapping.jsonata", "{'n': number * 2, 'same': text}")
    _write(
        pack / "mappings" / "twice" / "cases" / "a.json", {"given": {"number": 2, "text": "x"}, "then": {"n": 5}}
    )

    told = _answer("test", str(pack), code=1)

    (case,) = told["cases"]
    assert case["differences"] == ["/n: expected 5, is 4", '/same: not expected, is "x"']
    shown = orderly("test", str(pack))
    assert "/n: expected 5, is 4" in shown.stdout
    assert "0 passed, 1 failed" in shown.stdout


def _case(pack: Path, name: str, case: dict[str, Any]) -> Verdict:
    (verdict,) = verdicts([_write(pack / "flows" / name / "cases" / "one.json", case)])
    return verdict


def test_a_flow_case_needs_a_stub_for_every_peer_it_asks(pack: Path) -> None:
    verdict = _case(pack, "deliver", {"given": {"number": "1", "text": "x"}, "then": {"state": "done"}})

    assert "stubs.put" in verdict.differences[0]


def test_a_flow_case_compares_state_outputs_effects_and_events(pack: Path) -> None:
    stubs = {"put": {"path": "1.txt", "size": 1, "sha256": "0"}}
    given = {"number": "1", "text": "x"}
    effect = {"node": "put", "parameters": {"path": "1.txt", "content": "x"}}
    good = {
        "given": given,
        "stubs": stubs,
        "then": {"state": "done", "outputs": {"put": {"size": 1}}, "effects": [effect]},
    }
    assert _case(pack, "deliver", good).ok

    bad = {
        **good,
        "then": {"state": "dead", "outputs": {"put": {"size": 2}}, "effects": [], "events": [{"event": "e"}]},
    }
    told = " ".join(_case(pack, "deliver", bad).differences)

    for place in ("/state", "/outputs/put/size", "/effects", "/events"):
        assert place in told


def test_stubs_can_fail_as_peers_do_and_time_leaps_over_retries(pack: Path) -> None:
    """Two refused connections and an answer: done at once, with one effect; a refusal for good: a dead letter."""
    node = {
        "id": "put", "type": "file.deliver", "connection": "outbox", "effect": "idempotent",
        "parameters": {"path": "=number", "content": "x"}, "retry": {"attempts": 3, "first": "1h", "longest": "8h"},
    }  # fmt: skip
    _write(pack / "flows" / "slow" / "flow.json", flow("slow", node))
    lost = {"error": {"type": "NotSent", "message": "connection refused"}}
    answers = [lost, lost, {"path": "1", "size": 1, "sha256": "0"}]
    case = {
        "given": {"number": "1"},
        "stubs": {"put": answers},
        "then": {"state": "done", "effects": [{"node": "put"}]},
    }
    assert _case(pack, "slow", case).differences == ()

    refused = {"error": {"type": "Rejected", "message": "no", "code": "550"}}
    dead = {
        **case,
        "stubs": {"put": refused},
        "then": {"state": "dead", "exception": {"code": "550"}, "effects": []},
    }
    assert _case(pack, "slow", dead).differences == ()

    unknown = {**case, "stubs": {"put": {"error": {"type": "Nonsense"}}}}
    assert "Nonsense" in _case(pack, "slow", unknown).differences[0]


def test_people_and_events_are_stubbed_too(pack: Path) -> None:
    given = {"number": "1", "requester": "anna"}
    assert _case(pack, "decide", {"given": given, "then": {"state": "waiting"}}).ok
    yes = {"given": given, "stubs": {"ask": {"outcome": "approved"}}, "then": {"state": "done", "outcome": "done"}}
    assert _case(pack, "decide", yes).ok
    no = {"given": given, "stubs": {"ask": {"outcome": "rejected"}}, "then": {"outcome": "rejected"}}
    assert _case(pack, "decide", no).ok

    wait = {"id": "answer", "type": "wait", "parameters": {"event": "answered", "key": "=number", "within": "1d"},
            "on": {"timed_out": [{"id": "late", "type": "end", "parameters": {"outcome": "late"}}]}}  # fmt: skip
    _write(pack / "flows" / "listen" / "flow.json", flow("listen", wait))
    assert _case(pack, "listen", {"given": {"number": "1"}, "then": {"outcome": "late"}}).differences == ()
    heard = {"given": {"number": "1"}, "stubs": {"answer": {"event": {"ok": True}}}, "then": {"outcome": "done"}}
    assert _case(pack, "listen", heard).differences == ()


def test_a_stub_for_no_node_and_a_case_with_unknown_keys_are_mistakes(pack: Path) -> None:
    given = {"number": "1"}
    assert "node of that id" in _case(pack, "refuse", {"given": given, "stubs": {"nope": 1}}).differences[0]
    assert "/wenn" in _case(pack, "refuse", {"given": given, "wenn": 1}).differences[0]


def test_a_folder_without_cases_is_wrong_usage(tmp_path: Path) -> None:
    assert orderly("test", str(tmp_path)).returncode == 2


def test_a_mapping_is_applied_by_name_folder_or_file_on_either_engine(pack: Path, tmp_path: Path) -> None:
    source = _write(pack / "mappings" / "twice" / "mapping.jsonata", "{'n': number * 2}")
    document = _write(tmp_path / "given.json", {"number": 21})

    for mapping, engine in (
        ("twice", "jsonatapy"),
        (str(source), "jsonata-python"),
        (str(source.parent), "jsonatapy"),
    ):
        more = ("--engine", engine, "--pack", str(pack))
        assert _answer("map", mapping, str(document), *more) == {"n": 42}
    assert _answer("map", "twice", "-", "--pack", str(pack), given='{"number": 1}') == {"n": 2}
    assert _answer("map", "nope", str(document), "--pack", str(pack), code=1)["kind"] == "misconfigured"
    assert _answer("map", "twice", "-", "--pack", str(pack), given="{", code=1)["kind"] == "malformed_json"


def test_an_expression_that_cannot_be_evaluated_is_a_problem(pack: Path, tmp_path: Path) -> None:
    _write(pack / "mappings" / "sum" / "mapping.jsonata", "1 + text")

    problem = _answer("map", "sum", "-", "--pack", str(pack), given='{"text": "x"}', code=1)

    assert problem["kind"] == "mapping"
    assert "sum" in problem["detail"]


def test_init_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    _write(tmp_path / "here" / "file", "x")
    assert orderly("init", "here", cwd=tmp_path).returncode == 2

    told = _answer("init", "Mercy.General-1", cwd=tmp_path)
    assert told["client"] == "mercy-general-1"
    assert _answer("lint", "Mercy.General-1", cwd=tmp_path)["findings"] == []


@pytest.mark.parametrize("words", [["Bad Name!"], ["1st"], ["a" * 41], ["clinic", "--client", "Bad"]])
def test_init_refuses_a_name_with_the_rule_for_names(tmp_path: Path, words: list[str]) -> None:
    done = orderly("init", *words, cwd=tmp_path)

    assert done.returncode == 2
    assert "letter, then" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_broken_mapping_is_one_failed_case_and_the_others_run(pack: Path) -> None:
    """Its own case fails and so does that of the flow that uses it, both with the file named."""
    source = _write(pack / "mappings" / "half" / "mapping.jsonata", "{'n': ")
    _write(pack / "mappings" / "half" / "cases" / "a.json", {"given": {}, "then": {}})
    _write(pack / "mappings" / "whole" / "mapping.jsonata", "{'n': 1}")
    _write(pack / "mappings" / "whole" / "cases" / "a.json", {"given": {}, "then": {"n": 1}})
    uses = {"id": "m", "type": "map", "into": "m", "parameters": {"mapping": "half"}}
    _write(pack / "flows" / "uses" / "flow.json", flow("uses", uses))
    _write(pack / "flows" / "uses" / "cases" / "a.json", {"given": {"number": "1"}, "then": {"state": "done"}})
    _write(
        pack / "flows" / "refuse" / "cases" / "a.json", {"given": {"number": "1"}, "then": {"state": "exception"}}
    )

    told = _answer("test", str(pack), code=1)

    by_name = {case["name"]: case for case in told["cases"]}
    assert {name: case["ok"] for name, case in by_name.items()} == {
        "half": False, "whole": True, "uses": False, "refuse": True,
    }  # fmt: skip
    for name in ("half", "uses"):
        assert str(source) in by_name[name]["differences"][0]


def test_a_mappings_name_means_that_of_the_pack_that_run_would_open(desk: Desk) -> None:
    _write(desk.pack / "mappings" / "twice" / "mapping.jsonata", "{'n': number * 2}")

    assert desk.answer("map", "twice", "-", given='{"number": 21}') == {"n": 42}
    nowhere = orderly("map", "twice", "-", given="{}", data=desk.data.with_name("none"), cwd=desk.data)
    assert nowhere.returncode == 2


def test_a_suggestion_that_asks_ends_in_its_own_mark() -> None:
    told = {"title": "Not so", "detail": "there is no flow 'x'.", "next_action": "did you mean 'y'?"}

    assert paragraph(told) == "Not so: there is no flow 'x'. Next: did you mean 'y'?"


def test_connectors_bring_verbs_of_their_own() -> None:
    sample = base_folder() / "sample_payloads" / "x12" / "850.edi"

    assert json.loads(orderly("x12", "read", str(sample), "--json").stdout)["interchanges"]
    shown = orderly("--help")
    assert "x12" in shown.stdout
    assert "hl7" in shown.stdout


@pytest.mark.parametrize("asked", [["--help"], ["--version"], ["serve", "--help"]], ids=" ".join)
def test_help_and_version_import_nothing_heavy(asked: list[str]) -> None:
    """The command answers at once: neither database nor web server nor connectors are imported for it."""
    code = (
        f"import sys; from runtime.cli import main; main({asked}, standalone_mode=False);"
        "sys.exit(', '.join({'flask', 'sqlalchemy', 'pydantic', 'paramiko', 'zeep'} & sys.modules.keys()) or 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_bug_is_told_in_one_paragraph_and_debug_shows_the_trace(desk: Desk) -> None:
    """A packs.json that is no JSON cannot be foreseen everywhere: no trace unless it is asked for."""
    (desk.data / "packs.json").write_text("{", encoding="utf-8")

    done = desk.orderly("user", "list")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    shown = orderly("--debug", "user", "list", data=desk.data)
    assert "Traceback" in shown.stderr


def test_a_policy_with_a_mistake_is_found_too(pack: Path) -> None:
    _write(
        pack / "policies" / "purchases.json", {**POLICY, "rules": [{"name": "x", "when": "true", "approvers": []}]}
    )

    told = _answer("lint", str(pack), code=1)

    assert "/rules/0/when" in [finding["pointer"] for finding in told["findings"]]
