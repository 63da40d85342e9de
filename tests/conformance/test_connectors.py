"""What every installed connector keeps to; a new one is covered without a line written here."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from connectors import sdk
from connectors.sdk import Connector, Effect, Listen, Operation, Output, Parameters, Poll, Role, Settings, Step
from runtime.mapping import is_expression
from runtime.model.lints.leaks import is_secret_name
from runtime.model.lints.packs import is_reference, secret_fields
from runtime.model.lints.shape import models
from runtime.model.reference import BEGIN, END, reference
from runtime.model.schema import model_schema

CONNECTORS = [sdk.load(name) for name in sdk.names()]
OPERATIONS = [(connector, operation) for connector in CONNECTORS for operation in connector.operations]

every_connector = pytest.mark.parametrize("connector", CONNECTORS, ids=lambda connector: connector.name)
every_operation = pytest.mark.parametrize(
    ("connector", "operation"), OPERATIONS, ids=[f"{c.name}.{o.name}" for c, o in OPERATIONS]
)


def folder_of(connector: Connector) -> Path:
    """Where the connector's code lies, whatever distribution it comes from."""
    return Path(inspect.getfile(connector.operations[0])).parent


def declared(connector: Connector) -> list[type[BaseModel]]:
    """Settings and parameters, with the models that stand in them."""
    found = [connector.settings] if connector.settings else []
    found += [operation.Parameters for operation in connector.operations]  # type: ignore[misc]
    return list(dict.fromkeys(inner for model in found for inner in within(model)))


def within(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in models(field.annotation):
            yield from within(inner)


def fields(connector: Connector) -> Iterator[tuple[str, FieldInfo]]:
    """Fields that a person writes; the tag of a union and the claim check of the sdk explain themselves."""
    for model in declared(connector):
        for name, field in model.model_fields.items():
            if not is_tag(field) and not model.__module__.startswith("connectors.sdk.model"):
                yield f"{model.__name__}.{name}", field


def is_tag(field: FieldInfo) -> bool:
    schema = TypeAdapter(field.annotation).json_schema() if field.annotation is not None else {}
    return "const" in schema


def accepts(model: type[BaseModel], name: str, value: Any) -> str:
    """What the model has against this value of this field; empty where it has nothing."""
    alias = model.model_fields[name].alias or name
    try:
        model.model_validate({alias: value})
    except ValidationError as error:
        return "; ".join(e["msg"] for e in error.errors() if e["loc"][:1] == (alias,) and e["type"] != "missing")
    return ""


@every_connector
def test_its_name_is_that_of_its_folder_and_entry_point(connector: Connector) -> None:
    """A flow's ``type`` begins with it."""
    assert sdk.load(connector.name) is connector
    assert folder_of(connector).name == connector.name
    assert connector.name.isidentifier() and connector.name.islower()
    assert connector.title


@every_connector
def test_its_folder_has_the_files_of_every_connector(connector: Connector) -> None:
    """Who knows one connector finds the way in any other."""
    present = {path.name for path in folder_of(connector).iterdir()}

    assert {"__init__.py", "connector.py", "README.md"} <= present
    assert present & {"transport.py", "codec.py"} or connector.settings is None
    assert (importlib.import_module(connector.operations[0].__module__.rpartition(".")[0]).__doc__ or "").strip()


@every_connector
def test_its_readme_tells_what_is_guaranteed_and_has_the_reference(connector: Connector) -> None:
    """A hand-written part with the guarantees, and the generated one."""
    page = (folder_of(connector) / "README.md").read_text()
    heading = [line for line in page.splitlines() if line.startswith("#") and "guarantees" in line.lower()]

    assert heading, f"{connector.name}: README.md has no section Guarantees"
    assert page.count(BEGIN) == page.count(END) == 1
    assert page.index(BEGIN) < page.index(END)


@every_connector
def test_every_field_is_described_and_has_an_example(connector: Connector) -> None:
    """Forms, reference and completion show them."""
    lacking = [name for name, field in fields(connector) if not field.description or not field.examples]

    assert lacking == []


@every_connector
def test_every_example_is_accepted(connector: Connector) -> None:
    """Copied into a file it works; an expression and a reference stand for a value nobody knows yet."""
    refused = [
        f"{model.__name__}.{name}: {example!r}: {said}"
        for model in declared(connector)
        for name, field in model.model_fields.items()
        for example in field.examples or []
        if not (isinstance(example, str) and (is_expression(example) or is_reference(example)))
        if (said := accepts(model, name, example))
    ]

    assert refused == []


@every_connector
def test_what_is_named_like_a_secret_is_one(connector: Connector) -> None:
    """``SecretStr`` keeps it out of logs, errors and traces."""
    secrets = {name for model in declared(connector) for name in secret_fields(model)}
    open_ones = [
        f"{model.__name__}.{name}"
        for model in declared(connector)
        for name, field in model.model_fields.items()
        if is_secret_name(name) and name not in secrets and "str" in str(field.annotation)
    ]

    assert open_ones == []


@every_connector
def test_no_parameter_is_a_secret(connector: Connector) -> None:
    """Flows hold none: secrets are settings of a connection."""
    for operation in connector.operations:
        assert list(secret_fields(operation.Parameters)) == []


@every_connector
def test_a_secret_is_not_shown(connector: Connector) -> None:
    """Neither by ``repr`` nor by ``str`` nor as JSON."""
    canary = "canary-7c1f"
    for model in declared(connector):
        for name, field in model.model_fields.items():
            if SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ())):
                shown = model.model_construct(**{name: SecretStr(canary)})
                assert canary not in f"{shown!r} {shown} {shown.model_dump_json(warnings=False)}"


