"""Whether a reply still is what the flow was written for: drift shows before it becomes wrong orders."""

from __future__ import annotations

import json
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from connectors.sdk import BusinessError, Misconfigured, OutcomeUnknown
from connectors.sdk.http import SAFE, HttpReply
from connectors.sdk.http_url import shown

DRIFT: Final = "contract_drift"

_MOST_TOLD: Final = 5


def checked_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Raises ``ValueError`` for what is no JSON Schema (draft 2020-12)."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"it is no JSON Schema: {error.message}") from error
    return schema


def hold(body: Any, schema: dict[str, Any], reply: HttpReply, method: str) -> None:
    """Nothing where the body meets the schema. References are looked for in the schema alone, nothing is fetched.

    Raises ``BusinessError`` of kind ``contract_drift`` for a request that changes nothing, ``OutcomeUnknown`` with
    that code for any other: the peer has acted, and whether as meant a look-up must tell. Messages name places and
    rules, never values, which may be somebody's data.
    """
    # An empty registry: without one jsonschema would fetch what a $ref names.
    validator = Draft202012Validator(schema, registry=Registry(), format_checker=FormatChecker())
    try:
        faults = sorted(validator.iter_errors(body), key=lambda fault: fault.json_path)
    except Unresolvable as error:
        raise Misconfigured(
            f"expected refers to {error.ref!r}, which it does not hold",
            next_action="put it under $defs of expected: nothing is fetched",
            field="expected",
        ) from error
    if not faults:
        return
    told = [_told(fault) for fault in faults[:_MOST_TOLD]]
    message = f"the reply of {shown(reply.url)} is not what was agreed: {told[0]}"
    if len(faults) > 1:
        message += f" (and {len(faults) - 1} more)"
    details = {"status": reply.status, "faults": told}
    if method in SAFE:
        raise BusinessError(
            message,
            kind=DRIFT,
            field=faults[0].json_path,
            next_action="ask the peer what they changed; then correct expected and the mapping, and redrive",
            code=DRIFT,
            details=details,
        )
    raise OutcomeUnknown(
        message,
        next_action="look up what the peer did; ask them what they changed, then correct expected and the mapping",
        code=DRIFT,
        details=details,
    )


def _told(fault: ValidationError) -> str:
    wanted = json.dumps(fault.validator_value, ensure_ascii=False)
    return f"{fault.json_path} breaks {fault.validator} {wanted[:80]}"
