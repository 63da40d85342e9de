"""Where the database is, and how it is opened."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import conninfo

from connectors.sdk import Misconfigured
from runtime.store.postgresql_session import Session, Text
from runtime.store.store import Unavailable

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
#: Unless the address says otherwise. A peer that vanished without a word is noticed by the operating system within
#: half a minute.
_DEFAULTS = {
    "connect_timeout": "10", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
    "tcp_user_timeout": "30000", "client_encoding": "UTF8",
}  # fmt: skip
#: A session that stands still in the middle of a unit (its process was stopped) gives its locks back after 10 s.
_SETTINGS = Text(
    "SELECT set_config('search_path', %(schema)s, false),"
    " set_config('statement_timeout', %(patience)s, false),"
    " set_config('idle_in_transaction_session_timeout', '10s', false),"
    " set_config('jit', 'off', false),"
    " set_config('synchronous_commit', CASE WHEN %(relaxed)s = 'yes' THEN 'off'"
    " WHEN current_setting('synchronous_commit') = 'off' THEN 'on'"
    " ELSE current_setting('synchronous_commit') END, false)"
)
_MARK = Text(
    "INSERT INTO last_unit (session, number, at)"
    " VALUES (%(session)s, 0, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
)


@dataclass(frozen=True)
class Address:
    """``url`` as libpq takes it (``postgresql://user:password@host:5432/database?sslmode=require``); it is not
    shown. Raises ``Misconfigured`` for one that cannot be read and for a schema that is no plain name."""

    url: str = field(repr=False)
    schema: str = "orderly"

    def __post_init__(self) -> None:
        if not _SCHEMA.fullmatch(self.schema):
            raise Misconfigured(
                f"schema {self.schema!r} cannot be used", next_action="use small letters, digits and underscores"
            )
        try:
            conninfo.conninfo_to_dict(self.url)
        except psycopg.Error as error:
            raise Misconfigured(
                f"ORDERLY_STORE is not the address of a PostgreSQL database ({str(error).strip()})",
                next_action="write postgresql://user:password@host:5432/database",
            ) from error

    @property
    def where(self) -> str:
        """Host, port, database and schema, as errors name them; never the password."""
        parts = conninfo.conninfo_to_dict(self.url)
        host, port = parts.get("host", "localhost"), parts.get("port", 5432)
        return f"{host}:{port}/{parts.get('dbname', '')} schema {self.schema}"

    def connect(self, application: str) -> psycopg.Connection[Any]:
        """In autocommit. Raises ``Unavailable``."""
        parts = {**_DEFAULTS, **conninfo.conninfo_to_dict(self.url), "application_name": application}
        try:
            return psycopg.connect(conninfo.make_conninfo("", **parts), autocommit=True)
        except psycopg.Error as error:
            why = " ".join(str(error).split())
            raise Unavailable(
                f"nothing was stored: PostgreSQL at {self.where} cannot be reached ({why})."
                " See that it runs and that ORDERLY_STORE names its host, port, user, password and database"
            ) from error

    def session(self, patience: float, *, relaxed: bool) -> Session:
        """Ready for units. Raises ``Unavailable``."""
        mark = f"orderly {secrets.token_hex(8)}"
        session = Session(self.connect(mark), self.where, mark, patience * 1.2)
        settings = [f'"{self.schema}"', f"{int(patience * 1000)}ms", "yes" if relaxed else "no"]
        try:
            session.send(_SETTINGS, [value.encode() for value in settings])
            session.send(_MARK, [mark.encode()])
            session.sync()
        except BaseException:
            session.close()
            raise
        return session
