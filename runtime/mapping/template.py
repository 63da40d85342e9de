"""Expressions inside JSON: a string that begins with ``=`` is one, ``==`` escapes a literal equals sign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.mapping.missing import MISSING


def is_expression(value: Any) -> bool:
    """True for ``"=lines.quantity"``; false for ``"==x"``, which stands for the text ``=x``."""
    return isinstance(value, str) and value.startswith("=") and not value.startswith("==")


def literal(value: str) -> str:
    """The text that a string which is no expression stands for."""
    return value[1:] if value.startswith("==") else value


def render(template: Any, evaluate: Callable[[str], Any]) -> Any:
    """The template with every expression replaced by what ``evaluate`` gives for its source (without the
    ``=``). A key or an element whose value is undefined is left out; an undefined whole is ``MISSING``."""
    if isinstance(template, str):
        return evaluate(template[1:]) if is_expression(template) else literal(template)
    if isinstance(template, dict):
        rendered = {key: render(value, evaluate) for key, value in template.items()}
        return {key: value for key, value in rendered.items() if value is not MISSING}
    if isinstance(template, list):
        elements = (render(value, evaluate) for value in template)
        return [value for value in elements if value is not MISSING]
    return template
