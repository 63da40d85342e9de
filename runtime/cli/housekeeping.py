"""``backup``, ``restore`` and ``runs release``: what is kept is brought to safety, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runtime.cli import options, show
from runtime.cli.remote import desk

#: A backup may take long; the server answers when it is whole.
_LONGEST = 24 * 3600.0


@click.command()
@click.argument("target", type=options.folder)
@click.option(
    "--with-keys", is_flag=True, help="Put the key files in too: whoever has the backup then has every secret."
)
@options.as_json
@options.packs
@options.data
def backup(target: Path, with_keys: bool, data: Path, packs: tuple[Path, ...], as_json: bool) -> None:
    """Copy everything that is kept into the folder TARGET, while a server goes on.

    It is whole or not there. Packs are files of yours and are not in it; neither is the key file that opens the
    sealed secrets, unless you ask for it: keep a copy of it elsewhere.
    """
    with desk(data, packs) as door:
        told = door.call(
            "backup", target=str(target.resolve()), with_keys=with_keys, by=options.me(), timeout=_LONGEST
        )
    show.answer(told, as_json, _tell_backup)


def _tell_backup(told: dict[str, Any]) -> None:
    show.fact("backup", f"{told['backup']}: {told['bytes']:,} bytes, {told['blobs']} blobs, made {told['made_at']}")
    if told["keys"]:
        show.fact("keys", f"{', '.join(told['keys'])} are in it: keep it where nobody else can read it")
    else:
        show.fact("keys", f"not in it: keep a copy of {told['key_file']} elsewhere, or secrets cannot be opened")


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", type=options.folder, required=True, help="New folder for what is kept.")
@options.skip_numbers
@click.option(
    "--key-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Copy of the key file that opens the secrets, where the backup has none.",
)  # fmt: skip
@options.store
@options.as_json
def restore(source: Path, data: Path, skip_numbers: int, key_file: Path | None, store: str, as_json: bool) -> None:
    """Bring the backup SOURCE back as the new folder --data; rows and blobs into PostgreSQL where --store names it.

    Any backup can be restored into either: that is also the way from SQLite to PostgreSQL, or back. The database
    must be empty.

    Nothing goes on by itself afterwards: open runs are held, effects that were under way are uncertain, and
    everybody is signed out. Look at what the peers have, then let runs go on with `orderly runs release`.
    """
    from runtime.store.backup import read, unpacked
    from runtime.store.choice import fill_shared, is_shared
    from runtime.store.restore import hold
    from runtime.store.sqlite import SqliteStore

    _check_place(store)
    manifest, database = read(source), str(data.resolve() / "orderly.db")
    with unpacked(source, manifest, data.resolve(), key_file) as folder:
        opened = SqliteStore(folder / "orderly.db")
        try:
            name = f"the backup of {manifest.made_at}"
            held = hold(opened, backup=name, distance=skip_numbers, by=options.me())
        finally:
            opened.close()
        if is_shared(store):
            database = fill_shared(store, folder)
    keys = sorted({*manifest.keys, *(["vault.key"] if key_file is not None else [])})
    told = {
        "data": str(data.resolve()), "database": database, "made_at": manifest.made_at,
        "blobs": manifest.blobs, "keys": keys,
        "clients": [vars(each) for each in held],
    }  # fmt: skip
    show.answer(told, as_json, _tell_restore)


def _check_place(store: str) -> None:
    """A file elsewhere is not where a restore puts it."""
    from connectors.sdk import Misconfigured
    from runtime.store.choice import is_shared

    if store and not is_shared(store):
        raise Misconfigured(
            f"ORDERLY_STORE names the file {store}, and a backup is restored into the folder --data or PostgreSQL",
            next_action="unset ORDERLY_STORE, restore, and let it name DATA/orderly.db afterwards",
        )


def tell_held(told: dict[str, Any]) -> None:
    show.table(told["clients"], "client", "held", "uncertain", "series", none="no clients")


def _tell_restore(told: dict[str, Any]) -> None:
    show.fact("restored", f"{told['data']}, as it was at {told['made_at']}")
    show.fact("database", told["database"])
    tell_held(told)
    if "vault.key" not in told["keys"]:
        show.fact("keys", f"put the key file back as {told['data']}/vault.key (chmod 600) before you serve")
    data = told["data"]
    show.fact(
        "next",
        f"orderly serve --data {data} (with the PACKs, where those of the backup are not here); look at what the"
        f" peers have; orderly runs release --all --data {data}",
    )


@click.command()
@click.argument("ids", metavar="[RUN]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every run that a restore holds.")
@options.here
def release(
    ids: tuple[str, ...], every: bool, data: Path, packs: tuple[Path, ...], client: str, as_json: bool
) -> None:
    """Let runs go on that are held since a restore; effects that are uncertain are looked up first."""
    if every == bool(ids):
        raise click.UsageError("name the runs, or say --all")
    with desk(data, packs) as door:
        told = door.call("release", runs=ids, every=every, by=options.me(), client=client)
        show.answer(told, as_json, lambda rows: _tell_released(rows, door.served))


def _tell_released(told: dict[str, Any], served: bool) -> None:
    show.fact("released", f"{len(told['released'])} runs")
    if told["released"] and not served:
        show.fact("next", "no server runs on these data: `orderly serve` goes on with them")
