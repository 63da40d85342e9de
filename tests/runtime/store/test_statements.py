"""One SQL for every backend, compiled once."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from sqlalchemy import Dialect, bindparam, make_url, select

import runtime.access
import runtime.store
from runtime.store import tables
from runtime.store.connection import DIALECT
from runtime.store.statements import Statement

POSTGRESQL = make_url("postgresql://").get_dialect()()


def statements() -> Iterator[tuple[str, Statement]]:
    for package in (runtime.store, runtime.access):
        for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            for name, value in vars(importlib.import_module(found.name)).items():
                for statement in value if isinstance(value, list) else [value]:
                    if isinstance(statement, Statement):
                        yield f"{found.name}.{name}", statement


@pytest.mark.parametrize("dialect", [DIALECT, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_every_statement_compiles_for_every_backend(dialect: Dialect) -> None:
    compiled = {name: statement.compiled(dialect)[0] for name, statement in statements()}

    assert len(compiled) > 80
    assert all(compiled.values())


def test_statements_of_a_checkpoint_leave_no_value_to_be_filled_in() -> None:
    """Constants stand in the SQL, so that partial indexes are used and no parameters are merged."""
    written = [
        item for item in statements() if item[0].startswith(("runtime.store.commits", "runtime.store.loading"))
    ]

    assert len(written) > 15
    assert [name for name, statement in written if statement.compiled(DIALECT)[1]] == []


def test_a_statement_is_compiled_once_per_dialect() -> None:
    statement = Statement(select(tables.run.c.id).where(tables.run.c.id == bindparam("id")))

    assert statement.compiled(DIALECT) is statement.compiled(DIALECT)
    assert statement.compiled(DIALECT) != statement.compiled(POSTGRESQL)
