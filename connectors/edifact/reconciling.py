"""``edifact.reconcile``: what a CONTRL says of what was sent."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from connectors.edifact.acknowledgement import MESSAGE
from connectors.edifact.ledger import STANDARD
from connectors.edifact.profile import profile, usage_of
from connectors.edifact.words import WORDS
from connectors.sdk import Call, Context, Effect, Outcome, Output, Parameters
from connectors.sdk.exchange import Answer, Verdict
from connectors.sdk.reconciling import OUTCOMES, Cited, ReconcileOutput, RejectedAs, reconcile, said

#: 0083 (1, 2, 3, 5 and 6 in CONTRLs before D.3), and as the canonical acknowledgement says it; 4, 6, R, M, W, X and
#: what nobody knows are rejections.
_VERDICTS: dict[str, Verdict] = {
    "1": "accepted", "2": "accepted", "3": "partly", "5": "arrived", "7": "accepted", "8": "arrived",
    "A": "accepted", "E": "accepted", "P": "partly", "received": "arrived",
}  # fmt: skip
_CITED = Cited("UCI 0020", "UCI 0083")


class ReconcileParameters(Parameters):
    partner: str = Field(description="name of the partner who acknowledges", examples=["acme"])
    interchange_control_number: str = Field(
        min_length=1, description="0020 of UCI: the number of what we sent", examples=["1"]
    )
    code: str = Field(
        min_length=1,
        description="0083 of UCI (4, 7, 8), or A, P, R or received of a canonical functional acknowledgement",
        examples=["7"],
    )
    errors: list[Any] = Field(default=[], description="of the interchange, as in UCI 29", examples=[["UCI 29"]])
    sets: list[dict[str, Any]] = Field(
        default=[],
        description="of each message that is named: set_control_number (UCM 0062), code and errors",
        examples=[[{"set_control_number": "1", "code": "4", "errors": ["UCM 29"]}]],
    )
    groups: list[dict[str, Any]] = Field(
        default=[],
        description="of each group that is named: group_control_number (UCF 0048), code and errors",
        examples=[[{"group_control_number": "1", "code": "4", "errors": ["UCF 29"]}]],
    )
    test: bool | None = Field(
        default=None, description="UNB 0035 of what we sent; as the profile has it where absent", examples=[True]
    )
    rejected: RejectedAs = "raise"


class ReconcileEdifact(Call[ReconcileParameters]):
    """Enter in the exchange ledger what a CONTRL says of what was sent.

    A receipt (8) says that it arrived, and takes back nothing that was said before. Messages that are not named are
    accepted with the interchange (7). Raises ``BusinessError``: ``acknowledgement_unmatched`` where nothing was
    sent that it could answer, ``rejected_by_partner`` where it rejects all or some of it, unless ``rejected`` makes
    an outcome of that.
    """

    name = "reconcile"
    effect = Effect.IDEMPOTENT
    outcomes = OUTCOMES
    Parameters: ClassVar[type[Parameters]] = ReconcileParameters
    Output: ClassVar[type[Output] | None] = ReconcileOutput

    def run(self, parameters: ReconcileParameters, context: Context) -> Outcome:
        return reconcile(_answer(parameters, context), _CITED, parameters.rejected, context)


def _answer(given: ReconcileParameters, context: Context) -> Answer:
    to = profile(given.partner, context.partner(given.partner))
    sets = {str(one.get("set_control_number", "")): said(one, _VERDICTS, WORDS) for one in given.sets}
    groups = {str(one.get("group_control_number", "")): said(one, _VERDICTS, WORDS) for one in given.groups}
    verdict = _VERDICTS.get(given.code, "rejected")
    refuses = any(one.verdict == "rejected" for one in (*sets.values(), *groups.values()))
    if refuses and verdict != "rejected":
        verdict = "partly"
    return Answer(
        STANDARD,
        given.partner,
        to.usage if given.test is None else usage_of(given.test),
        "interchange",
        given.interchange_control_number,
        MESSAGE,
        verdict,
        given.code,
        [WORDS.of(one) for one in given.errors],
        {} if verdict == "rejected" else sets,
        others="accepted" if verdict == "accepted" or (refuses and verdict == "partly") else None,
        groups={} if verdict == "rejected" else groups,
    )
