"""Delivering a file: temporary name, size check, rename, whatever carries it."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from pydantic import Field

from connectors.sdk.errors import Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.sdk.files import TEMPORARY, Folders, inside, refusal
from connectors.sdk.model import Content, Output, Parameters

_MEGABYTE = 1024 * 1024
#: Smaller files are sent again as a whole: asking what is there would cost more.
_RESUMED = 4 * _MEGABYTE
_SAMPLE = 32 * 1024


class DeliverParameters(Parameters):
    path: str = Field(
        description="folder and final name below the connection's root", examples=["/in/000000001.edi"]
    )
    content: Content = Field(description="what to deliver: a stored blob, or text", examples=["ISA*00*..."])
    collision: Literal["replace", "refuse", "same"] = Field(
        default="replace",
        description="where the final name exists: replace it; refuse unless it holds the same bytes; "
        "or leave it alone if it holds the same bytes and replace it if not",
        examples=["refuse"],
    )
    checksum: Literal["sha256", "sha512", "md5"] | None = Field(
        default=None,
        description="put a file with the checksum beside it, as `sha256sum` writes it and under the same name with "
        "`.sha256` behind, once the file has its final name; for partners who ask for it, md5 too",
        examples=["sha256"],
    )


class Delivered(Output):
    path: str = Field(description="path below the connection's root", examples=["/in/000000001.edi"])
    size: int = Field(description="bytes", examples=[512])
    sha256: str = Field(description="SHA-256 of the bytes, hexadecimal", examples=["9f86d081884c7d65..."])


def deliver(folders: Folders, parameters: DeliverParameters, data: bytes, key: str) -> Delivered:
    """Temporary name in the same folder, size check, rename. Repeated with the same ``key`` after a crash at
    any point it ends in exactly one file, under its final name.

    Raises ``NotSent`` where nothing new is under the final name, ``OutcomeUnknown`` where the peer was lost
    while renaming, ``Rejected`` for a collision or a missing right, ``Misconfigured`` for a missing folder.
    """
    path = inside(parameters.path, "path")
    if not path:
        raise Misconfigured("path names no file", next_action="end it in a file name", field="path")
    done = Delivered(path="/" + path, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    if parameters.collision == "replace" or not _settled(folders, path, data, parameters.collision):
        _put(folders, path, data, key, parameters.collision)
    if parameters.checksum is not None:
        _vouch(folders, path, data, key, parameters.checksum)
    return done


def _vouch(folders: Folders, path: str, data: bytes, key: str, algorithm: str) -> None:
    """The line of coreutils: digest, two spaces, name. Written over: it must fit the file that is there."""
    digest = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
    line = f"{digest}  {posixpath.basename(path)}\n".encode()
    _put(folders, f"{path}.{algorithm}", line, f"{key}.{algorithm}", "replace")


def _put(folders: Folders, path: str, data: bytes, key: str, collision: str) -> None:
    temporary = posixpath.join(posixpath.dirname(path), f"{TEMPORARY}{key}.part")
    with _writing(folders, path):
        _write(folders, temporary, data)
        written = folders.entry(temporary)
    if written is None or written.size != len(data):
        raise NotSent(
            f"{folders.where} holds {written.size if written else 'none'} of {len(data)} bytes written for "
            f"/{path}; nothing is under the final name",
            next_action="retried by itself; if it stays, look at the peer's disk space and quota",
        )
    _rename(folders, temporary, path, data, collision)


def _write(folders: Folders, temporary: str, data: bytes) -> None:
    """Goes on where an earlier try with the same key was cut off. What a refusal left is removed: with several
    requests under way it may have holes."""
    start = _resumed(folders, temporary, data)
    try:
        folders.write(temporary, data, start)
    except ConnectionError:
        raise
    except OSError:
        with suppress(OSError):
            folders.remove(temporary)
        raise


def _resumed(folders: Folders, temporary: str, data: bytes) -> int:
    """Bytes that are there of a large file and are ours, by samples of every megabyte and of the end."""
    if len(data) < _RESUMED:
        return 0
    found = folders.entry(temporary)
    if found is None or not found.regular or not _SAMPLE < found.size <= len(data):
        return 0
    for start in (*range(0, found.size - _SAMPLE, _MEGABYTE), found.size - _SAMPLE):
        if folders.read(temporary, _SAMPLE, start) != data[start : start + _SAMPLE]:
            return 0
    return found.size


def _rename(folders: Folders, temporary: str, path: str, data: bytes, collision: str) -> None:
    with _renaming(folders, path):
        try:
            if collision == "refuse":
                folders.place(temporary, path)
            else:
                folders.replace(temporary, path)
        except (FileExistsError, FileNotFoundError) as error:
            # Somebody took the name, or another attempt with the same key was faster.
            with suppress(FileNotFoundError):
                folders.remove(temporary)
            if not _settled(folders, path, data, collision):
                raise NotSent(f"/{path} on {folders.where} changed while it was delivered: {error}") from error
        except ConnectionError:
            raise
        except OSError:
            with suppress(OSError):
                folders.remove(temporary)
            raise


def _settled(folders: Folders, path: str, data: bytes, collision: str) -> bool:
    """Whether the final name holds these bytes already. Raises ``Rejected`` where it holds others and they
    must stay."""
    with _writing(folders, path):
        if _holds(folders, path, data):
            return True
        if collision == "refuse" and folders.entry(path) is not None:
            raise Rejected(
                f"/{path} exists on {folders.where} with other content",
                next_action="have the peer take the file away, or allow collision: replace",
                code="exists",
            )
    return False


def _holds(folders: Folders, path: str, data: bytes) -> bool:
    found = folders.entry(path)
    return found is not None and found.size == len(data) and folders.read(path, len(data) + 1) == data


@contextmanager
def _writing(folders: Folders, path: str) -> Iterator[None]:
    try:
        yield
    except ConnectionError as error:
        raise NotSent(
            f"{folders.where} was lost before /{path} had its final name: {error}",
            next_action="retried by itself; if it stays, look at the network and the peer",
        ) from error
    except OSError as error:
        raise refusal(error, folders, path) or NotSent(
            f"{folders.where} could not store /{path}: {error}",
            next_action="retried by itself; if it stays, look at the peer's disk space and quota",
        ) from error


@contextmanager
def _renaming(folders: Folders, path: str) -> Iterator[None]:
    try:
        yield
    except ConnectionError as error:
        raise OutcomeUnknown(
            f"{folders.where} was lost while the temporary file was renamed to /{path}: {error}",
            next_action="delivering it again is harmless: it ends in one file",
        ) from error
    except OSError as error:
        raise refusal(error, folders, path) or NotSent(
            f"{folders.where} did not rename the temporary file to /{path}: {error}",
            next_action="see whether a folder has that name, or the peer locks the file",
        ) from error
