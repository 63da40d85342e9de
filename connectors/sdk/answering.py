"""What an operation that read put out, taken back by the one that answers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol, Self, TypeVar

from pydantic import BaseModel, ValidationError

from connectors.sdk.context import Context
from connectors.sdk.edi import Fault, Place
from connectors.sdk.errors import Misconfigured
from connectors.sdk.model import BlobRef
from connectors.sdk.receiving import REUSED

M = TypeVar("M", bound=BaseModel)
_WHERE = ("segment", "segment_id", "element", "component", "reference", "value", "name")


def parsed(model: type[M], received: Mapping[str, Any], reader: str) -> M:
    """``reader`` is the operation that put it out (``x12.read``). Raises ``Misconfigured`` by field."""
    try:
        return model.model_validate(received)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["received", *map(str, first["loc"])])
        raise Misconfigured(f"{field}: {first['msg']}", next_action=_as_it_is(reader), field=field) from None


def faults_from(told: Iterable[Mapping[str, Any]], known: Collection[str], reader: str) -> list[Fault]:
    """Faults from what ``Fault.as_json`` gave. Raises ``Misconfigured`` for a code that no check has."""
    return [_fault(one, known, reader) for one in told]


def _fault(told: Mapping[str, Any], known: Collection[str], reader: str) -> Fault:
    if told.get("code") not in known or "message" not in told:
        raise Misconfigured(
            f"{told!r:.200} is no fault that {reader} tells", next_action=_as_it_is(reader), field="received"
        )
    place = Place(told.get("interchange"), told.get("group"), told.get("set"), told.get("path", ""))
    where = {name: told[name] for name in _WHERE if name in told}
    return Fault(told["code"], told["message"], place, told.get("severity", "reject"), **where)


def is_quarantined(faults: Iterable[Mapping[str, Any]]) -> bool:
    """Whether an interchange was refused because its number belongs to another one, which keeps its own answer."""
    return any(one.get("code") == REUSED and one.get("severity") == "reject" for one in faults)


class Came(Protocol):
    """An interchange in the output of what read it."""

    @property
    def partner(self) -> str: ...
    @property
    def interchange_control_number(self) -> str: ...
    @property
    def duplicate(self) -> bool: ...
    @property
    def answer(self) -> BlobRef | None: ...
    def model_copy(self, *, update: Mapping[str, Any]) -> Self: ...


C = TypeVar("C", bound=Came)


def to_answer(came: Iterable[C], standard: str, usage: Callable[[C], str], context: Context) -> list[C]:
    """Each number of a file once, duplicates with what the first was answered with by now: they may have been read
    before it was."""
    seen: set[tuple[str, str]] = set()
    found: list[C] = []
    for one in came:
        number = one.interchange_control_number
        key = (usage(one), number)
        if one.duplicate and key in seen:
            continue
        seen.add(key)
        if one.duplicate and one.answer is None:
            answer = context.exchange.answer_to(standard, one.partner, usage(one), number)
            one = one.model_copy(update={"answer": answer})
        found.append(one)
    return found


def again(answers: Iterable[BlobRef | None]) -> list[BlobRef]:
    """What duplicates were answered with, each once: one answer may be for several interchanges."""
    return list({one.blob: one for one in answers if one is not None}.values())


def one_file(answers: list[BlobRef], type: str, context: Context) -> BlobRef:
    """Their interchanges one after the other; a single one is itself."""
    if len(answers) == 1:
        return answers[0]
    return context.blobs.put(b"".join(context.blobs.read(one) for one in answers), type)


def _as_it_is(reader: str) -> str:
    return f"hand on what {reader} put out, as it is"
