"""Brokers that tests may use: those that ORDERLY_TEST_RABBITMQ and ORDERLY_TEST_REDIS name, else on loopback.

Unset: the default address is tried; empty: there is none. What a test makes there has a name of its own, and is
taken away when the test ends.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest
import redis

_RABBITMQ = ("ORDERLY_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672", "rabbitmq-server")
_REDIS = ("ORDERLY_TEST_REDIS", "redis://127.0.0.1:6379/0", "redis-server")


def rabbitmq_url() -> str:
    """Skips the test where there is none."""
    return _url(*_RABBITMQ)


def redis_url() -> str:
    return _url(*_REDIS)


def _url(variable: str, default: str, package: str) -> str:
    how = f"apt-get install -y {package} and start it, or set {variable} to the URL of one"
    url = os.environ.get(variable, default)
    if not url:
        pytest.skip(f"{variable} is empty: {how}")
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=3).close()
    except OSError as error:
        if variable in os.environ:
            raise
        pytest.skip(f"nobody listens at {default} ({error}): {how}")
    return url


@contextmanager
def queue_of_its_own(url: str) -> Iterator[str]:
    """The beginning of queue names that no other test has."""
    name = f"orderly_test_{secrets.token_hex(6)}"
    try:
        yield name
    finally:
        forget(url, name)


def forget(url: str, queue: str) -> None:
    """Deletes what a dispatcher made under that name."""
    if url.startswith("redis"):
        client: Any = redis.Redis.from_url(url)
        with client:
            for key in client.scan_iter(f"{queue}*"):
                client.delete(key)
        return
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for lane in ("urgent", "normal", "bulk"):
            for ending in ("", ".DQ", ".XQ"):
                channel.queue_delete(f"{queue}.{lane}{ending}")


def messages(url: str, queue: str) -> list[bytes]:
    """Takes what lies in the queue."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            kept: Any = client.hgetall(f"{queue.partition('.')[0]}:{queue}.msgs")
            return list(kept.values())
    found = []
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        while (message := channel.basic_get(queue, auto_ack=True))[0] is not None:
            found.append(message[2])
    return found


@contextmanager
def virtual_host(url: str) -> Iterator[str]:
    """The URL of a virtual host of its own on that RabbitMQ, whose connections a test may close."""
    if shutil.which(_program()[0]) is None:
        pytest.skip("rabbitmqctl is not here: it comes with apt-get install -y rabbitmq-server")
    name = f"orderly_test_{secrets.token_hex(6)}"
    parts = urlsplit(url)
    rabbitmqctl("add_vhost", name)
    try:
        rabbitmqctl("set_permissions", "-p", name, parts.username or "guest", ".*", ".*", ".*")
        yield parts._replace(path=f"/{name}").geturl()
    finally:
        rabbitmqctl("delete_vhost", name)


def _program() -> list[str]:
    """``ORDERLY_TEST_RABBITMQCTL`` where the node has another name or cookie: ``env RABBITMQ_NODENAME=… rabbitmqctl``."""
    return shlex.split(os.environ.get("ORDERLY_TEST_RABBITMQCTL", "rabbitmqctl"))


def rabbitmqctl(*arguments: str) -> None:
    done = subprocess.run([*_program(), *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"rabbitmqctl {arguments[0]} may not be used here ({done.stderr.strip()[:200]}): run as root")
