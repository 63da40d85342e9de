"""Aggregator: events are collected for a partner and start one run together, when the partner's profile says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from connectors.sdk import ConnectorError
from runtime.engine.client import Client
from runtime.engine.dispatcher import Ring
from runtime.engine.door import Door
from runtime.mapping import EvaluationError, ExpressionError
from runtime.model.batching import MOST_BYTES, MOST_ITEMS, Batching, BatchRules, Because, Collection
from runtime.model.flow import Flow
from runtime.model.run import Created, EventRow, ExceptionRow
from runtime.model.sought import Said, Sought
from runtime.store.batches import Collected, Waiting
from runtime.store.store import IdentityConflict, NotFound, Refused, StoreError

log = structlog.get_logger()
#: How soon a batch that could not be started is tried again.
_AGAIN = timedelta(minutes=1)
_NOT_STARTED = "batch_not_started"
_CANNOT_START = (ConnectorError, EvaluationError, ExpressionError, IdentityConflict)
#: Of one client and flow more partners than these are not stuck at one time.
_MOST_STUCK = 1_000
_Of = tuple[str, str, str]


class Batcher:
    """Of all clients. ``ring`` wakes what was started."""

    def __init__(self, ring: Ring, now: Callable[[], datetime]) -> None:
        self._ring = ring
        self._now = now
        self._aside: dict[_Of, datetime] = {}
        self._due: dict[_Of, tuple[BatchRules, Collection, datetime | None]] = {}

    def collect(self, client: Client, flow: Flow) -> None:
        """Some of the new events of a flow. One that names no partner is an exception, and the next one has its
        turn. Raises ``StoreError``."""
        name = f"flow:{flow.flow}"
        since = client.store.subscription(name)
        events = client.store.events_after(since, [flow.trigger.event or ""])
        if not events:
            return
        items: list[Collected] = []
        refused: list[ExceptionRow] = []
        for event in events:
            try:
                items.append(_item(client, flow, event))
            except (ConnectorError, EvaluationError, ExpressionError) as error:
                refused.append(_refused(flow, event, str(error), getattr(error, "field", "")))
            except StoreError:
                raise
            except Exception as error:
                log.error("batch.bug", client=client.id, flow=flow.flow, event_id=event.id, exc_info=True)
                why = f"collecting it broke with {type(error).__name__}; the log says where"
                refused.append(_refused(flow, event, why, ""))
        client.store.batches.collect(name, flow.flow, items, since, events[-1].position, refused)

    def send(self, client: Client, flow: Flow) -> None:
        """Starts what is due. What cannot be started keeps no other partner waiting. Raises ``StoreError``."""
        for of in client.store.batches.collected(flow.flow):
            if self._is_aside(client, of):
                continue
            try:
                rules = client.pack.batching(of.partner)
                because = rules.why_now(of, self._due_at(client, rules, of), self._now())
                if because is not None:
                    self._go(client, flow, of, rules.given, because)
            except _CANNOT_START as error:
                self._tell(client, flow, of, str(error))
            except StoreError:
                raise
            except Exception as error:
                log.error("batch.bug", client=client.id, flow=flow.flow, partner=of.partner, exc_info=True)
                self._tell(client, flow, of, f"starting broke with {type(error).__name__}; the log says where")

    def send_now(self, client: Client, partner: str, said: Said, flow: str = "") -> list[str]:
        """All that waits for a partner, because a person said so; audited. Returns the runs that take it on. Raises
        ``NotFound`` where nothing waits, ``Misconfigured`` where the flow is out, and why it cannot be started."""
        found = [of for of in client.store.batches.collected() if of.partner == partner and flow in ("", of.flow)]
        if not found:
            raise NotFound(f"nothing is collected for partner {partner!r} of client {client.id}")
        rules = client.pack.batching(partner).given
        flows = {of.flow: client.registry.release(of.flow).flow for of in found}
        started: list[str] = []
        for of in found:
            while more := self._go(client, flows[of.flow], of, rules, "asked", said):
                started += [created.run for created in more]
        return started

    def _due_at(self, client: Client, rules: BatchRules, of: Collection) -> datetime | None:
        """Reckoned anew where rules or what is collected have changed."""
        key = (client.id, of.flow, of.partner)
        known = self._due.get(key)
        if known is None or known[:2] != (rules, of):
            known = self._due[key] = (rules, of, rules.due_at(of))
        return known[2]

    def _is_aside(self, client: Client, of: Collection) -> bool:
        until = self._aside.get((client.id, of.flow, of.partner))
        return until is not None and timedelta() < until - self._now() <= _AGAIN

    def _go(
        self, client: Client, flow: Flow, of: Collection, rules: Batching | None, because: Because,
        said: Said | None = None,
    ) -> list[Created]:  # fmt: skip
        """Raises why one cannot be started; those before it were."""
        started = []
        waiting = client.store.batches.waiting(
            flow.flow, of.partner, MOST_ITEMS, 2 * MOST_BYTES, urgent=because == "urgent", restored=said is not None
        )
        for batch in divided(waiting, rules, because):
            created = _start(client, flow, of.partner, batch, because, said)
            if created is not None:
                started.append(created)
                self._ring(created.run, created.lane)
        if self._aside.pop((client.id, of.flow, of.partner), None) is not None or started:
            _goes(client, flow, of)
        return started

    def _tell(self, client: Client, flow: Flow, of: Collection, why: str) -> None:
        """The documents stay where they are; the exception is one, however often it is tried. Another clock may
        have started them meanwhile: if it has not by now, it finds the exception when it does."""
        self._aside[client.id, of.flow, of.partner] = self._now() + _AGAIN
        log.error("batch.not_started", client=client.id, flow=flow.flow, partner=of.partner, why=why)
        if not _told(client, flow, of):
            message = f"what is collected for partner {of.partner} cannot be sent: {why}; it is tried every minute"
            client.store.raise_exception(
                ExceptionRow(_NOT_STARTED, flow.owner, message, flow=flow.flow, details=_begun(of))
            )
            if not _still_waits(client, of):
                _goes(client, flow, of)


def _item(client: Client, flow: Flow, event: EventRow) -> Collected:
    headers = {"event": event.id, "event_type": event.type, "event_key": event.key}
    partner, urgent = Door(client).batched(client.current(flow.flow), event.data, headers)
    return Collected(event, partner, len(json.dumps(event.data)), urgent)


def _refused(flow: Flow, event: EventRow, why: str, field: str) -> ExceptionRow:
    details = {"begun": f"event {event.id}", "published_by": event.run}
    message = (
        f"{event.type} {event.key} is not collected: {why}; correct what publishes it, then reprocess that run"
    )
    return ExceptionRow("invalid_document", flow.owner, message, field=field, flow=flow.flow, details=details)


def _start(
    client: Client, flow: Flow, partner: str, batch: Sequence[Waiting], because: Because, said: Said | None
) -> Created | None:
    new = Door(client).new_run(
        client.current(flow.flow),
        {"partner": partner, "because": because, "items": [one.event.data for one in batch]},
        source="batch", identity=f"batch {batch[0].event.id}",
        headers={"event_type": flow.trigger.event, "partner": partner, "because": because},
    )  # fmt: skip
    positions = [one.event.position for one in batch]
    return client.store.batches.send(flow.flow, positions, new, said, f"{flow.flow}/{partner}")


def _told(client: Client, flow: Flow, of: Collection) -> list[ExceptionRow]:
    sought = Sought(flows=(flow.flow,), kind=_NOT_STARTED, state="open")
    found = client.store.found_exceptions(sought, limit=_MOST_STUCK).rows
    return [row for row in found if row.details == _begun(of)]


def _goes(client: Client, flow: Flow, of: Collection) -> None:
    """Whichever clock said that it could not be sent."""
    for row in _told(client, flow, of):
        with suppress(Refused):
            client.store.resolve_exception(row.id, "orderly", "what was collected goes")


def _still_waits(client: Client, of: Collection) -> bool:
    return any(
        (one.partner, one.oldest) == (of.partner, of.oldest) for one in client.store.batches.collected(of.flow)
    )


def _begun(of: Collection) -> dict[str, str]:
    return {"begun": f"batch for {of.partner}"}


def divided(waiting: Sequence[Waiting], rules: Batching | None, because: Because) -> Iterator[list[Waiting]]:
    """Batches no larger than the rules say, in the order in which the documents were published. What goes because
    it is many leaves the rest, that is not yet many, to wait."""
    most = rules.count if rules is not None and because != "alone" else 1
    size = rules.bytes if rules is not None else 0
    batch: list[Waiting] = []
    for one in waiting:
        if batch and (len(batch) == most or sum(held.bytes for held in batch) + one.bytes > size):
            yield batch
            batch = []
        batch.append(one)
    full = len(batch) == most or sum(held.bytes for held in batch) >= size
    if batch and (full or because not in ("count", "bytes")):
        yield batch
