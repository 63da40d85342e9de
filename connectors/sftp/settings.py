"""Settings of an SFTP connection."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

import paramiko
from pydantic import ConfigDict, Field, field_validator, model_validator

from connectors.sdk import Duration, Model, SecretStr, Settings
from connectors.sftp.keys import private_key, public_key


class Waiver(Model):
    """Weak algorithms that one old server may use, and why. Every sign-in that uses one is logged as a warning."""

    algorithms: list[
        Literal[
            "aes256-cbc",
            "aes192-cbc",
            "aes128-cbc",
            "3des-cbc",
            "hmac-sha1",
            "hmac-sha1-96",
            "hmac-md5",
            "hmac-md5-96",
        ]
    ] = Field(
        min_length=1,
        description="ciphers and MACs offered after all others, as SSH names them",
        examples=[["aes256-cbc", "hmac-sha1"]],
    )
    reason: str = Field(
        min_length=10,
        description="who decided it, and until when it has to do",
        examples=["their server is replaced in March; agreed with J. Doe, security"],
    )


class SftpSettings(Settings):
    """A partner's SFTP server. Its host key is pinned: no other is ever accepted."""

    model_config = ConfigDict(hide_input_in_errors=True)

    host: str = Field(min_length=1, description="host name or address", examples=["sftp.acme.example"])
    port: int = Field(default=22, ge=1, le=65535, description="TCP port", examples=[22])
    user: str = Field(min_length=1, description="user name there", examples=["orderly"])
    password: SecretStr | None = Field(
        default=None,
        description="password, also given where the server asks for it by keyboard-interactive",
        examples=["env:ACME_SFTP_PASSWORD"],
    )
    key: SecretStr | None = Field(
        default=None,
        description="private key in OpenSSH or PEM armour; with a password as well both are given",
        examples=["file:acme_sftp_key"],
    )
    passphrase: SecretStr | None = Field(
        default=None, description="passphrase of the private key", examples=["vault:acme_sftp_passphrase"]
    )
    host_key: str = Field(
        description="the server's public key, one line; a server that shows another is refused",
        examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB5TrzJnCBkY0ZAW60yHZaxoOsKdrAs3lz2Y5wNGL4BC"],
    )
    waiver: Waiver | None = Field(
        default=None,
        description="weak algorithms for a server that has no others; by default it is refused",
        examples=[
            {"algorithms": ["aes256-cbc"], "reason": "their server is replaced in March; agreed with J. Doe"}
        ],
    )
    root: str = Field(
        default="/",
        description="folder below which all paths lie; without a leading slash, below the log-in folder",
        examples=["/home/orderly"],
    )
    connect_timeout: Duration = Field(
        default=timedelta(seconds=10),
        description="longest wait for each of connection, handshake, sign-in and channel",
        examples=["10s"],
    )
    total_timeout: Duration = Field(
        default=timedelta(minutes=5), description="longest duration of one delivery or poll", examples=["5m"]
    )
    keepalive: Duration = Field(
        default=timedelta(seconds=30),
        description="pause between signs of life on an idle connection",
        examples=["30s"],
    )

    @field_validator("host_key")
    @classmethod
    def _is_public_key(cls, value: str) -> str:
        public_key(value)
        return value

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        if self.password is None and self.key is None:
            raise ValueError("nothing to sign in with: give password, key or both")
        return self

    def private_key(self) -> paramiko.PKey | None:
        """Our key, opened with its passphrase; None where only a password is set. Raises ``ValueError``."""
        if self.key is None:
            return None
        return private_key(
            self.key.get_secret_value(), self.passphrase.get_secret_value() if self.passphrase else None
        )
