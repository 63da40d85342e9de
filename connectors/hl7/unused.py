"""Which values of a message a mapping makes no use of, found by running it (HL7 feeds differ: what nobody reads may
be what was meant).

A value counts as used where the mapping asks for its place, or where its result would be another without the value
(which covers ``$each``, wildcards and whatever else asks for no place by name). This is about one message: a branch
that this message does not take reads nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.hl7.errors import Hl7Error
from connectors.hl7.message import Message
from connectors.hl7.view import view

#: Values that the view shows a second time, under these names.
_AGAIN = {"9.1": "type", "9.2": "type", "9.3": "structure", "10.1": "control_id", "12.1": "version"}
#: What the reader itself uses: delimiters and character set.
_READ_BY_US = ("MSH[0]-1.1", "MSH[0]-2.1", "MSH[0]-18.1")
_STOPPED = "stopped: "
_CALLED = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)\s*\(")


@dataclass(frozen=True)
class Unused:
    """``segments`` (``ZST[0]``) of which nothing is used, and ``fields`` (``RQD[0]-9.1``) of the others.
    ``stopped`` says that a mapping ended in an error, by its code: what it would have read later counts as unused.
    ``stand_ins`` are functions that only a running system has; here they gave back what they were given."""

    segments: tuple[str, ...]
    fields: tuple[str, ...]
    used: int
    stopped: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()


class _Watched(dict[str, Any]):
    """Fields of a segment; notes the places that are asked for."""

    def __init__(self, fields: Mapping[str, Any], asked: set[str], at: str) -> None:
        super().__init__(fields)
        self._asked, self._at = asked, at

    def get(self, key: str, default: Any = None) -> Any:
        self._asked.add(f"{self._at}-{key}")
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._asked.add(f"{self._at}-{key}")
        return super().__getitem__(key)


def unused(message: Message, mappings: Sequence[str]) -> Unused:
    """What none of the mappings (JSONata sources that read the view of ``hl7.read``) uses.

    Raises ``Hl7Error`` for a batch, and for a source that is no JSONata.
    """
    whole = view(message)
    places = [f"{_at(segment)}-{place}" for segment in whole["segments"] for place in segment["fields"]]
    places = [place for place in places if place not in _READ_BY_US]
    used: set[str] = set()
    stopped, stand_ins = [], set()
    for source in mappings:
        run, missing = _compiled(source)
        stand_ins |= missing
        asked: set[str] = set()
        result = run(_without(whole, "", asked))
        if result.startswith(_STOPPED):
            stopped.append(result.removeprefix(_STOPPED))
        used |= asked.intersection(places)
        used |= {place for place in places if place not in used and run(_without(whole, place, set())) != result}
    segments = {place.split("-")[0]: False for place in places} | {place.split("-")[0]: True for place in used}
    return Unused(
        tuple(at for at, any_used in segments.items() if not any_used),
        tuple(place for place in places if place not in used and segments[place.split("-")[0]]),
        len(used),
        tuple(stopped),
        tuple(sorted(stand_ins)),
    )


def _at(segment: Mapping[str, Any]) -> str:
    return f"{segment['id']}[{segment['occurrence']}]"


def _without(whole: Mapping[str, Any], left_out: str, asked: set[str]) -> dict[str, Any]:
    segments = []
    for segment in whole["segments"]:
        at = _at(segment)
        fields = {place: value for place, value in segment["fields"].items() if f"{at}-{place}" != left_out}
        segments.append({**segment, "fields": _Watched(fields, asked, at)})
    again = _AGAIN.get(left_out.removeprefix("MSH[0]-"))
    return {**whole, "segments": segments} | ({again: ""} if again else {})


def _compiled(source: str) -> tuple[Callable[[Any], str], set[str]]:
    """Evaluates to JSON text, or to ``stopped: <code>``; and the names that had to be stood in for."""
    from jsonata.jexception import JException
    from jsonata.jsonata import Jsonata

    try:
        expression = Jsonata(source)
    except (JException, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        code = getattr(error, "error", "") or type(error).__name__
        raise Hl7Error(
            f"the mapping is no JSONata: {code}", field="mapping", next_action="see what `orderly lint` says"
        ) from error
    assigned = set(re.findall(r"\$([A-Za-z_][A-Za-z0-9_]*)\s*:=", source))
    missing = {
        name
        for name in set(_CALLED.findall(source)) - assigned - {"function"}
        if expression.environment.lookup(name) is None
    }
    for name in missing:
        expression.register_lambda(name, _given_back)

    def run(document: Any) -> str:
        try:
            return json.dumps(expression.evaluate(document), sort_keys=True, default=str)
        except (JException, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            return _STOPPED + str(getattr(error, "error", "") or type(error).__name__)

    return run, missing


def _given_back(*given: Any) -> str:
    return json.dumps(given, default=str)
