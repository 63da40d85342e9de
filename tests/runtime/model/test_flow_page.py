"""The page of flows: its example is a flow, and its reference leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

from runtime.mapping.functions import REGISTERED
from runtime.model.flow import CONTROL, NodeBase
from runtime.model.help import VARIABLES
from runtime.model.lint import Scope, lint_file
from runtime.model.lints import expressions
from runtime.model.pack import ROOT

PAGE = (ROOT / "flows" / "README.md").read_text(encoding="utf-8")


def test_the_example_is_a_flow_without_a_finding(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "flows" / "stock_alert" / "flow.json"
    file.parent.mkdir(parents=True)
    file.write_text(example)

    assert [str(finding) for finding in lint_file(file, Scope())] == []


def test_every_control_node_stands_there_with_its_fields() -> None:
    for type, model in CONTROL.items():
        _, _, section = PAGE.partition(f"### `{type}`\n")
        section = section.partition("\n##")[0]
        fields = set(model.model_fields) - set(NodeBase.model_fields) - {"type", "parameters"}
        parameters = model.model_fields.get("parameters")
        given = getattr(parameters.annotation, "model_fields", {}) if parameters else {}
        for name, field in given.items():
            fields.add(field.alias or name)
        assert fields <= set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)), type


def test_every_variable_and_function_stands_there() -> None:
    """Those that the lint of expressions knows."""
    assert set(VARIABLES) == expressions._ALWAYS | set(expressions._WHERE)
    documented = {name for name, function in REGISTERED.items() if function.__doc__}

    assert documented > {"dec_sum", "resolve", "udi"}
    for name in documented | set(VARIABLES):
        assert f"| `${name}` |" in PAGE, name
