"""A REST connection to a scripted peer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.rest.connector import Request, RequestParameters, RestSettings
from tests.connectors.sdk.http_peer import Peer
from tests.harness import MemoryContext


@pytest.fixture
def contexts() -> Iterator[Callable[..., MemoryContext]]:
    made: list[MemoryContext] = []

    def make(peer: Peer, **settings: Any) -> MemoryContext:
        allowed = {"url": peer.url, "allow": ["127.0.0.0/8"], **settings}
        made.append(MemoryContext(RestSettings(**allowed), type="rest", effect_key="r1n1"))
        return made[-1]

    yield make
    for context in made:
        context.close()


@pytest.fixture
def ask(contexts: Callable[..., MemoryContext]) -> Callable[..., Any]:
    def run(peer: Peer, **parameters: Any) -> Any:
        return Request().run(RequestParameters(**parameters), contexts(peer))

    return run
