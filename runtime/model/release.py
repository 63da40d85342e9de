"""A release: by hash, the content of a flow and of everything it names. A run pins one and never leaves it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import rfc8785

from connectors.sdk import BusinessError, Misconfigured
from connectors.sdk.json import LARGEST_WHOLE
from runtime.mapping import Expression
from runtime.mapping import compile as compile_expression
from runtime.model.flow import Flow


class NotCanonical(BusinessError):
    """The document has no canonical form; ``field`` is the JSON pointer of the first value that has none."""

    def __init__(self, pointer: str, why: str) -> None:
        super().__init__(
            f"{pointer or '/'}: {why}", kind="invalid_document", field=pointer,
            next_action="write numbers that are not finite, or whole and beyond 2^53, as strings",
        )  # fmt: skip
        self.why = why


def digest(document: Any) -> str:
    """SHA-256 of the canonical JSON (RFC 8785), in hex. Raises ``NotCanonical``."""
    try:
        return hashlib.sha256(rfc8785.dumps(document)).hexdigest()
    except (ValueError, RecursionError) as error:
        raise NotCanonical(*_culprit(document)) from error


def _culprit(document: Any) -> tuple[str, str]:
    """Pointer and fault of the first value without a canonical form, found without recursion."""
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        pointer, value = waiting.pop()
        if isinstance(value, dict):
            if any(_fault(key) or not isinstance(key, str) for key in value):
                return pointer, "a key is not text"
            waiting += [(f"{pointer}/{_escaped(key)}", inner) for key, inner in reversed(value.items())]
        elif isinstance(value, list | tuple):
            waiting += [(f"{pointer}/{index}", inner) for index, inner in reversed([*enumerate(value)])]
        elif fault := _fault(value):
            return pointer, fault
    return "", "it is nested too deeply"


def _fault(value: Any) -> str | None:
    if isinstance(value, str):
        return None if value.isascii() or _is_text(value) else "half of a surrogate pair is not text"
    if isinstance(value, float):
        return None if math.isfinite(value) else "a number that is not finite"
    if isinstance(value, int):
        return None if abs(value) <= LARGEST_WHOLE else "a whole number beyond 2^53: write it as a string"
    return None if value is None else f"{type(value).__name__} is not JSON"


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


@dataclass(frozen=True)
class Release:
    """``content`` is ``{"flow", "mappings", "schemas", "policies", "partners", "engine"}``."""

    hash: str
    content: Mapping[str, Any]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Release:
        return cls(digest(content), content)

    @cached_property
    def flow(self) -> Flow:
        return Flow.model_validate(self.content["flow"])

    @cached_property
    def expects(self) -> bool:
        """Whether any node expects something to come back."""
        return any(getattr(node, "expect", ()) for _, node in self.flow.walk())

    @property
    def engine(self) -> str:
        return str(self.content["engine"])

    def mapping(self, name: str) -> Expression:
        """Raises ``Misconfigured`` for a name the release does not hold."""
        source = self._part("mappings", name)
        return compile_expression(source, engine=self.engine, name=name)

    def schema(self, name: str) -> Mapping[str, Any]:
        return self._part("schemas", name)  # type: ignore[no-any-return]

    def policy(self, name: str) -> Mapping[str, Any]:
        return self._part("policies", name)  # type: ignore[no-any-return]

    def expression(self, source: str, place: str) -> Expression:
        """JSONata of the flow itself; ``place`` names it in errors."""
        return compile_expression(source, engine=self.engine, name=place)

    def _part(self, kind: str, name: str) -> Any:
        parts = self.content[kind]
        if name not in parts:
            raise Misconfigured(
                f"flow {self.content['flow']['flow']}: its release holds no {kind.rstrip('s')} {name!r}",
                next_action=f"it holds: {', '.join(sorted(parts)) or 'none'}",
                field=name,
            )
        return parts[name]
