"""What queries, writes and polls promise, on each database that is supported."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.sdk import ConnectorError, CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.sql.connector import Query, QueryParameters, connector
from connectors.sql.polling import PollParameters
from connectors.sql.settings import SqlSettings
from tests.connectors.file.contract import Door
from tests.connectors.readme import examples
from tests.connectors.sql.servers import Database
from tests.harness import MemoryContext

CREATE = "CREATE TABLE TABLE_ (id INTEGER PRIMARY KEY, name VARCHAR(40), price NUMERIC(18,4), at TIMESTAMP NULL)"
NASTY = "x'; DROP TABLE orders; -- \" \\ % :name"


@pytest.fixture
def filled(database: Database) -> Database:
    database.sql(CREATE)
    database.sql("INSERT INTO TABLE_ VALUES (1, 'gloves', 12.5, '2026-11-22 08:00:00'), (2, 'gauze', 3.99, NULL)")
    return database


def test_rows_come_by_the_names_of_their_columns(filled: Database) -> None:
    """Amounts as text, times as ISO 8601, null as null."""
    rows = filled.query("SELECT id, name, price, at FROM TABLE_ ORDER BY id")

    assert [(row["id"], row["name"]) for row in rows] == [(1, "gloves"), (2, "gauze")]
    assert rows[1]["at"] is None
    if filled.system != "sqlite":  # which has neither decimals nor times
        assert (rows[0]["price"], rows[0]["at"]) == ("12.5000", "2026-11-22T08:00:00")


def test_a_value_is_never_part_of_a_statement(filled: Database) -> None:
    """Whatever is in it, it comes back as it was."""
    filled.write(
        {"statement": "INSERT INTO TABLE_ (id, name) VALUES (:id, :name)", "values": {"id": 3, "name": NASTY}}
    )

    assert filled.query("SELECT name FROM TABLE_ WHERE name = :name", name=NASTY) == [{"name": NASTY}]
    assert len(filled.sql("SELECT * FROM TABLE_")) == 3


def test_a_value_is_taken_for_what_its_column_is(filled: Database) -> None:
    """Text of a date is compared as a time, text of a number as a number."""
    found = filled.query(
        "SELECT id FROM TABLE_ WHERE at > :since AND price > :least", since="2026-01-01", least="9.5"
    )

    assert found == [{"id": 1}]


@pytest.mark.parametrize("values", [{}, {"id": 1, "more": 2}])
def test_values_that_do_not_fit_the_statement_are_misconfigured(filled: Database, values: dict[str, int]) -> None:
    """One is missing, or one is too many."""
    with pytest.raises(Misconfigured, match=r":id has no value|more is not in it"):
        filled.query("SELECT * FROM TABLE_ WHERE id = :id", **values)


def test_a_query_can_change_nothing(filled: Database) -> None:
    """The database itself refuses, so the effect is none whatever the statement says."""
    with pytest.raises(Rejected, match="refused a statement"):
        filled.query("DELETE FROM TABLE_")
    filled.write({"statement": "DELETE FROM TABLE_ WHERE id = 1"})

    assert filled.sql("SELECT id FROM TABLE_") == [(2,)]


def test_more_rows_than_asked_for_are_refused(filled: Database) -> None:
    """They are in memory; half an answer is none."""
    parameters = QueryParameters(statement=f"SELECT id FROM {filled.table}", most=1)

    with pytest.raises(Rejected, match="more than 1 rows"):
        Query().run(parameters, filled.context)


def test_two_columns_of_one_name_are_refused(filled: Database) -> None:
    """One of them would be lost."""
    with pytest.raises(Rejected, match="two columns 'id'"):
        filled.query("SELECT a.id, b.id FROM TABLE_ a, TABLE_ b")


def test_bytes_are_refused_by_name(filled: Database) -> None:
    """With what to write instead."""
    bytes_ = {"sqlite": "x'00'", "postgresql": "'\\\\000'::bytea", "mariadb": "x'00'"}[filled.system]

    with pytest.raises(Rejected, match="column 'raw' is bytes") as refused:
        filled.query(f"SELECT {bytes_.replace(':', chr(92) + ':')} AS raw")

    assert "base64" in refused.value.next_action


def test_statements_are_run_all_or_not_at_all(filled: Database) -> None:
    """The second fails, so the first has not happened."""
    with pytest.raises(Rejected, match="refused a value") as refused:
        filled.write(
            {"statement": "UPDATE TABLE_ SET name = 'other' WHERE id = 1"},
            {
                "statement": "INSERT INTO TABLE_ (id, name) VALUES (:id, :name)",
                "values": {"id": 2, "name": "patient-x"},
            },
        )

    assert filled.sql("SELECT name FROM TABLE_ WHERE id = 1") == [("gloves",)]
    assert "patient-x" not in f"{refused.value.message}{refused.value.details}"


def test_one_statement_may_be_run_for_many_values(filled: Database) -> None:
    """The output tells how many rows each statement changed."""
    done = filled.write(
        {"statement": "INSERT INTO TABLE_ (id) VALUES (:id)", "values": [{"id": 7}, {"id": 8}]},
        {"statement": "UPDATE TABLE_ SET name = 'x' WHERE id > 6", "changes": 2},
    )

    assert done.changed == [2, 2]


def test_another_number_of_rows_than_expected_rolls_back(filled: Database) -> None:
    """As where somebody else changed the row meanwhile."""
    with pytest.raises(Rejected, match=r"would have changed 0 rows .* not 1") as refused:
        filled.write(
            {"statement": "UPDATE TABLE_ SET name = 'other' WHERE id = 1"},
            {"statement": "UPDATE TABLE_ SET name = 'x' WHERE id = 99", "changes": 1},
        )

    assert refused.value.details["field"] == "statements/1"
    assert filled.sql("SELECT name FROM TABLE_ WHERE id = 1") == [("gloves",)]


def test_returning_gives_rows(filled: Database) -> None:
    """Such as the number that the database gave."""
    done = filled.write(
        {
            "statement": "INSERT INTO TABLE_ (id, name) VALUES (:id, 'x') RETURNING id, name",
            "values": [{"id": 5}, {"id": 6}],
        }
    )

    assert done.rows == [{"id": 5, "name": "x"}, {"id": 6, "name": "x"}]
    assert done.changed == [2]
    assert len(filled.sql("SELECT * FROM TABLE_")) == 4


def test_a_wrong_statement_is_told_in_the_words_of_the_database(filled: Database) -> None:
    """Names of tables and columns are no secrets, and say what is wrong."""
    with pytest.raises(Rejected, match="nocolumn") as refused:
        filled.query("SELECT nocolumn FROM TABLE_")

    assert refused.value.next_action


def test_rows_are_polled_past_a_cursor(filled: Database) -> None:
    """Each once; it moves with the last row of a value, once that is stored."""
    door = Door()
    asked = {
        "statement": "SELECT id, name FROM TABLE_ WHERE id > :cursor ORDER BY id",
        "cursor": "id",
        "identity": "id",
    }

    counts = [filled.poll(door, maximum=1, **asked) for _ in range(3)]
    filled.sql("INSERT INTO TABLE_ (id, name) VALUES (9, 'new')")
    counts.append(filled.poll(door, **asked))

    assert counts == [1, 1, 0, 1]
    assert [json.loads(arrival.raw) for arrival in door.arrivals] == [
        {"id": 1, "name": "gloves"},
        {"id": 2, "name": "gauze"},
        {"id": 9, "name": "new"},
    ]
    assert [arrival.identity for arrival in door.arrivals] == ['{"id":1}', '{"id":2}', '{"id":9}']


def test_rows_of_one_cursor_value_are_taken_together(filled: Database) -> None:
    """Or those that are left would never come."""
    filled.sql("UPDATE TABLE_ SET price = 5")
    filled.sql("INSERT INTO TABLE_ (id, price) VALUES (3, 6), (4, 6)")
    asked = {
        "statement": "SELECT id, CAST(price AS INTEGER) AS step FROM TABLE_ WHERE price > :cursor ORDER BY price, id",
        "cursor": "step",
    }
    asked["statement"] = asked["statement"].replace(
        "INTEGER", "SIGNED" if filled.system == "mariadb" else "INTEGER"
    )
    door = Door()

    first = filled.poll(door, maximum=3, **asked)
    second = filled.poll(door, maximum=3, **asked)

    assert (first, second) == (2, 2)
    with pytest.raises(Rejected, match="more than 1 rows have the same 'step'"):
        filled.context.come_to = 0
        filled.poll(Door(), maximum=1, **asked)


def test_a_poll_that_is_not_in_order_takes_nothing(filled: Database) -> None:
    """Its cursor would pass rows that were not taken."""
    door = Door()

    with pytest.raises(Rejected, match="do not come in the order of 'id'"):
        filled.poll(door, statement="SELECT id FROM TABLE_ WHERE id > :cursor ORDER BY id DESC", cursor="id")

    assert door.arrivals == []


def test_rows_are_marked_once_they_are_stored(filled: Database) -> None:
    """One that could not be stored comes again, in any order of commits."""
    asked = {
        "statement": "SELECT id, name FROM TABLE_ WHERE name <> 'taken' ORDER BY id",
        "mark": "UPDATE TABLE_ SET name = 'taken' WHERE id = :id",
    }
    door = Door()
    door.full = True
    with pytest.raises(NotSent):
        filled.poll(door, **asked)
    untouched = filled.sql("SELECT name FROM TABLE_ ORDER BY id")
    door.full = False

    assert untouched == [("gloves",), ("gauze",)]
    assert [filled.poll(door, **asked), filled.poll(door, **asked)] == [2, 0]
    assert filled.sql("SELECT name FROM TABLE_ ORDER BY id") == [("taken",), ("taken",)]


def test_check_tells_the_system_and_its_version(filled: Database) -> None:
    """One sentence."""
    assert connector.check is not None

    told = connector.check(filled.context)

    assert told.ok
    assert f"answers: {filled.system}" in told.message


def test_threads_work_side_by_side(filled: Database) -> None:
    """Each transaction has a connection of its own."""

    def work(number: int) -> None:
        filled.write({"statement": "INSERT INTO TABLE_ (id) VALUES (:id)", "values": {"id": number}})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(100, 106)))

    assert len(filled.sql("SELECT * FROM TABLE_ WHERE id >= 100")) == 6


def test_a_statement_that_takes_too_long_is_ended(served: Database) -> None:
    """And may be tried again: it was rolled back."""
    sleep = {"postgresql": "SELECT pg_sleep(90)", "mariadb": "SELECT SLEEP(90)"}
    served.context = MemoryContext(
        served.settings.model_copy(update={"statement_timeout": timedelta(milliseconds=500)})
    )

    with pytest.raises(NotSent, match="took longer"):
        served.query(sleep[served.system])


def test_a_wrong_password_and_an_unknown_database_are_told(guarded: Database) -> None:
    """The first pauses the connection; neither shows the password."""
    right = guarded.settings.model_dump()
    with pytest.raises(CredentialsRefused) as refused:
        ask(right | {"password": "wr0ng-one"})
    with pytest.raises(CredentialsRefused):
        ask(right | {"url": guarded.settings.url + "_nowhere"})

    assert "wr0ng-one" not in f"{refused.value.message}{refused.value.details}{refused.value.__cause__}"


def ask(settings: dict[str, Any]) -> None:
    context = MemoryContext(SqlSettings.model_validate(settings))
    try:
        Query().run(QueryParameters(statement="SELECT 1 AS one"), context)
    finally:
        context.close()


def test_a_server_without_tls_is_refused_by_default(served: Database) -> None:
    """Password and rows would go in clear."""
    with pytest.raises((Misconfigured, NotSent)) as told:
        ask(served.settings.model_dump() | {"tls": "verify"})

    assert told.value.next_action


def test_nobody_listening_is_not_sent() -> None:
    """Naming host and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for system in ("postgresql", "mariadb"):
        with pytest.raises(NotSent, match=f"no connection to database erp on 127.0.0.1:{port}"):
            ask({"url": f"{system}://127.0.0.1:{port}/erp", "tls": "off"})


