"""Many runs at once: a small pack, and its runs stored in few commits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from runtime.engine.door import Door
from runtime.services import Services, Settings
from runtime.store.creation import Entry, create, entry
from runtime.store.statements import Tx
from tests.runtime.console.house import until

_BATCH = 500


def write_pack(
    folder: Path, *flows: Mapping[str, Any], connections: Mapping[str, Any] | None = None,
    policies: Mapping[str, Any] | None = None,
) -> Path:  # fmt: skip
    files: dict[str, Any] = {"pack.json": {"client": "mercy", "name": "Mercy", "flows": []}}
    files |= {f"flows/{flow['flow']}/flow.json": flow for flow in flows}
    files |= {f"connections/{name}.json": content for name, content in (connections or {}).items()}
    files |= {f"policies/{name}.json": content for name, content in (policies or {}).items()}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


@contextmanager
def opened(folder: Path, pack: Path, **settings: Any) -> Iterator[Services]:
    """Everything of one process, with eight workers once it is started."""
    services = Services(Settings(folder / "data", (pack,), port=0, **settings))
    try:
        assert services.clients["mercy"].registry.out == {}
        yield services
    finally:
        services.stop()


def store_runs(services: Services, flow: str, bodies: Iterable[Any]) -> list[str]:
    """Their ids, in the order of the bodies. Nobody is rung: whoever sweeps finds them."""
    mercy = services.clients["mercy"]
    release, door, made = mercy.current(flow), Door(mercy), list[str]()
    entries = [entry("mercy", door.new_run(release, body, source="call")) for body in bodies]
    for start in range(0, len(entries), _BATCH):
        made += services.store.transact(partial(_create_all, entries[start : start + _BATCH]))
    return made


def _create_all(entries: Sequence[Entry], tx: Tx) -> list[str]:
    return [create(tx, made).run for made in entries]


def comes_to(services: Services, seconds: float = 100.0, **wanted: int) -> None:
    """Returns once so many runs show those states and none shows another."""
    try:
        until(lambda: states(services) == wanted, "", seconds)
    except TimeoutError as error:
        raise AssertionError(f"{wanted} is not reached, there are {states(services)}") from error


def states(services: Services) -> Counter[str]:
    store = services.clients["mercy"].store
    return Counter({str(state): count for state, count in store.counts().items()})
