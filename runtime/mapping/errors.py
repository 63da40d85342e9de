"""What can go wrong with an expression.

MappingError
├── ExpressionError   does not compile: a mistake of the author, found by lint
└── EvaluationError   compiled, but this input, a limit or a registered function stopped it
"""

from __future__ import annotations


class MappingError(Exception):
    """``name`` is the mapping or the place in a flow, ``code`` is JSONata's (``S0207``, ``T2001``) or one of
    ours (``integer_too_large``, ``panic``), ``position`` counts characters in the source from 0."""

    def __init__(
        self, message: str, *, name: str = "", code: str = "", position: int | None = None, next_action: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.name = name
        self.code = code
        self.position = position
        self.next_action = next_action

    def __str__(self) -> str:
        where = f"{self.name}: " if self.name else ""
        at = f" (at character {self.position})" if self.position is not None else ""
        hint = f"; {self.next_action}" if self.next_action else ""
        return f"{where}{self.message}{at}{hint}"


class ExpressionError(MappingError):
    """The source is not JSONata."""


class EvaluationError(MappingError):
    """The source is JSONata, its evaluation failed."""
