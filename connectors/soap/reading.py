"""Replies to JSON straight from the XML, by a plan made once from the types of the WSDL.

Of large replies zeep's own reading costs several times the CPU of all the rest. What is not plain is left to zeep,
so that both give the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree
from zeep import xsd
from zeep.xsd.elements.indicators import All, Group, Indicator, Sequence

_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
#: A decimal or integer that is written as we would write it.
_PLAIN_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_DEEPEST: Final = 40

#: The text of an element of a simple type to JSON. Raises ``TypeError`` or ``ValueError``.
Scalar = Callable[[Any], Any]


class NotPlain(Exception):
    """zeep must read this: a type we make no plan for, or a message that is not as the plan says."""


@dataclass
class _Plan:
    """``children``: tag -> place in the sequence, name, whether it repeats, and how it is read."""

    ordered: bool = True
    children: dict[str, tuple[int, str, bool, Any]] = field(default_factory=dict)
    attributes: dict[str, tuple[str, Any]] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)
    required: frozenset[str] = frozenset()


class Reader:
    """Of one type of a reply. Shared by threads: nothing in it changes."""

    def __init__(self, type_: Any, scalar: Scalar) -> None:
        """Raises ``NotPlain`` for a type with anything but elements in sequence, attributes and simple types."""
        self._scalar = scalar
        self._plan = _planned(type_, ())

    def read(self, element: etree._Element) -> Any:
        """Raises ``NotPlain`` for an element that is not as the type says, or says more (``xsi:type``)."""
        if len(element) == 0:
            raise NotPlain
        return self._object(element, self._plan)

    def _object(self, element: etree._Element, plan: _Plan) -> dict[str, Any]:
        made: dict[str, Any] = {name: [] for name in plan.lists}
        last, children = 0, plan.children
        for child in element:
            known = children.get(child.tag)
            if known is None:
                raise NotPlain
            place, name, repeats, how = known
            if place < last and plan.ordered:
                raise NotPlain
            last = place
            value = self._object_or_none(child, how) if isinstance(how, _Plan) else self._simple(child, how)
            if repeats:
                made[name].append(value)
            elif name in made:
                raise NotPlain
            else:
                made[name] = value
        if not plan.required <= made.keys() or any(not made[name] for name in plan.required & set(plan.lists)):
            raise NotPlain
        for tag, text in element.items():
            if str(tag).startswith(_XSI):
                raise NotPlain
            if tag in plan.attributes:
                name, type_ = plan.attributes[str(tag)]
                made[name] = self._text(str(text), type_)
        return {name: value for name, value in made.items() if value is not None}

    def _object_or_none(self, element: etree._Element, plan: _Plan) -> dict[str, Any] | None:
        if len(element) == 0 and not element.attrib:
            return None
        return self._object(element, plan)

    def _simple(self, element: etree._Element, type_: Any) -> Any:
        if len(element) or element.keys():
            raise NotPlain
        text = element.text
        return text if type_ is None or text is None else self._text(text, type_)

    def _text(self, text: str, type_: Any) -> Any:
        if type_ is None or (type(type_) is xsd.Decimal and _PLAIN_DECIMAL.fullmatch(text)):
            return text
        try:
            return self._scalar(type_.pythonvalue(text))
        except (TypeError, ValueError, ArithmeticError) as error:
            raise NotPlain from error


def _planned(type_: Any, above: tuple[Any, ...]) -> _Plan:
    if type_ in above or len(above) >= _DEEPEST or type_._array_type:
        raise NotPlain
    plan, required = _Plan(), set()
    for _, element in type_.elements_nested:
        if not isinstance(element, Indicator):
            raise NotPlain
        required |= _place(plan, element, (*above, type_))
    for name, attribute in type_.attributes:
        if not isinstance(attribute, xsd.Attribute) or not attribute.name:
            raise NotPlain
        plan.attributes[attribute.qname.text] = name, _simple(attribute.type)
    if not plan.children:
        raise NotPlain
    plan.required = frozenset(required)
    return plan


def _place(plan: _Plan, indicator: Any, above: tuple[Any, ...], optional: bool = False) -> set[str]:
    """Puts the elements into the plan; names of those that must come."""
    if isinstance(indicator, Group):
        indicator = indicator.child
    if type(indicator) not in (Sequence, All) or indicator.accepts_multiple:
        raise NotPlain
    if isinstance(indicator, All):
        plan.ordered = False
    optional = optional or indicator.is_optional
    required: set[str] = set()
    for child in indicator:
        if isinstance(child, Indicator):
            required |= _place(plan, child, above, optional)
            continue
        if not isinstance(child, xsd.Element) or not child.qname or child.qname.text in plan.children:
            raise NotPlain
        how = _planned(child.type, above) if isinstance(child.type, xsd.ComplexType) else _simple(child.type)
        plan.children[child.qname.text] = len(plan.children), child.attr_name, child.accepts_multiple, how
        if child.accepts_multiple:
            plan.lists.append(child.attr_name)
        if not (optional or child.is_optional):
            required.add(child.attr_name)
    return required


def _simple(type_: Any) -> Any:
    """``None`` for text that stays as it is."""
    if type(type_) is xsd.String:
        return None
    if not isinstance(type_, xsd.AnySimpleType) or isinstance(type_, xsd.ListType | xsd.UnionType):
        raise NotPlain
    return type_
