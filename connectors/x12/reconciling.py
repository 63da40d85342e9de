"""``x12.reconcile``: what a TA1 or 997 says of what was sent."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from connectors.sdk import Call, Context, Effect, Misconfigured, Outcome, Output, Parameters
from connectors.sdk.exchange import Answer, Verdict
from connectors.sdk.reconciling import OUTCOMES, Cited, ReconcileOutput, RejectedAs, reconcile, said
from connectors.x12.ledger import STANDARD
from connectors.x12.profile import profile
from connectors.x12.words import WORDS

#: AK501 and AK901: A accepted, E accepted with errors, P partly; M, R, W and X are rejections.
_VERDICTS: dict[str, Verdict] = {"A": "accepted", "E": "accepted", "P": "partly"}
_CITED = {"group": Cited("AK102", "AK901"), "interchange": Cited("TA101", "TA104")}


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
    rejected: RejectedAs = "raise"


class ReconcileX12(Call[ReconcileParameters]):
    """Enter in the exchange ledger what a 997 or TA1 says of what was sent.

    Raises ``BusinessError``: ``acknowledgement_unmatched`` where nothing was sent that it could answer,
    ``rejected_by_partner`` where it rejects all or some of it, unless ``rejected`` makes an outcome of that.
    """

    name = "reconcile"
    effect = Effect.IDEMPOTENT
    outcomes = OUTCOMES
    Parameters: ClassVar[type[Parameters]] = ReconcileParameters
    Output: ClassVar[type[Output] | None] = ReconcileOutput

    def run(self, parameters: ReconcileParameters, context: Context) -> Outcome:
        answer = _answer(parameters, context)
        return reconcile(answer, _CITED[answer.level], parameters.rejected, context)


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
        errors = [WORDS.of(f"TA105 {given.note_code}")] if given.note_code not in ("", "000") else []
        number = given.interchange_control_number
        return Answer(STANDARD, given.partner, usage, "interchange", number, "TA1", verdict, given.code, errors)
    sets = {str(one.get("set_control_number", "")): said(one, _VERDICTS, WORDS) for one in given.sets}
    return Answer(
        STANDARD, given.partner, usage, "group", given.group_control_number, "997",
        _VERDICTS.get(given.code, "rejected"), given.code, [WORDS.of(one) for one in given.errors], sets,
    )  # fmt: skip
