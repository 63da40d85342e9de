"""Documents that go to a partner in one interchange: each is looked at by itself, and one that would be refused
keeps none of the others back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import Field, model_validator

from connectors.sdk.context import Context
from connectors.sdk.edi import Fault
from connectors.sdk.errors import BusinessError
from connectors.sdk.exchange import Exchanged, SetEntry
from connectors.sdk.model import BlobRef, Coerced, Output, Parameters
from connectors.sdk.partner import Terms
from connectors.sdk.preflight import Ready

R = TypeVar("R")
BusinessKey = Annotated[
    str | None,
    Field(
        description="its business key in the exchange ledger; the document's own number where absent",
        examples=["PO-1001"],
    ),
]


class Refused(Output):
    """A document that was left out: its place among those given, from 0, its business key, and why."""

    index: int
    key: str
    message: str
    field: str = ""
    details: dict[str, Any] = {}


class Sent(Output):
    """A document that was written: its place among those given, from 0, its business key and control number."""

    index: int
    key: str
    number: str


class PreflightOutput(Output):
    """``collected``: the partner's profile collects documents, so that this one goes together with others.
    ``warnings`` and ``awaiting`` as ``write`` puts them out."""

    key: str
    collected: bool
    warnings: list[dict[str, Any]] = []
    awaiting: dict[str, str] = {}

    @classmethod
    def of(cls, key: str, warnings: Iterable[Fault], partner: Mapping[str, Any], terms: Terms) -> Self:
        """``partner`` is the whole profile, of which ``terms`` is the part that all standards share."""
        return cls(
            key=key,
            collected=partner.get("batching") is not None,
            warnings=[one.as_json() for one in warnings],
            awaiting=terms.awaiting.model_dump(),
        )


class Written(Output):
    """What the ``write`` of every standard puts out. ``warnings`` is what was found and let pass by the profile,
    ``awaiting`` how long it gives them to answer (interchange, functional, business), for the ``expect`` of the
    node that sends. ``sent`` are the documents written, ``refused`` those of ``documents`` that were left out;
    where all were, nothing was written or numbered."""

    content: BlobRef | None = None
    interchange_control_number: str = ""
    acknowledgement_key: str = ""
    warnings: list[dict[str, Any]] = []
    awaiting: dict[str, str] = {}
    sent: list[Sent] = []
    refused: list[Refused] = []


@dataclass(frozen=True)
class Going:
    """An interchange that was written: its number, and those of its group and documents. ``is_answered`` by a
    functional acknowledgement."""

    standard: str
    partner: str
    usage: str
    type: str
    content: BlobRef
    number: str
    group: str
    documents: Sequence[str]
    is_answered: bool


@dataclass(frozen=True)
class Passed(Generic[R]):
    """A document that may go, as ``look`` made it ready."""

    index: int
    key: str
    ready: R


class OneOrSeveral(Parameters):
    """Of the documents either ``document`` or ``documents`` is given."""

    document: dict[str, Any] | None = None
    documents: Annotated[list[dict[str, Any]], Coerced] = Field(
        default=[],
        description="in place of `document`: several of the same type, for one interchange. One that the partner"
        " would refuse is left out and told under `refused`; where all are, nothing is written",
        examples=[[]],
    )
    key: str | None = Field(
        default=None,
        description="business key of ``document`` for the exchange ledger; the document's own number where absent",
        examples=["PO-1001"],
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.document is None) == (not self.documents):
            raise ValueError("give either document, or documents with at least one in it")
        if self.documents and self.key is not None:
            raise ValueError("a key belongs to one document: several have their own numbers")
        return self


def looked_at(
    given: OneOrSeveral, key_of: Callable[[Mapping[str, Any]], str], look: Callable[[str, dict[str, Any]], R]
) -> tuple[list[Passed[R]], list[Refused]]:
    """Those that may go, and those that may not. Raises ``BusinessError`` for the one that stands alone."""
    if given.document is not None:
        key = given.key or key_of(given.document)
        return [Passed(0, key, look(key, given.document))], []
    passed: list[Passed[R]] = []
    refused: list[Refused] = []
    for index, document in enumerate(given.documents):
        key = key_of(document)
        try:
            _once(key, passed)
            passed.append(Passed(index, key, look(key, document)))
        except BusinessError as error:
            told = Refused(index=index, key=key, message=error.message, field=error.field, details=error.details)
            refused.append(told)
    return passed, refused


def _once(key: str, passed: Sequence[Passed[Any]]) -> None:
    if key and any(one.key == key for one in passed):
        raise BusinessError(
            f"{key} is among the documents of this interchange twice", kind="duplicate_document",
            next_action="find out why it was handed over twice; the first one goes",
        )  # fmt: skip


def enter(
    going: Going, passed: Sequence[Passed[Ready[Any]]], refused: list[Refused], terms: Terms, context: Context
) -> dict[str, Any]:
    """Enters it in the exchange ledger; the fields of ``Written`` but for the key of its acknowledgement."""
    entries = [
        SetEntry(going.type, number, going.group, one.key)
        for number, one in zip(going.documents, passed, strict=True)
    ]
    within = terms.awaiting.functional_within if going.is_answered else None
    context.exchange.written(
        Exchanged(
            going.standard, going.partner, going.usage, going.number, going.content.blob, going.content, entries,
            within=within,
        )
    )  # fmt: skip
    return {
        "content": going.content,
        "interchange_control_number": going.number,
        "warnings": [warning.as_json() for one in passed for warning in one.ready.warnings],
        "awaiting": terms.awaiting.model_dump(),
        "sent": [
            Sent(index=one.index, key=one.key, number=number)
            for number, one in zip(going.documents, passed, strict=True)
        ],
        "refused": refused,
    }
