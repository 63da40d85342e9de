"""Functions registered on every expression: the ones a run hands in, and pure ones.

A function that would make a second evaluation differ from the first (``$random``, ``$shuffle``), or that would
turn data into code (``$eval``), is refused; ``$now``, ``$millis`` and ``$uuid`` come from the run.
"""

from __future__ import annotations

import hashlib
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, NoReturn

import rfc8785

from runtime.mapping import decimals, udi
from runtime.mapping.errors import EvaluationError
from runtime.mapping.missing import MISSING

_WIDEST = 10_000


def _absent(*_: Any) -> NoReturn:
    raise EvaluationError(
        "this function works inside a run only", code="no_run", next_action="pass the value in as data instead"
    )


@dataclass(frozen=True)
class Functions:
    """What a run hands in. ``now`` gives an ISO 8601 instant, ``millis`` the same in milliseconds since 1970,
    ``uuid`` a new derived id on every call; ``map_with(name, document)`` and ``resolve(kind, code, scheme)``
    may raise what they like: it reaches the caller of ``evaluate`` unchanged."""

    now: Callable[[], str] = _absent
    millis: Callable[[], int] = _absent
    uuid: Callable[[], str] = _absent
    map_with: Callable[[str, Any], Any] = _absent
    resolve: Callable[[str, str, str], Any] = _absent


class Call(threading.local):
    """The evaluation this thread is in: its functions, and the first exception one of them raised."""

    functions: Functions = Functions()
    failure: BaseException | None = None


CURRENT = Call()


def now(picture: Any = None, zone: Any = None) -> Any:
    """``$now()``: when the run's last checkpoint was committed, as an ISO 8601 instant in UTC."""
    if picture is not None or zone is not None:
        raise EvaluationError(
            "$now takes no picture here",
            code="now",
            next_action="write $fromMillis($millis(), picture, zone)",
        )
    return CURRENT.functions.now()


def millis() -> int:
    """``$millis()``: the same instant as ``$now()``, in milliseconds since 1970."""
    return CURRENT.functions.millis()


def uuid() -> str:
    """``$uuid()``: derived from run, node, iteration and call number, so a repeated evaluation gives it again."""
    return CURRENT.functions.uuid()


def map_with(mapping: Any, document: Any) -> Any:
    """``$map_with('canonical_to_erp_order', order)``: what that mapping makes of the document."""
    result = CURRENT.functions.map_with(_string("map_with", mapping), document)
    return None if result is MISSING else result


def resolve(kind: Any, code: Any, scheme: Any = "") -> Any:
    """``$resolve('supplier', '4010')``: the master data record with that code, or null where there is none."""
    wanted = [_string("resolve", part) for part in (kind, code, "" if scheme is None else scheme)]
    return CURRENT.functions.resolve(*wanted)


def hash_of(x: Any) -> str:
    """``$hash(x)``: SHA-256 in hex of the canonical JSON (RFC 8785) of ``x``."""
    return hashlib.sha256(rfc8785.dumps(x)).hexdigest()


def gtin_check(s: Any) -> bool:
    """``$gtin_check('4006381333931')``: 8, 12, 13 or 14 digits, the last being right (GS1 General
    Specifications, section 7.9)."""
    return isinstance(s, str) and udi.gtin_holds(s)


def udi_parts(carrier: Any) -> dict[str, str]:
    """``$udi('(01)04006381333931(10)L1')``: what a scanned device identification of GS1, HIBCC or ICCBBA says:
    agency, device_identifier, lot, serial, expires, manufactured; empty where it does not hold."""
    return udi.parts(_string("udi", carrier))


def pad(text: Any, width: Any, character: Any = " ") -> str:
    """``$pad``, with a width of at most 10,000: an engine given a larger one may take the process down."""
    if not isinstance(width, int | float) or not abs(width) <= _WIDEST:
        raise EvaluationError(
            f"$pad: {width!r} is not a width: give the text and a number from -{_WIDEST} to {_WIDEST}",
            code="pad",
        )
    fill = (_string("pad", character) or " ") * _WIDEST
    missing = max(0, abs(int(width)) - len(_string("pad", text)))
    return str(text) + fill[:missing] if width > 0 else fill[:missing] + str(text)


def _refused(name: str, why: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> NoReturn:
        raise EvaluationError(f"${name} is switched off: {why}", code=name)

    return refuse


def _string(function: str, value: Any) -> str:
    if not isinstance(value, str):
        shown = "nothing" if value is None else repr(value)[:80]
        raise EvaluationError(f"${function}: {shown} stands where a string is due", code=function)
    return value


_DECIMALS = ("dec", "dec_add", "dec_sub", "dec_mul", "dec_div", "dec_sum", "dec_round", "dec_compare")

#: Every registered function by the name it has in an expression.
REGISTERED: dict[str, Callable[..., Any]] = {
    **{name: getattr(decimals, name) for name in _DECIMALS},
    "map_with": map_with,
    "resolve": resolve,
    "uuid": uuid,
    "hash": hash_of,
    "gtin_check": gtin_check,
    "udi": udi_parts,
    "now": now,
    "millis": millis,
    "pad": pad,
    "eval": _refused("eval", "data never becomes code"),
    "random": _refused("random", "a run evaluated again must give the same; $uuid() is derived from the run"),
    "shuffle": _refused("shuffle", "a run evaluated again must give the same order"),
}

#: Those that replace a function of JSONata itself.
OVERRIDES = frozenset({"now", "millis", "pad", "eval", "random", "shuffle"})


def guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as an engine may call it: with checked arity, and with its exception kept, because
    engines pass exceptions on as text or not at all."""
    signature = inspect.signature(function)
    wanted = ", ".join(signature.parameters)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            try:
                signature.bind(*arguments)
            except TypeError as error:
                raise EvaluationError(
                    f"${name} cannot be called with {len(arguments)} arguments: {error}",
                    code=name,
                    next_action=f"it is ${name}({wanted}); in $map and the like write function($v) {{ ... }}",
                ) from None
            return function(*arguments)
        except BaseException as error:
            if CURRENT.failure is None:
                CURRENT.failure = error
            raise

    return call
