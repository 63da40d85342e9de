"""Variables and functions of an expression that nothing binds: a misspelt one is silently nothing."""

from __future__ import annotations

from collections.abc import Iterator, Set

from runtime.mapping import REGISTERED, Expression
from runtime.mapping.names import Token, tokens
from runtime.model.lints.finding import Place, Report

_JSONATA = """
    string length substring substringBefore substringAfter uppercase lowercase trim pad contains split join
    match replace eval base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl
    number abs floor ceil round power sqrt random formatNumber formatBase formatInteger parseInteger
    sum max min average boolean not exists count append sort reverse shuffle distinct zip
    keys lookup spread merge sift each error assert type now millis fromMillis toMillis
    map filter single reduce
"""

#: Functions of JSONata 2.1, https://docs.jsonata.org.
BUILT_IN = frozenset(_JSONATA.split())

_END = Token("end", "", 0)


def lint_variables(report: Report, place: Place, source: str, expression: Expression, bound: Set[str]) -> None:
    """``bound`` are the variables that a run binds here."""
    known = BUILT_IN | REGISTERED.keys() | set(_assigned(tokens(source)))
    for name in sorted(expression.calls - known - bound):
        report.unknown("unknown-function", place, "function", f"${name}", [f"${other}" for other in known])
    for name in sorted(expression.variables - known - bound):
        known_here = [f"${other}" for other in known | bound]
        report.unknown("unknown-variable", place, "variable", f"${name}", known_here)


def _assigned(source: list[Token]) -> Iterator[str]:
    """Names that the expression binds itself: ``$x :=``, ``function($x)``, ``@$x`` and ``#$x``."""
    in_parameters = False
    for before, token, after in zip([_END, *source], source, [*source[1:], _END], strict=False):
        if token.kind == "variable":
            if after.text == ":=" or before.text in ("@", "#") or in_parameters:
                yield token.value
        elif before.text in ("function", "\u03bb"):
            in_parameters = token.text == "("
        elif token.text == ")":
            in_parameters = False
