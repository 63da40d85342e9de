"""Settings of an MLLP connection."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, IPvAnyNetwork

from connectors.hl7.codec import codec_name
from connectors.sdk import Coerced, Duration, Settings
from connectors.sdk.trading import Problem


class MllpSettings(Settings):
    """Where to listen for HL7 v2 messages, and to whom; or where to send them."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="address to listen on, or of the listener to send to",
        examples=["0.0.0.0"],  # noqa: S104
    )
    port: int = Field(ge=0, le=65535, description="TCP port; listening on 0 takes any free one", examples=[2575])
    allow: Annotated[list[IPvAnyNetwork], Coerced] = Field(
        default=[ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")],
        description="addresses and networks that may connect; others are hung up on",
        examples=[["10.20.0.0/16", "192.0.2.7"]],
    )
    direction: Literal["listen", "send"] = Field(
        default="listen", description="whether we listen there, or send to who listens there", examples=["send"]
    )
    acknowledge: Literal["stored", "mapped", "delivered"] = Field(
        default="stored",
        description="listening: when AA is said. `stored`: it is stored, as a run or as an exception for a person. "
        "`mapped`: it is stored and could be mapped, else AE. `delivered`: its run is over, or a `respond` "
        "node has answered; AE where it failed, AR where `deliver_within` was too short.",
        examples=["mapped"],
    )
    deliver_within: Duration = Field(
        default=timedelta(seconds=20),
        description="listening, `acknowledge: delivered`: longest wait for the run; senders should wait longer",
        examples=["20s"],
    )
    tls: bool = Field(
        default=False,
        description="speak TLS (1.2 or later): a listener shows `certificate`, a sender checks its peer's",
        examples=[True],
    )
    certificate: str | None = Field(
        default=None,
        min_length=1,
        description="file (PEM) with our certificate, its chain and its private key; taken up anew when it changes",
        examples=["/etc/orderly/mllp.pem"],
    )
    authorities: str | None = Field(
        default=None,
        min_length=1,
        description="file (PEM) of the authorities that peers' certificates must be from; without it a listener "
        "asks for none, and a sender trusts those of this machine",
        examples=["/etc/orderly/hospital-ca.pem"],
    )
    charset: str | None = Field(
        default=None,
        description="character set of the messages; goes before MSH-18",
        examples=["UNICODE UTF-8", "8859/1"],
    )
    max_message_bytes: int = Field(
        default=10_000_000,
        ge=1_000,
        description="largest message; a larger one is answered AR and the connection closed",
        examples=[10_000_000],
    )
    max_connections: int = Field(
        default=100,
        ge=1,
        description="senders at the same time; for a further one the oldest connection that never began a message "
        "gives way, of the address with most of them; where there is none, it waits",
        examples=[100],
    )
    first_within: Duration = Field(
        default=timedelta(minutes=10),
        description="longest time from connecting, TLS handshake included, to the start of the first message; "
        "from then on `idle` counts",
        examples=["30s"],
    )
    idle: Duration = Field(
        default=timedelta(days=1),
        description="a connection without any message for so long is closed",
        examples=["1d"],
    )
    frame_timeout: Duration = Field(
        default=timedelta(seconds=30),
        description="longest time from a message's first byte to its last, and for a sender to take an answer",
        examples=["30s"],
    )
    drain: Duration = Field(
        default=timedelta(seconds=10),
        description="on stopping, longest wait for messages in hand to be stored and answered",
        examples=["10s"],
    )

    answer_within: Duration = Field(
        default=timedelta(seconds=30),
        description="sending: longest wait for a connection, and for an acknowledgement",
        examples=["30s"],
    )
    application_within: Duration = Field(
        default=timedelta(seconds=30),
        description="sending, where MSH-15 and MSH-16 ask for both: longest wait after CA for the application "
        "acknowledgement on this connection; nothing else is sent over it meanwhile",
        examples=["5s"],
    )
    acknowledgements: bool = Field(
        default=False,
        description="listening: application acknowledgements that senders get on a connection of their own come "
        "here, and are handed to the flow like any message; else they are passed over",
        examples=[True],
    )

    def allows(self, address: str) -> bool:
        """Whether a peer of this address may connect."""
        peer = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(peer, "ipv4_mapped", None) or peer
        return any(mapped.version == network.version and mapped in network for network in self.allow)


def doubts(settings: MllpSettings) -> Iterator[Problem]:
    """What the settings say that cannot work, whatever the files and the peer are like."""
    listens = settings.direction == "listen"
    for name in ("certificate", "authorities"):
        if getattr(settings, name) and not settings.tls:
            yield Problem((name,), f"{name} is named and tls is off: nothing would be encrypted", 'add "tls": true')
    if listens and settings.tls and not settings.certificate:
        yield Problem(("tls",), "a listener that speaks TLS needs a certificate", "name a PEM file as certificate")
    if listens and not settings.allow:
        yield Problem(("allow",), "nobody may connect", "name the addresses or networks of the senders")
    if not listens and not settings.port:
        yield Problem(("port",), "nobody listens on port 0", "give the port of the receiver")
    if settings.charset is not None and codec_name(settings.charset) is None:
        yield Problem(("charset",), f"there is no character set {settings.charset!r}", "use a name of table 0211")
    if not listens and settings.acknowledgements:
        told = "acknowledgements that come on the sending connection itself are taken anyway"
        yield Problem(("acknowledgements",), told, "set it on the connection that listens for them")
    for name in ("frame_timeout", "idle", "first_within") if listens else ("answer_within",):
        if not getattr(settings, name):
            yield Problem((name,), "no message can be had in no time", 'give a duration, such as "30s"')
    if listens and settings.acknowledge == "delivered" and not settings.deliver_within:
        yield Problem(("deliver_within",), "nothing is delivered in no time", 'give a duration, such as "20s"')
