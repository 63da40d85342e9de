"""What a trading partner's profile says about X12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from connectors.sdk import Misconfigured, Model
from connectors.sdk.edi import Policy, Verdict, never_loosened, policy
from connectors.sdk.exchange import Duplicates
from connectors.sdk.partner import CodeMap, environment_of
from connectors.sdk.profile import invalid, part_of, unusable, whose
from connectors.x12.codec import Delimiters, Party
from connectors.x12.fault import PREFLIGHT, STANDARD

_ENVIRONMENTS = {"test": ("T", "I"), "production": ("P",)}


class Identity(Model):
    """One side's identifiers."""

    qualifier: str = Field(min_length=2, max_length=2, description="ISA05 or ISA07")
    id: str = Field(min_length=1, max_length=15, description="ISA06 or ISA08, without padding")
    group_id: str = Field(default="", max_length=15, description="GS02 or GS03; the interchange id if absent")

    def party(self) -> Party:
        return Party(self.qualifier, self.id, self.group_id)

    def is_party(self, party: Party) -> bool:
        return (self.qualifier, self.id) == (party.qualifier, party.id)


class Signs(Model):
    """Delimiters used when writing."""

    element: str = Field(default="*", description="between elements")
    component: str = Field(default=">", description="between components (ISA16)")
    segment: str = Field(default="~", description="after each segment")
    repetition: str = Field(default="", description="between repetitions (ISA11), from version 00402 on")


class Acknowledging(Model):
    """What we answer to what they send. An acknowledgement is never acknowledged."""

    ta1: Literal["never", "requested", "rejected", "always"] = Field(
        default="requested",
        description="TA1: where ISA14 asks for it, or the control number was used before with other content; also"
        " where the interchange is rejected; always",
    )
    functional: bool = Field(default=True, description="997 for each functional group")
    warnings: bool = Field(default=False, description="tell warnings in the 997 too (AK501 E)")


class Profile(Model):
    """The ``x12`` part of ``partners/<name>.json``."""

    ours: Identity
    theirs: Identity
    usage: Literal["", "T", "P", "I"] = Field(
        default="", description="ISA15: test, production, information; empty: as the pack's environment is"
    )
    version: str = Field(default="004010", min_length=6, description="GS08 when writing")
    delimiters: Signs = Signs()
    encoding: Literal["ascii", "latin-1", "utf-8"] = Field(default="ascii", description="characters they take")
    repertoire: Literal["basic", "extended", ""] = Field(
        default="", description="X12.6: basic has capitals, digits and few signs; empty: all of the encoding"
    )
    codes: dict[str, CodeMap] = Field(
        default_factory=dict,
        description="by element number, our code: theirs",
        examples=[{"146": {"01": "02"}}],
    )
    acknowledgement_requested: bool = Field(default=False, description="ISA14: ask for a TA1")

    acknowledge: Acknowledging = Acknowledging()
    duplicates: Duplicates = Duplicates()
    checks: dict[str, Verdict] = Field(
        default_factory=dict, description="reject, warn or ignore, by check of what they send", examples=[{}]
    )
    preflight: dict[str, Verdict] = Field(
        default_factory=dict,
        description="reject, warn or ignore, by check of what they are sent",
        examples=[{"duplicate_document": "warn"}],
    )

    def policy(self, *, strict: bool = False) -> Policy:
        """What becomes of faults in what they send."""
        return Policy(self.checks, strict)

    def signs(self) -> Delimiters:
        return Delimiters(**self.delimiters.model_dump())

    def series(self, level: str) -> str:
        """The control number series: one per direction, parties, usage and level (``isa`` or ``gs``)."""
        ours, theirs = self.ours, self.theirs
        return f"x12/{ours.qualifier}:{ours.id}/{theirs.qualifier}:{theirs.id}/{self.usage}/{level}"


def profile(name: str, partner: Mapping[str, Any]) -> Profile:
    """For the environment that the runtime took it for. Raises ``Misconfigured`` naming the field that is missing
    or wrong."""
    environment = environment_of(partner)
    part = part_of(name, partner, "x12", environment)
    try:
        found = Profile.model_validate(part)
        policy(found.checks, STANDARD)
        policy(found.preflight, PREFLIGHT, field="preflight")
        return found.model_copy(update={"usage": usage_of(found, environment)})
    except ValidationError as error:
        raise invalid(name, error, "x12") from None
    except Misconfigured as error:
        raise unusable(name, error.message, f"x12.{error.field}", "x12", error.next_action) from None


def usage_of(found: Profile, environment: str | None) -> str:
    """ISA15. Raises ``Misconfigured`` where the profile's own is not the environment's."""
    never_loosened(found.checks, "usage_mismatch")
    allowed = _ENVIRONMENTS.get(environment or "", ("T", "P", "I"))
    if found.usage and found.usage not in allowed:
        raise Misconfigured(
            f"usage is {found.usage!r}, but the pack runs in {environment}, where ISA15 is {allowed[0]!r}",
            next_action="leave usage out, or give each environment its own part under environments",
            field="usage",
        )
    return found.usage or allowed[0]


def find(parties: tuple[Party, Party], usage: str, partners: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The partner who sent from these ISA ids to us; where several have them, the one of that usage. Raises as
    ``whose``."""
    sender, receiver = parties
    return whose(
        partners, "x12", profile, lambda one: one.theirs.is_party(sender),
        lambda one: (not one.ours.is_party(receiver), one.usage != usage),
    )  # fmt: skip
