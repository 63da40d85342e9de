"""Signing and verifying webhooks by Standard Webhooks 1.0.0, symmetric scheme ``v1``.

Source: the specification "Standard Webhooks", version 1.0.0, sections *Signature scheme* and *Webhook headers*
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from connectors.sdk.errors import Misconfigured

TOLERANCE: Final = timedelta(minutes=5)

_PREFIX: Final = "whsec_"
_SHORTEST_KEY: Final = 24


class SignatureRefused(ValueError):
    """The message is not to be trusted; ``reason`` is a word for logs and problem documents.

    ``missing``: a header is absent. ``malformed``: it cannot be read. ``stale``: the time stamp is more than
    five minutes from now. ``mismatch``: no signature fits the body and any of our secrets.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def sign(secret: str, id: str, timestamp: datetime, body: bytes) -> dict[str, str]:
    """The three headers to send with ``body``; ``id`` stays the same when the same event is sent again.

    Raises ``Misconfigured`` for a secret that is not ``whsec_`` and base64 of at least 24 bytes, and
    ``ValueError`` for an id that is empty or holds a full stop, which would make the signed text ambiguous.
    """
    if not id or "." in id:
        raise ValueError(f"webhook id {id!r} is empty or holds a full stop: use another")
    seconds = str(int(timestamp.timestamp()))
    signature = base64.b64encode(_mac(_key(secret), id, seconds, body)).decode()
    return {"webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": f"v1,{signature}"}


def verify(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of an authentic webhook; ``body`` must be the bytes as they came, before any parsing.

    Several secrets allow a change of secret without a gap; a sender may likewise list several signatures.
    Raises ``SignatureRefused``, and ``Misconfigured`` for a secret of ours that cannot be one.
    """
    given = {name.lower(): value for name, value in headers.items()}
    id, seconds, signatures = (_header(given, name) for name in ("id", "timestamp", "signature"))
    if "." in id:
        raise SignatureRefused("malformed", "webhook-id holds a full stop")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 12):
        raise SignatureRefused("malformed", "webhook-timestamp is not a whole number of seconds since 1970")
    if abs(now.timestamp() - int(seconds)) > TOLERANCE.total_seconds():
        raise SignatureRefused("stale", "webhook-timestamp is more than five minutes from the time here")
    claimed = [
        value.encode() for version, _, value in (s.partition(",") for s in signatures.split()) if version == "v1"
    ]
    if not claimed:
        raise SignatureRefused("malformed", "webhook-signature holds no signature of version v1")
    expected = [base64.b64encode(_mac(_key(secret), id, seconds, body)) for secret in secrets]
    fits = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in claimed]
    if not any(fits):
        raise SignatureRefused("mismatch", "webhook-signature does not fit the body and the secret of this address")
    return id


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(f"webhook-{name}", "")
    if not value:
        raise SignatureRefused("missing", f"header webhook-{name} is missing")
    return value


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) < _SHORTEST_KEY:
        raise Misconfigured(
            "a webhook secret is not whsec_ followed by base64 of at least 24 bytes",
            next_action="make one with openssl rand -base64 32 and put whsec_ in front of it",
            field="secret",
        )
    return key


def _mac(key: bytes, id: str, seconds: str, body: bytes) -> bytes:
    return hmac.digest(key, f"{id}.{seconds}.".encode() + body, hashlib.sha256)