@every_connector
def test_unknown_fields_are_refused(connector: Connector) -> None:
    """A misspelt field is an error, never silence."""
    for model in declared(connector):
        assert model.model_config.get("extra") == "forbid", model.__name__


@every_connector
def test_schema_and_reference_can_be_derived(connector: Connector) -> None:
    """One declaration serves editors, forms and pages."""
    for model in declared(connector):
        Draft202012Validator.check_schema(model_schema(model))
    for operation in connector.operations:
        if operation.Output is not None:
            Draft202012Validator.check_schema(model_schema(operation.Output))
        assert f"### `{connector.name}.{operation.name}`" in reference(connector)


@every_connector
def test_a_connection_can_be_checked(connector: Connector) -> None:
    """``check`` is there exactly where there are settings to check."""
    assert (connector.check is not None) == (connector.settings is not None)
    assert connector.settings is None or issubclass(connector.settings, Settings)


@pytest.mark.parametrize(
    "entry",
    [*entry_points(group="orderly.commands"), *entry_points(group="orderly.commands.hl7")],
    ids=lambda entry: entry.name,
)
def test_every_verb_of_a_connector_is_a_command(entry: EntryPoint) -> None:
    command = entry.load()

    assert isinstance(command, click.Command)
    assert command.help or command.get_short_help_str()


@every_connector
def test_it_imports_the_sdk_and_at_most_one_other_codec(connector: Connector) -> None:
    """Connectors know nothing of the runtime, and of each other no more than one pure codec."""
    own, others = f"connectors.{connector.name}", set()
    for path in folder_of(connector).rglob("*.py"):
        for name in imported(path):
            assert name.partition(".")[0] != "runtime", f"{path} imports {name}"
            if name.startswith("connectors.") and not name.startswith(("connectors.sdk", own)):
                others.add(name)

    assert len({name.split(".")[1] for name in others}) <= 1
    assert all(name.split(".")[2:3] == ["codec"] for name in others), others


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@every_operation
def test_an_operation_is_named_explained_and_of_one_role(
    connector: Connector, operation: type[Operation[Any]]
) -> None:
    """The first line of its docstring is its title in forms."""
    kinds = {Role.SOURCE: (Poll, Listen), Role.CALL: Step, Role.READ: Step, Role.WRITE: Step}

    assert operation.name.isidentifier() and operation.name.islower()
    assert issubclass(operation, kinds[operation.role])  # type: ignore[arg-type]
    assert operation.__doc__ and operation.title() not in (operation.name, "")
    assert sum(other.name == operation.name for other in connector.operations) == 1


@every_operation
def test_an_operation_tells_its_effect_for_any_parameters(
    connector: Connector, operation: type[Operation[Any]]
) -> None:
    """Also for parameters that are expressions still, or not there at all."""
    named = dict.fromkeys(operation.Parameters.model_fields, "=unknown")

    assert operation.effect_of({}) in Effect
    assert operation.effect_of(named) in Effect
    if operation.role in (Role.READ, Role.WRITE):
        assert operation.effect_of(named) is Effect.NONE


@every_operation
def test_an_operation_has_outcomes_of_its_own(connector: Connector, operation: type[Operation[Any]]) -> None:
    """The first is the normal one; each stands once."""
    assert operation.outcomes
    assert len(set(operation.outcomes)) == len(operation.outcomes)
    assert all(name.isidentifier() and name.islower() for name in operation.outcomes)


@every_operation
def test_an_operation_declares_its_parameters_and_output(
    connector: Connector, operation: type[Operation[Any]]
) -> None:
    """As models of the sdk, so that everything else can be derived."""
    assert issubclass(operation.Parameters, Parameters)
    assert operation.Output is None or issubclass(operation.Output, Output)


@every_operation
def test_an_operation_can_be_made_without_arguments(connector: Connector, operation: type[Operation[Any]]) -> None:
    """The runtime makes it where it needs it; what it reaches comes with the context."""
    assert operation().name == operation.name


@every_connector
def test_its_defaults_are_json(connector: Connector) -> None:
    """Forms and schemas show them."""
    for model in declared(connector):
        json.dumps(model_schema(model))
