"""``connection``: the peers of a client. Files are the truth, secrets live in the vault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from runtime.cli import options, served, show
from runtime.cli.remote import Without, desk, is_served
from runtime.cli.secret_input import secret

_WORDS = ("true", "false", "null")


@click.group()
def connection() -> None:
    """Peers that flows reach, and their secrets."""


@connection.command("list")
@options.here
def list_connections(data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Connections of the pack with their settings, and the names of secrets in the vault."""
    with desk(data, packs, without=Without.BORROWED) as door:
        told = door.call("connections_list", client=client)
    show.answer(told, as_json, _tell)


def _tell(told: dict[str, Any]) -> None:
    show.fact("client", told["client"])
    columns = ("connection", "type", "state", "holds", "by", "until", "why", "limits", "settings")
    show.table(told["connections"], *columns, none="no connections")
    for name in told["out"]:
        show.fact("out", f"connections/{name}.json cannot be used: `orderly lint` says why", bad=True)
    if told["secrets"]:
        show.fact("vault", ", ".join(told["secrets"]))


@connection.command("test")
@click.argument("name")
@options.here
def test_connection(name: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Reach the peer by the settings in its file, without changing anything there. Exit 1 where that fails."""
    with desk(data, packs, peers=True, without=Without.BORROWED) as door:
        told = door.call("connections_test", name=name, client=client)
        told["stale"] = told["stale"] and door.served
    show.answer(told, as_json, _tell_check)
    if not told["ok"]:
        raise click.exceptions.Exit(1)


def _tell_check(told: dict[str, Any]) -> None:
    show.fact("ok" if told["ok"] else "failed", f"{told['connection']}: {told['message']}", bad=not told["ok"])
    if told.get("next_action"):
        show.fact("next", told["next_action"])
    if told["stale"]:
        show.fact(
            "older", "the server runs on older settings than the file, which were tested: restart it", bad=True
        )


@connection.command("pause")
@click.argument("name")
@click.option("--reason", default="", help="Why; every run that is held says so.")
@click.option("--until", default="", metavar="WHEN", help="2h, 1d, or an instant in ISO 8601; else until resume.")
@options.here
def pause(
    name: str, reason: str, until: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Leave a peer alone: work for it is held in order."""
    with desk(data, packs) as door:
        told = door.call("connections_pause", name=name, reason=reason, until=until, by=options.me(), client=client)
    show.answer(told, as_json, _tell_state)


@connection.command("resume")
@click.argument("name")
@click.option("--reason", default="", help="Why; it is kept with what is done.")
@options.here
def resume(name: str, reason: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """End a pause, or a wait that the peer asked for (Retry-After), or try a peer that is out: what was held goes
    on, the oldest first."""
    with desk(data, packs) as door:
        told = door.call("connections_resume", name=name, reason=reason, by=options.me(), client=client)
        show.answer(told, as_json, lambda row: _tell_resumed(row, door.served))


def _tell_state(told: dict[str, Any]) -> None:
    show.table([told], "connection", "state", "by", "since", "until", "why", "holds")


def _tell_resumed(told: dict[str, Any], served: bool) -> None:
    _tell_state(told)
    show.fact("released", show.count(told["released"], "run"))
    if told["released"] and not served:
        show.fact("next", "no server runs on these data: `orderly serve` goes on with them")


@connection.command("set-secret")
@click.argument("name")
@options.here
def set_secret(name: str, data: Path, packs: tuple[Path, ...], client: str, as_json: bool) -> None:
    """Store what vault:NAME stands for: asked for at a terminal, or one line of standard input."""
    value = secret("secret", False, twice=False)
    with desk(data, packs, without=Without.MADE) as door:
        told = door.call("secrets_set", name=name, value=value, by=options.me(), client=client)
    show.answer(told, as_json, _tell_secret)


def _tell_secret(told: dict[str, Any]) -> None:
    show.fact("client", told["client"])
    show.fact("stored", f"connections refer to it as {told['reference']}")
    if not told["used_by"]:
        known = ", ".join(f"vault:{name}" for name in told["references"]) or "no secret of the vault"
        show.fact("unused", f"no connection refers to it yet; they refer to {known}", bad=True)


_set = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, or limits.at_once, limits.per_minute, limits.breaker.failures …; auth.user=x nests, lists are"
    " JSON: allow='[\"10.0.0.0/8\"]'; null takes a key away.",
)


@connection.command("add")
@click.argument("name")
@click.option("--type", "type_", required=True, help="Connector, such as sftp, or webhook_hmac, api_key.")
@_set
@click.option("--replace", is_flag=True, help="Overwrite the file of that name.")
@options.here
def add(
    name: str, type_: str, settings: tuple[str, ...], replace: bool, data: Path, packs: tuple[Path, ...],
    client: str, as_json: bool,
) -> None:  # fmt: skip
    """Write connections/NAME.json into the pack. Secrets are references: vault:NAME, env:NAME, file:PATH."""
    pack = served.one_pack(data, packs, client)
    path = pack / "connections" / f"{name}.json"
    if path.exists() and not replace:
        raise click.UsageError(
            f"{path} is there already: change it with `orderly connection set`, or say --replace"
        )
    content = {"$schema": _schema(pack), "type": type_, "settings": {}}
    content = _merged({key: value for key, value in content.items() if value != ""}, _given(settings))
    _write(name, path, pack, content)
    _answer(name, path, content, data, client, as_json)


@connection.command("set")
@click.argument("name")
@_set
@options.here
def change(
    name: str, settings: tuple[str, ...], data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Change settings and limits in connections/NAME.json; what is not named stays as it is."""
    from runtime.model.pack import read_json

    pack = served.one_pack(data, packs, client)
    path = pack / "connections" / f"{name}.json"
    if not path.is_file():
        raise click.UsageError(f"there is no {path}: `orderly connection add` makes it")
    if not settings:
        raise click.UsageError("say what to change: --set KEY=VALUE")
    content = _merged(read_json(path), _given(settings))
    _write(name, path, pack, content)
    _answer(name, path, content, data, client, as_json)


def _write(name: str, path: Path, pack: Path, content: dict[str, Any]) -> None:
    _check(name, path, pack, content)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _answer(name: str, path: Path, content: dict[str, Any], data: Path, client: str, as_json: bool) -> None:
    told = {"connection": name, "type": content["type"], "file": str(path)}
    which = f" --client {client}" if client else ""
    show.answer(told, as_json, lambda row: _tell_written(row, content["settings"], is_served(data), which))


def _tell_written(told: dict[str, Any], settings: Any, served: bool, which: str) -> None:
    show.fact("wrote", told["file"])
    for reference in _vault(settings):
        show.fact("next", f"orderly connection set-secret {reference}{which}")
    first = "restart the server, then " if served else ""
    show.fact("next", f"{first}orderly connection test {told['connection']}{which}")


def _vault(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [name for inner in value.values() for name in _vault(inner)]
    return [value.removeprefix("vault:")] if isinstance(value, str) and value.startswith("vault:") else []


def _schema(pack: Path) -> str:
    """Where the workspace keeps its schemas, as ``orderly init`` lays them out."""
    return "../schemas/connection.schema.json" if (pack / "schemas").is_dir() else ""


def _given(settings: tuple[str, ...]) -> dict[str, Any]:
    """Members of the file: ``limits.at_once=1`` is one of the limits, all else a setting."""
    made = _nested(settings)
    limits = {"limits": made.pop("limits")} if "limits" in made else {}
    return {"settings": made, **limits}


def _merged(content: Any, given: Any) -> Any:
    """What is given, laid over the content; ``null`` takes away."""
    if not isinstance(content, dict) or not isinstance(given, dict):
        return given
    made = {**content, **{key: _merged(content.get(key, {}), value) for key, value in given.items()}}
    return {key: value for key, value in made.items() if value is not None}


def _nested(settings: tuple[str, ...]) -> dict[str, Any]:
    """``auth.user=x`` is ``{"auth": {"user": "x"}}``; a value that is JSON is taken as such."""
    made: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{setting!r} is not KEY=VALUE", param_hint="--set")
        *places, last = key.split(".")
        inner = made
        for place in places:
            inner = inner.setdefault(place, {})
            if not isinstance(inner, dict):
                raise click.BadParameter(f"{place!r} of {key!r} is a value already", param_hint="--set")
        inner[last] = _value(value)
    return made


def _value(text: str) -> Any:
    try:
        return json.loads(text) if text[:1] in '{["' or text in _WORDS or text.isdigit() else text
    except ValueError:
        return text


def _check(name: str, path: Path, pack: Path, content: dict[str, Any]) -> None:
    """Nothing is written that lint refuses, secrets in clear above all."""
    from runtime.api.problem import ProblemError, problem
    from runtime.governance.views import plain
    from runtime.model.lints.finding import Report
    from runtime.model.lints.packs import lint_connection_file
    from runtime.model.pack import Pack

    report = Report(str(path))
    lint_connection_file(report, content, frozenset(Pack.read(pack).file.simulators))
    errors = [finding for finding in report.findings if finding.severity == "error"]
    if errors:
        advice = "; ".join(finding.suggestion for finding in errors if finding.suggestion)
        if any(finding.code == "secret-in-file" for finding in errors):
            advice = f"write vault:{name}_secret instead, then `orderly connection set-secret {name}_secret`"
        detail = "; ".join(f"{finding.pointer or '/'}: {finding.message}" for finding in errors)
        raise ProblemError(
            problem(
                422, f"{path} was not written", detail, errors[0].code, next_action=advice, findings=plain(errors)
            )
        )
