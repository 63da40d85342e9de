"""Imports go one way, names say what a thing is, and no error is swallowed unseen."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: The house, top first: a row knows the rows below it. Rooms of one row do not know each other.
ROWS = [
    {"cli"},
    {"console", "api"},
    {"services"},
    {"intake"},
    {"governance"},
    {"engine"},
    {"access", "masterdata", "observe"},
    {"store"},
    {"model"},
    {"mapping"},
]
FLOORS = {room: -row for row, rooms in enumerate(ROWS) for room in rooms}

FORBIDDEN = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}

SOURCES = sorted(path for folder in ("connectors", "runtime") for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions and for types only."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    """The room of a module of the runtime; the package itself is none."""
    parts = module.split(".")
    return parts[1] if parts[0] == "runtime" and len(parts) > 1 else ""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_room_has_a_floor() -> None:
    """A new room is given its place on purpose."""
    data = {"schemas", "base", "demo_pack"}
    rooms = {room(module_of(path)) for path in SOURCES} - {""}

    assert rooms - data - FLOORS.keys() == set()


def test_imports_go_down_only() -> None:
    """A room knows those below it, never one above or beside it."""
    wrong = [
        f"{module_of(path)} imports {name}"
        for path in SOURCES
        for name in imports(path)
        if (here := room(module_of(path))) in FLOORS and (there := room(name)) in FLOORS
        if here != there and FLOORS[here] <= FLOORS[there]
    ]

    assert wrong == []


def test_the_runtime_imports_no_connector_by_name() -> None:
    """It knows the sdk and discovers the rest by entry point."""
    wrong = [
        f"{module_of(path)} imports {name}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "runtime")
        for name in imports(path)
        if name.startswith("connectors.") and not name.startswith("connectors.sdk")
    ]

    assert wrong == []


def test_connectors_import_the_sdk_and_at_most_another_ones_codec() -> None:
    """A connector can be lifted out; a simulator may speak through any of them."""
    wrong = []
    for path in SOURCES:
        here = module_of(path).split(".")[:2]
        if here[0] != "connectors" or here[1:] in ([], ["simulators"]):
            continue
        for name in imports(path):
            parts = name.split(".")
            elsewhere = parts[0] == "connectors" and len(parts) > 1 and parts[1] not in (here[1], "sdk")
            if elsewhere and parts[2:3] != ["codec"]:
                wrong.append(f"{module_of(path)} imports {name}")

    assert wrong == []


def test_nothing_below_imports_the_runtime() -> None:
    """Connectors, the sdk and the simulators run without it."""
    wrong = [
        f"{module_of(path)} imports {name}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "connectors")
        for name in imports(path)
        if name.split(".")[0] == "runtime"
    ]

    assert wrong == []


def test_the_sdk_imports_no_connector() -> None:
    """It is what they all stand on."""
    wrong = [
        f"{module_of(path)} imports {name}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "connectors" / "sdk")
        for name in imports(path)
        if name.startswith("connectors.") and not name.startswith("connectors.sdk")
    ]

    assert wrong == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    """A module is named after what it is about."""
    found = [path for path in SOURCES if {path.stem, *path.relative_to(ROOT).parent.parts} & FORBIDDEN]

    assert found == []


def test_no_error_is_swallowed_unseen() -> None:
    """Who catches everything raises again, hands the error on, or logs it whole; or says why not."""
    wrong = [
        f"{path.relative_to(ROOT)}:{handler.lineno}"
        for path in SOURCES
        for handler in ast.walk(ast.parse(path.read_text()))
        if isinstance(handler, ast.ExceptHandler) and catches_all(handler) and not passes_on(handler)
        if "noqa: BLE001" not in path.read_text().splitlines()[handler.lineno - 1]
    ]

    assert wrong == []


def catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return bool(
        {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} & {"Exception", "BaseException"}
    )


def passes_on(handler: ast.ExceptHandler) -> bool:
    inside = [node for statement in handler.body for node in ast.walk(statement)]
    logged = any(isinstance(node, ast.keyword) and node.arg == "exc_info" for node in inside)
    return logged or any(isinstance(node, ast.Raise) for node in inside)


def test_no_clause_is_bare() -> None:
    """``except:`` says nothing of what is expected."""
    wrong = [
        f"{path.relative_to(ROOT)}:{handler.lineno}"
        for path in SOURCES
        for handler in ast.walk(ast.parse(path.read_text()))
        if isinstance(handler, ast.ExceptHandler) and handler.type is None
    ]

    assert wrong == []


def test_the_marked_borders_are_few() -> None:
    """Each place that catches everything is a decision; more than these need another look."""
    marked = [path for path in SOURCES for line in path.read_text().splitlines() if "noqa: BLE001" in line]

    assert len(marked) <= 6, [str(path.relative_to(ROOT)) for path in marked]


@pytest.mark.parametrize("module", ["pickle", "marshal", "shelve", "yaml"])
def test_nothing_reads_data_that_can_be_code(module: str) -> None:
    """Expressions are data, and so is everything that is stored."""
    wrong = [module_of(path) for path in SOURCES if module in {name.split(".")[0] for name in imports(path)}]

    assert wrong == []
