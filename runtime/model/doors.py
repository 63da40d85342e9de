"""Connections that say who may come in by a webhook; they belong to no connector."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from connectors.sdk import Settings


class HmacDoor(Settings):
    """``webhook_hmac``: senders sign with Standard Webhooks (``webhook-id``, ``-timestamp``, ``-signature``)."""

    secret: SecretStr | None = Field(
        default=None, description="whsec_ and base64 of at least 24 bytes", examples=["vault:portal_hooks"]
    )
    secrets: list[SecretStr] = Field(
        default=[], description="several, while one is exchanged for another", examples=[["vault:new", "vault:old"]]
    )

    @model_validator(mode="after")
    def _one_at_least(self) -> HmacDoor:
        if self.secret is None and not self.secrets:
            raise ValueError("a secret is needed")
        return self

    def all(self) -> list[str]:
        """Every secret that opens."""
        given = [self.secret] if self.secret is not None else []
        return [secret.get_secret_value() for secret in [*given, *self.secrets]]


class KeyDoor(Settings):
    """``api_key``: senders show a key of ``orderly key add`` whose scope names the flow (``hooks:<flow>``)."""


DOORS: dict[str, type[Settings]] = {"api_key": KeyDoor, "webhook_hmac": HmacDoor}
