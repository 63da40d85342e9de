"""WS-Security: who we are, and until when a message is good, in the header of the envelope."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree
from pydantic import Field
from zeep.wsse import username, utils

from connectors.sdk import Duration, Model, SecretStr


class UsernameToken(Model):
    """User name and password in the envelope (OASIS Web Services Security, UsernameToken Profile 1.1)."""

    user: str = Field(min_length=1, description="user name", examples=["ORDERLY"])
    password: SecretStr = Field(description="password", examples=["env:ERP_WSSE_PASSWORD"])
    digest: bool = Field(
        default=True,
        description="send a hash of password, time and a number used once; false sends the password itself",
        examples=[True],
    )
    good_for: Duration | None = Field(
        default=timedelta(minutes=5),
        description="adds a time stamp that expires so long after sending; null adds none",
        examples=["5m"],
    )
    must_understand: bool = Field(
        default=True,
        description="the peer must refuse the message where it cannot read this header",
        examples=[True],
    )


_Token: Any = username.UsernameToken
_header: Any = utils.get_security_header


def secured(envelope: bytes, token: UsernameToken, now: datetime | None = None) -> bytes:
    """The envelope with a security header, made anew for every attempt: a number used once is not used twice."""
    root = etree.fromstring(envelope)
    sent = (now or datetime.now(UTC)).replace(microsecond=0)
    stamp = None if token.good_for is None else _stamp(sent, token.good_for)
    made = _Token(
        token.user,
        token.password.get_secret_value(),
        use_digest=token.digest,
        created=sent,
        zulu_timestamp=True,
        timestamp_token=stamp,
    )
    made.apply(root, {})
    if token.must_understand:
        header = _header(root)
        header.set(etree.QName(etree.QName(root).namespace, "mustUnderstand"), "1")
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _stamp(sent: datetime, good_for: timedelta) -> etree._Element:
    """SOAP Message Security 1.1, section 10."""
    times = (sent, sent + good_for)
    created, expires = (time.isoformat().replace("+00:00", "Z") for time in times)
    stamp: etree._Element = utils.WSU.Timestamp(utils.WSU.Created(created), utils.WSU.Expires(expires))
    return stamp
