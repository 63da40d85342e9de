"""Settings of an MLLP connection."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, IPvAnyNetwork

from connectors.sdk import Coerced, Duration, Settings


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
    acknowledge: Literal["stored", "mapped"] = Field(
        default="mapped",
        description="listening: when AA is said. `mapped`: the message is stored, and could be mapped (what "
        "cannot is stored as an exception and answered AE). `stored`: it is stored, exception or not.",
        examples=["stored"],
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
        default=100, ge=1, description="senders at the same time; further ones wait", examples=[100]
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

    def allows(self, address: str) -> bool:
        """Whether a peer of this address may connect."""
        peer = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(peer, "ipv4_mapped", None) or peer
        return any(mapped.version == network.version and mapped in network for network in self.allow)
