"""Being on duty: of several processes that could, one polls, listens, sweeps and keeps time."""

from __future__ import annotations

import time

import structlog

from runtime.engine.background import Background
from runtime.store.duty import Duty
from runtime.store.store import StoreError

log = structlog.get_logger()


class Watch:
    """Claims the duty three times in its length. ``on_duty`` is believed for less time than the row gives, by this
    process's own clock, so that a process that stood still knows at once that another one may have taken over."""

    def __init__(self, duty: Duty) -> None:
        self._duty = duty
        self._until = 0.0
        self._background = Background("watch", self._beat, duty.seconds / 3)

    @property
    def alive(self) -> bool:
        return self._background.alive

    def start(self) -> None:
        """Whoever is first has the duty when this returns."""
        self._beat()
        self._background.start()

    def stop(self) -> None:
        """Gives the duty up, so that the next one need not wait."""
        self._background.stop()
        if not self.on_duty():
            return
        self._until = 0.0
        try:
            self._duty.give_up()
        except StoreError as error:
            log.warning("watch.not_given_up", why=str(error))

    def on_duty(self) -> bool:
        return time.monotonic() < self._until

    def _beat(self) -> float:
        had, asked = self.on_duty(), time.monotonic()
        try:
            if self._duty.claim():
                self._until = asked + 0.8 * self._duty.seconds
        except StoreError as error:
            log.warning("watch.store", why=str(error))
        if self.on_duty() != had:
            log.info("watch.off_duty" if had else "watch.on_duty")
        return self._duty.seconds / 3