def test_a_database_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A misspelt path would otherwise be an empty database."""
    with pytest.raises(Misconfigured, match="there is no database"):
        ask({"url": f"sqlite:///{tmp_path}/none.db"})

    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"url": "postgresql://u:p@h/d"}, "settings of their own"),
        ({"url": "nonsense"}, "not an address"),
        ({"url": "postgresql://h"}, "names no database"),
        ({"url": "postgresql://h/d", "statement_timeout": "0s"}, "longer than nothing"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str], why: str) -> None:
    """Lint says the same, and no secret is in what it says."""
    with pytest.raises(ValidationError, match=why) as refused:
        SqlSettings.model_validate(settings)

    assert "u:p@" not in str(refused.value)


def test_a_driver_that_is_not_installed_is_named() -> None:
    """With what to install."""
    with pytest.raises(Misconfigured, match="oracle") as refused:
        ask({"url": "oracle+oracledb://h/d"})

    assert "install" in refused.value.next_action


@pytest.mark.parametrize("wrong", [{}, {"cursor": "id", "mark": "UPDATE x"}])
def test_a_poll_says_how_rows_are_known_to_be_taken(wrong: dict[str, str]) -> None:
    """One way, not none and not two."""
    with pytest.raises(ValidationError, match="either cursor"):
        PollParameters.model_validate({"statement": "SELECT 1", **wrong})


def test_the_example_of_the_readme_works(database: Database) -> None:
    """Written once, and found by the look-up."""
    database.sql("CREATE TABLE TABLE_ (reference VARCHAR(40) PRIMARY KEY, number VARCHAR(40))")
    connection, node = (json.loads(text) for _, text in examples("sql"))
    book, look_up = node["parameters"]["statements"][0], node["look_up"]["parameters"]
    given = {"=$run.effect_key": "k1", "=number": "4711"}

    def filled_in(values: dict[str, str]) -> dict[str, str]:
        return {name: given[value] for name, value in values.items()}

    before = database.query(look_up["statement"].replace("orders", "TABLE_"), **filled_in(look_up["values"]))
    database.write(
        {"statement": book["statement"].replace("orders", "TABLE_"), "values": filled_in(book["values"])}
    )
    after = database.query(look_up["statement"].replace("orders", "TABLE_"), **filled_in(look_up["values"]))

    assert (before, after) == ([], [{"number": "4711"}])
    assert SqlSettings.model_validate(connection["settings"]).address().host == "erp-db.example"


@pytest.fixture
def relay(served: Database) -> Iterator[Cut]:
    served.sql(CREATE)
    served.sql("INSERT INTO TABLE_ (id, name) VALUES (1, 'gloves')")
    made = Cut(served)
    yield made
    made.close()


class Cut:
    """Passes bytes on to the database until it is told to cut at the first that hold ``word``."""

    def __init__(self, database: Database) -> None:
        self.word: bytes | None = None
        url = database.settings.address()
        self._target = (url.host or "", url.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            for source, sink in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pass, args=(source, sink, source is near))
                thread.start()
                self._threads.append(thread)

    def _pass(self, source: socket.socket, sink: socket.socket, asks: bool) -> None:
        while True:
            try:
                data = source.recv(65536)
                if not data or (asks and self.word is not None and self.word in data.upper()):
                    break
                sink.sendall(data)
            except OSError:
                break
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)


@pytest.mark.parametrize(("word", "error"), [(b"UPDATE", NotSent), (b"COMMIT", OutcomeUnknown)])
def test_a_connection_lost_before_and_while_it_commits(
    served: Database, relay: Cut, word: bytes, error: type[ConnectorError]
) -> None:
    """Before: nothing has happened. While: nobody knows, so a look-up is asked."""
    port = str(served.settings.address().port)
    served.context = MemoryContext(
        served.settings.model_copy(update={"url": served.settings.url.replace(f":{port}/", f":{relay.port}/")})
    )
    served.query("SELECT 1 AS one")
    relay.word = word

    with pytest.raises(error) as told:
        served.write({"statement": "UPDATE TABLE_ SET name = 'other' WHERE id = 1"})
    served.context.close()

    assert told.value.next_action
    assert served.sql("SELECT name FROM TABLE_ WHERE id = 1") == [("gloves",)]
