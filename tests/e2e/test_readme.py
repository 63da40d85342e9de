"""README's examples do what README says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from runtime.model.lint import Scope, lint_flow
from tests.faults.server import Server

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def walk_through() -> list[str]:
    """The commands of the block that README marks as executed, without their comments."""
    block = re.search(r"<!-- walk-through.*?```console\n(.*?)```", README, re.S)
    assert block is not None
    return [line.partition("#")[0].strip() for line in block[1].splitlines()]


def test_the_flow_in_readme_has_no_mistake() -> None:
    block = re.search(r"```json\n(.*?)```", README, re.S)
    assert block is not None

    findings = lint_flow(json.loads(block[1]), "README.md", Scope(mappings=["note_to_order"]))

    assert findings == []


def test_the_walk_through_ends_with_a_server_that_is_ready(tmp_path: Path) -> None:
    *commands, serve = walk_through()

    for command in commands:
        name, *words = command.split()
        assert name == ".venv/bin/orderly"
        done = subprocess.run([BIN / "orderly", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    assert serve.split() == [".venv/bin/orderly", "serve", "clinic"]
    server = Server(tmp_path / "clinic", tmp_path)
    server.start()
    try:
        with urllib.request.urlopen(f"{server.url}/health/ready", timeout=5) as answer:
            assert answer.status == 200
        server.terminate()
        assert server.exit_code() == 0
    finally:
        server.stop()


def test_what_make_says_of_itself_is_no_part_of_the_answer(tmp_path: Path) -> None:
    """``make demo DEMO=--json`` on a fresh clone prints one JSON document, and nothing else, to standard output. The
    installation is left out here, the command is the real one."""
    (tmp_path / "bin").mkdir()
    for name in ("python", "orderly"):
        (tmp_path / "bin" / name).symlink_to(BIN / name)
    given = {"VENV": str(tmp_path), "PIP": "true", "DEMO": "--help"}
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}

    done = subprocess.run(
        ["make", "demo", *(f"{name}={value}" for name, value in given.items())],
        cwd=ROOT, capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip

    assert done.stdout.startswith("Usage: orderly demo")
    assert f"Installing into {tmp_path}" in done.stderr


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_every_link_of_readme_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"`orderly ([a-z0-9-]+)", README))))
def test_every_command_that_readme_names_exists(verb: str) -> None:
    done = subprocess.run([BIN / "orderly", verb, "--help"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
