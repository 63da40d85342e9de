"""A request of an operation to fill in, by the types of its WSDL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from zeep import xsd
from zeep.xsd.elements.indicators import Choice, Group, Indicator

from connectors.soap.codec import TEXT

#: Deeper, or inside itself once more, a type is left empty.
_DEEPEST: Final = 12

_VALUES: Final = (
    (xsd.Boolean, "true"),
    (xsd.DateTime, "2026-01-31T12:00:00Z"),
    (xsd.Date, "2026-01-31"),
    (xsd.Time, "12:00:00"),
    (xsd.Duration, "P1D"),
    (xsd.gYearMonth, "2026-01"),
    (xsd.gYear, "2026"),
    (xsd.gMonthDay, "--01-31"),
    (xsd.gMonth, "--01"),
    (xsd.gDay, "---31"),
    (xsd.Base64Binary, ""),
    (xsd.HexBinary, "00"),
    (xsd.Integer, "0"),
    (xsd.Decimal, "0.00"),
    (xsd.Double, "0.0"),
    (xsd.Float, "0.0"),
)


def body_of(operation: Any) -> dict[str, Any]:
    """Every element and attribute once, optional ones too, of a choice the first; values fit their types. Facets
    (lengths, patterns, enumerations) are not looked at."""
    return _of_message(operation.input)


def reply_of(operation: Any) -> dict[str, Any]:
    """As ``body_of``, of what comes back."""
    return {} if operation.output is None else _of_message(operation.output)


def _of_message(message: Any) -> dict[str, Any]:
    if message.body is None:
        return {}
    if isinstance(message.body.type, xsd.ComplexType):
        return _object(message.body.type, ())
    return {TEXT: _value(message.body.type, ())}


def headers_of(operation: Any) -> dict[str, Any]:
    """The header blocks that the WSDL declares for the operation."""
    header = operation.input.header
    return {} if header is None else _object(header.type, ())


def _object(type_: Any, above: tuple[Any, ...]) -> dict[str, Any]:
    if not isinstance(type_, xsd.ComplexType) or type_ in above or len(above) >= _DEEPEST:
        return {}
    inside = (*above, type_)
    made: dict[str, Any] = {}
    for name, element in type_.elements_nested:
        made.update(_content(name, element, inside))
    for name, attribute in type_.attributes:
        if isinstance(attribute, xsd.Attribute):
            made[name] = _value(attribute.type, inside)
    return made


def _content(name: str, element: Any, inside: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(element, xsd.Any | xsd.AnyAttribute):
        return
    if isinstance(element, Indicator):
        children = [
            pair
            for child in _children(element)
            for pair in _content(getattr(child, "attr_name", None) or "", child, inside)
        ]
        if element.accepts_multiple:
            yield name, [dict(children)]
        else:
            yield from children
    elif isinstance(element, xsd.Element) and (element.name or name):
        value = _value(element.type, inside)
        yield element.attr_name or name, [value] if element.accepts_multiple else value


def _children(indicator: Any) -> list[Any]:
    if isinstance(indicator, Group):
        return [indicator.child]
    return list(indicator)[:1] if isinstance(indicator, Choice) else list(indicator)


def _value(type_: Any, inside: tuple[Any, ...]) -> Any:
    if isinstance(type_, xsd.ComplexType):
        return _object(type_, inside)
    if isinstance(type_, xsd.ListType):
        return [_value(type_.item_type, inside)]
    return next((value for kind, value in _VALUES if isinstance(type_, kind)), "text")
