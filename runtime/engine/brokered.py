"""The dispatcher for several processes: Dramatiq over RabbitMQ or Redis.

A message says no more than "go on with run R". Losing one loses nothing, for the sweeper rings again what is due;
doubling one doubles nothing, for a run is advanced under its lease. It is acknowledged after ``advance`` returned,
so that what a killed process had in hand is handed to another one. Dramatiq's retries are off: an advance that
breaks is logged, and its run comes due again when its lease runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
from dramatiq import Actor, Broker, Message, Worker

from runtime.engine.brokers import LOST, keep_alive, open_broker, where
from runtime.engine.dispatcher import NORMAL
from runtime.engine.ringer import Ringer

log = structlog.get_logger()
_ACTOR = "advance"
_WAKE_EVERY = 250


class BrokeredDispatcher:
    """``url`` is ``amqp://…`` or ``redis://…``; ``queue`` begins the names of its queues, one for each lane
    (``orderly.normal``), and parts installations that share a broker. ``lanes`` says how many threads each lane
    has in this process, once it serves. Raises ``Misconfigured``."""

    def __init__(self, url: str, *, queue: str = "orderly", lanes: Mapping[str, int] | None = None) -> None:
        self._url = url
        self._name = queue
        self._lanes = dict(lanes or {NORMAL: 8})
        self._broker = open_broker(url, queue)
        self._serving: list[tuple[Worker, Broker]] = []
        self._ringer = Ringer(self._send, lambda: keep_alive(self._broker), LOST)

    @property
    def alive(self) -> bool:
        return self._ringer.alive and all(
            thread.is_alive()
            for worker, _ in self._serving
            for thread in (*worker.workers, *worker.consumers.values())
        )

    def ring(self, run: str, lane: str = NORMAL) -> None:
        self._ringer.ring(run, lane)

    def serve(self, advance: Callable[[str], object]) -> None:
        for lane, threads in self._lanes.items():
            self._serving.append(self._worker(lane, threads, advance))
        log.info("broker.serving", broker=where(self._url), queues=[self.queue(lane) for lane in self._lanes])

    def close(self, seconds: float = 30.0) -> None:
        self._ringer.close(min(seconds, 2.0))
        while self._serving:
            worker, broker = self._serving.pop()
            worker.stop(timeout=int(seconds * 1000))
            broker.close()
        self._broker.close()

    def queue(self, lane: str) -> str:
        return f"{self._name}.{lane}"

    def _send(self, run: str, lane: str) -> None:
        self._broker.enqueue(
            Message(queue_name=self.queue(lane), actor_name=_ACTOR, args=(run,), kwargs={}, options={})
        )

    def _worker(self, lane: str, threads: int, advance: Callable[[str], object]) -> tuple[Worker, Broker]:
        """Threads that take from one queue, over connections of their own."""

        def go_on(run: str) -> None:
            try:
                advance(run)
            except Exception:
                log.error("run.broke", run=run, exc_info=True)

        broker = open_broker(self._url, self._name)
        Actor(go_on, broker=broker, actor_name=_ACTOR, queue_name=self.queue(lane), priority=0, options={})
        # Nothing is ever sent with a delay: waits are rows.
        broker.delay_queues.clear()
        worker = Worker(broker, queues={self.queue(lane)}, worker_timeout=_WAKE_EVERY, worker_threads=threads)
        worker.start()
        return worker, broker
