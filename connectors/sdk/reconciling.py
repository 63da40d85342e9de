"""What a partner's acknowledgement says of what was sent, entered in the exchange ledger and told to the flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.sdk.context import Context
from connectors.sdk.errors import BusinessError
from connectors.sdk.exchange import Answer, Reconciled, SetVerdict, Verdict
from connectors.sdk.model import Output
from connectors.sdk.operation import Outcome
from connectors.sdk.words import Words

RejectedAs = Annotated[
    Literal["raise", "outcome"],
    Field(
        description="whether a rejection is an exception, or an outcome for the flow to branch on",
        examples=["outcome"],
    ),
]
#: Of every operation that reconciles, the first is the normal one.
OUTCOMES = ("accepted", "partly", "rejected")


class ReconciledSetOutput(Output):
    type: str
    number: str
    key: str
    state: str
    errors: list[str] = []


class ReconcileOutput(Output):
    """``interchange`` is the ledger's id, ``run`` the run that wrote it; ``errors`` in plain words."""

    interchange: str
    interchange_control_number: str
    run: str
    state: str
    verdict: str
    errors: list[str]
    sets: list[ReconciledSetOutput]


@dataclass(frozen=True)
class Cited:
    """Where the acknowledgement says what it answers (``AK102``), and what it makes of it (``AK901``)."""

    number: str
    verdict: str


def said(one: Mapping[str, Any], verdicts: Mapping[str, Verdict], words: Words) -> SetVerdict:
    """What is said of a set, message or group: its ``code`` by the standard's verdicts (a rejection where they have
    none) and its ``errors`` in words."""
    code, errors = str(one.get("code", "")), one.get("errors") or []
    told = [words.of(error) for error in (errors if isinstance(errors, list) else [errors])]
    return SetVerdict(verdicts.get(code, "rejected"), code, told)


def reconcile(answer: Answer, cited: Cited, rejected: RejectedAs, context: Context) -> Outcome:
    """Raises ``BusinessError``: ``acknowledgement_unmatched`` where nothing was sent that it could answer,
    ``rejected_by_partner`` where it rejects all or some of it, unless ``rejected`` is an outcome."""
    found = context.exchange.reconcile(answer)
    if found is None:
        raise _unmatched(answer, cited)
    verdict = _verdict(answer, found)
    told = _output(answer, found, verdict)
    if verdict in ("partly", "rejected") and rejected == "raise":
        raise _rejected(answer, told, cited)
    return Outcome("accepted" if verdict == "arrived" else verdict, told)


def _verdict(answer: Answer, found: Reconciled) -> Verdict:
    """Where each set that there was is named and rejected, nothing is left of the whole."""
    return "rejected" if answer.verdict == "partly" and found.state == "rejected" else answer.verdict


def _output(answer: Answer, found: Reconciled, verdict: Verdict) -> ReconcileOutput:
    ours = [one for one in found.sets if answer.level == "interchange" or _is_named(one, answer)]
    said = [*answer.groups.values(), *answer.sets.values()]
    return ReconcileOutput(
        interchange=found.id,
        interchange_control_number=found.number,
        run=found.run,
        state=found.state,
        verdict=verdict,
        errors=list(dict.fromkeys([*answer.errors, *(error for one in said for error in one.errors)])),
        sets=[
            ReconciledSetOutput(
                type=one["type"],
                number=one["number"],
                key=one["key"],
                state=one.get("state", ""),
                errors=list(one.get("errors", [])),
            )
            for one in ours
        ],
    )


def _is_named(one: Mapping[str, Any], answer: Answer) -> bool:
    group = one.get("group_number", answer.number)
    return str(group).lstrip("0") == answer.number.lstrip("0")


def _unmatched(answer: Answer, cited: Cited) -> BusinessError:
    return BusinessError(
        f"{answer.partner} acknowledges {answer.level} {answer.number} ({answer.kind}, code {answer.code}, usage "
        f"{answer.usage}), and nothing was sent to them under that number",
        kind="acknowledgement_unmatched",
        field=cited.number,
        next_action="look at `orderly interchanges list`; ask the partner which interchange they mean",
        details={"number": answer.number, "level": answer.level, "code": answer.code},
    )


def _rejected(answer: Answer, told: ReconcileOutput, cited: Cited) -> BusinessError:
    part = "part of " if told.verdict == "partly" else ""
    keys = ", ".join(one.key for one in told.sets if one.key and one.state == "rejected")
    why = "; ".join(told.errors[:10]) or f"code {answer.code}, without a reason"
    return BusinessError(
        f"{answer.partner} rejected {part}{answer.level} {answer.number}{f' ({keys})' if keys else ''}: {why}",
        kind="rejected_by_partner",
        field=cited.verdict,
        next_action="correct what they name and send it again: reprocess the run that wrote it",
        details={
            "number": answer.number, "code": answer.code, "run": told.run, "interchange": told.interchange,
            "errors": told.errors[:100],
        },
    )  # fmt: skip
