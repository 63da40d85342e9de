"""Passwords and secrets: asked for at a terminal, or read from standard input; never an argument."""

from __future__ import annotations

import sys

import click


def secret(what: str, from_stdin: bool, *, twice: bool) -> str:
    """One line. Raises ``UsageError`` where nobody can be asked and nothing is piped."""
    if from_stdin or not sys.stdin.isatty():
        value = sys.stdin.readline().rstrip("\r\n")
        if not value:
            raise click.UsageError(
                f"standard input holds no {what}: pipe it in one line, or run this at a terminal"
            )
        return value
    return str(click.prompt(what.capitalize(), hide_input=True, confirmation_prompt=twice, err=True))
