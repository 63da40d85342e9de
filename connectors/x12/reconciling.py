"""``x12.reconcile``: what a TA1 or 997 says of what was sent."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from connectors.sdk import BusinessError, Call, Context, Effect, Misconfigured, Outcome, Output, Parameters
from connectors.sdk.exchange import Answer, Reconciled, SetVerdict, Verdict
from connectors.x12.ledger import STANDARD
from connectors.x12.profile import profile
from connectors.x12.words import in_words

#: AK501 and AK901: A accepted, E accepted with errors, P partly; M, R, W and X are rejections.
_VERDICTS: dict[str, Verdict] = {"A": "accepted", "E": "accepted", "P": "partly"}


class ReconcileParameters(Parameters):
    partner: str = Field(description="name of the partner who acknowledges", examples=["acme"])
    group_control_number: str = Field(
        default="", description="AK102 of a 997: GS06 of what we sent", examples=["1"]
    )
    interchange_control_number: str = Field(
        default="", description="TA101 of a TA1: ISA13 of what we sent", examples=["000000001"]
    )
    code: str = Field(min_length=1, description="AK901 or TA104", examples=["A"])
    note_code: str = Field(default="", description="TA105", examples=["000"])
    errors: list[Any] = Field(default=[], description="AK905 to AK909, as in AK905 5", examples=[["AK905 5"]])
    sets: list[dict[str, Any]] = Field(
        default=[],
        description="of each set: set_control_number, code (AK501) and errors",
        examples=[[{"set_control_number": "0001", "code": "A", "errors": []}]],
    )
    usage: str | None = Field(
        default=None, description="ISA15 of what we sent; the profile's where absent", examples=["T"]
    )
    rejected: Literal["raise", "outcome"] = Field(
        default="raise",
        description="whether a rejection is an exception, or an outcome for the flow to branch on",
        examples=["outcome"],
    )


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


class ReconcileX12(Call[ReconcileParameters]):
    """Enter in the exchange ledger what a 997 or TA1 says of what was sent.

    Raises ``BusinessError``: ``acknowledgement_unmatched`` where nothing was sent that it could answer,
    ``rejected_by_partner`` where it rejects all or some of it, unless ``rejected`` makes an outcome of that.
    """

    name = "reconcile"
    effect = Effect.IDEMPOTENT
    outcomes = ("accepted", "partly", "rejected")
    Parameters: ClassVar[type[Parameters]] = ReconcileParameters
    Output: ClassVar[type[Output] | None] = ReconcileOutput

    def run(self, parameters: ReconcileParameters, context: Context) -> Outcome:
        answer = _answer(parameters, context)
        found = context.exchange.reconcile(answer)
        if found is None:
            raise _unmatched(answer)
        told = _output(answer, found)
        if answer.verdict in ("partly", "rejected") and parameters.rejected == "raise":
            raise _rejected(answer, told)
        return Outcome("accepted" if answer.verdict == "arrived" else answer.verdict, told)


def _answer(given: ReconcileParameters, context: Context) -> Answer:
    if bool(given.group_control_number) == bool(given.interchange_control_number):
        raise Misconfigured(
            "an acknowledgement names the group (997) or the interchange (TA1) that it answers, and not both",
            next_action="give group_control_number or interchange_control_number",
            field="group_control_number",
        )
    usage = given.usage or profile(given.partner, context.partner(given.partner)).usage
    if given.interchange_control_number:
        verdict: Verdict = "rejected" if given.code == "R" else "arrived"
        errors = [in_words(f"TA105 {given.note_code}")] if given.note_code not in ("", "000") else []
        number = given.interchange_control_number
        return Answer(STANDARD, given.partner, usage, "interchange", number, "TA1", verdict, given.code, errors)
    sets = {str(one.get("set_control_number", "")): _set(one) for one in given.sets}
    return Answer(
        STANDARD, given.partner, usage, "group", given.group_control_number, "997",
        _VERDICTS.get(given.code, "rejected"), given.code, [in_words(one) for one in given.errors], sets,
    )  # fmt: skip


def _set(one: dict[str, Any]) -> SetVerdict:
    code = str(one.get("code", ""))
    errors = one.get("errors") or []
    told = [in_words(error) for error in (errors if isinstance(errors, list) else [errors])]
    return SetVerdict(_VERDICTS.get(code, "rejected"), code, told)


def _output(answer: Answer, found: Reconciled) -> ReconcileOutput:
    ours = [one for one in found.sets if answer.level == "interchange" or _is_named(one, answer)]
    return ReconcileOutput(
        interchange=found.id,
        interchange_control_number=found.number,
        run=found.run,
        state=found.state,
        verdict=answer.verdict,
        errors=[*answer.errors, *(error for one in answer.sets.values() for error in one.errors)],
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


def _is_named(one: Any, answer: Answer) -> bool:
    group = one.get("group_number", answer.number)
    return str(group).lstrip("0") == answer.number.lstrip("0")


def _unmatched(answer: Answer) -> BusinessError:
    what = "group" if answer.level == "group" else "interchange"
    return BusinessError(
        f"{answer.partner} acknowledges {what} {answer.number} ({answer.kind}, code {answer.code}, usage "
        f"{answer.usage}), and nothing was sent to them under that number",
        kind="acknowledgement_unmatched",
        field="AK102" if answer.level == "group" else "TA101",
        next_action="look at `orderly interchanges list`; ask the partner which interchange they mean",
        details={"number": answer.number, "level": answer.level, "code": answer.code},
    )


def _rejected(answer: Answer, told: ReconcileOutput) -> BusinessError:
    what = "group" if answer.level == "group" else "interchange"
    part = "part of " if answer.verdict == "partly" else ""
    keys = ", ".join(one.key for one in told.sets if one.key and one.state == "rejected")
    why = "; ".join(told.errors[:10]) or f"code {answer.code}, without a reason"
    return BusinessError(
        f"{answer.partner} rejected {part}{what} {answer.number}{f' ({keys})' if keys else ''}: {why}",
        kind="rejected_by_partner",
        field="AK901" if answer.level == "group" else "TA104",
        next_action="correct what they name and send it again: reprocess the run that wrote it",
        details={
            "number": answer.number, "code": answer.code, "run": told.run, "interchange": told.interchange,
            "errors": told.errors[:100],
        },
    )  # fmt: skip
