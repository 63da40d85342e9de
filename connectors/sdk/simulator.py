"""Stand-in peers that speak the real protocol: the demo, the tests and integrators offline use the same."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from connectors.sdk.errors import Misconfigured

SIMULATORS = "orderly.simulators"


class Journal:
    """What a simulator saw and did, in order: entries are ``{"kind": ..., **facts}``. Safe for threads."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def write(self, kind: str, **facts: Any) -> None:
        with self._changed:
            self._entries.append({"kind": kind, **facts})
            self._changed.notify_all()

    def entries(self, kind: str = "", **facts: Any) -> list[dict[str, Any]]:
        """Entries of that kind that carry all those facts."""
        with self._changed:
            return [entry for entry in self._entries if _fits(entry, kind, facts)]

    def wait(self, kind: str, count: int = 1, timeout: float = 20.0, **facts: Any) -> list[dict[str, Any]]:
        """Waits until there are ``count`` such entries. Raises ``TimeoutError`` naming what is missing."""

        def found() -> list[dict[str, Any]]:
            return [entry for entry in self._entries if _fits(entry, kind, facts)]

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= count, timeout):
                raise TimeoutError(f"{len(found())} of {count} entries {kind} {facts} after {timeout} s")
            return found()


def _fits(entry: Mapping[str, Any], kind: str, facts: Mapping[str, Any]) -> bool:
    return (not kind or entry["kind"] == kind) and all(entry.get(name) == value for name, value in facts.items())


class Simulator(ABC):
    """Started with settings of its own, tells its addresses, keeps a journal.

    ``start`` returns named endpoints as strings (``{"url": ...}`` or ``{"host": ..., "port": ...}``); the
    connections of a pack refer to them as ``simulator:<name>/<endpoint>``.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.journal = Journal()

    @abstractmethod
    def start(self) -> Mapping[str, str]: ...

    @abstractmethod
    def stop(self) -> None: ...


def load_simulator(kind: str) -> type[Simulator]:
    """Raises ``Misconfigured`` for a kind that is not installed."""
    found = {entry.name: entry for entry in entry_points(group=SIMULATORS)}
    if kind not in found:
        raise Misconfigured(f"no simulator called {kind!r} is installed", next_action=f"installed: {sorted(found)}")
    simulator = found[kind].load()
    assert issubclass(simulator, Simulator)
    return simulator  # type: ignore[no-any-return]
