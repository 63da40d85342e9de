"""``orderly web``, ``worker`` and ``clock``: the parts of ``serve`` as processes of their own, on one or many
machines. PostgreSQL is what they share (ORDERLY_STORE), a broker carries their rings (ORDERLY_BROKER)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.cli import options
from runtime.cli.lifetime import serve_until_told
from runtime.cli.serve import flows_of, print_facts
from runtime.model.run import LANES

if TYPE_CHECKING:
    from runtime.services import Services, Settings

Command = Callable[..., None]
_health_port = click.option(
    "--health-port", type=click.IntRange(0, 65535), default=None,
    help="Answer /health/live and /health/ready here; 0 takes a free one [default: not at all].",
)  # fmt: skip


def _process(command: Command) -> Command:
    """What all three are told."""
    for option in (
        options.as_json,
        click.option("--pretty", is_flag=True, help="Logs for a person instead of JSON lines."),
        click.option(
            "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info",
            show_default=True,
        ),
        click.option(
            "--drain", type=click.FloatRange(0, 3600), default=25.0, show_default=True,
            help="Seconds that what is under way has to finish, once the process is told to stop.",
        ),
        click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
        options.data,
        click.argument("packs", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path)),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_process
@click.option("--port", type=click.IntRange(0, 65535), default=8620, show_default=True, help="0 takes a free one.")
@options.all_cpus
@options.max_body_bytes
def web(port: int, all_cpus: bool, max_body_bytes: int, as_json: bool, **given: Any) -> None:
    """Take webhooks of PACKs and show the console; workers do the work.

    docker/README.md tells how several processes work together.
    """
    settings = _settings("web", given, port=port, max_body_bytes=max_body_bytes)
    serve_until_told(
        settings, lambda services: _web(services, settings), print_facts, as_json, one_cpu=not all_cpus
    )


@click.command()
@_process
@options.threads
@options.all_cpus
@click.option(
    "--lane",
    "lanes",
    type=click.Choice(LANES),
    multiple=True,
    default=LANES,
    help="Work for this lane only; may be given again. A flow's `lane` says which one a run takes [default: all].",
)
@_health_port
def worker(
    threads: int, all_cpus: bool, lanes: tuple[str, ...], health_port: int | None, as_json: bool, **given: Any
) -> None:
    """Advance the runs of PACKs; as many of these as there is work for."""
    settings = _settings("worker", given, threads=threads, lanes=lanes)
    serve_until_told(
        settings, lambda services: _started(services, health_port), print_facts, as_json, one_cpu=not all_cpus
    )


@click.command()
@_process
@_health_port
def clock(health_port: int | None, as_json: bool, **given: Any) -> None:
    """Keep schedules, subscriptions, polls and listeners of PACKs, and ring what is due.

    One is on duty; further ones stand by.
    """
    settings = _settings("clock", given)
    serve_until_told(settings, lambda services: _started(services, health_port), print_facts, as_json)


def _settings(role: str, given: dict[str, Any], **more: Any) -> Settings:
    """Raises ``UsageError`` without a pack: the demo pack's simulators belong to one process."""
    from runtime.cli import served
    from runtime.observe.logs import set_up
    from runtime.services import Role, Settings

    set_up(given["log_level"], given["pretty"])
    packs = served.chosen(given["data"], given["packs"])
    if not packs:
        raise click.UsageError(f"say which PACKs this is for: orderly {role} PACK…")
    return Settings(
        data=given["data"], packs=packs, host=given["host"], drain_seconds=given["drain"], role=Role(role),
        simulators=False, **more,
    )  # fmt: skip


def _web(services: Services, settings: Settings) -> dict[str, Any]:
    from runtime.cli.serve import open_doors

    return {"role": "web", **open_doors(services, settings)}


def _started(services: Services, health_port: int | None) -> dict[str, Any]:
    """Raises ``OSError`` where the address is taken."""

    settings = services.settings
    facts: dict[str, Any] = {"role": str(settings.role), "data": str(settings.data), **flows_of(services)}
    if health_port is not None:
        from flask import Flask

        from runtime.console.health import Health

        app = Flask("orderly")
        app.register_blueprint(Health(services).blueprint())
        try:
            facts["health"] = services.listen_for_health(app, health_port)
        except OSError as error:
            raise OSError(
                f"cannot listen on {settings.host} port {health_port}: {error}; choose another --health-port"
            ) from error
    services.start()
    return facts
