"""``orderly serve``: one process with everything in it, until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.cli import options
from runtime.cli.lifetime import serve_until_told

if TYPE_CHECKING:
    from runtime.services import Services, Settings


@click.command()
@click.argument("packs", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.data
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8620, show_default=True, help="0 takes a free one.")
@options.threads
@options.all_cpus
@options.max_body_bytes
@click.option(
    "--relaxed",
    is_flag=True,
    help="Faster: the last commits may be lost if the machine dies (runtime/store/README.md says which).",
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option("--pretty", is_flag=True, help="Logs for a person instead of JSON lines.")
@options.as_json
def serve(
    packs: tuple[Path, ...], data: Path, host: str, port: int, threads: int, all_cpus: bool, max_body_bytes: int,
    relaxed: bool, log_level: str, pretty: bool, as_json: bool,
) -> None:  # fmt: skip
    """Serve PACKs; with none, those that were served last from the same --data, and from a new one the built-in
    demo pack with its simulators."""
    from runtime.cli import served
    from runtime.observe.logs import set_up
    from runtime.services import Settings

    set_up(log_level, pretty)
    packs = packs or served.before(data)
    settings = Settings(
        data=data,
        packs=packs,
        host=host,
        port=port,
        threads=threads,
        max_body_bytes=max_body_bytes,
        relaxed=relaxed,
    )
    serve_until_told(
        settings, lambda services: open_doors(services, settings), print_facts, as_json, one_cpu=not all_cpus
    )


def open_doors(services: Services, settings: Settings) -> dict[str, Any]:
    """The doors open and the facts of it. Raises ``OSError`` where the address is taken."""
    from runtime.api.control import Control
    from runtime.api.rpc import control_app
    from runtime.cli import served
    from runtime.console.app import create_app

    app = create_app(services)
    services.start()
    try:
        address = services.listen(app)
        socket = services.listen_locally(control_app(Control(services)))
    except OSError as error:
        raise OSError(
            f"cannot listen on {settings.host} port {settings.port}, or on {settings.data}/orderly.sock: "
            f"{error}; choose another --port (0 takes a free one), or a --data with a shorter path"
        ) from error
    served.remember(settings.data, settings.packs)
    return {"console": address, "data": str(settings.data), "socket": str(socket), **flows_of(services)}


def flows_of(services: Services) -> dict[str, Any]:
    from runtime.governance.views import plain

    clients = services.clients.all()
    return {
        "clients": [
            {"client": client.id, "name": client.pack.file.name, "flows": sorted(client.registry.releases)}
            for client in clients
        ],
        "flows_out": [
            {"client": client.id, "flow": flow, "findings": plain(findings)}
            for client in clients
            for flow, findings in client.registry.out.items()
        ],
        "files_out": [
            {"client": client.id, "name": name, "findings": plain(findings)}
            for client in clients
            for name, findings in client.registry.files_out.items()
        ],
    }


def print_facts(facts: dict[str, Any]) -> None:
    from runtime.cli.show import count, fact

    for name in ("role", "console", "health", "data"):
        if name in facts:
            fact(name, facts[name])
    for client in facts["clients"]:
        fact("client", f"{client['client']} ({client['name']}): {count(len(client['flows']), 'flow')}")
    for out in facts["flows_out"]:
        _print_out("flow out", f"{out['client']}/{out['flow']}", out["findings"])
    told = [finding for out in facts["flows_out"] for finding in out["findings"]]
    for out in facts["files_out"]:
        _print_out(
            "file out", f"{out['client']}/{out['name']}", [each for each in out["findings"] if each not in told]
        )
    fact("ready", "stop with Ctrl-C")


def _print_out(what: str, name: str, findings: list[dict[str, Any]]) -> None:
    """Each file once, below it what is wrong there."""
    from runtime.cli.show import fact

    files = list(dict.fromkeys(finding["file"] for finding in findings))
    for file in files:
        fact(what, f"{name}: {file}", bad=True)
        for finding in findings:
            if finding["file"] == file:
                line = f"line {finding['line']}, " if finding["line"] else ""
                advice = f" ({finding['suggestion']})" if finding["suggestion"] else ""
                fact("", f"  {line}{finding['pointer'] or '/'}: {finding['message']}{advice}")
