"""The Context that an operation gets while a node runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from connectors.sdk import Blobs, Connection, Content, Misconfigured
from connectors.sdk.exchange import Exchange
from runtime.engine.client import Client
from runtime.engine.peers import ConnectionDesk
from runtime.model.ids import effect_key
from runtime.model.run import EventRow, source_cursor


class NodeContext(ConnectionDesk):
    """Bound to one client and one execution of one node."""

    def __init__(
        self,
        client: Client,
        connection: Connection | None,
        partners: Mapping[str, Mapping[str, Any]],
        clock: Callable[[], datetime],
        *,
        flow: str,
        run: str,
        node: str,
        iteration: str,
        blobs: Blobs | None = None,
    ) -> None:
        log = structlog.get_logger().bind(client=client.id, flow=flow, run=run, node=node)
        super().__init__(client.id, connection, client.peers, log)
        self.flow = flow
        self.run = run
        self.node = node
        self.iteration = iteration
        self.effect_key = effect_key(run, node, iteration)
        self.blobs: Blobs = blobs or client.store.blobs
        self.exchange: Exchange = client.store.interchanges.at(flow, run, node, iteration)
        self._owner = client
        self._partners = partners
        self._clock = clock

    def now(self) -> datetime:
        return self._clock()

    def allocate(self, series: str, last: int = 999_999_999) -> int:
        return self._owner.store.allocate(series, last, self.run, self.node, self.iteration)

    def partner(self, name: str) -> Mapping[str, Any]:
        if name not in self._partners:
            raise Misconfigured(
                f"client {self.client} has no partner {name!r}",
                next_action=f"add partners/{name}.json; there are: {', '.join(sorted(self._partners)) or 'none'}",
                field="partner",
            )
        found = self._partners[name]
        begun, now = found.get("environment"), self._owner.pack.file.environment
        if begun is not None and begun != now:
            raise Misconfigured(
                f"this run began when the pack ran in {begun}, it runs in {now} now: partner {name!r} is another",
                next_action="reprocess the document: a new run takes the profile of today's environment",
                field="partner",
            )
        return found

    def partners(self) -> Mapping[str, Mapping[str, Any]]:
        return self._partners

    def resolve(self, kind: str, code: str, scheme: str = "") -> Mapping[str, Any] | None:
        return self._owner.masterdata.resolve(kind, code, scheme)

    def cursor(self) -> Any:
        return self._owner.store.cursor(source_cursor(self.flow))

    def publish(self, event: str, key: str, data: Any) -> None:
        """The sweeper rings whoever waits for it."""
        self._owner.store.publish(EventRow(type=event, key=key, data=data))

    def content(self, content: Content) -> bytes:
        return content.encode() if isinstance(content, str) else self.blobs.read(content)
