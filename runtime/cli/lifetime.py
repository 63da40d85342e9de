"""A process that serves until it is told to stop."""

from __future__ import annotations

import gc
import json
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from runtime.services import Services, Settings

_STOP = {signal.SIGTERM, signal.SIGINT}
#: In seconds: how long another process may have the store before we give up.
_PATIENCE = 5.0
#: After how many new objects the collector of cycles looks at them, after how many such looks at older ones, and so
#: on. With Python's own numbers it took an eighth of a run's processor time, and found next to nothing.
_COLLECT = (20_000, 20, 50)


def serve_until_told(
    settings: Settings, start: Callable[[Services], dict[str, Any]], tell: Callable[[dict[str, Any]], None],
    as_json: bool, one_cpu: bool = True,
) -> None:  # fmt: skip
    """``start`` opens the doors and returns the facts of it. SIGTERM or SIGINT: what is under way is finished
    first; a second SIGINT does not wait for that."""
    from runtime.cli.one_cpu import kept

    # Blocked before any thread starts, so that every thread leaves these signals to the wait below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    with kept(one_cpu):
        _serve(settings, start, tell, as_json)


def _serve(
    settings: Settings, start: Callable[[Services], dict[str, Any]], tell: Callable[[dict[str, Any]], None],
    as_json: bool,
) -> None:  # fmt: skip
    services = opened(settings)
    try:
        facts = start(services)
        settle()
        click.echo(json.dumps(facts)) if as_json else tell(facts)
        signal.sigwait(_STOP)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        click.echo("stopping: what is under way is finished first", err=True)
    finally:
        services.stop()


def opened(settings: Settings) -> Services:
    """A command that has the store for a moment is waited for. Raises ``InUse`` where it is not given back."""
    from runtime.services import Services
    from runtime.store.store import InUse

    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return Services(settings)
        except InUse:
            if time.monotonic() >= until:
                raise
            time.sleep(0.1)


def settle() -> None:
    """Of a process that is up and stays: what there is now is not looked through for cycles again and again."""
    gc.freeze()
    gc.set_threshold(*_COLLECT)
