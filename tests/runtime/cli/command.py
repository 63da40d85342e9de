"""The command as people run it: a process of its own, on a pack and data folder of its own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ORDERLY = Path(sys.executable).with_name("orderly")

POLICY = {
    "policy": "purchases", "title": "Purchases",
    "rules": [{"name": "all", "when": "=true", "approvers": [{"role": "procurement_manager"}]}],
    "otherwise": {"approvers": []},
}  # fmt: skip


def flow(name: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    return {
        "flow": name, "version": "1.0.0", "owner": "procurement", "trigger": {"type": "webhook"},
        "identity": "=number", "keys": {"order": "=number"}, "nodes": list(nodes),
    }  # fmt: skip


FLOWS = [
    flow("pause", {"id": "rest", "type": "wait", "parameters": {"for": "2s"}},
         {"id": "rested", "type": "publish", "parameters": {"event": "rested"}}),
    flow("decide", {"id": "ask", "type": "approve", "parameters": {
        "policy": "purchases", "document": "=$", "requester": "=requester"},
        "on": {"rejected": [{"id": "stop", "type": "end", "parameters": {"outcome": "rejected"}}]}}),
    flow("deliver", {"id": "put", "type": "file.deliver", "connection": "outbox", "effect": "idempotent",
                     "parameters": {"path": "=number & '.txt'", "content": "=text"}, "retry": {"attempts": 1}}),
    flow("refuse", {"id": "no", "type": "raise", "parameters": {
        "kind": "budget_exceeded", "owner": "finance", "message": "='No budget for ' & number"}}),
    flow("hand_on", {"id": "call", "type": "call_flow", "parameters": {"flow": "refuse"}}),
]  # fmt: skip


def write_pack(folder: Path, outbox: Path) -> Path:
    """The outbox is not there yet: what is delivered before somebody makes it becomes a dead letter."""
    files: dict[str, Any] = {
        "pack.json": {"client": "mercy", "name": "Mercy General Hospital"},
        "policies/purchases.json": POLICY,
        "connections/outbox.json": {"type": "file", "settings": {"root": str(outbox)}},
        **{f"flows/{each['flow']}/flow.json": each for each in FLOWS},
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


@dataclass
class Desk:
    """One pack, one data folder, and the command on them; ``store`` where it is not in that folder."""

    pack: Path
    data: Path
    outbox: Path
    store: str = ""

    def orderly(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return orderly(*arguments, given=given, data=self.data, store=self.store)

    def answer(self, *arguments: str, given: str = "") -> Any:
        """The JSON document of a verb that must succeed."""
        done = self.orderly(*arguments, "--json", given=given)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def problem(self, *arguments: str, given: str = "") -> Any:
        """The problem document of a verb that must fail."""
        done = self.orderly(*arguments, "--json", given=given)
        assert done.returncode == 1, (arguments, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def run(self, flow: str, document: dict[str, Any], *more: str, code: int = 0) -> Any:
        done = self.orderly("run", flow, "--payload", "-", "--json", *more, given=json.dumps(document))
        assert done.returncode == code, (flow, done.stdout, done.stderr)
        return json.loads(done.stdout)

    @contextmanager
    def serving(self) -> Iterator[Server]:
        with serving(self.pack, data=self.data, store=self.store) as server:
            yield server


def orderly(
    *arguments: str, given: str = "", data: Path | None = None, cwd: Path | None = None, store: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ORDERLY), *arguments], input=given, capture_output=True, text=True, timeout=60, cwd=cwd,
        env=_environment(data, store), check=False,
    )  # fmt: skip


def on_terminal(*arguments: str, columns: int, data: Path) -> str:
    """What the command shows on a terminal that is so wide, without its colours."""
    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    known = {name: value for name, value in _environment(data, "").items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [str(ORDERLY), *arguments], stdin=terminal, stdout=terminal, stderr=terminal, env={**known, "TERM": "xterm"}
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(keyboard, 65_536):
            shown += piece
    except OSError:
        """Nobody has the terminal open any more."""
    finally:
        os.close(keyboard)
        process.wait(30)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")


def _environment(data: Path | None, store: str) -> dict[str, str]:
    given = {"ORDERLY_DATA": str(data) if data is not None else "", "ORDERLY_STORE": store}
    return {**os.environ, **{name: value for name, value in given.items() if value}}


@dataclass
class Server:
    process: subprocess.Popen[str]
    facts: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.facts["console"])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)


@contextmanager
def serving(*packs: Path, data: Path, store: str = "", options: Sequence[str] = ()) -> Iterator[Server]:
    """Started and ready; stopped if it still runs."""
    process = subprocess.Popen(
        [str(ORDERLY), "serve", *map(str, packs), "--port", "0", "--json", *options], env=_environment(data, store),
        text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"serve ended with {process.wait(30)} before it was ready"
        yield Server(process, json.loads(line))
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        process.stdout.close()


def until(holds: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Asks ten times a second. Raises ``TimeoutError`` that says what did not come."""
    never = threading.Event()
    for _ in range(int(seconds * 10)):
        if holds():
            return
        never.wait(0.1)
    raise TimeoutError(f"waited {seconds} s for {what}")
