"""The one place where everything is put together from settings."""

from __future__ import annotations

import fcntl
import os
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO

import structlog
from flask import Flask

from connectors.sdk import Misconfigured, Simulator, load_simulator
from runtime.access import Access
from runtime.engine.advance import Engine
from runtime.engine.bell import Bell
from runtime.engine.client import Client, Clients
from runtime.engine.dispatcher import Dispatcher, shares
from runtime.engine.gate import Gate
from runtime.engine.leases import Leases
from runtime.engine.peers import Peers
from runtime.engine.pool import Pool
from runtime.engine.sweeper import Sweeper
from runtime.engine.walk import Settings as WalkSettings
from runtime.engine.watch import Watch
from runtime.governance.housekeeper import Housekeeper
from runtime.governance.queues import QueueWatch
from runtime.governance.repair import Repair
from runtime.intake.accept import Intake
from runtime.intake.admission import Admission
from runtime.intake.batching import Batcher
from runtime.intake.clock import Clock
from runtime.intake.server import Server
from runtime.intake.sources import Source, Sources
from runtime.intake.tokens import RunTokens, kept_secret
from runtime.intake.waiting import Waiting
from runtime.intake.webhooks import Webhooks
from runtime.masterdata import MasterData
from runtime.model.pack import Pack, demo_folder
from runtime.model.registry import Registry
from runtime.model.run import LANES
from runtime.store.backlog import due_runs
from runtime.store.choice import is_shared, open_store
from runtime.store.duty import Duty
from runtime.store.filesystem import network_file_system
from runtime.store.local_socket import address
from runtime.store.private import private_folder
from runtime.store.retention import Retention
from runtime.store.sealing import SealedBlobs, Sealer
from runtime.store.shared import system_clock
from runtime.store.vault import Vault

log = structlog.get_logger()
_RING_GRACE = 10.0
_SWEEP_AT_MOST_EVERY = 0.2


class Role(StrEnum):
    """What a process does. ``serve`` does everything; the others share it, and one store and one broker: ``web``
    takes webhooks and shows the console, ``worker`` advances runs, ``clock`` keeps schedules and subscriptions,
    rings what is due, polls, listens and tidies up."""

    SERVE = "serve"
    WEB = "web"
    WORKER = "worker"
    CLOCK = "clock"

    @property
    def advances(self) -> bool:
        return self in (Role.SERVE, Role.WORKER)

    @property
    def keeps_time(self) -> bool:
        return self in (Role.SERVE, Role.CLOCK)


def _from_environment(name: str, otherwise: str = "") -> Callable[[], str]:
    return lambda: os.environ.get(name, "") or otherwise


def _lease_seconds() -> float:
    """ORDERLY_LEASE_SECONDS. Raises ``Misconfigured`` for what is no length of time that a lease can have."""
    given = os.environ.get("ORDERLY_LEASE_SECONDS", "") or "30"
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", given) and float(given) >= 1:
        return float(given)
    raise Misconfigured(
        f"ORDERLY_LEASE_SECONDS={given} is not a length in seconds, from 1 to 999999",
        next_action="set it to a number like 30, or leave it out",
    )


@dataclass(frozen=True)
class Settings:
    """``data`` holds everything that is kept; no ``packs`` means the built-in demo pack. ``port`` 0 takes a
    free one. ``relaxed`` lets the last commits be forgotten when the machine (not the process) dies.

    ``store`` (ORDERLY_STORE) is the path of an SQLite file or ``postgresql://…``; empty is ``orderly.db`` in
    ``data``. ``broker`` (ORDERLY_BROKER) is ``amqp://…`` or ``redis://…``, for processes with a role of their own;
    ``queue`` (ORDERLY_QUEUE) begins the names of its queues, so that installations may share a broker. Messages
    from outside are refused for now while more than ``most_waiting`` units stand in line for the store's writer,
    or more than ``most_due`` runs of a lane for a worker. A worker takes from ``lanes`` alone. What is under way
    when the process is told to stop has ``drain_seconds`` to finish; then its leases are given back. One that was
    cut off or killed keeps its runs for ``lease_seconds`` (ORDERLY_LEASE_SECONDS); then others go on with them."""

    data: Path
    packs: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8620
    threads: int = 16
    lanes: tuple[str, ...] = LANES
    web_threads: int = 12
    max_body_bytes: int = 5_000_000
    lease_seconds: float = field(default_factory=_lease_seconds)
    relaxed: bool = False
    simulators: bool = True
    chance: random.Random = field(default_factory=random.Random)
    clock: Callable[[], datetime] = system_clock
    role: Role = Role.SERVE
    store: str = field(default_factory=_from_environment("ORDERLY_STORE"), repr=False)
    broker: str = field(default_factory=_from_environment("ORDERLY_BROKER"), repr=False)
    queue: str = field(default_factory=_from_environment("ORDERLY_QUEUE", "orderly"))
    most_waiting: int = 500
    most_due: int = 100_000
    drain_seconds: float = 25.0


