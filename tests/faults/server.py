"""``orderly serve`` as a process of its own, to be killed and started again on the same data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.cli.remote import Remote
from runtime.cli.scenario import Person
from tests.runtime.console.house import until

ORDERLY = Path(sys.executable).with_name("orderly")
PASSWORD = "correct horse battery"


class Server:
    """``up`` is set while it serves. Its log is one file for all its lives. ``variables`` are set in its
    environment."""

    def __init__(
        self, pack: Path, folder: Path, *, level: str = "info", variables: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.data = folder / "data"
        self.log = folder / "serve.log"
        self.output = folder / "serve.out"
        self.up = threading.Event()
        self.url = ""
        self._command = [
            str(ORDERLY), "serve", str(pack), "--data", str(self.data), "--port", "0", "--json",
            "--log-level", level,
        ]  # fmt: skip
        self.environment = {**os.environ, **(variables or {})}
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns once it serves. Raises ``AssertionError`` with its log where it does not."""
        assert self.launch(), f"it ended with {self.died()}: {self.log.read_text()}"

    def launch(self) -> bool:
        """Returns once it serves, or has ended before."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            return False
        with self.output.open("a") as output:
            output.write(said)
        facts = json.loads(said)
        assert facts["flows_out"] == [], facts["flows_out"]
        self.url = facts["console"]
        self.up.set()
        return True

    def died(self) -> int:
        """Waits for its end by its own hand; the exit code."""
        assert self._process is not None
        code = self._process.wait()
        self.up.clear()
        self._close()
        return code

    def kill(self) -> None:
        """SIGKILL, at this very moment."""
        assert self._process is not None
        self.up.clear()
        self._process.kill()
        self._process.wait()
        self._close()

    def pause(self) -> None:
        """SIGSTOP: not one instruction more until ``go_on``; connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM; returns once it has said that it stops."""
        assert self._process is not None
        self.up.clear()
        said = self.log.read_text().count("stopping:")
        self._process.send_signal(signal.SIGTERM)
        until(lambda: self.log.read_text().count("stopping:") > said, "the server to say that it stops")

    def exit_code(self) -> int:
        """Waits for the end."""
        assert self._process is not None
        code = self._process.wait(timeout=30)
        self._close()
        return code

    def stop(self) -> None:
        """At the end of a test, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _close(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self.output.open("a") as output:
            output.write(self._process.stdout.read())
        self._process.stdout.close()

    # what is in it

    def call(self, function: str, /, **arguments: Any) -> Any:
        """A function of the control socket."""
        return Remote(self.data / "orderly.sock").call(function, **arguments)

    def hook(self, flow: str) -> str:
        return f"{self.url}/hooks/mercy/{flow}"

    def runs(self, flow: str = "", key: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("runs_list", flow=flow, key=key, limit=500)["runs"]
        return found

    def story(self, run: str) -> dict[str, Any]:
        told: dict[str, Any] = self.call("runs_show", run=run)
        return told

    def comes_to(self, run: str, *states: str, seconds: float = 30.0) -> dict[str, Any]:
        """The run's story once it shows one of the states."""
        until(
            lambda: self.story(run)["state"] in states,
            f"run {run} to be {' or '.join(states)}: {self.log.read_text()[-2000:]}", seconds,
        )  # fmt: skip
        return self.story(run)

    def hire(self, login: str, *roles: str) -> None:
        self.call(
            "users_add", login=login, password=PASSWORD, by="test", roles=roles, mail=f"{login}@mercy.example"
        )

    def person(self, login: str) -> Person:
        """Somebody signed in at the console."""
        return Person(self.url, login, PASSWORD)
