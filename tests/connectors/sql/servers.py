"""The databases of these tests: PostgreSQL and MariaDB over sockets, SQLite in a file. Each test has tables of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from connectors.sql.connector import Collect, Query, Write
from connectors.sql.polling import PollParameters
from connectors.sql.settings import SqlSettings
from tests.connectors.file.contract import Door
from tests.harness import MemoryContext

_MARIADB = Path("/usr/sbin/mariadbd")
_HOW = "apt-get install -y mariadb-server, or name a database in ORDERLY_TEST_MARIADB"


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """The URL of one: of ORDERLY_TEST_MARIADB, else of a server of our own. Skips the test where neither is there."""
    given = os.environ.get("ORDERLY_TEST_MARIADB")
    if given:
        yield given
        return
    if given == "" or not _MARIADB.exists() or shutil.which("mariadb-install-db") is None:
        pytest.skip(f"no MariaDB: {_HOW}")
    who = ["--user=root"] if os.geteuid() == 0 else []
    install = [
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={folder}",
        "--auth-root-authentication-method=normal",
    ]
    subprocess.run([*install, "--skip-test-db", *who], check=True, capture_output=True, timeout=100)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = [
        f"--datadir={folder}",
        f"--socket={folder}/s",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
    ]
    server = subprocess.Popen([_MARIADB, "--no-defaults", *own, *who], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    told = ""
    for line in server.stderr:
        told += line
        if "ready for connections" in line:
            break
    else:
        raise AssertionError(f"mariadbd did not start:\n{told}")
    try:
        engine = sa.create_engine(f"mariadb+pymysql://root@127.0.0.1:{port}/mysql")
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE DATABASE orderly")
            connection.exec_driver_sql("CREATE USER orderly@'127.0.0.1' IDENTIFIED BY 's3cret'")
            connection.exec_driver_sql("GRANT ALL ON orderly.* TO orderly@'127.0.0.1'")
        engine.dispose()
        yield f"mariadb://orderly:s3cret@127.0.0.1:{port}/orderly"
    finally:
        server.terminate()
        server.communicate(timeout=60)


@dataclass
class Database:
    """``table`` is a name that no other test has; ``sql`` asks by a connection of its own."""

    url: str
    table: str = field(default_factory=lambda: f"orderly_test_{secrets.token_hex(6)}")

    def __post_init__(self) -> None:
        drivers = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
        full = make_url(self.url)
        self.system = full.get_backend_name()
        self._engine = sa.create_engine(full.set(drivername=drivers.get(full.drivername, full.drivername)))
        self.settings = SqlSettings.model_validate(
            {
                "url": sa.URL.create(
                    full.drivername, host=full.host, port=full.port, database=full.database
                ).render_as_string(),
                "user": full.username or "",
                "password": full.password,
                "tls": "off",
            }
        )
        self.context = MemoryContext(self.settings)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with self._engine.begin() as connection:
            result = connection.exec_driver_sql(statement.replace("TABLE_", self.table))
            return [tuple(row) for row in result] if result.returns_rows else []

    def query(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        parameters = Query.Parameters.model_validate(
            {"statement": statement.replace("TABLE_", self.table), "values": values}
        )
        return Query().run(parameters, self.context).rows  # type: ignore[arg-type]

    def write(self, *statements: dict[str, Any]) -> Any:
        named = [{**one, "statement": one["statement"].replace("TABLE_", self.table)} for one in statements]
        return Write().run(Write.Parameters.model_validate({"statements": named}), self.context)  # type: ignore[arg-type]

    def poll(self, door: Door, **parameters: Any) -> int:
        """As the runtime does: what an arrival says of the cursor is what the next poll is told."""
        for name in ("statement", "mark"):
            if name in parameters:
                parameters[name] = parameters[name].replace("TABLE_", self.table)
        seen = len(door.arrivals)
        try:
            return Collect().poll(PollParameters.model_validate(parameters), self.context, door)
        finally:
            for arrival in door.arrivals[seen:]:
                self.context.come_to = self.context.come_to if arrival.cursor is None else arrival.cursor

    def close(self) -> None:
        self.context.close()
        self.sql("DROP TABLE IF EXISTS TABLE_")
        self._engine.dispose()
