"""Servers of a test's own, in a folder of their own, which it may kill: those of the machine are never touched."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.runtime.console.house import until

_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class OwnServer(Protocol):
    """``kill`` as a crash does it; ``start`` returns once it answers again, at the same address."""

    url: str

    def start(self) -> None: ...

    def kill(self) -> None: ...


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=3).close()
    except OSError:
        return False
    return True


class _Broker:
    """A broker in the foreground, in a group of its own with whatever it starts."""

    def __init__(self, folder: Path, scheme: str, command: list[str], port: int, **variables: str) -> None:
        self.url = f"{scheme}:{port}"
        self._folder = folder
        self._command = command
        self._port = port
        self._environment = {**os.environ, **variables}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment,
                start_new_session=True,
            )  # fmt: skip
        until(lambda: _answers(self._port), f"{self._command[0]} to answer: {self._said()}", 60)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _said(self) -> str:
        return f"see {self._folder / 'server.log'}"


@contextmanager
def redis(folder: Path) -> Iterator[OwnServer]:
    """Forgets everything when it is killed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not here: apt-get install -y redis-server")
    port = free_port()
    options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    yield from _kept(_Broker(folder, "redis://127.0.0.1", [program, "--port", str(port), *options], port))


@contextmanager
def rabbitmq(folder: Path) -> Iterator[OwnServer]:
    """Keeps what was acknowledged to its senders."""
    if not _RABBITMQ.exists():
        pytest.skip("RabbitMQ is not here: apt-get install -y rabbitmq-server")
    port = free_port()
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.default = 127.0.0.1:{port}\nloopback_users.guest = true\n"
    )
    (folder / "plugins").write_text("[].\n")
    variables = {
        "HOME": str(folder), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_NODENAME": f"orderly-test-{secrets.token_hex(6)}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()), "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "rabbit"), "RABBITMQ_LOG_BASE": str(folder / "log"),
    }  # fmt: skip
    yield from _kept(_Broker(folder, "amqp://guest:guest@127.0.0.1", [str(_RABBITMQ)], port, **variables))


def _kept(server: _Broker) -> Iterator[OwnServer]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


class Postgresql:
    """A cluster with the settings that durability has by itself. Its programs run as ``postgres`` where we are
    root, for they refuse that."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self._programs = programs
        self._owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._data = folder / "data"
        self._options = f"-p {self._port} -k {folder} -c listen_addresses=127.0.0.1"
        self._log = folder / "server.log"
        self._run("initdb", "-U", "postgres", "--auth=trust", "--no-sync")

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-t", "60", "-l", str(self._log), "-o", self._options)

    def kill(self) -> None:
        """``-m immediate``: nothing is finished and nothing written; the next start recovers from the log."""
        self._run("pg_ctl", "stop", "-m", "immediate")

    def _run(self, program: str, *options: str) -> None:
        command = [*self._owner, str(self._programs / program), "-D", str(self._data), *options]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            timeout=90, check=False, cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stderr}"


@contextmanager
def postgresql() -> Iterator[OwnServer]:
    """Skips the test where its programs are not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not programs:
        pytest.skip("PostgreSQL's programs are not here: apt-get install -y postgresql")
    with tempfile.TemporaryDirectory(prefix="orderly_test_", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            shutil.chown(name, "postgres")
        server = Postgresql(Path(name), programs[-1].parent)
        server.start()
        try:
            yield server
        finally:
            if _answers(int(server.url.rpartition(":")[2].partition("/")[0])):
                server.kill()
