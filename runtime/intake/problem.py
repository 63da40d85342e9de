"""Problem documents (RFC 9457): what happened, where, why and what to do, as ``application/problem+json``."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from runtime.intake.accept import NotTaken


def problem(status: int, title: str, detail: str, kind: str, **more: Any) -> Response:
    """``kind`` is a stable word; ``type`` is its URN."""
    body = {"type": f"urn:orderly:problem:{kind}", "title": title, "status": status, "detail": detail, **more}
    return Response(json.dumps(body), status, content_type="application/problem+json")


def too_large(most: int) -> Response:
    """``most``: so many bytes are taken."""
    detail = (
        f"more than {most:,} bytes came: send less, or have the operator raise --max-body-bytes of"
        " `orderly serve` (ORDERLY_MAX_BODY_BYTES)"
    )
    return problem(413, "The body is too large", detail, "too_large")


def of_not_taken(refused: NotTaken) -> Response:
    more: dict[str, Any] = {}
    if refused.violations:
        more["errors"] = [{"pointer": v.pointer, "detail": v.message} for v in refused.violations]
    if refused.run:
        more["run"] = refused.run
    return problem(refused.status, refused.title, refused.detail, refused.kind, **more)
