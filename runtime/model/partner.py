"""A trading partner's profile. What a format needs of it stands under the format's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from connectors.sdk.exchange import Duplicates
from connectors.sdk.model import Model
from connectors.sdk.partner import Environment, Terms
from runtime.model.batching import Batching

PARTNER_NAME = re.compile(r"[a-z][a-z0-9_-]*")
#: Keys of the file that name what a person reads and cannot differ between environments.
_FIXED = ("partner", "name", "$schema")


class Mappings(Model):
    """Names of mappings by type of transaction set or message."""

    out: dict[str, str] = Field(
        default={}, description="from the canonical document", examples=[{"850": "canonical_to_x12_850"}]
    )
    in_: dict[str, str] = Field(
        default={},
        alias="in",
        description="to the canonical document",
        examples=[{"855": "x12_855_to_canonical"}],
    )


class Partner(Terms):
    """``partners/NAME.json``. Further keys (``x12``) belong to the connector of that name, which reads them.

    ``environments`` holds, for test and for production, whatever differs there: it is laid over the rest.
    """

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    schema_: str = Field(
        default="", alias="$schema", description="where editors find the schema", examples=["partner.schema.json"]
    )
    partner: Annotated[str, Field(pattern=f"^{PARTNER_NAME.pattern}$", max_length=80)] = Field(
        description="name, as documents and nodes give it; the file is called the same", examples=["acme"]
    )
    name: str = Field(description="what people see", examples=["Acme Medical Supply"])
    supplier_number: str = Field(
        default="", description="number of the supplier in the client's master data", examples=["4010"]
    )
    mappings: Mappings = Field(
        default=Mappings(),
        description="mappings by which its documents are made and read, else those that ship",
    )
    batching: Batching | None = Field(
        default=None,
        description="when documents collected for it go together; absent: each goes at once, alone",
        examples=[{"count": 50, "cut_off": ["11:00", "16:00"], "zone": "Europe/Berlin"}],
    )
    environments: dict[Environment, dict[str, Any]] = Field(
        default={},
        description="what differs in test and in production; a partner that has one of them only is only there",
        examples=[{"test": {"x12": {"theirs": {"qualifier": "ZZ", "id": "ACMETEST"}}}}],
    )


def for_environment(profile: Any, environment: Environment) -> Any:
    """The profile as it is there: what differs is laid over the rest, and ``environment`` says which it is. A
    partner that has ``environments`` without this one has no format's part here."""
    if not isinstance(profile, Mapping):
        return profile
    common = {key: value for key, value in profile.items() if key not in ("environments", "environment")}
    given = profile.get("environments") or {}
    if not isinstance(given, Mapping) or (given and environment not in given):
        common = {key: value for key, value in common.items() if key in (*_FIXED, *Partner.model_fields)}
        return {**common, "environment": environment}
    own = given.get(environment, {})
    laid = laid_over(common, {key: value for key, value in own.items() if key not in _FIXED}) if own else common
    return {**laid, "environment": environment}


def duplicate_window(profile: Mapping[str, Any], standard: str) -> timedelta:
    """How far back documents of a partner are compared with what comes, and with what is sent. Raises
    ``ValidationError`` where the profile is wrong there."""
    part = profile.get(standard)
    given = part.get("duplicates", {}) if isinstance(part, Mapping) else {}
    return Duplicates.model_validate(given).window


def laid_over(below: Any, above: Any) -> Any:
    """Objects key by key; anything else is replaced (RFC 7396, without its null)."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {
        **below,
        **{key: laid_over(below[key], value) if key in below else value for key, value in above.items()},
    }
