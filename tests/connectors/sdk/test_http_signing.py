"""Signatures over requests, as peers publish them, and as they arrive over the wire."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.sdk import Misconfigured
from connectors.sdk.http_signing import HmacAuth, signature
from tests.connectors.sdk.http_peer import Peer, always, client, reply


def auth(**settings: Any) -> HmacAuth:
    return HmacAuth.model_validate({"type": "hmac", "secret": "s3cret", **settings})


def test_the_example_of_githubs_documentation_is_signed_as_printed_there() -> None:
    """GitHub Docs, "Validating webhook deliveries", testing the webhook payload validation."""
    github = auth(secret="It's a Secret to Everybody", header="X-Hub-Signature-256", value="sha256={signature}")

    assert signature(github, "POST", "https://peer.example/", b"Hello, World!") == {
        "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    }


def test_the_example_of_rfc_4231_is_signed_with_a_key_in_hex() -> None:
    """Test case 1, HMAC-SHA-512."""
    made = signature(
        auth(secret="0b" * 20, secret_is="hex", algorithm="sha512"), "POST", "https://peer.example/", b"Hi There"
    )

    assert made["X-Signature"].startswith("87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde")


def test_what_is_signed_follows_the_template() -> None:
    body = '{"größe": 1}'.encode()
    settings = auth(
        signed="{method}\n{host}\n{target}\n{time}\n{nonce}\n{body_hash_base64}\n{body}",
        encoding="base64",
        value="t={time},n={nonce},v1={signature}",
        time_header="X-Time",
        time_is="iso",
        nonce_header="X-Nonce",
    )

    made = signature(settings, "post", "https://peer.example/a?b=%20", body, now=1_795_507_200.9, nonce="n1")

    digest = base64.b64encode(hashlib.sha256(body).digest())
    signed = b"POST\npeer.example\n/a?b=%20\n2026-11-24T08:00:00Z\nn1\n" + digest + b"\n" + body
    expected = base64.b64encode(hmac.new(b"s3cret", signed, "sha256").digest()).decode()
    assert made == {
        "X-Signature": f"t=2026-11-24T08:00:00Z,n=n1,v1={expected}",
        "X-Time": "2026-11-24T08:00:00Z",
        "X-Nonce": "n1",
    }


def test_the_peer_can_verify_what_arrives() -> None:
    settings = {
        "type": "hmac", "secret": "s3cret", "signed": "{time}.{target}.{body}", "time_header": "X-Timestamp",
        "nonce_header": "X-Nonce",
    }  # fmt: skip
    with Peer(always(reply())) as peer:
        caller = client(peer.url, auth=settings)
        caller.request("POST", "/orders", query={"dry": True}, json={"number": "1"})
        caller.request("GET", "/")

    first, second = peer.requests
    signed = f"{first.headers['x-timestamp']}./orders?dry=true.".encode() + first.body
    assert first.headers["x-signature"] == hmac.new(b"s3cret", signed, "sha256").hexdigest()
    assert first.headers["x-nonce"] != second.headers["x-nonce"]


def test_another_origin_gets_no_signature() -> None:
    with Peer(always(reply())) as other, Peer(always(reply(302, b"", Location=f"{other.url}/"))) as peer:
        client(peer.url, auth={"type": "hmac", "secret": "s3cret"}).request("GET", "/")

    assert "x-signature" in peer.requests[0].headers
    assert "x-signature" not in other.requests[0].headers


@pytest.mark.parametrize("wrong", [{"signed": "{bdy}"}, {"value": "sha256="}, {"value": "{body}{signature}"}])
def test_a_template_with_an_unknown_word_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        auth(**wrong)


@pytest.mark.parametrize("kind", ["hex", "base64"])
def test_a_secret_that_is_not_written_as_said_is_refused_without_showing_it(kind: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        signature(auth(secret="no such thing!", secret_is=kind), "GET", "https://peer.example/", b"")

    assert refused.value.field == "auth.secret"
    assert "no such" not in str(refused.value) and refused.value.__cause__ is None
