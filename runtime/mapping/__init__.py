"""JSONata behind one interface: compile once, evaluate with limits, typed errors, exact decimals."""

from runtime.mapping.engines import ENGINES, Limits
from runtime.mapping.errors import EvaluationError, ExpressionError, MappingError
from runtime.mapping.expression import Expression, compile
from runtime.mapping.functions import REGISTERED, Functions
from runtime.mapping.missing import MISSING, Missing
from runtime.mapping.template import is_expression, literal, render

__all__ = [
    "ENGINES", "MISSING", "REGISTERED", "EvaluationError", "Expression", "ExpressionError", "Functions", "Limits",
    "MappingError", "Missing", "compile", "is_expression", "literal", "render",
]  # fmt: skip
