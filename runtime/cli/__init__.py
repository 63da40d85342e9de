"""``orderly``: parse, call, print. Verbs are imported when they are used, so that the command starts fast."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points

import click

from runtime.cli import border

_SERVE, _AUTHOR, _TRY = "runtime.cli.serve", "runtime.cli.author", "runtime.cli.trying"
_OPERATE, _DECIDE, _ADMINISTER = "runtime.cli.operate", "runtime.cli.decide", "runtime.cli.administer"

#: Where each verb is defined, and what the list of verbs says about it.
_VERBS = {
    "demo": ("runtime.cli.demo:demo", "Watch requisitions become orders, with simulators on this machine."),
    "serve": (f"{_SERVE}:serve", "Serve one or many packs: webhooks, sources, workers, console."),
    "web": ("runtime.cli.processes:web", "Only the doors and the console of serve, with PostgreSQL and a broker."),
    "worker": ("runtime.cli.processes:worker", "Only the work of serve; as many as there is work for."),
    "clock": ("runtime.cli.processes:clock", "Only schedules, polls and listeners of serve."),
    "init": ("runtime.cli.workspace:init", "Lay out a workspace with a flow that runs."),
    "lint": (f"{_AUTHOR}:lint", "Find every authoring mistake in flows, mappings and packs."),
    "test": (f"{_TRY}:test", "Run the cases of flows and mappings."),
    "map": (f"{_AUTHOR}:map_file", "Apply a mapping to a document."),
    "run": (f"{_OPERATE}:run", "Run a flow with a payload and show what came of it."),
    "runs": (f"{_OPERATE}:runs", "Look at runs; redrive, reprocess, cancel, settle them."),
    "dead-letters": (f"{_OPERATE}:dead_letters", "Technical failures whose attempts are used up."),
    "exceptions": (f"{_DECIDE}:exceptions", "Business failures with an owner."),
    "interchanges": ("runtime.cli.interchanges:interchanges", "What went to partners and came, and its answers."),
    "batches": ("runtime.cli.batches:batches", "Documents that wait for others to the same partner."),
    "approvals": (f"{_DECIDE}:approvals", "What waits for a decision."),
    "audit": ("runtime.cli.audit:audit", "Who did what to which, and who had which raw message in hand."),
    "user": (f"{_ADMINISTER}:user", "People who sign in to the console."),
    "key": (f"{_ADMINISTER}:key", "API keys of systems that send webhooks."),
    "connection": ("runtime.cli.connections:connection", "Peers of a client and their secrets."),
    "partner": ("runtime.cli.partner:partner", "Trading partners: a new profile, a trial with their simulator."),
    "db": (f"{_ADMINISTER}:db", "The database."),
    "backup": ("runtime.cli.housekeeping:backup", "Copy everything that is kept, while a server goes on."),
    "doctor": ("runtime.cli.doctor:doctor", "What is wrong, or soon will be, and what to do about it."),
    "restore": ("runtime.cli.housekeeping:restore", "Bring a backup back; nothing goes on until it is released."),
}


class Verbs(border.Group):
    """Our own verbs and those that installed connectors bring (``orderly x12 …``)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_VERBS, *_of_connectors()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _VERBS:
            return _imported(_VERBS[cmd_name][0])
        if cmd_name in _of_connectors():
            return _imported(_of_connectors()[cmd_name])
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table above: help must not import what it lists."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _VERBS.items()])
        with formatter.section("Formats"):
            formatter.write_dl([(name, f"`orderly {name} -h` tells what there is.") for name in _of_connectors()])


def _imported(place: str) -> click.Command:
    module, _, attribute = place.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def _of_connectors() -> dict[str, str]:
    """Verbs that installed connectors bring, by name; none is imported."""
    return {entry.name: entry.value for entry in sorted(entry_points(group="orderly.commands"))}


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 112})
@click.version_option(package_name="orderly")
@click.option("--debug", is_flag=True, help="Show the trace of an error.")
def main(debug: bool) -> None:
    """Orderly carries orders and documents between a hospital's systems and its suppliers, and never loses one."""
