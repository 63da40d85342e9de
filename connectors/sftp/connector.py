"""The ``sftp`` connector: settings, ``sftp.collect`` and ``sftp.deliver``."""

from __future__ import annotations

from connectors.sdk import (
    Accept,
    Call,
    Check,
    ConnectionContext,
    Connector,
    ConnectorError,
    Context,
    Effect,
    Poll,
)
from connectors.sdk.collecting import CollectParameters, Sightings, collect
from connectors.sdk.delivering import Delivered, DeliverParameters, deliver
from connectors.sftp.keys import public_key
from connectors.sftp.settings import SftpSettings
from connectors.sftp.transport import Pool


class Collect(Poll[CollectParameters]):
    """Collect files by SFTP."""

    name = "collect"
    Parameters = CollectParameters

    def poll(self, parameters: CollectParameters, context: Context, accept: Accept) -> int:
        sightings = context.resource(
            f"sftp.sightings/{context.flow}/{parameters.folder}/{parameters.glob}", Sightings
        )
        with _pool(context).session() as session:
            return collect(session, parameters, sightings, context.now(), accept, context.log)


class Deliver(Call[DeliverParameters]):
    """Deliver a file by SFTP."""

    name = "deliver"
    effect = Effect.IDEMPOTENT
    Parameters = DeliverParameters
    Output = Delivered

    def run(self, parameters: DeliverParameters, context: Context) -> Delivered:
        data = context.content(parameters.content)
        with _pool(context).session() as session:
            return deliver(session, parameters, data, context.effect_key)


def _settings(context: ConnectionContext) -> SftpSettings:
    settings = context.connection.settings
    assert isinstance(settings, SftpSettings)
    return settings


def _pool(context: ConnectionContext) -> Pool:
    return context.resource("sftp.pool", lambda: Pool(_settings(context), context.log), Pool.close)


def check(context: ConnectionContext) -> Check:
    """Reaches the server, compares its host key, signs in and lists the root folder."""
    settings = _settings(context)
    try:
        with _pool(context).session() as session:
            count, weak = len(session.entries("")), session.weak
    except ConnectorError as error:
        return Check(False, error.message, error.next_action)
    except OSError as error:
        return Check(
            False,
            f"signed in to {settings.host}, but folder {settings.root} cannot be listed: {error}",
            "correct root, or have the server's owner grant the right to list it",
        )
    return Check(
        True,
        f"signed in to {settings.host}:{settings.port} as {settings.user}, host key "
        f"{public_key(settings.host_key).fingerprint} as pinned, {settings.root} can be listed: {count} names"
        + (f"; weak and waived: {', '.join(weak)}" if weak else ""),
    )


connector = Connector(
    name="sftp",
    title="Files by SFTP",
    operations=(Collect, Deliver),
    settings=SftpSettings,
    check=check,
)
