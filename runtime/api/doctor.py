"""Every check of the doctor over what this process has open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.api.connections import Connections
from runtime.engine.client import Client
from runtime.governance import doctor, servers
from runtime.governance.doctor import Finding
from runtime.governance.views import plain

#: Connections that are asked at one time.
_AT_ONCE = 8


class Doctor(Connections):
    def doctor(self, *, served: bool = True, timeout: float = 0.0) -> dict[str, Any]:
        """``{"findings": [...]}``, each ``{"check", "status": ok|warning|error, "what", "why", "next_action",
        "client"}``. ``served``: whether workers run; ``timeout`` is how long the caller waits."""
        services = self._services
        store, data = services.store, services.settings.data
        settings = services.settings
        found: list[Finding] = [
            *doctor.disk(data), *doctor.key_file(data), *doctor.database(store, served), *servers.database(store),
            *servers.durability(store, settings.relaxed), *servers.broker(settings.broker, settings.queue),
            *servers.timekeeper(store, served), *doctor.queue(store, served),
            *doctor.clock(store, datetime.now(UTC)),
            *doctor.strangers(store, [client.id for client in services.clients.all()]),
        ]  # fmt: skip
        served_here = services.clients.all()
        found += doctor.unfinished(self._written_to(served_here))
        for client in served_here:
            which = f" --client {client.id}" if len(served_here) > 1 else ""
            found += doctor.flows(client)
            found += doctor.secrets(client, services.vault.for_client(client.id), which)
            found += doctor.people(client, which)
            found += doctor.held(store, client, which)
            found += doctor.batches(store, client, which)
            found += doctor.backups(store, client)
            found += self._peers(client)
        return {"findings": plain(found)}

    def _written_to(self, clients: Sequence[Client]) -> Iterator[Path]:
        """Where a restore made these data, and where backups of theirs were made."""
        yield self._services.settings.data.resolve().parent
        for client in clients:
            made = [entry["details"] or {} for entry in client.store.audit_of("backup")]
            yield from {Path(each["target"]).parent for each in made if "target" in each}

    def _peers(self, client: Client) -> Iterator[Finding]:
        """All at once, because a peer that does not answer takes its time; told in order."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for found in threads.map(self._peer(client), sorted(client.pack.connections)):
                yield from found

    def _peer(self, client: Client) -> Callable[[str], list[Finding]]:
        def ask(name: str) -> list[Finding]:
            answer = self.connections_test(name, client=client.id)
            told = doctor.connection(client, name, answer)
            return [*told, *doctor.certificates(client, name, datetime.now(UTC))]

        return ask
