"""A copy of everything that is kept, made while the server goes on, and the way back from it.

A backup is a folder: ``manifest.json``, ``orderly.db``, ``blobs/``, what else lay beside them, and ``keys/`` where
they were asked for. It is complete or absent: it is made aside and renamed.

It has the same form whatever the store is: rows in an SQLite file, large blobs in files. So what was backed up from
one kind of store can be restored into another.

Rows are copied as they stood at one moment. A row that names a blob is committed after the blob is stored, so
whatever the copied rows name is there when the blobs are copied, and nothing is removed while that lasts.

The key file opens the secrets that lie sealed in the database. It is left out unless it is asked for, so that a
backup in the wrong hands gives no secrets away; then it has to be kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path

from runtime.store import migrations
from runtime.store.aside import aside
from runtime.store.blobs import FolderBlobs
from runtime.store.shared import SharedStore
from runtime.store.snapshot import copy_blobs
from runtime.store.store import Refused

_FORMAT = 1
_MANIFEST, _DATABASE, _KEYS = "manifest.json", "orderly.db", "keys"


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. ``made_at`` is ISO 8601, ``database`` the SHA-256 of the database file; ``blobs`` counts
    files, ``bytes`` is the size of all; ``keys`` says which key files are in it."""

    format: int
    made_at: str
    schema: str
    clients: list[str]
    database: str
    blobs: int
    bytes: int
    files: list[str]
    keys: list[str]


def make(
    store: SharedStore, target: Path, now: datetime, *, files: Mapping[str, Path], keys: Mapping[str, Path]
) -> Manifest:
    """Into ``target``, which must not be there yet. ``files`` and ``keys`` are copied under
    these names where they exist. Raises
    ``Refused``, and ``Unavailable`` where the disk does not take it."""
    _check_new(target)
    with aside(target) as folder:
        with store.snapshot() as snapshot:
            snapshot.rows_to(folder / _DATABASE)
            clients = _sound(folder / _DATABASE)
            blobs = sum(snapshot.blobs_to(folder / "blobs", client) for client in clients)
        copied = [_copy(path, folder / name).name for name, path in files.items() if path.is_file()]
        secret = [_copy(path, folder / _KEYS / name).name for name, path in keys.items() if path.is_file()]
        manifest = Manifest(
            format=_FORMAT, made_at=now.isoformat(timespec="seconds"), schema=migrations.HEAD, clients=clients,
            database=_digest(folder / _DATABASE), blobs=blobs, bytes=_size(folder), files=copied, keys=secret,
        )  # fmt: skip
        (folder / _DATABASE).chmod(0o600)
        (folder / _MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    return manifest


def read(source: Path) -> Manifest:
    """Raises ``Refused`` for what is no backup of ours, or one of a newer version."""
    try:
        found = json.loads((source / _MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**{field.name: found[field.name] for field in fields(Manifest)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"{source} is no whole backup: its {_MANIFEST} cannot be read ({error!r}); name a folder that"
            " `orderly backup` has made"
        ) from error
    if manifest.format > _FORMAT or manifest.schema > migrations.HEAD:
        raise Refused(
            f"{source} was made by a newer version of Orderly (schema {manifest.schema}, this version knows"
            f" {migrations.HEAD}): restore it with that version, or a newer one"
        )
    return manifest


@contextmanager
def unpacked(source: Path, manifest: Manifest, data: Path, key_file: Path | None) -> Iterator[Path]:
    """What the backup holds, checked, in a folder aside with the schema of this version; at the end it becomes
    ``data``, which must not be there yet or be empty. Raises ``Refused``, ``Unavailable``."""
    _check_new(data)
    with aside(data) as folder:
        if _digest(_copy(source / _DATABASE, folder / _DATABASE)) != manifest.database:
            raise Refused(
                f"{source / _DATABASE} is not what was backed up: the file was damaged, take another backup"
            )
        for client in manifest.clients:
            copy_blobs(FolderBlobs(source / "blobs", client), folder / "blobs", client)
        for name in manifest.files:
            _copy(source / name, folder / name)
        for name in manifest.keys:
            _copy(source / _KEYS / name, folder / name)
        if key_file is not None:
            _copy(key_file, folder / "vault.key")
        _upgrade(folder / _DATABASE)
        yield folder


def _check_new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(f"{folder} is there already and not empty: name a folder that is not there yet")


def _copy(path: Path, to: Path) -> Path:
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(path, to)
    to.chmod(0o600)
    return to


def _sound(path: Path) -> list[str]:
    """The clients in a copy. Raises ``Refused`` where the copy is damaged."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
            if found == ["ok"]:
                return [row[0] for row in connection.execute("SELECT id FROM client ORDER BY id")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    raise Refused(
        f"the database is damaged ({'; '.join(found)}): nothing was backed up, because it would be of no use;"
        " restore the last good backup"
    )


def _upgrade(path: Path) -> None:
    from sqlalchemy import NullPool, create_engine

    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    try:
        migrations.upgrade(engine)
    finally:
        engine.dispose()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
