"""The JSON Schemas that editors use say what the lints say."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from connectors import sdk
from runtime.model import schema
from tests.runtime.model.lint_scope import GONE, changed, flow


def errors(made: dict[str, Any], document: Any) -> list[str]:
    return [error.json_path for error in Draft202012Validator(made).iter_errors(document)]


@pytest.fixture(scope="module")
def flows() -> dict[str, Any]:
    return schema.flow_schema()


@pytest.mark.parametrize("name", ["good", "every_node", "polling"])
def test_a_good_flow_meets_the_schema(flows: dict[str, Any], name: str) -> None:
    """The example of the design is one of them."""
    assert errors(flows, flow(name)) == []


@pytest.mark.parametrize(
    ("name", "pointer", "value", "where"),
    [
        ("good", "/nodes/1/parameters/qery", {}, "$.nodes[1].parameters"),
        ("good", "/nodes/1/parameters/method", "FETCH", "$.nodes[1].parameters.method"),
        ("good", "/nodes/2/parameters/operation", GONE, "$.nodes[2].parameters"),
        ("good", "/nodes/2/connection", GONE, "$.nodes[2]"),
        ("good", "/nodes/7/connection", "erp", "$.nodes[7]"),
        ("good", "/nodes/1/type", "rest.requst", "$.nodes[1].type"),
        ("good", "/nodes/1/on", {"refused": []}, "$.nodes[1].on"),
        ("good", "/nodes/4/on/rejected/0/parameters/evnt", 1, "$.nodes[4].on.rejected[0].parameters"),
        ("good", "/nodes/6/retry/first", "soon", "$.nodes[6].retry.first"),
        ("good", "/owner", GONE, "$"),
        ("good", "/trigger/type", "web", "$.trigger.type"),
        ("polling", "/trigger/parameters/foldr", "x", "$.trigger.parameters"),
        ("polling", "/trigger/decode/parameters", {"x": 1}, "$.trigger.decode.parameters"),
    ],
)
def test_a_mistake_breaks_the_schema_at_its_place(
    flows: dict[str, Any], name: str, pointer: str, value: Any, where: str
) -> None:
    """One error, at the object or value that a person has to change."""
    assert errors(flows, changed(name, pointer, value)) == [where]


def test_a_value_may_always_be_an_expression(flows: dict[str, Any]) -> None:
    """Where a number or an object is wanted too."""
    assert errors(flows, changed("good", "/nodes/1/parameters/ok", "=statuses")) == []
    assert errors(flows, changed("good", "/nodes/1/parameters/query", "=$headers")) == []


def test_a_setting_may_be_a_reference_and_a_secret_says_that_it_must() -> None:
    """Whatever the setting's own type is."""
    made = schema.connection_schema()
    settings = {
        "host": "sftp.acme.example",
        "port": "simulator:supplier/port",
        "user": "o",
        "host_key": "ssh-ed25519 x",
    }

    assert errors(made, {"type": "sftp", "settings": settings | {"password": "env:ACME"}}) == []
    assert "env:NAME" in made["$defs"]["settings sftp"]["properties"]["password"]["description"]
    assert errors(made, {"type": "sftp", "settings": settings | {"hst": "x"}}) == ["$.settings"]
    assert errors(made, {"type": "webhook_hmac", "settings": {"secret": "env:PORTAL"}}) == []
    assert errors(made, {"type": "x12"}) == ["$.type"]


@pytest.mark.parametrize("name", schema.SCHEMAS)
def test_a_schema_is_one_and_explains_every_field(name: str) -> None:
    """Editors show the description on hover; a fixed value explains itself."""
    made = schema.SCHEMAS[name]()
    silent = [
        f"{place}.{key}"
        for place, part in {"": made, **made.get("$defs", {})}.items()
        for key, field in part.get("properties", {}).items()
        if "description" not in field and "const" not in field
    ]

    Draft202012Validator.check_schema(made)
    assert silent == []
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_operation_of_every_connector_is_in_the_schema(flows: dict[str, Any]) -> None:
    """Nothing is listed by hand."""
    listed = {
        *flows["$defs"]["Node"]["properties"]["type"]["enum"],
        *flows["$defs"]["Trigger"]["properties"]["type"]["enum"],
    }

    for name in sdk.names():
        assert {f"{name}.{operation.name}" for operation in sdk.load(name).operations} <= listed


def test_what_is_written_is_stale_when_it_is_changed(tmp_path: Path) -> None:
    """Written twice, the bytes are the same and nothing is stale."""
    assert [path.name for path in schema.write_all(tmp_path)] == sorted(schema.SCHEMAS)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    assert schema.stale(tmp_path) == [] == schema.write_all(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before

    (tmp_path / "flow.schema.json").write_text("{}")
    (tmp_path / "pack.schema.json").unlink()
    assert [path.name for path in schema.stale(tmp_path)] == ["flow.schema.json", "pack.schema.json"]


def test_shipped_policies_and_partners_are_described() -> None:
    """The table of the formats' own example."""
    policy = {
        "policy": "procurement",
        "title": "Approval",
        "rules": [
            {
                "name": "large",
                "when": "=$number(document.total) >= 5000",
                "approvers": [{"role": "procurement_manager", "needs": 1}],
                "reason": "=document.total",
            }
        ],
        "otherwise": {"approvers": []},
    }

    assert errors(schema.policy_schema(), policy) == []
    assert errors(schema.policy_schema(), policy | {"rules": [{}]}) == ["$.rules[0]"] * 3
    x12 = {"ours": {"qualifier": "ZZ", "id": "MERCY"}, "theirs": {"qualifier": "ZZ", "id": "ACME"}}
    acme = {"partner": "acme", "name": "Acme", "x12": x12}
    assert errors(schema.partner_schema(), acme) == []
    assert errors(schema.partner_schema(), {"partner": "acme"}) == ["$"]
    assert errors(schema.partner_schema(), acme | {"x12": x12 | {"usge": "T"}}) == ["$.x12"]
    assert errors(schema.partner_schema(), acme | {"x13": {}}) == ["$"]
    differs = {"x12": {"theirs": {"id": "ACMETEST"}}}
    assert errors(schema.partner_schema(), acme | {"environments": {"test": differs}}) == []
    assert errors(schema.partner_schema(), acme | {"environments": {"staging": differs}}) == ["$.environments"]


@pytest.mark.parametrize(
    ("duration", "text"),
    [({"seconds": 30}, "30s"), ({"minutes": 5}, "5m"), ({"days": 2}, "2d"), ({"milliseconds": 1500}, "1500ms"),
     ({"hours": 36}, "36h"), ({}, "0ms")],
)  # fmt: skip
def test_a_duration_is_written_as_people_write_it(duration: dict[str, int], text: str) -> None:
    """And reads back as the same."""
    assert schema.written(timedelta(**duration)) == text
    assert sdk.seconds(text) == timedelta(**duration).total_seconds()


def test_the_schema_is_small_enough_for_an_editor(flows: dict[str, Any]) -> None:
    """Under a megabyte: editors load it for each file."""
    assert len(json.dumps(flows)) < 1_000_000
