"""What partners send goes through the exchange ledger: duplicates, reused numbers, gaps, known documents."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import Field

from connectors.sdk.context import Context
from connectors.sdk.edi import Fault, Place
from connectors.sdk.errors import BusinessError
from connectors.sdk.exchange import Duplicates, Exchanged, Reception, Rules, SetEntry
from connectors.sdk.model import BlobRef

Strict = Annotated[bool, Field(description="treat every warning as a rejection", examples=[False])]
ReusedAs = Annotated[
    Literal["raise", "fault"],
    Field(
        description="whether a control number that came before with other content is an exception, or a fault that"
        " rejects the interchange, so that the flow can answer it",
        examples=["fault"],
    ),
]
REUSED, GAP, KNOWN = "interchange_number_reused", "control_number_gap", "business_duplicate"


@dataclass(frozen=True)
class Wording:
    """What a standard calls what the ledger finds: ``number`` is the place of the interchange's number (``ISA13``),
    ``segment`` and ``element`` the same for a fault, ``last`` the greatest there is; ``refusal`` names the code for
    a number that was used before. ``fault`` makes one of a code, as the standard's own checks do."""

    standard: str
    number: str
    segment: str
    element: int
    last: int
    refusal: tuple[str, str]
    fault: Callable[..., Fault]


class Digest:
    """Of segments as they were read: equal for the same content, whatever stands between segments."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, segments: Iterable[Mapping[str, Any]]) -> None:
        for one in segments:
            self._sha.update(f"{one['id']}{one['elements']}\n".encode("utf-8", "surrogatepass"))

    def __str__(self) -> str:
        return f"sha256:{self._sha.hexdigest()}"


class Found(Protocol):
    """An interchange, group or document that was checked."""

    @property
    def faults(self) -> list[Fault]: ...
    @property
    def place(self) -> Place: ...
    @property
    def is_good(self) -> bool: ...


W = TypeVar("W", bound=Found)
G = TypeVar("G", bound=Found)
D = TypeVar("D", bound=Found)


class Incoming(ABC, Generic[W, G, D]):
    """One interchange that takes shape while it is read and checked, before the ledger knows it.

    Afterwards ``is_duplicate`` says that it came before, and ``answer`` what it was acknowledged with then.
    """

    wording: ClassVar[Wording]
    partner: str
    usage: str
    number: str
    is_duplicate: bool = False
    answer: BlobRef | None = None

    def __init__(self) -> None:
        self._digest = Digest()
        self._open: list[D] = []
        self._checked: W | None = None
        self.groups: list[tuple[G, list[D]]] = []

    def read(self, segments: Iterable[Mapping[str, Any]]) -> None:
        """A piece of it, as it was read: it counts in the digest."""
        self._digest.add(segments)

    def put(self, document: D) -> None:
        self._open.append(document)

    def close(self, group: G) -> None:
        """With the documents that were put since the last."""
        self.groups.append((group, self._open))
        self._open = []

    def end(self, checked: W) -> None:
        """When all its groups are closed."""
        self._checked = checked

    @property
    def checked(self) -> W:
        assert self._checked is not None, "the interchange has not ended"
        return self._checked

    @property
    def digest(self) -> str:
        return str(self._digest)

    @cached_property
    def documents(self) -> list[tuple[G, D]]:
        """Those that the ledger knows, each with its group, in their order; asked for when all are read."""
        return [(group, one) for group, documents in self.groups for one in documents if self.is_document(one)]

    def envelope_faults(self) -> list[Fault]:
        """Faults of the interchange and its groups."""
        return [*self.checked.faults, *(found for group, _ in self.groups for found in group.faults)]

    def note(self, found: Fault) -> None:
        """A fault of the interchange."""
        self.checked.faults.append(found)

    def note_entry(self, at: int, found: Fault) -> None:
        """A fault of one of its entries, whose place it is given."""
        one = self.documents[at][1]
        one.faults.append(replace(found, place=one.place))

    def is_document(self, one: D) -> bool:
        """Whether it is one, and no segments that stand outside any."""
        return True

    @property
    @abstractmethod
    def duplicates(self) -> Duplicates:
        """As the partner's profile has it."""

    @abstractmethod
    def entries(self) -> Sequence[SetEntry]:
        """Of its documents, in their order."""

    @abstractmethod
    def comes_once(self, at: int) -> bool:
        """Whether there is one document of this entry's type and key, and this says that it is no change of it."""

    @abstractmethod
    def judged(self, found: Fault) -> Fault | None:
        """As the partner's profile takes it."""


