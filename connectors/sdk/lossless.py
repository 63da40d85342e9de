"""JSON that is given as the lossless view of a standard: whether it is one, and where it is not."""

from __future__ import annotations

import json
from typing import Any

from connectors.sdk.edi_errors import Unreadable


class LosslessView:
    """``name`` is the standard's command (``x12``). All it raises is ``error``, with a JSON pointer."""

    def __init__(self, name: str, error: type[Unreadable]) -> None:
        self._error = error
        self._advice = f"give the JSON that `orderly {name} read --json` prints"

    def parsed(self, raw: bytes) -> Any:
        """What holds interchanges, be they as they should or not."""
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise self._error(f"this is no JSON: {error}", code="json_invalid", next_action=self._advice) from None
        if not (isinstance(document, dict) and document.get("interchanges")):
            raise self._error(
                "this JSON holds no interchanges",
                code="no_interchanges",
                next_action=f"{self._advice}, without --named",
            )
        return document

    def bad(self, place: str, what: str, code: str = "view_invalid") -> Unreadable:
        """The error for JSON that is no lossless view at this place."""
        return self._error(
            f"{place or 'document'}: {what}", code=code, next_action=self._advice, details={"pointer": place}
        )

    def object_at(self, value: Any, place: str) -> Any:
        """The value, which must be an object."""
        if not isinstance(value, dict):
            raise self.bad(place, f"an object is expected, not {type(value).__name__}")
        return value

    def list_at(self, holder: Any, key: str, place: str) -> list[Any]:
        """A list of an object; an empty one where it is absent."""
        value = holder.get(key, [])
        if not isinstance(value, list):
            raise self.bad(f"{place}/{key}", f"a list is expected, not {type(value).__name__}")
        return value

    def text_at(self, holder: Any, key: str, place: str) -> str:
        """A text of an object; an empty one where it is absent."""
        value = holder.get(key, "")
        if not isinstance(value, str):
            raise self.bad(f"{place}/{key}", f"text is expected, not {type(value).__name__}")
        return value
