"""partner.delivery: where a partner is sent its documents."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.partner.connector import Deliver, DeliveryOutput, DeliveryParameters
from connectors.sdk import Misconfigured
from tests.harness import MemoryContext


def asked(profile: dict[str, Any]) -> DeliveryOutput:
    return Deliver().run(DeliveryParameters(partner="acme"), MemoryContext(partners={"acme": profile}))


@pytest.mark.parametrize(("said", "folder"), [({}, "/in"), ({"folder": "/a/b"}, "/a/b"), ({"folder": "/"}, "")])
def test_the_profile_says_connection_and_folder(said: dict[str, str], folder: str) -> None:
    assert asked({"delivery": {"connection": "acme_sftp", **said}}) == DeliveryOutput(
        connection="acme_sftp", folder=folder
    )


def test_a_profile_that_does_not_say_is_told_what_to_add() -> None:
    with pytest.raises(Misconfigured, match="does not say where") as refused:
        asked({"name": "Acme"})
    assert '"delivery": {"connection"' in refused.value.next_action


@pytest.mark.parametrize(
    "said", [{}, {"connection": ""}, {"connection": "a", "folder": "in"}, {"connection": "a", "folder": "/in/"}]
)
def test_a_delivery_that_cannot_be_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="delivery"):
        asked({"delivery": said})