def enter(
    came: Sequence[Incoming[Any, Any, Any]], raw: BlobRef, context: Context, *, raises: bool = True
) -> list[Reception]:
    """What the ledger says of each interchange of a file; its faults are added to theirs.

    With ``raises``: ``BusinessError`` where nothing is left to take, because each has a control number that came
    before with other content.
    """
    told = [_enter(one, ordinal, raw, context) for ordinal, one in enumerate(came)]
    if raises and all(reception.reused and _refuses(one) for one, reception in zip(came, told, strict=True)):
        raise _reused(came[0], told[0])
    return told


def _enter(one: Incoming[Any, Any, Any], ordinal: int, raw: BlobRef, context: Context) -> Reception:
    wording, entries = one.wording, list(one.entries())
    refuses_known, repeated = one.duplicates.business == "reject", _repeated(one, entries)
    for at in repeated if refuses_known else ():
        entries[at] = replace(entries[at], accepted=False)
    counts = one.judged(wording.fault(GAP, "", one.checked.place)) is not None
    known = frozenset(at for at in range(len(entries)) if refuses_known and one.comes_once(at))
    rules = Rules(wording.last if counts else None, one.duplicates.window, _refuses(one), known)
    came = Exchanged(
        wording.standard, one.partner, one.usage, one.number, one.digest, raw, entries, ordinal, one.checked.is_good
    )
    reception = context.exchange.received(came, rules)
    one.is_duplicate, one.answer = reception.duplicate_of is not None, reception.answer
    for found in _faults(one, reception):
        if (judged := one.judged(found)) is not None:
            one.note(judged)
    for at, earlier in reception.known.items():
        if at not in repeated:
            _note_known(one, at, entries[at], earlier.number)
    for at in repeated:
        _note_known(one, at, entries[at], one.number)
    return reception


def _repeated(one: Incoming[Any, Any, Any], entries: Sequence[SetEntry]) -> list[int]:
    """Documents that stand in the interchange before, by their place: of those that come once."""
    seen: set[tuple[str, str]] = set()
    found = []
    for at, entry in enumerate(entries):
        if entry.key and entry.accepted and one.comes_once(at):
            if (entry.type, entry.key) in seen:
                found.append(at)
            seen.add((entry.type, entry.key))
    return found


def _refuses(one: Incoming[Any, Any, Any]) -> bool:
    """Whether a number that was used before is refused; one that is missing was used by nobody."""
    judged = one.judged(_reused_fault(one, ""))
    return bool(one.number) and judged is not None and judged.severity == "reject"


def _faults(one: Incoming[Any, Any, Any], reception: Reception) -> Iterator[Fault]:
    if reception.reused is not None and one.number:
        yield _reused_fault(one, f" in run {reception.reused.run}")
    if reception.missing:
        count = "1 number is" if reception.missing == 1 else f"{reception.missing} numbers are"
        message = f"{count} missing between interchange {reception.after} and {one.number} of partner {one.partner}"
        yield _fault(one, GAP, message)


def _reused_fault(one: Incoming[Any, Any, Any], where: str) -> Fault:
    message = f"interchange number {one.number} came from partner {one.partner} before{where}, with other content"
    return _fault(one, REUSED, message)


def _fault(one: Incoming[Any, Any, Any], code: str, message: str) -> Fault:
    wording = one.wording
    return wording.fault(code, message, one.checked.place, segment_id=wording.segment, element=wording.element)


def _reused(one: Incoming[Any, Any, Any], reception: Reception) -> BusinessError:
    earlier, wording = reception.reused, one.wording
    assert earlier is not None, "it was refused for an earlier one"
    element, code = wording.refusal
    return BusinessError(
        f"partner {one.partner} used interchange number {one.number} before, at "
        f"{earlier.at.isoformat(timespec='seconds')} in run {earlier.run}, with other content: it was not taken",
        kind=REUSED,
        field=wording.number,
        next_action="ask the partner to send it under a new number; where they use numbers again on purpose, set"
        f" {wording.standard}.checks.{REUSED} to warn in partners/{one.partner}.json and reprocess",
        details={"number": one.number, "first_run": earlier.run, element: code},
    )


def _note_known(one: Incoming[Any, Any, Any], at: int, entry: SetEntry, number: str) -> None:
    """A document that came before, as the profile takes it; ``number`` is that of the interchange it came in."""
    verdict = one.duplicates.business
    if verdict != "ignore" and one.comes_once(at):
        where = "in this interchange too" if number == one.number else f"in interchange {number}"
        message = f"{entry.type} {entry.key} came from partner {one.partner} before, {where}"
        made = one.wording.fault(KNOWN, message)
        one.note_entry(at, Fault(made.code, made.message, made.place, verdict, value=entry.key))
