"""Where every error of a verb becomes one clear paragraph, or a problem document, and an exit code.

0 done, 1 the input or the outcome is bad, 2 wrong usage.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from runtime.api.problem import ProblemError

_JSON = "orderly.json"


def _remember(ctx: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    if value:
        ctx.meta[_JSON] = True
    return value


#: ``--json``: the answer, or the problem document, is one JSON document on standard output.
as_json = click.option(
    "--json", "as_json", is_flag=True, callback=_remember, help="One JSON document on standard output."
)


class Group(click.Group):
    """The command line's one border: nothing below it has to print an error."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            _tell(error, bool(ctx.meta.get(_JSON)))
            ctx.exit(1)


def _tell(error: Exception, as_json: bool) -> None:
    problem = _problem(error)
    if as_json:
        click.echo(json.dumps(problem))
        return
    from connectors.sdk.visible import visible

    click.echo(f"orderly: {visible(paragraph(problem))}", err=True)
    for violation in problem.get("errors", []):
        click.echo(visible(f"  {violation['pointer'] or '/'}: {violation['detail']}"), err=True)
    if sys.stderr.isatty():
        click.echo("  (orderly --debug … shows the trace)", err=True)


def _problem(error: Exception) -> dict[str, Any]:
    if isinstance(error, ProblemError):
        return error.problem
    from runtime.api.problems import problem_of

    return problem_of(error)


def paragraph(problem: dict[str, Any]) -> str:
    """What, where and why, then what to do next."""
    title, detail = problem["title"].rstrip("."), _sentence(problem["detail"])
    told = detail if not title or detail.startswith(title) else f"{title}: {detail}"
    advice = problem.get("next_action", "")
    return f"{told} Next: {_sentence(advice)}" if advice else told


def _sentence(text: str) -> str:
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."
