"""What is kept is readable by the user that runs Orderly, and by nobody else on the machine."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import BinaryIO, Final

import structlog

log = structlog.get_logger()

_FOLDER: Final = 0o700
_FILE: Final = 0o600
_OTHERS: Final = 0o077
#: A folder that holds one of these, or nothing at all, is a data folder.
_OURS: Final = ("orderly.db", "vault.key", "token.key")


def private_folder(path: Path) -> None:
    """Made, or closed to others where it was open. A folder that others keep things in is left as it is, for it may
    be ``/srv``: each file of ours is closed all the same."""
    path.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    empty = not any(path.iterdir())
    if empty or any((path / name).exists() for name in _OURS):
        _close(path, _FOLDER)
    else:
        log.warning("data.shared_folder", folder=str(path), next_action="give --data a folder of its own")
    for file in path.glob("orderly.db*"):
        _close(file, _FILE)
    if (blobs := path / "blobs").is_dir():
        _close(blobs, _FOLDER)


def private_file(path: Path) -> Path:
    """An empty file where there is none; one that others may read is closed to them."""
    if not path.exists():
        path.touch(_FILE)
    _close(path, _FILE)
    return path


def new_file(path: Path) -> BinaryIO:
    """To be written. Raises ``FileExistsError``."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE), "wb")


def write_once(path: Path, content: bytes) -> None:
    """Whole or not at all, whenever the process dies, and of two processes the first wins. What is there stays."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with new_file(aside) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(aside)
    except FileExistsError:
        return
    finally:
        aside.unlink(missing_ok=True)


def _close(path: Path, mode: int) -> None:
    if not path.stat().st_mode & _OTHERS:
        return
    try:
        path.chmod(mode)
    except OSError as error:
        log.warning("data.open_to_others", path=str(path), why=str(error.strerror), next_action=f"chmod {mode:o}")
    else:
        log.warning("data.closed_to_others", path=str(path), mode=f"{mode:o}")
