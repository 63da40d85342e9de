"""Exact decimal arithmetic on strings, because JSONata engines compute in binary floating point.

Arguments are decimal strings (``"12"``, ``"-3.50"``) or whole numbers; results are decimal strings. Nothing is
rounded but where the function's name says so.
"""

from __future__ import annotations

import decimal
import re
from decimal import Decimal
from typing import Any

from runtime.mapping.errors import EvaluationError

_DECIMAL = re.compile(r"[+-]?[0-9]{1,60}(\.[0-9]{1,60})?")
_EXACT = decimal.Context(prec=300, traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Inexact])
_ROUNDING = decimal.Context(prec=300, traps=[decimal.InvalidOperation, decimal.DivisionByZero])
_WHOLE = 2**53
MODES = {
    "half_up": decimal.ROUND_HALF_UP,
    "half_even": decimal.ROUND_HALF_EVEN,
    "up": decimal.ROUND_UP,
    "down": decimal.ROUND_DOWN,
    "ceiling": decimal.ROUND_CEILING,
    "floor": decimal.ROUND_FLOOR,
}


def dec(x: Any) -> str:
    """``$dec(2.5)`` is ``"2.5"``: the decimal string of a JSON number, digit for digit as it was written.

    Refuses a number of more than 15 digits, which binary floating point has already altered.
    """
    if isinstance(x, float) and not x.is_integer():
        exact = Decimal(repr(x))
        if len(exact.as_tuple().digits) > 15:
            raise _refusal("dec", x, "has more than 15 digits and cannot be exact: send it as a string")
        return _text(exact)
    return _text(_number("dec", x))


def dec_add(a: Any, b: Any) -> str:
    """``$dec_add("0.1", "0.2")`` is ``"0.3"``."""
    return _text(_EXACT.add(_number("dec_add", a), _number("dec_add", b)))


def dec_sub(a: Any, b: Any) -> str:
    """``$dec_sub("1.00", "0.01")`` is ``"0.99"``."""
    return _text(_EXACT.subtract(_number("dec_sub", a), _number("dec_sub", b)))


def dec_mul(a: Any, b: Any) -> str:
    """``$dec_mul("12", "3.50")`` is ``"42.00"``; the places of both add up."""
    return _text(_EXACT.multiply(_number("dec_mul", a), _number("dec_mul", b)))


def dec_div(a: Any, b: Any, places: Any, mode: Any = "half_up") -> str:
    """``$dec_div("10", "3", 2)`` is ``"3.33"``, rounded once from the exact quotient."""
    dividend, divisor = _number("dec_div", a), _number("dec_div", b)
    if not divisor:
        raise _refusal("dec_div", b, "is zero: nothing can be divided by it")
    digits, rounding = _places("dec_div", places), _mode("dec_div", mode)
    by = divisor.copy_abs()
    quotient, remainder = _ROUNDING.divmod(_EXACT.scaleb(dividend, digits).copy_abs(), by)
    # One digit after the point, below, at or above a half, is all that rounding has to know of the remainder.
    tail = Decimal(5 + int(_EXACT.add(remainder, remainder).compare(by))).scaleb(-1) if remainder else Decimal(0)
    signed = _EXACT.add(quotient, tail).copy_sign(Decimal(-1 if (dividend < 0) != (divisor < 0) else 1))
    return _text(_ROUNDING.scaleb(signed.quantize(Decimal(1), rounding, _ROUNDING), -digits))


def dec_sum(values: Any) -> str:
    """``$dec_sum(["0.10", "0.20"])`` is ``"0.30"``; of nothing it is ``"0"``."""
    terms = [] if values is None else values if isinstance(values, list) else [values]
    total = Decimal(0)
    for term in terms:
        total = _EXACT.add(total, _number("dec_sum", term))
    return _text(total)


def dec_round(x: Any, places: Any, mode: Any = "half_up") -> str:
    """``$dec_round("2.345", 2)`` is ``"2.35"``. Modes: half_up (away from zero), half_even, up, down, ceiling,
    floor."""
    unit = Decimal(1).scaleb(-_places("dec_round", places))
    return _text(_number("dec_round", x).quantize(unit, _mode("dec_round", mode), _ROUNDING))


def dec_compare(a: Any, b: Any) -> int:
    """``$dec_compare("9", "10.00")`` is ``-1``; 0 where they are equal, 1 where the first is larger."""
    return int(_number("dec_compare", a).compare(_number("dec_compare", b)))


def _number(function: str, x: Any) -> Decimal:
    if isinstance(x, str):
        if _DECIMAL.fullmatch(x) is None:
            raise _refusal(function, x, 'is not a decimal: write digits and at most one point, like "12.50"')
        return Decimal(x)
    if x is None:
        raise _refusal(function, x, "stands where a decimal is due: the field is missing or null")
    if isinstance(x, bool) or not isinstance(x, int | float):
        raise _refusal(function, x, 'is not a decimal: give a string like "12.50"')
    if isinstance(x, float) and not x.is_integer():
        raise _refusal(function, x, "is a binary number, which is not exact: give a string, or $dec(x) of it")
    if abs(x) > _WHOLE:
        raise _refusal(function, x, "is beyond 2^53 and may have been altered: give it as a string")
    return Decimal(int(x))


def _places(function: str, places: Any) -> int:
    if not isinstance(places, int) or isinstance(places, bool) or not 0 <= places <= 30:
        raise _refusal(function, places, "is not a number of places: give a whole number from 0 to 30")
    return places


def _mode(function: str, mode: Any) -> str:
    if not isinstance(mode, str) or mode not in MODES:
        raise _refusal(function, mode, f"is not a way of rounding: use one of {', '.join(MODES)}")
    return MODES[mode]


def _refusal(function: str, value: Any, why: str) -> EvaluationError:
    shown = "nothing" if value is None else repr(value)
    return EvaluationError(f"${function}: {shown[:80]} {why}", code=function)


def _text(number: Decimal) -> str:
    text = format(number, "f")
    return text[1:] if text.startswith("-") and not number else text
