"""One session of PostgreSQL, spoken to through libpq's pipeline mode.

Statements are prepared once per session and sent without waiting; an answer is waited for where one is needed.
That costs a quarter of the processor time of a cursor, and one round trip where there were several: a unit takes
one for each answer it reads, and one for everything that is left together with COMMIT. Most commits of a run read
none.

Source: PostgreSQL documentation, "libpq - C Library", sections *Asynchronous Command Processing* and
*Pipeline Mode*.
"""

from __future__ import annotations

import itertools
import re
import select
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

from runtime.store.postgresql_errors import Lost, failed

Value = bytes | None
_NAMED = re.compile(r"%\((\w+)\)s|%%")
_numbers = itertools.count(1)
#: Texts that are seen less often are parsed each time and leave nothing behind in the server; nor do those that
#: come when a session keeps so many.
_WORTH_KEEPING, _MOST_KEPT = 3, 400


class Text:
    """SQL as the server takes it. ``names`` says which parameter stands at ``$1``, ``$2``, …"""

    __slots__ = ("name", "names", "readers", "sql", "used")

    def __init__(self, sql: str, name: str = "") -> None:
        self.names: list[str] = []
        self.sql = _NAMED.sub(self._numbered, sql).encode()
        self.name = (name or f"s{next(_numbers)}").encode()
        self.used = _WORTH_KEEPING if name else 0
        self.readers: list[Any] | None = None

    def _numbered(self, match: re.Match[str]) -> str:
        if match[1] is None:
            return "%"
        self.names.append(match[1])
        return f"${len(self.names)}"


@lru_cache(maxsize=2000)
def text(sql: str) -> Text:
    """Of SQL with parameters written ``%(name)s``."""
    return Text(sql)


class Session:
    """Not shared between threads at one time. ``patience`` is how many seconds an answer may take; ``mark``
    names the session in the server (it is its application name) and ``number`` is that of its latest unit."""

    def __init__(self, connection: psycopg.Connection[Any], where: str, mark: str, patience: float) -> None:
        self._connection = connection
        self._libpq = connection.pgconn
        self._poll = select.poll()
        self._poll.register(self._libpq.socket, select.POLLIN)
        self._prepared: set[bytes] = set()
        self._queued: list[bytes] = []
        self._behind: list[list[bytes]] = []
        self._patience = patience
        self.where = where
        self.mark = mark
        self.number = 0
        self.pid = self._libpq.backend_pid
        self._libpq.enter_pipeline_mode()

    @property
    def usable(self) -> bool:
        return self._libpq.status == ConnStatus.OK

    @property
    def queued(self) -> int:
        return len(self._queued)

    def send(self, statement: Text, values: Sequence[Value]) -> None:
        """Without waiting: its result is one of the next ``sync``. Raises ``Lost``."""
        try:
            if statement.name in self._prepared:
                self._libpq.send_query_prepared(statement.name, values)
            elif statement.used < _WORTH_KEEPING or len(self._prepared) >= _MOST_KEPT:
                statement.used += 1
                self._libpq.send_query_params(statement.sql, values)
            else:
                self._libpq.send_prepare(statement.name, statement.sql)
                self._queued.append(statement.name)
                self._prepared.add(statement.name)
                self._libpq.send_query_prepared(statement.name, values)
            self._queued.append(b"")
        except psycopg.Error as error:
            raise self._lost(str(error)) from error

    def sync(self) -> list[PGresult]:
        """Results of what was sent since the last time, in that order. Raises ``Failed`` where the server refused
        one (the others were not carried out, or are undone with the transaction), and ``Lost``."""
        self.leave()
        while len(self._behind) > 1:
            self._answers()
        results, refused = self._answers()
        if refused is not None:
            sqlstate = (refused.error_field(DiagnosticField.SQLSTATE) or b"").decode()
            message = (refused.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode(errors="replace")
            if not self.usable:
                raise self._lost(message)
            raise failed(sqlstate, message, self.where)
        return results

    def leave(self) -> None:
        """Sends what is queued; what becomes of it is read, and ignored, by the next ``sync``."""
        try:
            self._libpq.pipeline_sync()
            self._behind.append(self._queued)
            self._queued = []
            while self._libpq.flush():
                self._wait(select.POLLIN | select.POLLOUT)
        except psycopg.Error as error:
            raise self._lost(str(error)) from error

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    def _answers(self) -> tuple[list[PGresult], PGresult | None]:
        """The results of one group, without those of PREPARE, and the first refusal in it."""
        results: list[PGresult] = []
        refused: PGresult | None = None
        try:
            for name in self._behind[0]:
                result = self._result()
                if result.status in (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED):
                    self._prepared.discard(name)
                    refused = refused or result
                elif not name:
                    results.append(result)
            while self._result().status != ExecStatus.PIPELINE_SYNC:
                pass
        except psycopg.Error as error:
            raise self._lost(str(error)) from error
        except Lost:
            if refused is None:
                raise
        except BaseException:
            self.close()
            raise
        del self._behind[0]
        return results, refused

    def _result(self) -> PGresult:
        """The next one; between two there is one that says "no more of this statement"."""
        for _ in range(3):
            while self._libpq.is_busy():
                self._wait(select.POLLIN)
            result = self._libpq.get_result()
            if result is not None:
                return result
        raise self._lost("the server closed the connection")

    def _wait(self, events: int) -> None:
        if events != select.POLLIN:
            self._poll.modify(self._libpq.socket, events)
        until = time.monotonic() + self._patience
        ready = self._poll.poll(self._patience * 1000)
        if events != select.POLLIN:
            self._poll.modify(self._libpq.socket, select.POLLIN)
        if not ready and time.monotonic() >= until:
            raise self._lost(f"no answer within {self._patience:g} s")
        if not ready or ready[0][1] != select.POLLOUT:
            self._libpq.consume_input()

    def _lost(self, why: str) -> Lost:
        self.close()
        return Lost(
            f"the connection to PostgreSQL at {self.where} was lost ({why.strip()}); it is opened again by itself,"
            " look at the log of the database if it stays away"
        )
