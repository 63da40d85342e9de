"""Everything of one client that running its flows needs, put together by ``services``."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.sdk import Misconfigured
from runtime.engine.gate import Gate
from runtime.engine.peers import Peers
from runtime.masterdata import MasterData
from runtime.model.pack import Pack
from runtime.model.registry import Registry
from runtime.model.release import Release
from runtime.store.store import ClientStore


@dataclass
class Client:
    pack: Pack
    store: ClientStore
    registry: Registry
    peers: Peers
    masterdata: MasterData
    gate: Gate
    _releases: dict[str, Release] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def id(self) -> str:
        return self.pack.client

    @property
    def variables(self) -> Mapping[str, Any]:
        return self.pack.file.variables

    def current(self, flow: str) -> Release:
        """The release that new runs of the flow pin, stored before it is first used.

        Raises ``Misconfigured`` where the flow is unknown or out because of an authoring mistake.
        """
        release = self.registry.release(flow)
        if release.hash not in self._releases:
            self.store.put_release(release.hash, release.content)
            with self._lock:
                self._releases[release.hash] = release
        return release

    def release(self, hash: str) -> Release:
        """A pinned release. Raises ``Misconfigured`` where the store has lost it."""
        known = self._releases.get(hash)
        if known is not None:
            return known
        content = self.store.release(hash)
        release = Release(hash, content)
        with self._lock:
            return self._releases.setdefault(hash, release)


class Clients:
    """The clients one runtime serves."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._clients = dict(clients)

    def __getitem__(self, id: str) -> Client:
        """Raises ``Misconfigured``."""
        if id not in self._clients:
            raise Misconfigured(f"no client {id!r} is served here", next_action=f"served: {sorted(self._clients)}")
        return self._clients[id]

    def __contains__(self, id: object) -> bool:
        return id in self._clients

    def all(self) -> list[Client]:
        return list(self._clients.values())
