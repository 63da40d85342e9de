"""The exchange ledger: what was sent to partners and received from them, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk.model import BlobRef, Duration

#: Of what was sent: it arrived (TA1, CONTRL 8), then what the functional acknowledgement says of it.
Verdict = Literal["arrived", "accepted", "partly", "rejected"]


class Duplicates(BaseModel):
    """Part of a partner's profile: what becomes of a document that came before under another control number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    business: Literal["reject", "warn", "ignore"] = Field(
        default="warn", description="the same kind of document with the same number of the business"
    )
    window: Duration = Field(
        default=timedelta(days=90), description="how far back it is looked for", validate_default=True
    )


@dataclass(frozen=True)
class SetEntry:
    """One transaction set or message. ``key`` is its business key (a purchase order number); ``answers`` are the
    type and key of what we sent that it answers (an 855 an 850)."""

    type: str
    number: str
    group: str = ""
    key: str = ""
    answers: tuple[str, str] | None = None
    accepted: bool = True


@dataclass(frozen=True)
class Exchanged:
    """One interchange. ``usage`` is what keeps test and production apart (ISA15: T, P). ``digest`` is equal where
    the content is; ``ordinal`` is its place in its file, from 0. ``within`` is how soon after it was sent a
    functional acknowledgement has to come; ``None`` where none is waited for."""

    standard: str
    partner: str
    usage: str
    number: str
    digest: str
    content: BlobRef
    sets: Sequence[SetEntry] = ()
    ordinal: int = 0
    accepted: bool = True
    within: timedelta | None = None


@dataclass(frozen=True)
class Rules:
    """How a partner's interchanges are taken. ``last`` is the number after which theirs begin at 1 again, ``None``
    where their numbers are not counted; ``window`` is how far back a business key is looked for. ``refuse_known``
    are sets by their place that are rejected where their business key came before."""

    last: int | None = 999_999_999
    window: timedelta = timedelta(days=90)
    refuse_reused: bool = True
    refuse_known: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Earlier:
    """An interchange of before: its control number, when it came and in which run."""

    number: str
    at: datetime
    run: str


@dataclass(frozen=True)
class Known:
    """A document that was exchanged before: sent (``out``) or received (``in``), in the interchange ``content``."""

    direction: Literal["out", "in"]
    number: str
    at: datetime
    run: str
    content: BlobRef


@dataclass(frozen=True)
class Reception:
    """What the ledger knows of an interchange that came in.

    ``duplicate_of``: the same number and content; ``answer`` is what it was acknowledged with. ``reused``: the same
    number with other content. ``missing`` numbers lie between the one received before, ``after``, and this one.
    ``known`` are sets by their place in ``sets`` whose business key came before under another number.
    """

    duplicate_of: Earlier | None = None
    answer: BlobRef | None = None
    reused: Earlier | None = None
    missing: int = 0
    after: str = ""
    known: Mapping[int, Earlier] = field(default_factory=dict)


@dataclass(frozen=True)
class SetVerdict:
    """What an acknowledgement says of one set; ``errors`` in plain words."""

    verdict: Verdict
    code: str
    errors: Sequence[str] = ()


@dataclass(frozen=True)
class Answer:
    """An acknowledgement that came in. ``number`` is that of the interchange or of the functional group it answers,
    as ``level`` says. ``sets`` are by set control number, ``groups`` by that of the group and hold for what is not
    named in it; where they name none, ``verdict`` holds for all. ``others`` holds for what neither names."""

    standard: str
    partner: str
    usage: str
    level: Literal["interchange", "group"]
    number: str
    kind: str
    verdict: Verdict
    code: str
    errors: Sequence[str] = ()
    sets: Mapping[str, SetVerdict] = field(default_factory=dict)
    others: Verdict | None = None
    groups: Mapping[str, SetVerdict] = field(default_factory=dict)


@dataclass(frozen=True)
class Reconciled:
    """What was sent, as it stands now. ``sets`` as in the ledger: type, number, key, state, errors."""

    id: str
    number: str
    run: str
    state: str
    sets: Sequence[Mapping[str, Any]]


class Exchange(Protocol):
    """The ledger, for one execution of one node: what is repeated is entered once."""

    def written(self, sent: Exchanged) -> None:
        """Something is about to be sent to a partner."""

    def received(self, came: Exchanged, rules: Rules) -> Reception:
        """Something came. The same execution, and a run that reprocesses it, is told the same again."""

    def known(
        self, standard: str, partner: str, usage: str, type: str, key: str, window: timedelta
    ) -> Sequence[Known]:
        """Documents of this type and business key exchanged within the window, newest first: none that was
        rejected or whose run was cancelled, and none that this execution entered itself, or a run whose work this
        one does again."""

    def answered(self, standard: str, partner: str, usage: str, numbers: Sequence[str], answer: BlobRef) -> None:
        """What received interchanges were acknowledged with."""

    def answer_to(self, standard: str, partner: str, usage: str, number: str) -> BlobRef | None:
        """What a received interchange was acknowledged with by now."""

    def reconcile(self, answer: Answer) -> Reconciled | None:
        """Sets the state of what was sent; ``None`` where nothing was that it could answer."""
