"""The ``mllp`` connector: settings, ``mllp.listen`` and ``mllp.send``."""

from __future__ import annotations

from connectors.mllp.line import connected
from connectors.mllp.listener import Listener, bind, serves
from connectors.mllp.sender import SendMessage
from connectors.mllp.settings import MllpSettings, doubts
from connectors.mllp.tls import Tls
from connectors.sdk import (
    Accept,
    Check,
    ConnectionContext,
    Connector,
    Context,
    CredentialsRefused,
    Listen,
    Listening,
    Misconfigured,
    NotSent,
    Parameters,
)


class ListenParameters(Parameters):
    """Everything is said by the connection: a port belongs to one client and one flow."""


class ListenForMessages(Listen[ListenParameters]):
    """Listen for HL7 v2 messages and acknowledge each once it is stored."""

    name = "listen"
    needs = {"direction": "listen"}
    Parameters = ListenParameters

    def listen(self, parameters: ListenParameters, context: Context, accept: Accept) -> Listening:
        settings = _settings(context)
        if settings.direction != "listen":
            raise Misconfigured(
                "this connection sends: it cannot be listened on",
                field="direction",
                next_action="name a connection whose direction is listen",
            )
        return Listener(settings, accept, context.log, context.now, context.blobs)


def _settings(context: ConnectionContext) -> MllpSettings:
    settings = context.connection.settings
    assert isinstance(settings, MllpSettings)
    return settings


def check(context: ConnectionContext) -> Check:
    """Tells whether the port can be listened on, and takes it for a moment; or whether somebody listens there."""
    settings = _settings(context)
    try:
        tls = Tls(settings, "server" if settings.direction == "listen" else "client") if settings.tls else None
    except Misconfigured as error:
        return Check(False, error.message, error.next_action)
    return _check_peer(settings, tls) if settings.direction == "send" else _check_port(settings)


def _check_peer(settings: MllpSettings, tls: Tls | None) -> Check:
    try:
        connected(settings, tls).close()
    except (NotSent, CredentialsRefused) as error:
        return Check(False, error.message, error.next_action)
    return Check(True, f"{settings.host}:{settings.port} takes connections; nothing was sent")


def _check_port(settings: MllpSettings) -> Check:
    where = f"{settings.host}:{settings.port}"
    if serves(settings.host, settings.port):
        return Check(True, f"{where} is being listened on by this process")
    try:
        bind(settings).close()
    except Misconfigured as error:
        return Check(False, error.message, error.next_action)
    return Check(True, f"{where} is free to listen on")


connector = Connector(
    name="mllp",
    title="HL7 v2 over MLLP",
    operations=(ListenForMessages, SendMessage),
    settings=MllpSettings,
    check=check,
    doubts=doubts,
)
