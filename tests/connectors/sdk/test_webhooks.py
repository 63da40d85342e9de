"""Webhooks are signed and verified by Standard Webhooks 1.0.0."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.sdk import Misconfigured
from connectors.sdk.webhooks import SignatureRefused, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'


def test_a_signature_equals_the_one_other_implementations_make() -> None:
    """The vector that the published reference libraries test themselves with."""
    assert sign(SECRET, ID, SENT, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_what_was_signed_is_verified_and_gives_the_id() -> None:
    assert verify([SECRET], sign(SECRET, ID, SENT, BODY), BODY, SENT) == ID


def test_header_names_may_come_in_any_case() -> None:
    headers = {name.title(): value for name, value in sign(SECRET, ID, SENT, BODY).items()}

    assert verify([SECRET], headers, BODY, SENT) == ID


def test_during_a_change_of_secret_either_side_may_know_both() -> None:
    old, new = sign(SECRET, ID, SENT, BODY), sign(OTHER, ID, SENT, BODY)
    both = {**old, "webhook-signature": f"v1a,xyz {old['webhook-signature']} {new['webhook-signature']}"}

    assert verify([OTHER], both, BODY, SENT) == ID
    assert verify([OTHER, SECRET], old, BODY, SENT) == ID


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_webhook_up_to_five_minutes_off_is_taken(minutes: int) -> None:
    assert verify([SECRET], sign(SECRET, ID, SENT, BODY), BODY, SENT + timedelta(minutes=minutes)) == ID


@pytest.mark.parametrize("off", [timedelta(minutes=-5, seconds=-1), timedelta(minutes=5, seconds=1)])
def test_a_webhook_more_than_five_minutes_off_is_stale(off: timedelta) -> None:
    with pytest.raises(SignatureRefused) as caught:
        verify([SECRET], sign(SECRET, ID, SENT, BODY), BODY, SENT + off)

    assert caught.value.reason == "stale"


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(name: str) -> None:
    headers = sign(SECRET, ID, SENT, BODY)
    del headers[name]

    with pytest.raises(SignatureRefused, match=name) as caught:
        verify([SECRET], headers, BODY, SENT)

    assert caught.value.reason == "missing"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"webhook-id": "msg_other"}, "mismatch"),
        ({"webhook-timestamp": "1614265331"}, "mismatch"),
        ({"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF="}, "mismatch"),
        ({"webhook-signature": "v1,\N{LATIN SMALL LETTER E WITH ACUTE}"}, "mismatch"),
        ({"webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, "malformed"),
        ({"webhook-signature": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, "malformed"),
        ({"webhook-timestamp": "yesterday"}, "malformed"),
        ({"webhook-timestamp": "-1614265330"}, "malformed"),
        ({"webhook-timestamp": "\N{ARABIC-INDIC DIGIT ONE}"}, "malformed"),
        ({"webhook-id": "msg.1614265330"}, "malformed"),
    ],
)
def test_a_changed_header_is_refused(change: dict[str, str], reason: str) -> None:
    with pytest.raises(SignatureRefused) as caught:
        verify([SECRET], {**sign(SECRET, ID, SENT, BODY), **change}, BODY, SENT)

    assert caught.value.reason == reason


def test_a_changed_body_or_another_secret_is_refused() -> None:
    headers = sign(SECRET, ID, SENT, BODY)

    for secrets, body in (([SECRET], BODY + b" "), ([OTHER], BODY), ([], BODY)):
        with pytest.raises(SignatureRefused) as caught:
            verify(secrets, headers, body, SENT)
        assert caught.value.reason == "mismatch"


@pytest.mark.parametrize("secret", ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_###", SECRET[6:]])
def test_a_secret_that_is_none_is_a_mistake_of_ours(secret: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        sign(secret, ID, SENT, BODY)

    assert caught.value.next_action
    if len(secret) > 6:
        assert secret not in str(caught.value)


@pytest.mark.parametrize("id", ["", "a.b"])
def test_an_id_that_would_make_the_signed_text_ambiguous_is_not_signed(id: str) -> None:
    with pytest.raises(ValueError, match="webhook id"):
        sign(SECRET, id, SENT, BODY)
