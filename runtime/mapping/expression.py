"""One expression: compiled once, evaluated anywhere, with the same answer from either engine."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections import OrderedDict
from collections.abc import Mapping
from math import isfinite
from typing import Any

from runtime.mapping import engines
from runtime.mapping.engines import ENGINES, Evaluate, Failure, Limits
from runtime.mapping.errors import EvaluationError, ExpressionError
from runtime.mapping.functions import CURRENT, Functions
from runtime.mapping.names import Names, Token, names, tokens

_KEPT = 2_048
_EXACT = 2**53
_NO_FUNCTIONS = Functions()
_RUN_FUNCTIONS = frozenset(field.name for field in dataclasses.fields(Functions))
_LIMITS = Limits()


class Expression:
    """Immutable and safe for threads; compare ``source`` and ``engine``, not identity.

    ``names`` are the variables it mentions (without ``$``); ``node_ids``, ``calls``, ``mappings``, ``all_nodes``
    and ``non_literal_map_with`` are described at ``Names``. ``asks_run``: it names what a run hands in.
    """

    def __init__(self, source: str, engine: str, name: str, mentioned: Names) -> None:
        self.source = source
        self.engine = engine
        self.name = name
        self.variables = self.names = mentioned.variables
        self.calls = mentioned.calls
        self.asks_run = not _RUN_FUNCTIONS.isdisjoint(mentioned.calls | mentioned.variables)
        self.node_ids = mentioned.node_ids
        self.all_nodes = mentioned.all_nodes
        self.mappings = mentioned.mappings
        self.non_literal_map_with = mentioned.non_literal_map_with

    def __repr__(self) -> str:
        return f"Expression({self.source!r}, engine={self.engine!r})"

    def evaluate(
        self,
        input: Any,
        bindings: Mapping[str, Any] | None = None,
        functions: Functions | None = None,
        limits: Limits = _LIMITS,
    ) -> Any:
        """The value as plain JSON, or ``MISSING`` where it is undefined.

        Raises ``EvaluationError``; an exception raised by one of ``functions`` reaches the caller unchanged.
        Input, bindings and result are JSON: whole numbers beyond 2^53 and numbers that are not finite are
        refused, since the engines would alter them silently.
        """
        outer = CURRENT.functions, CURRENT.failure
        CURRENT.functions, CURRENT.failure = functions or _NO_FUNCTIONS, None
        try:
            _refuse_inexact(input)
            if bindings:
                _refuse_inexact(dict(bindings))
            result = _compiled(self)(input, bindings, limits)
            _refuse_inexact(result)
            return result
        except (Failure, EvaluationError) as error:
            raise self._failed(CURRENT.failure or error) from None
        except RecursionError:
            raise self._failed(Failure("it nests too deeply", "U1001")) from None
        finally:
            CURRENT.functions, CURRENT.failure = outer

    def _failed(self, error: BaseException) -> BaseException:
        if isinstance(error, Failure):
            return EvaluationError(error.message, name=self.name, code=error.code, position=error.position)
        if isinstance(error, EvaluationError) and not error.name:
            error.name = self.name
        return error


def compile(source: str, *, engine: str = "jsonatapy", name: str = "") -> Expression:
    """Raises ``ExpressionError`` where the source is not JSONata. Cheap for a source that was seen before."""
    if engine not in ENGINES:
        raise ExpressionError(
            f"no engine called {engine!r}", name=name, code="engine", next_action=f"use {' or '.join(ENGINES)}"
        )
    try:
        return _expression(source, engine, name)
    except Failure as failure:
        raise ExpressionError(failure.message, name=name, code=failure.code, position=failure.position) from None


@functools.lru_cache(_KEPT)
def _expression(source: str, engine: str, name: str) -> Expression:
    return Expression(source, engine, name, _checked(source, engine))


@functools.lru_cache(_KEPT)
def _checked(source: str, engine: str) -> Names:
    engines.check(source, engine)
    found = tokens(source)
    for token in found:
        _refuse_large_literal(token)
    return names(found)


def _refuse_large_literal(token: Token) -> None:
    if token.kind == "number" and len(token.text) > 15 and token.text.isdigit() and int(token.text) > _EXACT:
        raise Failure(f"{token.text} is beyond 2^53: write it as a string", "integer_too_large", token.position)


class _PerThread(threading.local):
    """An engine's compiled objects belong to the thread that made them, and are dropped by it too."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple[str, str], Evaluate] = OrderedDict()


_THREAD = _PerThread()


def _compiled(expression: Expression) -> Evaluate:
    kept, key = _THREAD.kept, (expression.engine, expression.source)
    found = kept.get(key)
    if found is None:
        found = engines.build(*key, expression.variables | expression.calls)
        kept[key] = found
        if len(kept) > _KEPT:
            kept.popitem(last=False)
    else:
        kept.move_to_end(key)
    return found


def _refuse_inexact(value: Any) -> None:
    """One pass over JSON, on every evaluation, so types are compared instead of asked."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,):
        kind = type(item)
        if kind is str:
            continue
        if kind is dict or kind is list:
            _refuse_inexact(item)
        elif kind is int:
            if not -_EXACT <= item <= _EXACT:
                raise EvaluationError(
                    f"{item} is beyond 2^53 and cannot be kept exactly",
                    code="integer_too_large",
                    next_action="send it as a string",
                )
        elif kind is float and not isfinite(item):
            raise EvaluationError(
                f"{item} is no JSON number", code="D1001", next_action="look for a division by zero"
            )
