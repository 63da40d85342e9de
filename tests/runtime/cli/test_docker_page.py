"""What docker/ tells operators and orchestrators to run are verbs and options that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from runtime.cli import main

DOCKER = Path(__file__).parents[3] / "docker"
_ARGUMENTS = re.compile(r"(?:command|args): (\[[^\]]*\])")


def told() -> Iterator[tuple[str, list[str]]]:
    """Each command with the file it stands in."""
    page = (DOCKER / "README.md").read_text()
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for line in block.splitlines():
            if "orderly " in line and (found := re.search(r"(?:^|\s)orderly ([a-z].*)", line)):
                yield "README.md", shlex.split(found[1])
    for path in [DOCKER / "compose.yaml", *sorted((DOCKER / "kubernetes").glob("*.yaml"))]:
        for given in _ARGUMENTS.findall(path.read_text()):
            words = [word.strip().strip('"') for word in given[1:-1].split(",")]
            if words[0] in ("web", "worker", "clock", "db"):
                yield path.name, words


def verb(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words
        command, words = found, words[1:]
    return command, words


def test_every_command_and_option_exists() -> None:
    seen = list(told())
    for file, words in seen:
        command, rest = verb(words)
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        unknown = [word for word in rest if word.startswith("--") and word not in options]
        assert unknown == [], (file, words)

    assert {file for file, _ in seen} >= {"README.md", "compose.yaml", "web.yaml", "worker.yaml", "upgrade.yaml"}
    assert len(seen) > 12


@pytest.mark.parametrize("name", ["web", "worker", "clock"])
def test_a_supervisor_waits_longer_than_a_process_drains(name: str) -> None:
    command, _ = verb([name])
    (drain,) = [parameter.default for parameter in command.params if parameter.name == "drain"]

    compose = re.search(r"stop_grace_period: (\d+)s", (DOCKER / "compose.yaml").read_text())
    kubernetes = re.search(
        r"terminationGracePeriodSeconds: (\d+)", (DOCKER / "kubernetes" / f"{name}.yaml").read_text()
    )

    assert compose
    assert kubernetes
    assert isinstance(drain, float)
    assert min(int(compose[1]), int(kubernetes[1])) > drain + 10


def test_the_image_has_what_several_processes_need() -> None:
    """At the versions that the tests run with."""
    locked = {
        name: dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (DOCKER.parent / name).read_text(), re.MULTILINE))
        for name in ("docker/requirements.lock", "requirements.lock", "requirements-dev.lock")
    }
    image = locked["docker/requirements.lock"]

    assert {"psycopg", "dramatiq", "pika", "redis"} <= image.keys()
    assert locked["requirements.lock"].items() <= image.items()
    assert image.items() <= locked["requirements-dev.lock"].items()


def test_the_page_names_files_that_are_there() -> None:
    page = (DOCKER / "README.md").read_text()

    for path in re.findall(r"docker/([\w/.]+\.yaml)", page):
        assert (DOCKER / path).is_file(), path
    for link in re.findall(r"\]\(([^)#]+)", page):
        assert (DOCKER / link).exists(), link
