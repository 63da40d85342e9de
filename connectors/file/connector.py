"""The ``file`` connector: settings, ``file.collect`` and ``file.deliver``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from connectors.file.transport import LocalFolders
from connectors.sdk import Accept, Call, Check, ConnectionContext, Connector, Context, Effect, Poll, Settings
from connectors.sdk.collecting import CollectParameters, Sightings, collect
from connectors.sdk.delivering import Delivered, DeliverParameters, deliver


class FileSettings(Settings):
    """A folder of this machine; no path of a flow leaves it."""

    root: Path = Field(
        description="absolute path of the folder; links below it are not followed",
        examples=["/srv/exchange/acme"],
    )


class Collect(Poll[CollectParameters]):
    """Collect files from a local folder."""

    name = "collect"
    Parameters = CollectParameters

    def poll(self, parameters: CollectParameters, context: Context, accept: Accept) -> int:
        sightings = context.resource(
            f"file.sightings/{context.flow}/{parameters.folder}/{parameters.glob}", Sightings
        )
        return collect(_folders(context), parameters, sightings, context.now(), accept, context.log)


class Deliver(Call[DeliverParameters]):
    """Deliver a file to a local folder."""

    name = "deliver"
    effect = Effect.IDEMPOTENT
    Parameters = DeliverParameters
    Output = Delivered

    def run(self, parameters: DeliverParameters, context: Context) -> Delivered:
        data = context.content(parameters.content)
        return deliver(_folders(context), parameters, data, context.effect_key)


def _folders(context: ConnectionContext) -> LocalFolders:
    settings = context.connection.settings
    assert isinstance(settings, FileSettings)
    return LocalFolders(settings.root)


def check(context: ConnectionContext) -> Check:
    """Tells whether the folder is there and may be listed."""
    folders = _folders(context)
    try:
        count = len(folders.entries(""))
    except OSError as error:
        return Check(
            False, f"{folders.where} cannot be listed: {error}", "create it, or grant the right to read it"
        )
    return Check(True, f"{folders.where} can be listed: {count} names")


connector = Connector(
    name="file",
    title="Files in local folders",
    operations=(Collect, Deliver),
    settings=FileSettings,
    check=check,
)
