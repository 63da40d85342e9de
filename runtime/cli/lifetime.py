"""A process that serves until it is told to stop."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from runtime.services import Services, Settings

_STOP = {signal.SIGTERM, signal.SIGINT}


def serve_until_told(
    settings: Settings, start: Callable[[Services], dict[str, Any]], tell: Callable[[dict[str, Any]], None],
    as_json: bool,
) -> None:  # fmt: skip
    """``start`` opens the doors and returns the facts of it. SIGTERM or SIGINT: what is under way is finished
    first; a second SIGINT does not wait for that."""
    from runtime.services import Services

    # Blocked before any thread starts, so that every thread leaves these signals to the wait below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    services = Services(settings)
    try:
        facts = start(services)
        click.echo(json.dumps(facts)) if as_json else tell(facts)
        signal.sigwait(_STOP)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        click.echo("stopping: what is under way is finished first", err=True)
    finally:
        services.stop()
