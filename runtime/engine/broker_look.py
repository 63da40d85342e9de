"""How long the queues are, for people; nothing is made or taken there."""

from __future__ import annotations

from typing import Any

from dramatiq.brokers.rabbitmq import RabbitmqBroker
from pika.exceptions import ChannelClosedByBroker

from runtime.engine.brokers import open_broker
from runtime.model.run import LANES


def look(url: str, queue: str) -> dict[str, tuple[int, int | None]]:
    """Of each lane's queue that is there: messages in it, and who takes from it (unknown in Redis). Raises one of
    ``brokers.LOST``, ``Misconfigured``."""
    broker: Any = open_broker(url, queue)
    names = [f"{queue}.{lane}" for lane in LANES]
    try:
        if isinstance(broker, RabbitmqBroker):
            found = {name: _rabbitmq(broker, name) for name in names}
            return {name: line for name, line in found.items() if line is not None}
        return {name: (int(broker.client.llen(f"{queue}:{name}")), None) for name in names}
    finally:
        broker.close()


def _rabbitmq(broker: Any, name: str) -> tuple[int, int] | None:
    channel = broker.connection.channel()
    try:
        found = channel.queue_declare(name, passive=True).method
        return int(found.message_count), int(found.consumer_count)
    except ChannelClosedByBroker:
        return None
    finally:
        if channel.is_open:
            channel.close()
