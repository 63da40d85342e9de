"""Polls and listeners: every flow whose trigger is a source operation, started and watched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from pydantic import ValidationError

from connectors import sdk
from connectors.sdk import Arrival, ConnectorError, Listen, Listening, Misconfigured, Poll, Receipt
from runtime.engine.client import Client
from runtime.engine.context import NodeContext
from runtime.intake.accept import Intake
from runtime.intake.waiting import Waiting
from runtime.model.flow import Flow, Trigger
from runtime.store.store import StoreError

log = structlog.get_logger()
_EVERY = 30.0
_STANDING_BY = 0.5
#: How long one who sends files or messages is held back where there is no room, in seconds.
_PATIENCE = 5.0
_LONGEST_BACKOFF = 300.0


@dataclass
class Source:
    """One source of one flow of one client. ``state`` is what a person sees: running, or what is wrong."""

    client: Client
    flow: Flow
    intake: Intake
    clock: Callable[[], datetime]
    waiting: Callable[[float], Waiting]
    state: str = "starting"
    listening: Listening | None = None

    @property
    def name(self) -> str:
        return f"{self.client.id}/{self.flow.flow}"

    def accept(self, arrival: Arrival) -> Receipt:
        return self.intake.take_raw(
            self.flow.flow,
            arrival,
            self.flow.trigger.type,
            sum_of_bytes=self.flow.same_by_bytes,
            patience=_PATIENCE,
            waiting=self.waiting(arrival.reply_within) if arrival.reply_within else None,
        )

    def operation(self) -> type[sdk.Operation[sdk.Parameters]]:
        connector, _, name = self.flow.trigger.type.partition(".")
        return sdk.load(connector).operation(name)

    def prepared(self) -> tuple[sdk.Parameters, NodeContext]:
        """Parameters and context. Raises ``Misconfigured``."""
        trigger: Trigger = self.flow.trigger
        kind = trigger.type.partition(".")[0]
        peer = self.client.peers.connection(trigger.connection, kind) if trigger.connection else None
        context = NodeContext(
            self.client, peer, self.client.pack.partners, self.clock,
            flow=self.flow.flow, run="", node="trigger", iteration="",
        )  # fmt: skip
        try:
            return self.operation().Parameters.model_validate(trigger.parameters), context
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise Misconfigured(f"{trigger.type}: {first['loc']}: {first['msg']}") from error


class Sources:
    """Starts all; one that cannot start says so and is tried again, the others run. While ``on_duty`` says no,
    another process has them, and they stand by."""

    def __init__(self, sources: list[Source], on_duty: Callable[[], bool] = lambda: True) -> None:
        self.all = sources
        self._on_duty = on_duty
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def alive(self) -> bool:
        """False where a source's thread has ended although nobody stopped it."""
        return self._stop.is_set() or all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        for source in self.all:
            serve = self._poll if issubclass(source.operation(), Poll) else self._listen
            thread = threading.Thread(target=serve, args=(source,), name=f"source-{source.name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """No more messages; those in hand are finished."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _poll(self, source: Source) -> None:
        every = source.flow.trigger.every.total_seconds() if source.flow.trigger.every else _EVERY
        failures = 0
        while self._waited_for_duty(source):
            try:
                parameters, context = source.prepared()
                operation = source.operation()
                assert issubclass(operation, Poll)
                operation().poll(parameters, context, source.accept)
                source.state, failures = "running", 0
            except (ConnectorError, StoreError) as error:
                failures += 1
                _tell(source, error)
            except Exception as error:
                failures += 1
                source.state = _broke(error)
                log.error("source.bug", source=source.name, exc_info=True)
            self._stop.wait(min(every * 2 ** min(failures, 8), max(every, _LONGEST_BACKOFF)) if failures else every)

    def _listen(self, source: Source) -> None:
        failures = 0
        while self._waited_for_duty(source):
            try:
                parameters, context = source.prepared()
                operation = source.operation()
                assert issubclass(operation, Listen)
                source.listening = operation().listen(parameters, context, source.accept)
            except (ConnectorError, StoreError) as error:
                failures += 1
                _tell(source, error)
            except Exception as error:
                failures += 1
                source.state = _broke(error)
                log.error("source.bug", source=source.name, exc_info=True)
            else:
                failures = 0
                self._while_on_duty(source, source.listening)
            self._stop.wait(min(2.0**failures, _LONGEST_BACKOFF) if failures else 0.0)

    def _while_on_duty(self, source: Source, listening: Listening) -> None:
        source.state = f"listening on {listening.address}"
        log.info("source.listening", source=source.name, address=listening.address)
        while self._on_duty() and not self._stop.wait(_STANDING_BY):
            pass
        source.listening = None
        try:
            listening.close()
        except Exception as error:
            source.state = _broke(error)
            log.error("source.bug", source=source.name, exc_info=True)

    def _waited_for_duty(self, source: Source) -> bool:
        """False where it is time to stop."""
        while not self._on_duty():
            source.state = "standing by: another process has it"
            if self._stop.wait(_STANDING_BY):
                return False
        return not self._stop.is_set()


def _tell(source: Source, error: Exception) -> None:
    source.state = str(error)
    log.warning("source.failed", source=source.name, why=str(error), next_action=getattr(error, "next_action", ""))


def _broke(error: Exception) -> str:
    return f"it broke with {type(error).__name__}; the log says where"
