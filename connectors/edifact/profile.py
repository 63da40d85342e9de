"""What a trading partner's profile says about EDIFACT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.edifact.codec import Checks, Delimiters, EdifactError, Party
from connectors.edifact.fault import Taken
from connectors.sdk import Misconfigured


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Identity(_Part):
    """One side's identifiers."""

    id: str = Field(min_length=1, max_length=35, description="UNB 0004 or 0010: GLN or what was agreed")
    qualifier: str = Field(default="", max_length=4, description="UNB 0007: 14 for a GLN")
    internal_id: str = Field(default="", max_length=35, description="UNB 0008 or 0014: the address behind it")
    group_id: str = Field(default="", max_length=35, description="UNG 0040 or 0044; the id if absent")

    def party(self) -> Party:
        return Party(self.id, self.qualifier, self.internal_id, self.group_id)


class Signs(_Part):
    """Service characters used when writing."""

    component: str = ":"
    element: str = "+"
    decimal: str = "."
    release: str = "?"
    repetition: str = ""
    segment: str = "'"


class Profile(_Part):
    """The ``edifact`` part of ``partners/<name>.json``."""

    ours: Identity
    theirs: Identity
    test: bool = Field(default=True, description="UNB 0035: their interchanges and ours carry the test indicator")
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
    checks: dict[str, Taken] = Field(default_factory=dict, description="reject, warn or ignore, by check")

    def signs(self) -> Delimiters:
        """Raises ``EdifactError`` where they cannot work."""
        return Delimiters(**self.delimiters.model_dump())

    def judged(self, *, strict: bool = False) -> Checks:
        """Raises ``Misconfigured`` for an unknown check."""
        return Checks(self.checks, strict=strict)

    def series(self, level: str) -> str:
        """The control number series: one per direction, parties, test and level (``unb`` or ``ung``)."""
        ours, theirs = self.ours, self.theirs
        usage = "test" if self.test else "production"
        return f"edifact/{ours.qualifier}:{ours.id}/{theirs.qualifier}:{theirs.id}/{usage}/{level}"


def profile(name: str, partner: Mapping[str, Any]) -> Profile:
    """Raises ``Misconfigured`` naming the field that is missing or wrong."""
    try:
        found = Profile.model_validate(partner.get("edifact"))
        found.signs()
        found.judged()
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(name, ".".join(["edifact", *map(str, first["loc"])]), first["msg"]) from None
    except EdifactError as error:
        raise _refused(name, "edifact.delimiters", error.message) from None
    except Misconfigured as error:
        raise _refused(name, error.field, error.message) from None
    return found


def _refused(name: str, field: str, what: str) -> Misconfigured:
    return Misconfigured(
        f"the profile of partner {name!r} cannot be used for EDIFACT: {field}: {what}",
        next_action=f"correct {field} in partners/{name}.json",
        field=field,
    )


def find(parties: tuple[Party, Party], is_test: bool, partners: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The partner who sent from these UNB ids to us; where several have them, the one of that test indicator."""
    sender, receiver = parties
    profiles = {name: profile(name, partner) for name, partner in partners.items() if partner.get("edifact")}
    found = [name for name, one in profiles.items() if one.theirs.party().is_same(sender)]
    found.sort(
        key=lambda name: (
            not profiles[name].ours.party().is_same(receiver),
            profiles[name].test != is_test,
        )
    )
    return found[0] if found else None
