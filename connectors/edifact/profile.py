"""What a trading partner's profile says about EDIFACT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from connectors.edifact.codec import Checks, Delimiters, EdifactError, Party
from connectors.edifact.fault import PREFLIGHT, Taken
from connectors.sdk import Misconfigured, Model
from connectors.sdk.edi import never_loosened, policy
from connectors.sdk.exchange import Duplicates
from connectors.sdk.partner import CodeMap, environment_of
from connectors.sdk.profile import invalid, part_of, unusable, whose


class Identity(Model):
    """One side's identifiers."""

    id: str = Field(min_length=1, max_length=35, description="UNB 0004 or 0010: GLN or what was agreed")
    qualifier: str = Field(default="", max_length=4, description="UNB 0007: 14 for a GLN")
    internal_id: str = Field(default="", max_length=35, description="UNB 0008 or 0014: the address behind it")
    group_id: str = Field(default="", max_length=35, description="UNG 0040 or 0044; the id if absent")

    def party(self) -> Party:
        return Party(self.id, self.qualifier, self.internal_id, self.group_id)


class Signs(Model):
    """Service characters used when writing."""

    component: str = Field(default=":", description="between components")
    element: str = Field(default="+", description="between elements")
    decimal: str = Field(default=".", description="decimal mark")
    release: str = Field(default="?", description="before a service character that is meant as itself")
    repetition: str = Field(default="", description="between repetitions, in syntax version 4")
    segment: str = Field(default="'", description="after each segment")


class Acknowledging(Model):
    """What we answer to what they send. A CONTRL is never answered."""

    contrl: Literal["never", "requested", "rejected", "always"] = Field(
        default="always",
        description="CONTRL: where UNB 0031 asks for it; also where something is rejected; always",
    )
    receipt_only: bool = Field(
        default=False, description="only say that it arrived (UCI 8), unless its envelope is to be rejected"
    )


class Profile(Model):
    """The ``edifact`` part of ``partners/<name>.json``."""

    ours: Identity
    theirs: Identity
    test: bool = Field(
        default=True,
        description="UNB 0035: their interchanges and ours carry the test indicator; absent: as the environment",
    )
    syntax: str = Field(default="UNOC", pattern=r"^UNO[A-Z]$", description="UNB 0001 when writing")
    syntax_version: Literal["1", "2", "3", "4"] = Field(default="3", description="UNB 0002 when writing")
    version: str = Field(
        default="D:96A:UN:EAN008", description="UNH S009 after the type when writing", pattern=r"^\w+(:\w+){2,3}$"
    )
    delimiters: Signs = Signs()
    una: bool = Field(default=True, description="whether UNA is written; needed for other delimiters than usual")
    line_ends: bool = Field(default=True, description="whether each segment is written on a line of its own")
    character_set: str = Field(default="", description="bytes they mean, where UNB does not say it (windows-1252)")
    groups: bool = Field(default=False, description="whether messages are written in UNG-UNE groups")
    application_reference: str = Field(default="", max_length=14, description="UNB 0026 when writing")
    agreement: str = Field(default="", max_length=35, description="UNB 0032 when writing")
    acknowledgement_requested: bool = Field(default=False, description="UNB 0031: ask for a CONTRL")
    acknowledge: Acknowledging = Acknowledging()
    duplicates: Duplicates = Duplicates()
    codes: dict[str, CodeMap] = Field(
        default_factory=dict, description="by data element, our code: theirs", examples=[{"4451": {"AAI": "PUR"}}]
    )
    checks: dict[str, Taken] = Field(default_factory=dict, description="reject, warn or ignore, by check")
    preflight: dict[str, Taken] = Field(
        default_factory=dict,
        description="reject, warn or ignore, by check of what they are sent",
        examples=[{"duplicate_document": "warn"}],
    )

    def signs(self) -> Delimiters:
        """Raises ``EdifactError`` where they cannot work."""
        return Delimiters(**self.delimiters.model_dump())

    def judged(self, *, strict: bool = False) -> Checks:
        """Raises ``Misconfigured`` for an unknown check."""
        return Checks(self.checks, strict=strict)

    @property
    def usage(self) -> str:
        """What keeps test and production apart in the exchange ledger."""
        return usage_of(self.test)

    def series(self, level: str) -> str:
        """The control number series: one per direction, parties, test and level (``unb`` or ``ung``)."""
        ours, theirs = self.ours, self.theirs
        usage = "test" if self.test else "production"
        return f"edifact/{ours.qualifier}:{ours.id}/{theirs.qualifier}:{theirs.id}/{usage}/{level}"


def usage_of(is_test: bool) -> str:
    """T or P, as X12 calls it."""
    return "T" if is_test else "P"


def profile(name: str, partner: Mapping[str, Any]) -> Profile:
    """For the environment that the runtime took it for. Raises ``Misconfigured`` naming the field that is missing
    or wrong."""
    environment = environment_of(partner)
    part = part_of(name, partner, "edifact", environment)
    try:
        found = Profile.model_validate(part)
        found.signs()
        found.judged()
        policy(found.preflight, PREFLIGHT, field="preflight")
        return found.model_copy(update={"test": is_test_in(found, environment)})
    except ValidationError as error:
        raise invalid(name, error, "edifact") from None
    except EdifactError as error:
        raise unusable(name, f"edifact.delimiters: {error.message}", "edifact.delimiters", "edifact") from None
    except Misconfigured as error:
        field = error.field if error.field.startswith("edifact.") else f"edifact.{error.field}"
        raise unusable(name, f"{field}: {error.message}", field, "edifact") from None


def is_test_in(found: Profile, environment: str | None) -> bool:
    """UNB 0035. Raises ``Misconfigured`` where the profile's own is not the environment's."""
    never_loosened(found.checks, "test_indicator_mismatch")
    usual, says = environment != "production", "test" in found.model_fields_set
    if says and environment is not None and found.test != usual:
        raise Misconfigured(
            f"test is {found.test}, but the pack runs in {environment}: leave it out, or give each environment its "
            "own part under environments",
            field="test",
        )
    return found.test if says else usual


def find(parties: tuple[Party, Party], is_test: bool, partners: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The partner who sent from these UNB ids to us; where several have them, the one of that test indicator.
    Raises as ``whose``."""
    sender, receiver = parties
    return whose(
        partners, "edifact", profile, lambda one: one.theirs.party().is_same(sender),
        lambda one: (not one.ours.party().is_same(receiver), one.test != is_test),
    )  # fmt: skip