class Services:
    """Opened: the store is ours and flows are loaded. Started: messages come in and runs go on."""

    def __init__(self, settings: Settings) -> None:
        """Raises ``Misconfigured``, ``Unavailable``."""
        if settings.role is not Role.SERVE:
            _check_shareable(settings)
        self.settings = settings
        packs = [Pack.read(folder) for folder in settings.packs or (demo_folder(),)]
        self.simulators: dict[str, Simulator] = {}
        private_folder(settings.data)
        self.store = open_store(settings.store, settings.data, clock=settings.clock, relaxed=settings.relaxed)
        try:
            self.vault = Vault(self.store, settings.data)
            endpoints = self._simulate(packs) if settings.simulators else {}
            self.clients = Clients({pack.client: self._client(pack, endpoints) for pack in packs})
            self.pool = self._dispatcher()
        except BaseException:
            self._stop_simulators()
            self.store.close()
            raise
        self.ring = Bell(self.store, self.pool)
        self.leases = Leases(self.store, settings.lease_seconds)
        walking = WalkSettings(settings.lease_seconds, settings.chance)
        self.engine = Engine(self.store, self.clients, self.leases, self.ring, walking)
        self.watch = Watch(Duty(self.store, "clock", self.leases.owner, settings.lease_seconds / 2))
        self.admission = Admission(
            lambda: self.store.waiting, lambda lane, most: due_runs(self.store, lane, most),
            most_waiting=settings.most_waiting, most_due=settings.most_due,
        )  # fmt: skip
        self.sweeper = self._sweeper()
        self.batcher = Batcher(self.ring, self.store.now)
        self.clock = Clock(self.clients, self.ring, self.store.now, self.batcher, on_duty=self.on_duty)
        self.housekeeper = Housekeeper(
            self.clients, self.retention, lambda client: self.store.blobs(client).places, self.store.now,
            on_duty=self.on_duty,
        )  # fmt: skip
        self.queues = QueueWatch(self.clients, self.store.backend, self.store.now, self.on_duty)
        self.sources = Sources(self._sources(), self.on_duty)
        self.tokens = RunTokens(kept_secret(settings.data))
        self._servers: list[Server] = []
        self._health: list[Server] = []
        self._socket: IO[str] | None = None
        self.stopping = threading.Event()

    def _simulate(self, packs: list[Pack]) -> Mapping[str, Mapping[str, str]]:
        endpoints: dict[str, Mapping[str, str]] = {}
        for pack in packs:
            for name, entry in pack.file.simulators.items():
                simulator = load_simulator(entry.type)(**entry.settings)
                self.simulators[name] = simulator
                endpoints[name] = simulator.start()
        return endpoints

    def _client(self, pack: Pack, endpoints: Mapping[str, Mapping[str, str]]) -> Client:
        self.store.register_client(pack.client, pack.file.name)
        registry = Registry.of(pack)
        for name, findings in registry.out.items():
            for finding in findings:
                log.error("flow.out", client=pack.client, flow=name, finding=str(finding))
        masterdata = MasterData.from_folder(pack.folder / "masterdata")
        peers = Peers(pack, self.vault.for_client(pack.client), endpoints)
        store = self.store.for_client(pack.client)
        store.blobs = SealedBlobs(store.blobs, Sealer(self.vault.keys, pack.client))
        gate = Gate(
            store, lambda name: peers.file(name).limits, self.store.now, lambda run, lane="": self.ring(run, lane)
        )  # fmt: skip
        return Client(pack, store, registry, peers, masterdata, gate)

    def _sources(self) -> list[Source]:
        return [
            Source(client, release.flow, self.intake(client), self.store.now, self._waiting(client))
            for client in self.clients.all()
            for release in client.registry.releases.values()
            if release.flow.trigger.is_source
        ]

    def _dispatcher(self) -> Dispatcher:
        """Where the process has everything in it, runs go from thread to thread."""
        if self.settings.role is Role.SERVE:
            return Pool(self.settings.threads)
        from runtime.engine.brokered import BrokeredDispatcher

        lanes = shares(self.settings.threads, self.settings.lanes)
        return BrokeredDispatcher(self.settings.broker, queue=self.settings.queue, lanes=lanes)

    def _sweeper(self) -> Sweeper:
        if self.settings.role is Role.SERVE:
            return Sweeper(self.store, self.ring, on_duty=self.on_duty)
        return Sweeper(
            self.store, self.ring, shortest=_SWEEP_AT_MOST_EVERY, grace=_RING_GRACE, on_duty=self.on_duty
        )

    def on_duty(self) -> bool:
        """Whether polls, listeners, schedules and the sweeper are this process's. An SQLite file has one process,
        which always is; of those that share a store one is, the others stand by."""
        return not is_shared(self.settings.store) or self.watch.on_duty()

    def access(self, client: str) -> Access:
        return Access(self.store.backend(client), client)

    def intake(self, client: Client) -> Intake:
        return Intake(client, self.ring, self.store.now, self.admission)

    def _waiting(self, client: Client) -> Callable[[float], Waiting]:
        return lambda within: Waiting(self.engine, self.ring, client.store, within)

    def repair(self, client: str) -> Repair:
        return Repair(self.clients[client], self.ring)

    def retention(self, client: str) -> Retention:
        return Retention(self.store.backend(client), client)

    def webhooks(self) -> Webhooks:
        return Webhooks(
            self.clients, self.engine, self.ring, self.tokens, lambda client: self.access(client).api_keys,
            self.store.now, self.admission,
        )  # fmt: skip

    def start(self) -> None:
        """Workers first, so that what an earlier process left goes on; then the doors."""
        self.leases.start()
        if self.settings.role.advances:
            self.pool.serve(self.engine.advance)
        if self.settings.role.keeps_time:
            if is_shared(self.settings.store):
                self.watch.start()
            self.sweeper.start()
            self.clock.start()
            self.housekeeper.start()
            self.queues.start()
            self.sources.start()

    def listen(self, app: Flask) -> str:
        """Serves over HTTP; the address as bound."""
        server = Server(
            app, "web", self.settings.web_threads, largest=self.settings.max_body_bytes,
            host=self.settings.host, port=self.settings.port,
        )  # fmt: skip
        self._servers.append(server)
        return f"http://{self.settings.host}:{server.port}"

    def listen_for_health(self, app: Flask, port: int) -> str:
        """Serves supervisors, to the very end; the address as bound."""
        server = Server(app, "health", 1, largest=0, host=self.settings.host, port=port)
        self._health.append(server)
        return f"http://{self.settings.host}:{server.port}"

    def listen_locally(self, app: Flask) -> Path:
        """Serves the command line on a Unix socket that only this user can open. Where another process of the same
        data does so already, that one goes on."""
        path = self.settings.data / "orderly.sock"
        self._socket = _first_here(path.with_name("orderly.sock.lock"))
        if self._socket is None:
            return path
        path.unlink(missing_ok=True)
        with address(path) as name:
            server = Server(app, "control", 4, unix_socket=name, unix_socket_perms="600")
        self._servers.append(server)
        return path

    def ailing(self) -> list[str]:
        """Parts that should go on and have ended: this process is of no use any more, start it anew."""
        parts = {
            "leases": self.leases.alive, "workers": self.pool.alive, "sweeper": self.sweeper.alive,
            "clock": self.clock.alive, "sources": self.sources.alive, "watch": self.watch.alive,
            "housekeeper": self.housekeeper.alive, "queues": self.queues.alive,
        }  # fmt: skip
        return [] if self.stopping.is_set() else [name for name, alive in parts.items() if not alive]

    def stop(self) -> None:
        """Doors first, then what is under way, then leases that are still held, then the store."""
        self.stopping.set()
        for server in self._servers:
            server.close()
        self.sources.stop()
        self.clock.stop()
        self.housekeeper.stop()
        self.queues.stop()
        self.sweeper.stop()
        self.watch.stop()
        self.pool.close(self.settings.drain_seconds)
        self.leases.stop()
        for client in self.clients.all():
            client.peers.close()
        self._stop_simulators()
        self.store.close()
        for server in self._health:
            server.close()
        if self._socket is not None:
            (self.settings.data / "orderly.sock").unlink(missing_ok=True)
            self._socket.close()
            self._socket = None

    def _stop_simulators(self) -> None:
        for simulator in self.simulators.values():
            simulator.stop()

    def only_client(self, name: str | None) -> Client:
        """The client meant where the caller may leave it out. Raises ``Misconfigured``."""
        if name:
            return self.clients[name]
        all_clients = self.clients.all()
        if len(all_clients) != 1:
            raise Misconfigured(
                "several clients are served here",
                next_action=f"add --client, one of: {[c.id for c in all_clients]}",
            )
        return all_clients[0]


def _check_shareable(settings: Settings) -> None:
    """Raises ``Misconfigured`` where processes with a role of their own cannot work together."""
    who = f"orderly {settings.role}"
    if not is_shared(settings.store):
        raise Misconfigured(
            f"{who} shares its store with other processes, and an SQLite file belongs to one process "
            f"({settings.store or settings.data / 'orderly.db'})",
            next_action="set ORDERLY_STORE=postgresql://user:password@host:5432/database, "
            "or run `orderly serve`, which has everything in one process",
        )
    if not settings.broker:
        raise Misconfigured(
            f"{who} has no broker by which it hears of work, or hands it on",
            next_action="set ORDERLY_BROKER=amqp://user:password@host:5672/vhost or redis://host:6379/0",
        )
    if (kind := network_file_system(settings.data)) is not None:
        raise Misconfigured(
            f"{who} keeps files in {settings.data.resolve()}, which lies on a network file system ({kind}): locks "
            "and renames there do not hold between machines, and what is flushed may be lost",
            next_action="give --data (ORDERLY_DATA) a folder on a local disk",
        )


def _first_here(path: Path) -> IO[str] | None:
    """A lock that lasts as long as the process, or nothing where another process has it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
