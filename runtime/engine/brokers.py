"""RabbitMQ and Redis through Dramatiq, bare: no retries, no time limits, no age limits, for rows are the truth.

Only this module and ``brokered`` know Dramatiq, and both are imported where a broker is configured.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from connectors.sdk import Misconfigured

try:
    import redis
    from dramatiq import Broker
    from dramatiq.brokers.rabbitmq import RabbitmqBroker
    from dramatiq.brokers.redis import RedisBroker
    from dramatiq.errors import BrokerError
    from pika.exceptions import AMQPError
except ImportError as error:
    raise Misconfigured(
        f"ORDERLY_BROKER is set, and the program that speaks to brokers is not installed ({error.name})",
        next_action="pip install 'orderly[broker]'",
    ) from error

#: What says that the broker does not answer.
LOST: tuple[type[Exception], ...] = (BrokerError, AMQPError, redis.RedisError, OSError)

_SECONDS = 5.0


def open_broker(url: str, name: str) -> Broker:
    """Connects when it is first used; ``name`` begins the keys in Redis. Raises ``Misconfigured`` for a URL that
    says nothing to us."""
    scheme = urlsplit(url).scheme
    try:
        if scheme in ("amqp", "amqps"):
            return _rabbitmq(url)
        if scheme in ("redis", "rediss"):
            return _redis(url, name)
    except (ValueError, TypeError) as error:
        raise _unusable(url, str(error)) from error
    raise _unusable(url, f"{scheme or 'no scheme'} is neither RabbitMQ nor Redis")


def _rabbitmq(url: str) -> Broker:
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    broker: Any = RabbitmqBroker(url=url, middleware=[])
    broker.parameters.socket_timeout = _SECONDS
    broker.parameters.stack_timeout = 2 * _SECONDS
    broker.parameters.blocked_connection_timeout = 2 * _SECONDS
    opened: Broker = broker
    return opened


def _redis(url: str, name: str) -> Broker:
    client: Any = redis.Redis.from_url(
        url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, health_check_interval=10
    )
    return RedisBroker(client=client, middleware=[], namespace=name)  # type: ignore[no-untyped-call]


def keep_alive(broker: Broker) -> None:
    """Answers the broker's heartbeats on this thread's connection, and forgets one that was closed meanwhile.
    Raises one of ``LOST``."""
    if not isinstance(broker, RabbitmqBroker):
        return
    try:
        broker.connection.process_data_events(time_limit=0)
    except LOST:
        del broker.connection
        raise


def where(url: str) -> str:
    """The URL without its password, for people."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _unusable(url: str, why: str) -> Misconfigured:
    return Misconfigured(
        f"ORDERLY_BROKER={where(url)} cannot be used: {why}",
        next_action="give amqp://user:password@host:5672/vhost for RabbitMQ, or redis://host:6379/0 for Redis",
    )
