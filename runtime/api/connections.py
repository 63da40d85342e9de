"""Connections of a client: what they are, whether the peer answers, and their secrets in the vault."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from connectors import sdk
from connectors.sdk import Check, Misconfigured
from runtime.api.desk import Desk, searched
from runtime.engine.peers import Peers
from runtime.governance.peers import connection_states, pause_end
from runtime.model.doors import DOORS
from runtime.model.lints.packs import is_reference, secret_fields
from runtime.model.pack import ConnectionFile, Pack
from runtime.model.sought import Said
from runtime.store.store import NotFound

_HIDDEN = "[secret]"
_UNITS = {
    "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}  # fmt: skip


class Connections(Desk):
    def connections_list(self, *, client: str = "") -> dict[str, Any]:
        """References are shown as they stand, secrets in clear never. ``out`` names files that cannot be used."""
        owner = self._client(client)
        sound = owner.pack.connections.sound()
        states = connection_states(owner)
        return {
            "client": owner.id,
            "connections": [
                {
                    "connection": name,
                    "type": file.type,
                    "settings": _shown(file),
                    "limits": _limits(file),
                    **states[name],
                }
                for name, file in sorted(sound.items())
            ],
            "out": sorted(owner.pack.connections.keys() - sound.keys()),
            "secrets": self._services.vault.for_client(owner.id).names(),
        }

    def connections_test(self, name: str, *, client: str = "") -> dict[str, Any]:
        """Reaches the peer, by the settings in the file as it is now, without changing anything there; ``stale``
        says that they are not those that were loaded. Raises ``Misconfigured`` for an unknown name."""
        owner = self._client(client)
        pack = Pack.read(owner.pack.folder)
        stale = pack.connections.get(name) != _loaded(owner.pack, name)
        peers = owner.peers.of(pack) if stale else owner.peers
        try:
            file = peers.file(name)
            told = _door(peers, name) if file.type in DOORS else peers.check(name)
        finally:
            if peers is not owner.peers:
                peers.close()
        found = {"ok": told.ok, "message": told.message, "next_action": told.next_action}
        return {"client": owner.id, "connection": name, "type": file.type, **found, "stale": stale}

    def connections_pause(
        self, name: str, *, by: str, reason: str = "", until: str = "", client: str = ""
    ) -> dict[str, Any]:
        """Its work is held in order, until it is resumed or until then: an instant (ISO 8601) or how long from now
        (``2h``). Raises ``Misconfigured`` for an unknown name, ``ProblemError``, ``Refused``."""
        owner = self._client(client)
        end = searched(pause_end, until, owner.gate.now(), title="A pause cannot end then")
        self._services.repair(owner.id).pause(name, by, reason, end)
        return {"client": owner.id, "connection": name, **connection_states(owner)[name]}

    def connections_resume(self, name: str, *, by: str, reason: str = "", client: str = "") -> dict[str, Any]:
        """``released`` counts the runs that go on, oldest first. Raises ``Misconfigured``."""
        owner = self._client(client)
        released = self._services.repair(owner.id).resume(name, by, reason)
        return {"client": owner.id, "connection": name, "released": released, **connection_states(owner)[name]}

    def secrets_set(self, name: str, value: str, *, by: str, client: str = "") -> dict[str, Any]:
        """Stores or replaces what ``vault:NAME`` stands for. ``used_by`` names the connections that refer to it,
        ``references`` the secrets that connections refer to."""
        owner = self._client(client)
        if not value:
            raise Misconfigured("the secret is empty", next_action="type it, or pipe it to standard input")
        self._services.vault.for_client(owner.id).put(name, value, Said(by))
        files = Pack.read(owner.pack.folder).connections.sound()
        named = {each: _secrets(file.settings) for each, file in files.items()}
        return {
            "client": owner.id, "secret": name, "reference": f"vault:{name}",
            "used_by": sorted(each for each, secrets in named.items() if name in secrets),
            "references": sorted({secret for secrets in named.values() for secret in secrets}),
        }  # fmt: skip

    def secrets_delete(self, name: str, *, by: str, client: str = "") -> dict[str, Any]:
        """Raises ``NotFound``."""
        owner = self._client(client)
        if not self._services.vault.for_client(owner.id).delete(name, Said(by)):
            raise NotFound(f"the vault of client {owner.id} has no secret {name!r}")
        return {"secret": name, "deleted": True}


def _loaded(pack: Pack, name: str) -> ConnectionFile | None:
    return pack.connections.sound().get(name)


def _door(peers: Peers, name: str) -> Check:
    """Who comes in by a webhook cannot be asked; that the secret is there can."""
    try:
        peers.door(name)
    except Misconfigured as error:
        return Check(False, error.message, error.next_action)
    return Check(True, "its settings and secrets are there; senders are checked as they come")


def _secrets(value: Any) -> set[str]:
    """The names of the vault's secrets that settings refer to."""
    if isinstance(value, dict):
        return {name for inner in value.values() for name in _secrets(inner)}
    if isinstance(value, list):
        return {name for inner in value for name in _secrets(inner)}
    return {value.removeprefix("vault:")} if isinstance(value, str) and value.startswith("vault:") else set()


def _limits(file: ConnectionFile) -> dict[str, Any]:
    """As the file says them."""
    made: dict[str, Any] = _as_written(file.limits.model_dump(by_alias=True, exclude_unset=True))
    return made


def _as_written(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_written(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_written(inner) for inner in value]
    if isinstance(value, timedelta):
        unit = next(unit for unit in _UNITS if not value % _UNITS[unit])
        return f"{value // _UNITS[unit]}{unit}"
    return value


def _shown(file: ConnectionFile) -> Any:
    model = None if file.type in DOORS else sdk.load(file.type).settings
    return _without(file.settings, {"secret", "secrets"} if model is None else set(secret_fields(model)))


def _without(value: Any, secrets: set[str], secret: bool = False) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, secrets, secret or name in secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, secrets, secret) for inner in value]
    return _HIDDEN if secret and not (isinstance(value, str) and is_reference(value)) else value
