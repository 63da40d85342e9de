"""The connections of one client: settings with their secrets filled in, and what was built from them."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog
from pydantic import ValidationError

from connectors import sdk
from connectors.sdk import Check, Connection, Log, Misconfigured, Settings
from runtime.model.doors import DOORS
from runtime.model.flow import Fault
from runtime.model.pack import ConnectionFile, Pack
from runtime.store.store import StoreError

T = TypeVar("T")


class Secrets(Protocol):
    """The encrypted vault of one client."""

    def get(self, name: str) -> str | None:
        """``None`` where there is none. Raises ``StoreError`` where it does not open."""


class Peers:
    """Resolves ``env:``, ``file:``, ``vault:`` and ``simulator:`` references; keeps one set of shared resources
    per connection version."""

    def __init__(
        self, pack: Pack, secrets: Secrets, endpoints: Mapping[str, Mapping[str, str]], log: Log | None = None
    ) -> None:
        self._pack = pack
        self._secrets = secrets
        self._endpoints = endpoints
        self._log = log or structlog.get_logger()
        self._lock = threading.RLock()
        self._held: dict[tuple[str, str], dict[str, tuple[Any, Callable[[], None]]]] = {}
        self._building: dict[tuple[str, str, str], threading.Lock] = {}
        self._made: dict[str, tuple[str, Connection]] = {}

    def of(self, pack: Pack) -> Peers:
        """As another reading of the pack has them, with the same secrets and simulators; close them afterwards."""
        return Peers(pack, self._secrets, self._endpoints, self._log)

    def file(self, name: str) -> ConnectionFile:
        """Raises ``Misconfigured``."""
        known = self._pack.connections
        if name not in known:
            raise Misconfigured(
                f"client {self._pack.client} has no connection {name!r}",
                next_action=f"add connections/{name}.json; there are: {', '.join(sorted(known)) or 'none'}",
            )
        found: ConnectionFile = known[name]
        return found

    def faults(self, name: str) -> list[Fault]:
        return self.file(name).faults

    def connection(self, name: str, type: str | None = None) -> Connection:
        """Raises ``Misconfigured`` for an unknown name, a wrong type, a bad setting or a missing secret."""
        file = self.file(name)
        if type is not None and file.type != type:
            raise Misconfigured(
                f"connection {name} of client {self._pack.client} is of type {file.type}, the node needs {type}",
                next_action="name another connection, or change its type",
            )
        values = self.filled(name, file.settings)
        version = hashlib.sha256(json.dumps([file.type, values], sort_keys=True).encode()).hexdigest()[:16]
        with self._lock:
            kept = self._made.get(name)
            if kept is not None and kept[0] == version:
                return kept[1]
            self._drop(name, version)
            made = Connection(name, file.type, version, self._settings(name, file.type, values))
            self._made[name] = (version, made)
            return made

    def filled(self, name: str, value: Any) -> Any:
        """Settings with every reference replaced by what it stands for."""
        if isinstance(value, dict):
            return {key: self.filled(name, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(name, inner) for inner in value]
        return self._reference(name, value) if isinstance(value, str) else value

    def _reference(self, connection: str, value: str) -> str:
        kind, _, rest = value.partition(":")
        where = f"connection {connection} of client {self._pack.client}"
        if kind == "env":
            if rest not in os.environ:
                raise Misconfigured(f"{where}: the environment has no {rest}", next_action=f"set {rest}")
            return os.environ[rest]
        if kind == "file" and rest.startswith("/"):
            try:
                return Path(rest).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise Misconfigured(
                    f"{where}: the secret file {rest} cannot be read: {error.strerror}",
                    next_action="check path and owner",
                ) from error
        if kind == "vault":
            return self._from_vault(where, rest)
        if kind == "simulator":
            name, _, endpoint = rest.partition("/")
            if endpoint not in self._endpoints.get(name, {}):
                raise Misconfigured(
                    f"{where}: no simulator offers {rest}", next_action="name it in pack.json under simulators"
                )
            return self._endpoints[name][endpoint]
        return value

    def _from_vault(self, where: str, name: str) -> str:
        try:
            secret = self._secrets.get(name)
        except StoreError as error:
            raise Misconfigured(f"{where}: {error}") from error
        if secret is None:
            raise Misconfigured(
                f"{where}: the vault has no secret {name!r}", next_action=f"orderly connection set-secret {name}"
            )
        return secret

    def door(self, name: str) -> Settings:
        """Who may come in by a webhook. Raises ``Misconfigured``."""
        file = self.file(name)
        if file.type not in DOORS:
            raise Misconfigured(
                f"connection {name} of type {file.type} cannot authenticate a webhook",
                next_action=f"name one of type {' or '.join(DOORS)}",
            )
        return self._settings(name, file.type, self.filled(name, file.settings))

    def _settings(self, name: str, type: str, values: Any) -> Settings:
        model = DOORS[type] if type in DOORS else sdk.load(type).settings
        if model is None:
            raise Misconfigured(f"connection {name}: connector {type} takes no connection")
        try:
            return model.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Misconfigured(
                f"connection {name} of client {self._pack.client}: {place}: {first['msg']}",
                field=place,
                next_action=f"mend connections/{name}.json",
            ) from error

    def resource(
        self, connection: Connection, key: str, build: Callable[[], T], close: Callable[[T], None] | None
    ) -> T:
        """Building may take long, as where a WSDL is fetched: only those who want the same thing wait for it."""
        at = (connection.name, connection.version)
        with self._lock:
            building = self._building.setdefault((*at, key), threading.Lock())
        with building:
            with self._lock:
                held = self._held.get(at, {})
                if key in held:
                    return held[key][0]  # type: ignore[no-any-return]
            made = build()
            with self._lock:
                closer = (lambda: close(made)) if close is not None else (lambda: None)
                self._held.setdefault(at, {})[key] = (made, closer)
            return made

    def _drop(self, name: str, keep: str) -> None:
        for other in [key for key in self._held if key[0] == name and key[1] != keep]:
            for _, closer in self._held.pop(other).values():
                closer()

    def close(self) -> None:
        with self._lock:
            for name in {name for name, _ in self._held}:
                self._drop(name, "")

    def check(self, name: str) -> Check:
        """``check()`` of the connection's connector; what is wrong with the settings is an answer too."""
        try:
            connection = self.connection(name)
            connector = sdk.load(connection.type)
            assert connector.check is not None
            return connector.check(ConnectionDesk(self._pack.client, connection, self, self._log))
        except sdk.ConnectorError as error:
            return Check(False, error.message, error.next_action)


class ConnectionDesk:
    """``ConnectionContext`` for ``check()`` and for sources."""

    def __init__(self, client: str, connection: Connection | None, peers: Peers, log: Log) -> None:
        self.client = client
        self.log = log
        self._connection = connection
        self._peers = peers

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            raise Misconfigured("the node names no connection", next_action='add "connection"', field="connection")
        return self._connection

    def resource(self, key: str, build: Callable[[], T], close: Callable[[T], None] | None = None) -> T:
        return self._peers.resource(self.connection, key, build, close)
