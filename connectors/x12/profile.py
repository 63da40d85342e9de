"""What a trading partner's profile says about X12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.sdk import Misconfigured
from connectors.sdk.edi import Policy, Verdict, policy
from connectors.sdk.exchange import Duplicates
from connectors.x12.codec import Delimiters, Party
from connectors.x12.fault import STANDARD


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Identity(_Part):
    """One side's identifiers."""

    qualifier: str = Field(min_length=2, max_length=2, description="ISA05 or ISA07")
    id: str = Field(min_length=1, max_length=15, description="ISA06 or ISA08, without padding")
    group_id: str = Field(default="", max_length=15, description="GS02 or GS03; the interchange id if absent")

    def party(self) -> Party:
        return Party(self.qualifier, self.id, self.group_id)

    def is_party(self, party: Party) -> bool:
        return (self.qualifier, self.id) == (party.qualifier, party.id)


class Signs(_Part):
    """Delimiters used when writing."""

    element: str = "*"
    component: str = ">"
    segment: str = "~"
    repetition: str = ""


class Acknowledging(_Part):
    """What we answer to what they send. An acknowledgement is never acknowledged."""

    ta1: Literal["never", "requested", "rejected", "always"] = Field(
        default="requested",
        description="TA1: where ISA14 asks for it; also where the interchange is rejected; always",
    )
    functional: bool = Field(default=True, description="997 for each functional group")
    warnings: bool = Field(default=False, description="tell warnings in the 997 too (AK501 E)")


class Profile(_Part):
    """The ``x12`` part of ``partners/<name>.json``."""

    ours: Identity
    theirs: Identity
    usage: Literal["T", "P", "I"] = Field(default="T", description="ISA15: test, production, information")
    version: str = Field(default="004010", min_length=6, description="GS08 when writing")
    delimiters: Signs = Signs()
    encoding: Literal["ascii", "latin-1", "utf-8"] = Field(default="ascii", description="characters they take")
    acknowledgement_requested: bool = Field(default=False, description="ISA14: ask for a TA1")

    acknowledge: Acknowledging = Acknowledging()
    duplicates: Duplicates = Duplicates()
    checks: dict[str, Verdict] = Field(
        default_factory=dict, description="reject, warn or ignore, by code of the check", examples=[{}]
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
    """Raises ``Misconfigured`` naming the field that is missing or wrong."""
    try:
        found = Profile.model_validate(partner.get("x12"))
        policy(found.checks, STANDARD)
        return found
    except Misconfigured as error:
        raise Misconfigured(
            f"the profile of partner {name!r} cannot be used for X12: {error.message}",
            next_action=f"correct x12.{error.field} in partners/{name}.json; {error.next_action}",
            field=f"x12.{error.field}",
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["x12", *map(str, first["loc"])])
        raise Misconfigured(
            f"the profile of partner {name!r} cannot be used for X12: {field}: {first['msg']}",
            next_action=f"correct {field} in partners/{name}.json",
            field=field,
        ) from None


def find(parties: tuple[Party, Party], usage: str, partners: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The partner who sent from these ISA ids to us; where several have them, the one of that usage."""
    sender, receiver = parties
    profiles = {name: profile(name, partner) for name, partner in partners.items() if partner.get("x12")}
    found = [name for name, one in profiles.items() if one.theirs.is_party(sender)]
    found.sort(key=lambda name: (not profiles[name].ours.is_party(receiver), profiles[name].usage != usage))
    return found[0] if found else None
