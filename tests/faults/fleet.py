"""``orderly web``, ``worker`` and ``clock`` as processes of their own over PostgreSQL and a broker."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from runtime.cli.remote import Remote
from tests.faults.server import ORDERLY
from tests.runtime.console.house import until

_POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"
_HOW = "apt-get install -y postgresql and let postgres in from 127.0.0.1, or name one in ORDERLY_TEST_POSTGRESQL"


@contextmanager
def database() -> Iterator[str]:
    """The URL of an empty database, dropped at the end. Skips the test where there is no PostgreSQL."""
    admin = os.environ.get("ORDERLY_TEST_POSTGRESQL", _POSTGRESQL)
    if not admin:
        pytest.skip(f"ORDERLY_TEST_POSTGRESQL is empty: {_HOW}")
    name = f"orderly_test_{secrets.token_hex(6)}"
    try:
        psycopg.connect(admin, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        if "ORDERLY_TEST_POSTGRESQL" in os.environ:
            raise
        pytest.skip(f"PostgreSQL does not answer ({' '.join(str(error).split())}): {_HOW}")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(admin)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Process:
    """One of the fleet, started. ``facts`` is what it said of itself, empty where it was told to die and did before;
    its log is a file."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        told_to_die = environment.get("ORDERLY_CRASH_AT")
        assert said or (told_to_die and self._process.wait() == -signal.SIGKILL), (
            f"it ended with {self._process.wait()}: {log.read_text()}"
        )
        self.facts: dict[str, Any] = json.loads(said or "{}")
        assert "error" not in self.facts, self.facts

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self.exit_code()

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: not one instruction more until ``go_on``; connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def exit_code(self) -> int:
        """Waits for the end."""
        code = self._process.wait(timeout=120)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def end(self) -> None:
        if self._process.poll() is None:
            self.kill()

    def health(self, path: str) -> int:
        """The status of ``/health/<path>``; 0 where nobody answers any more."""
        try:
            with urllib.request.urlopen(f"{self.facts['health']}/health/{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def says(self, words: str) -> bool:
        return words in self.log.read_text()

    def wait_says(self, words: str, seconds: float = 30.0) -> None:
        until(lambda: self.says(words), f"{words!r} in {self.log}", seconds)


class Fleet:
    """Processes that share a store, a broker, a pack and a data folder, and variables of their environment."""

    def __init__(
        self, folder: Path, pack: Path, store: str, broker: str, queue: str,
        variables: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.data = folder / "data"
        self._folder = folder
        self._pack = pack
        self._store = store
        self._environment = {
            **os.environ, "ORDERLY_STORE": store, "ORDERLY_BROKER": broker, "ORDERLY_QUEUE": queue,
            **(variables or {}),
        }  # fmt: skip
        self._processes: list[Process] = []
        self._lock = threading.Lock()

    def start(self, verb: str, *options: str) -> Process:
        """Returns once it is at work."""
        own = {"web": ["--port", "0"]}.get(verb, ["--health-port", "0"])
        with self._lock:
            log = self._folder / f"{verb}{len(self._processes)}.log"
            made = Process(
                [str(ORDERLY), verb, str(self._pack), "--data", str(self.data), "--json", *own, *options],
                self._environment, log,
            )  # fmt: skip
            self._processes.append(made)
        return made

    def end(self) -> None:
        for process in self._processes:
            process.end()

    def call(self, function: str, /, **arguments: Any) -> Any:
        """A function of the control socket that ``web`` has open."""
        return Remote(self.data / "orderly.sock").call(function, **arguments)

    def states(self) -> dict[str, int]:
        """How many runs show which state."""
        return dict(self.sql("SELECT state, count(*) FROM orderly.run GROUP BY state"))

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._store, autocommit=True) as connection:
            return list(connection.execute(query).fetchall())
