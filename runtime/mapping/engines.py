"""The two JSONata engines behind one call: ``jsonatapy`` (Rust, the default) and ``jsonata-python`` (reference).

Both give plain JSON, whole numbers as ``int``, and ``MISSING`` for undefined; both raise ``Failure``.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jsonatapy

from runtime.mapping.functions import OVERRIDES, REGISTERED, guarded
from runtime.mapping.missing import MISSING

ENGINES = ("jsonatapy", "jsonata-python")
_CODE = re.compile(r"\b([A-Z]\d{4}): ")
#: What the reference lets escape where its own checks have gaps.
_FOREIGN = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_UNDEFINED = "\x00undefined"


@dataclass(frozen=True)
class Limits:
    """Bounds of one evaluation: wall time, nesting of calls, length of any one sequence."""

    seconds: float = 5.0
    depth: int = 1_000
    sequence: int = 1_000_000


class Failure(Exception):
    """What an engine said, with JSONata's code and the character it points at, where it gave them."""

    def __init__(self, message: str, code: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.position = message, code, position


#: Evaluates one compiled expression on the thread that compiled it.
Evaluate = Callable[[Any, Mapping[str, Any] | None, Limits], Any]


def build(engine: str, source: str, mentioned: frozenset[str]) -> Evaluate:
    """Compiles for this thread, with those registered functions that are mentioned. Raises ``Failure``."""
    wanted = {name: guarded(name, REGISTERED[name]) for name in mentioned if name in REGISTERED}
    return _rust(source, wanted) if engine == "jsonatapy" else _reference(source, wanted)


def check(source: str, engine: str) -> None:
    """Raises ``Failure``, with the position, where the source does not compile."""
    try:
        build(engine, source, frozenset())
    except Failure as failure:
        if failure.position is None:
            failure.position = _position(source)
        raise


def _position(source: str) -> int | None:
    """jsonatapy tells no positions; the reference's parser does."""
    try:
        _reference(source, {})
    except Failure as failure:
        return failure.position
    return None


def _rust(source: str, functions: Mapping[str, Callable[..., Any]]) -> Evaluate:
    _compile_rust(source)
    # jsonatapy answers None for null and for undefined alike, so the expression itself tells them apart.
    marked = f'($orderly_result := (\n{source}\n); $exists($orderly_result) ? $orderly_result : "\\u0000undefined")'
    expression = _compile_rust(marked)
    for name, function in functions.items():
        register = expression.register_override if name in OVERRIDES else expression.register
        register(name, function)

    def evaluate(document: Any, bindings: Mapping[str, Any] | None, limits: Limits) -> Any:
        try:
            result = expression.evaluate(
                document,
                dict(bindings) if bindings else None,
                timeout=int(limits.seconds * 1000),
                max_stack_depth=limits.depth,
                max_sequence_length=limits.sequence,
            )
        except (ValueError, TypeError) as error:
            raise _told(str(error)) from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            raise Failure(f"the engine gave up: {str(error).splitlines()[0]}", "panic") from None
        return MISSING if result == _UNDEFINED else result

    return evaluate


def _compile_rust(source: str) -> jsonatapy.JsonataExpression:
    try:
        return jsonatapy.compile(source)
    except ValueError as error:
        raise _told(str(error)) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise Failure(f"the engine gave up: {str(error).splitlines()[0]}", "panic") from None


def _told(text: str) -> Failure:
    code = _CODE.search(text)
    return Failure(text[code.end() :], code[1]) if code else Failure(text)


def _reference(source: str, functions: Mapping[str, Callable[..., Any]]) -> Evaluate:
    from jsonata import Jsonata
    from jsonata.jexception import JException
    from jsonata.utils import Utils

    def adapted(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            result = function(*[_plain(argument) for argument in arguments])
            return Utils.NULL_VALUE if result is None else result

        return call

    try:
        expression = Jsonata(source, _regular_expression)
    except JException as error:
        raise Failure(str(error), error.error, max(error.location, 0)) from None
    except _FOREIGN as error:
        raise Failure(f"the parser gave up: {error}") from None
    expression.set_output_convert_nulls(False)
    # Bound to each evaluation's own frame: the expression's loses them when it is evaluated inside another one.
    registered = {name: Jsonata.JLambda(adapted(function)) for name, function in functions.items()}

    def evaluate(document: Any, bindings: Mapping[str, Any] | None, limits: Limits) -> Any:
        frame = expression.create_frame()
        _bound(frame, limits)
        for name, function in registered.items():
            frame.bind(name, function)
        for name, value in (bindings or {}).items():
            frame.bind(name, Utils.NULL_VALUE if value is None else value)
        try:
            result = expression.evaluate(Utils.NULL_VALUE if document is None else document, frame)
        except JException as error:
            raise Failure(str(error), error.error, error.location if error.location >= 0 else None) from None
        except _FOREIGN as error:
            raise Failure(f"{type(error).__name__}: {error}") from None
        return MISSING if result is None else _plain(result)

    return evaluate


def _bound(frame: Any, limits: Limits) -> None:
    """A fresh frame's bounds of time, depth and length.

    The reference's own count of depth grows with every list of several items that an expression writes: after such
    a list it takes the rest of that frame for a part evaluated in parallel, whose ends it does not count.
    """
    from jsonata.jexception import JException

    ends = time.monotonic() + limits.seconds
    depth = 0

    def check() -> None:
        if depth > limits.depth:
            raise JException("D1011", -1)
        if time.monotonic() > ends:
            raise JException("D1012", -1, int(limits.seconds * 1000))

    def enter(expression: Any, input: Any, environment: Any) -> None:
        nonlocal depth
        depth += 1
        check()

    def leave(expression: Any, input: Any, environment: Any, result: Any) -> None:
        nonlocal depth
        depth -= 1
        check()
        if isinstance(result, list) and len(result) > limits.sequence:
            raise Failure(f"The maximum sequence length of {limits.sequence} was exceeded.", "D2015")

    frame.set_evaluate_entry_callback(enter)
    frame.set_evaluate_exit_callback(leave)


def _plain(value: Any) -> Any:
    """JSON of the reference's own lists, null and functions; a function is null, as with the other engine."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, str | int | float) else None


def _regular_expression(pattern: str, flags: Any) -> Any:
    import re2

    prefix = ("i" if flags.case_insensitive else "") + ("m" if flags.multiline else "")
    return re2.compile(f"(?{prefix}){pattern}" if prefix else pattern)
