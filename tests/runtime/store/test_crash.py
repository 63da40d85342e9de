"""Every unit that is committed has a name, so that a fault test can end a process before and after it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from runtime.store.crash import UNNAMED, Step

ROOT = Path(__file__).resolve().parents[3]
#: What takes a unit to be committed, and what hands on one that was given to it.
_TAKING = {"transact", "transact_for", "_Job"}
_HANDING_ON = {"transact", "transact_for", "submit"}
#: These have names by what they hold or send, and not by who hands them in.
_BY_CONTENT = ("checkpoint.", "send.")
Place = tuple[ast.ClassDef | ast.FunctionDef, ...]


def test_every_unit_that_the_sources_hand_in_is_a_step_and_every_step_is_handed_in() -> None:
    """A new method that commits has to be declared in ``Step``, and then the table of the fault suite asks for a test
    that dies there; a step whose method is gone is no step."""
    handed_in = {
        name: where
        for folder in ("runtime", "connectors")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, where in _units(path)
    }

    steps = {str(step) for step in Step if not step.startswith(_BY_CONTENT)}
    assert {name: where for name, where in handed_in.items() if name not in steps} == {}
    assert steps - handed_in.keys() == set()


def test_the_sources_are_read_as_they_are_written(tmp_path: Path) -> None:
    """A lambda and a function inside have the name of the method around them, a function of a module its own; what
    only hands on, and a checkpoint, which is named by what it holds, are left out."""
    source = tmp_path / "source.py"
    source.write_text("""
class Accounts:
    def add(self):
        def unit(tx): ...
        self._backend.transact(unit)
    def remove(self):
        return self._backend.transact(lambda tx: tx.run(1), durable=False)
    def transact(self, unit):
        return self.store.transact_for(self.client, unit, True)
    def commit(self):
        return self.transact(crash.checkpoint(lambda tx: 1, given))
    def open(self):
        self.transact(leases.end_all)
def hold(backend):
    def unit(tx): ...
    backend.transact(unit=unit)
def _move(tx): ...
def moved(backend):
    backend.transact(_move)
""")

    named = ["Accounts.add", "Accounts.remove", "end_all", "hold", "_move"]
    assert [name for name, _ in _units(source)] == named


def test_a_unit_without_a_name_ends_a_process_whose_switch_is_set_before_it_is_committed(tmp_path: Path) -> None:
    """It says which unit it is, where it is defined, and what to do; without the switch nobody asks for names."""
    program = tmp_path / "nameless.py"
    program.write_text(f"""
from pathlib import Path
from sqlalchemy import text
from runtime.store.sqlite import SqliteStore
from runtime.store.statements import Statement
def nameless(tx):
    tx.run(Statement(text("INSERT INTO client (id, name, created_at) VALUES ('mercy', 'Mercy', 0)")))
store = SqliteStore(Path({str(tmp_path)!r}) / "orderly.db")
store.transact(nameless)
print(store.client_names())
""")

    def run(point: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ORDERLY_CRASH_AT": point}
        return subprocess.run(
            [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False
        )

    ended = run("checkpoint.end.after")
    assert ended.returncode == UNNAMED
    assert "a unit of __main__.nameless is to be committed" in ended.stderr
    assert "add it to Step in runtime/store/crash.py" in ended.stderr
    assert run("").stdout == "['mercy']\n", "it was not there before"
    assert "is no crash point" in run("other.before").stderr


def _units(path: Path) -> Iterator[tuple[str, str]]:
    """The name that each unit handed in by this file has when it is committed, and where that is."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    for around, call in _calls(module, ()):
        handed_on = around and around[-1].name in _HANDING_ON
        name = "" if handed_on else _name(_unit(call), around)
        if name:
            yield name, f"{path}:{call.lineno}"


def _calls(node: ast.AST, around: Place) -> Iterator[tuple[Place, ast.Call]]:
    """Calls that hand a unit in, with the classes and functions they stand in, outermost first."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from _calls(child, (*around, child))
            continue
        if isinstance(child, ast.Call) and _called(child) in _TAKING and _unit(child) is not None:
            yield around, child
        yield from _calls(child, around)


def _called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _unit(call: ast.Call) -> ast.expr | None:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "unit"]
    return next(iter([*call.args, *named]), None)


def _name(unit: ast.expr | None, around: Place) -> str:
    """As ``__qualname__`` has it, up to the outermost function; empty for a checkpoint."""
    if isinstance(unit, ast.Call) and _called(unit) == "checkpoint":
        return ""
    if isinstance(unit, ast.Attribute):
        return unit.attr
    outermost = next((at for at, node in enumerate(around) if isinstance(node, ast.FunctionDef)), 0)
    inside = {node.name for node in ast.walk(around[outermost]) if isinstance(node, ast.FunctionDef)}
    if isinstance(unit, ast.Name) and unit.id not in inside:
        return unit.id
    return ".".join(node.name for node in around[: outermost + 1])
