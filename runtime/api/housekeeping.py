"""Backups of a running server, and runs that a restore holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runtime.api.desk import Desk
from runtime.model.sought import Said
from runtime.store import backup
from runtime.store.restore import HOLDER, Restored
from runtime.store.vault import key_path


class Housekeeping(Desk):
    def backup(self, target: str, *, by: str, with_keys: bool = False, timeout: float = 0.0) -> dict[str, Any]:
        """Everything that is kept, into the folder ``target``, which must not be there yet; ``timeout`` is how long
        the caller waits. Raises ``Refused``, ``Unavailable``."""
        store, data, place = self._services.store, self._services.settings.data, Path(target)
        keys = _keys(data) if with_keys else {}
        made = backup.make(store, place, store.now(), files={"packs.json": data / "packs.json"}, keys=keys)
        details = {"target": str(place), "blobs": made.blobs, "bytes": made.bytes, "keys": made.keys}
        for client in made.clients:
            store.for_client(client).audit(by, "backup.made", "backup", details)
        return {"backup": str(place), **asdict(made), "key_file": str(key_path(data).resolve())}

    def release(
        self, runs: Sequence[str] = (), *, by: str, every: bool = False, client: str = ""
    ) -> dict[str, Any]:
        """Lets runs go on that a restore holds: those named, or ``every`` one of the client. Raises ``NotFound``,
        ``Refused``."""
        owner = self._client(client)
        restored = Restored(self._services.store.backend(owner.id), owner.id)
        for run in runs:
            restored.release(run, Said(by))
        released = list(runs)
        if every:
            released += owner.store.let_go(HOLDER, Said(by))
        for run in released:
            self._services.ring(run)
        return {"released": released}


def _keys(data: Path) -> dict[str, Path]:
    """Where the key files are, by the name they have in a data folder."""
    vault = key_path(data)
    beside = vault.with_name("token.key")
    return {"vault.key": vault, "token.key": beside if beside.exists() else data / "token.key"}
