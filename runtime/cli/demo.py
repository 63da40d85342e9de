"""``orderly demo``: everything embedded, one hospital's day in half a minute."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from runtime.cli import served
from runtime.cli.scenario import MANAGER, REQUESTER, DemoFailed, Requisition, Scenario

_LONGEST = 55.0
_QUIET = {"node"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the story.")
@click.option("--keep", is_flag=True, help="Keep serving when the story is told; stop with Ctrl-C.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Keep the state in this folder [default: a temporary one]."
)
@click.option("--port", default=0, show_default="a free one", help="Port of the console.")
def demo(as_json: bool, keep: bool, data: Path | None, port: int) -> None:
    """Watch requisitions become purchase orders, with all simulators on loopback."""
    from runtime.observe.logs import set_up

    set_up("critical")
    folder = data or Path(tempfile.mkdtemp(prefix="orderly-demo-"))
    try:
        sys.exit(_run(folder, as_json, keep, port))
    finally:
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, as_json: bool, keep: bool, port: int) -> int:
    from runtime.console.app import create_app
    from runtime.services import Services, Settings

    screen = Console(stderr=as_json)
    started = time.monotonic()
    services = Services(Settings(folder, port=port))
    try:
        app = create_app(services)
        served.remember(folder, ())
        services.start()
        scenario = Scenario(services, services.listen(app))
        scenario.hire()
        scenario.connect()
        failure = _play(scenario, screen, started, live=not as_json)
        results = [scenario.result(requisition.number) for requisition in scenario.requisitions()]
        complete = failure is None and all(_as_told(scenario, results))
        if as_json:
            _print_json(scenario, results, time.monotonic() - started)
        else:
            _print_story(scenario, screen, time.monotonic() - started, keep)
        if failure is not None:
            Console(stderr=True).print(f"[bold red]The demo did not come to its end:[/] {failure}")
        if keep:
            screen.print("Ctrl-C stops it.")
            _until_stopped()
            screen.print("stopped")
        return 0 if complete else 1
    finally:
        services.stop()


def _as_told(scenario: Scenario, results: list[dict[str, Any]]) -> list[bool]:
    return [
        result["outcome"] == requisition.expected
        for requisition, result in zip(scenario.requisitions(), results, strict=True)
    ]


def _play(scenario: Scenario, screen: Console, started: float, live: bool) -> str | None:
    """The story on a thread of its own while its progress is shown; what went wrong, if anything did."""
    told: list[str] = []

    def play() -> None:
        try:
            scenario.play(started + _LONGEST)
        except (DemoFailed, OSError) as error:
            told.append(str(error))

    player = threading.Thread(target=play, name="demo")
    player.start()
    if not live:
        player.join()
    else:
        with Live(_progress(scenario), console=screen, refresh_per_second=4) as shown:
            while player.is_alive():
                player.join(0.25)
                shown.update(_progress(scenario))
    return told[0] if told else None


def _progress(scenario: Scenario) -> Table:
    table = Table(title="Mercy General Hospital, a morning in procurement", title_justify="left", expand=False)
    for heading in ("Requisition", "What happens", "Now", "Purchase order", "997", "855"):
        table.add_column(heading, overflow="fold")
    for requisition in scenario.requisitions():
        result = scenario.result(requisition.number)
        table.add_row(
            requisition.number, requisition.story, _now(scenario, requisition, result),
            *(result[name] or "" for name in ("purchase_order", "functional_acknowledgement", "acknowledgement")),
        )  # fmt: skip
    return table


def _now(scenario: Scenario, requisition: Requisition, result: dict[str, Any]) -> str:
    if result["outcome"] is not None:
        color = {"ordered": "green", "rejected": "yellow", "exception": "red"}[result["outcome"]]
        return f"[{color}]{result['outcome']}[/]"
    runs = scenario.runs_of(requisition.number)
    return str(runs[-1].state) if runs else "[dim]not sent yet[/]"


def _print_json(scenario: Scenario, results: list[dict[str, Any]], seconds: float) -> None:
    shown = [{name: value for name, value in result.items() if name != "complete"} for result in results]
    document = {"requisitions": shown, **scenario.counts(), "seconds": round(seconds, 1)}
    click.echo(json.dumps(document, indent=2))


def _print_story(scenario: Scenario, screen: Console, seconds: float, keep: bool) -> None:
    for requisition in scenario.requisitions():
        result = scenario.result(requisition.number)
        screen.print()
        screen.print(f"[bold]{requisition.number}[/] {requisition.story} -> [bold]{result['outcome']}[/]")
        for step in scenario.time_line(requisition.number):
            if step["kind"] not in _QUIET:
                screen.print(_line(step), highlight=False, soft_wrap=True)
    counts = scenario.counts()
    screen.print()
    screen.print(
        f"ERP purchase orders: {counts['erp_purchase_orders']} · orders at the supplier: "
        f"{counts['supplier_orders_received']} · webhooks: {counts['portal_deliveries']}, "
        f"{counts['portal_duplicate_deliveries']} of them repeated · {seconds:.0f} s"
    )
    if keep:
        screen.print(f"Console: [bold]{scenario.url}[/]")
        for login in (MANAGER, REQUESTER):
            screen.print(f"  sign in as {login} with the password {scenario.passwords[login]}")
    else:
        screen.print(f"Console was at {scenario.url}; `orderly demo --keep` keeps it open for you.")


def _line(step: dict[str, Any]) -> str:
    what = _what(step)
    bad = step["kind"] == "exception" or step.get("failed") or "refused" in step["result"]
    color = "red" if bad or step["result"] == "rejected" else "green"
    told = f"[dim]{escape(step['text'])}[/]" if step["text"] else ""
    return f"  {step['at'][11:23]}  {step['system']:<10} {what:<35} [{color}]{step['result']}[/] {told}".rstrip()


def _what(step: dict[str, Any]) -> str:
    if step["kind"] in ("received", "finished"):
        return f"{step['flow']} {step['kind']}"
    return str(step["node"] if step["kind"] == "send" else f"{step['kind']} {step['node']}").strip()


def _until_stopped() -> None:
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    stop.wait()
