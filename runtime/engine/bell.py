"""Rings a run at the workers of its lane."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from runtime.engine.dispatcher import NORMAL, Dispatcher
from runtime.store.store import Store, StoreError

log = structlog.get_logger()


@dataclass(frozen=True)
class Bell:
    """Never raises. Who knows the run's lane says so and spares a look at the run; where the store does not tell it
    just now the normal workers are rung, for any worker can go on with any run."""

    store: Store
    dispatcher: Dispatcher

    def __call__(self, run: str, lane: str = "") -> None:
        self.dispatcher.ring(run, lane or self._lane(run))

    def _lane(self, run: str) -> str:
        try:
            return self.store.lane(run) or NORMAL
        except StoreError as error:
            log.warning("bell.lane_unknown", run=run, why=str(error))
            return NORMAL
