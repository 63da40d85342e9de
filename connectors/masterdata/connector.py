"""One operation, ``masterdata.resolve``: codes in, records out, in the same order."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from connectors.sdk import BusinessError, Call, Connector, Context, Effect, Parameters, Strings

OWNER = "master_data"


class ResolveParameters(Parameters):
    kind: str = Field(
        min_length=1,
        description="kind of record, the name of its file without .csv",
        examples=["item", "supplier", "location"],
    )
    codes: Strings = Field(
        description="codes to resolve; a single one need not be in a list", examples=[["ITM-1001", "ITM-1002"]]
    )
    scheme: str = Field(
        default="", description="scheme the codes belong to; empty for the hospital's own", examples=["", "gtin14"]
    )
    missing: Literal["exception", "null"] = Field(
        default="exception",
        description="what an unknown code gives: a business exception, or null in its place",
        examples=["exception"],
    )


class Resolve(Call[ResolveParameters]):
    """Resolve codes to master data records.

    Output is a list with one record for every code, in the order of the codes; every record has ``code``,
    the client's own, and otherwise the columns of its kind, all strings.
    """

    name = "resolve"
    effect = Effect.NONE
    Parameters = ResolveParameters

    def run(self, parameters: ResolveParameters, context: Context) -> list[dict[str, Any] | None]:
        """Raises ``BusinessError`` of kind ``unknown_<kind>`` for the first code that has no record."""
        return [_record(place, code, parameters, context) for place, code in enumerate(parameters.codes)]


def _record(place: int, code: str, parameters: ResolveParameters, context: Context) -> dict[str, Any] | None:
    found = context.resolve(parameters.kind, code, parameters.scheme)
    if found is not None:
        return {"code": code, **found}
    if parameters.missing == "null":
        return None
    scheme = f" in scheme {parameters.scheme}" if parameters.scheme else ""
    raise BusinessError(
        f"no {parameters.kind} has the code {code!r}{scheme}",
        kind=f"unknown_{parameters.kind}",
        owner=OWNER,
        field=f"codes/{place}",
        next_action=f"add {code} to the master data of kind {parameters.kind}, or correct the document",
        details={"kind": parameters.kind, "code": code, "scheme": parameters.scheme},
    )


connector = Connector(name="masterdata", title="Master data", operations=(Resolve,))
