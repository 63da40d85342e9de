"""Requests signed with a shared secret: an HMAC (RFC 2104) over what a peer says, put where it says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from connectors.sdk.errors import Misconfigured
from connectors.sdk.model import Model, SecretStr

_BODY_WORDS: Final = frozenset({"body", "body_hash", "body_hash_base64"})
_WORDS: Final = _BODY_WORDS | {"method", "path", "query", "target", "host", "time", "nonce"}
_PLACE: Final = re.compile(r"\{([a-z0-9_]*)\}")


def _words(template: str, known: frozenset[str]) -> str:
    for word in _PLACE.findall(template):
        if word not in known:
            raise ValueError(f"{{{word}}} is not known: use {', '.join(f'{{{one}}}' for one in sorted(known))}")
    return template


class HmacAuth(Model):
    """A signature over the request, made with a secret that both sides have.

    The template ``signed`` may hold ``{method}``, ``{path}``, ``{query}``, ``{target}`` (path and query as sent),
    ``{host}``, ``{time}``, ``{nonce}``, ``{body}``, ``{body_hash}`` (SHA-256 in hex) and ``{body_hash_base64}``.
    """

    type: Literal["hmac"]
    secret: SecretStr = Field(description="shared secret", examples=["env:PORTAL_SIGNING_SECRET"])
    secret_is: Literal["text", "hex", "base64"] = Field(
        default="text", description="how the bytes of the key are written in secret", examples=["base64"]
    )
    algorithm: Literal["sha256", "sha384", "sha512"] = Field(
        default="sha256", description="hash of the HMAC", examples=["sha256"]
    )
    signed: str = Field(
        default="{body}",
        description="what is signed",
        examples=["{time}.{body}", "{method}\n{target}\n{body_hash}"],
    )
    encoding: Literal["hex", "base64"] = Field(
        default="hex", description="how the signature is written", examples=["base64"]
    )
    header: str = Field(
        default="X-Signature", min_length=1, description="header of the signature", examples=["X-Hub-Signature-256"]
    )
    value: str = Field(
        default="{signature}",
        description="value of that header; may hold {signature}, {time} and {nonce}",
        examples=["sha256={signature}", "t={time},v1={signature}"],
    )
    time_header: str = Field(
        default="", description="header that takes the time of signing; empty sends none", examples=["X-Timestamp"]
    )
    time_is: Literal["seconds", "milliseconds", "iso"] = Field(
        default="seconds", description="since 1970, or as 2026-11-24T08:00:00Z", examples=["seconds"]
    )
    nonce_header: str = Field(
        default="",
        description="header that takes a number used once, 32 hex digits; empty sends none",
        examples=["X-Nonce"],
    )

    @field_validator("signed")
    @classmethod
    def _signed_is_known(cls, value: str) -> str:
        return _words(value, _WORDS)

    @field_validator("value")
    @classmethod
    def _value_is_known(cls, value: str) -> str:
        if "{signature}" not in value:
            raise ValueError("it has no {signature}")
        return _words(value, frozenset({"signature", "time", "nonce"}))


def signature(
    auth: HmacAuth,
    method: str,
    url: str,
    body: bytes,
    *,
    now: float | None = None,
    nonce: str = "",
) -> dict[str, str]:
    """Headers to add to that request; ``now`` in seconds since 1970. Raises ``Misconfigured`` for a secret that is
    not written as ``secret_is`` says."""
    parts = urlsplit(url)
    nonce = nonce or secrets.token_hex(16)
    told = _time(auth, time.time() if now is None else now)
    hashed = hashlib.sha256(body)
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    facts = {
        "method": method.upper(), "path": path, "query": parts.query, "target": target, "host": parts.netloc,
        "time": told, "nonce": nonce, "body_hash": hashed.hexdigest(),
        "body_hash_base64": base64.b64encode(hashed.digest()).decode(),
    }  # fmt: skip
    signed = b"".join(_pieces(auth.signed, facts, body))
    mac = hmac.new(_key(auth), signed, auth.algorithm)
    written = mac.hexdigest() if auth.encoding == "hex" else base64.b64encode(mac.digest()).decode()
    shown = {"signature": written, "time": told, "nonce": nonce}
    headers = {auth.header: _PLACE.sub(lambda found: shown[found[1]], auth.value)}
    if auth.time_header:
        headers[auth.time_header] = told
    if auth.nonce_header:
        headers[auth.nonce_header] = nonce
    return headers


def _pieces(template: str, facts: Mapping[str, str], body: bytes) -> list[bytes]:
    """Bytes, because a body need not be text."""
    found = _PLACE.split(template)
    return [
        piece.encode() if index % 2 == 0 else body if piece == "body" else facts[piece].encode()
        for index, piece in enumerate(found)
    ]


def _time(auth: HmacAuth, now: float) -> str:
    if auth.time_is == "iso":
        return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(int(now * 1000) if auth.time_is == "milliseconds" else int(now))


_DECODED: Final[Mapping[str, Callable[[str], bytes]]] = {
    "text": str.encode,
    "hex": bytes.fromhex,
    "base64": lambda text: base64.b64decode(text, validate=True),
}


def _key(auth: HmacAuth) -> bytes:
    try:
        return _DECODED[auth.secret_is](auth.secret.get_secret_value())
    except (ValueError, binascii.Error):
        raise Misconfigured(
            f"the signing secret is not {auth.secret_is}",
            next_action="correct auth.secret or auth.secret_is of the connection",
            field="auth.secret",
        ) from None
