"""Collecting files: what is whole is handed over, and put away only once it is stored, whatever carries it."""

from __future__ import annotations

import hashlib
import posixpath
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal, Self

from pydantic import Field, model_validator

from connectors.sdk.closed import closed
from connectors.sdk.context import Accept, Arrival, Log
from connectors.sdk.errors import ConnectorError, Misconfigured, NotSent, Rejected
from connectors.sdk.files import TEMPORARY, Entry, Folders, inside, media_type, refusal, trusted
from connectors.sdk.model import Duration, Parameters

#: Names looked at by one poll, in all its folders.
_MOST_NAMES = 200_000
#: Bytes of one name on nearly all file systems (POSIX NAME_MAX).
_LONGEST_NAME = 255
_CLAIM = re.compile(re.escape(TEMPORARY) + r"claim-[0-9a-f]{12}-(.+)", re.DOTALL)


class CollectParameters(Parameters):
    folder: str = Field(description="folder below the connection's root", examples=["/out"])
    glob: str = Field(
        default="*",
        description="which names; a name that begins with a dot only matches a glob that does",
        examples=["*.edi"],
    )
    depth: int = Field(
        default=0,
        ge=0,
        le=8,
        description="levels of folders below `folder` that are looked into too; not those that begin with a dot, "
        "nor where files are put away",
        examples=[2],
    )
    order: Literal["name", "time"] = Field(default="name", description="what is collected first", examples=["time"])
    maximum: int = Field(default=100, ge=1, le=10_000, description="files per poll", examples=[100])
    stable: Duration = Field(
        default=timedelta(seconds=2),
        description="how long size and time must have stayed the same, by our own clock, between two polls; "
        "0s trusts partners who rename into place",
        examples=["2s"],
    )
    done_file: str | None = Field(
        default=None,
        description="a file is taken only once this one lies beside it; {name} stands for its name, {stem} for its "
        "name without the ending. It is removed once the file is stored",
        examples=["{name}.done", "{stem}.ok"],
    )
    envelope: bool = Field(
        default=False,
        description="take X12, EDIFACT and XML only once their last segment or end tag is there",
        examples=[True],
    )
    patience: Duration = Field(
        default=timedelta(hours=1),
        description="how long a file may grow, lack its done-file or its end before the poll fails with its name",
        examples=["1h"],
    )
    claim: Duration | None = Field(
        default=None,
        description="rename a file to a name of ours before it is read, so that of several systems that poll only "
        "one takes it; a claim of that age, left by a crash, is taken over",
        examples=["15m"],
    )
    archive: str | None = Field(
        default=None, description="folder a file is moved to once it is stored", examples=["/out/archive"]
    )
    delete: bool = Field(
        default=False, description="delete a file once it is stored, instead of archiving", examples=[False]
    )
    errors: str | None = Field(
        default=None,
        description="folder a file is moved to that was stored as an exception; by default it goes where all go",
        examples=["/out/errors"],
    )
    largest: int = Field(
        default=64 * 1024 * 1024, ge=1, description="bytes of the largest file taken", examples=[67108864]
    )
    type: str | None = Field(
        default=None,
        description="media type of the files; by default told by the ending",
        examples=["text/csv"],
    )

    @model_validator(mode="after")
    def _one_way_out(self) -> Self:
        if (self.archive is None) is not self.delete:
            raise ValueError("say what becomes of a stored file: either archive: <folder> or delete: true")
        return self

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.done_file is not None:
            _pattern(self.done_file)
        return self


def _pattern(done_file: str) -> tuple[str, str, str]:
    """What stands before the placeholder, the placeholder, and what stands behind it."""
    match = re.fullmatch(r"([^{}/]*)(\{name\}|\{stem\})([^{}/]*)", done_file)
    if match is None or not (match[1] or match[3]):
        raise ValueError("done_file is a name with {name} or {stem} in it, such as {name}.done")
    return match[1], match[2], match[3]


@dataclass
class Sightings:
    """What earlier polls saw, by path: the size and time, since when they are so, and since when it is there."""

    _seen: dict[str, tuple[int, int, datetime, datetime]] = field(default_factory=dict)

    def since(self, path: str, entry: Entry, now: datetime) -> tuple[timedelta, timedelta]:
        """How long it has kept its size and time, and how long it has been there."""
        size, modified, unchanged, first = self._seen.get(path, (-1, -1, now, now))
        if (size, modified) != (entry.size, entry.modified):
            unchanged = now
            self._seen[path] = (entry.size, entry.modified, now, first)
        return now - unchanged, now - first

    def keep(self, paths: set[str]) -> None:
        """Forgets files that are gone."""
        for path in self._seen.keys() - paths:
            del self._seen[path]


@dataclass(frozen=True)
class _File:
    """``path`` is where it lies now, ``origin`` where its sender put it."""

    path: str
    entry: Entry
    origin: str
    done: str | None = None
    age: timedelta = timedelta()

    @property
    def name(self) -> str:
        return posixpath.basename(self.origin)


def collect(
    folders: Folders,
    parameters: CollectParameters,
    sightings: Sightings,
    now: datetime,
    accept: Accept,
    log: Log,
) -> int:
    """Hands over every whole file that matches, in order; returns how many. A file is archived or deleted
    only after ``accept`` returned for it, whatever the receipt says: its bytes are stored by then.

    A file that cannot be read or put away does not hold up the others; the first such error is raised at
    the end. ``NotSent`` from ``accept`` and a lost peer end the poll at once; what was not accepted stays.
    """
    return _Collection(folders, parameters, sightings, now, accept, log).run()


class _Collection:
    """One poll."""

    def __init__(
        self,
        folders: Folders,
        parameters: CollectParameters,
        sightings: Sightings,
        now: datetime,
        accept: Accept,
        log: Log,
    ) -> None:
        self._folders = folders
        self._asked = parameters
        self._sightings = sightings
        self._now = now
        self._accept = accept
        self._log = log
        self._folder = inside(parameters.folder, "folder")
        self._archive = self._way_out(parameters.archive, "archive")
        self._errors = self._way_out(parameters.errors, "errors")
        self._made: set[str] = set()
        self._names = 0
        self._failed: ConnectorError | None = None

    def _way_out(self, path: str | None, field: str) -> str | None:
        if path is None:
            return None
        way = inside(path, field)
        if way == self._folder:
            raise Misconfigured(
                f"files of /{way} would be archived where they are collected",
                next_action="name another folder",
                field=field,
            )
        return way

    def run(self) -> int:
        with _collecting(self._folders, self._folder):
            for way in (self._archive, self._errors):
                self._make(way)
            found = self._found()
        count = 0
        for file in found:
            if count == self._asked.maximum:
                break
            with self._told(file.origin):
                count += self._hand_over(file)
        if self._failed is not None:
            raise self._failed
        return count

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """What is wrong with one file or folder is told, and raised at the end."""
        try:
            yield
        except (Rejected, Misconfigured) as error:
            self._log.warning("file_not_collected", path=path, problem=error.message, next_action=error.next_action)
            self._failed = self._failed or error

    def _found(self) -> list[_File]:
        """What is to be taken now, in order."""
        there: set[str] = set()
        ready: list[_File] = []
        for folder, listed in self._listed(self._folder, self._asked.depth):
            names = {entry.name for entry in listed}
            for entry in listed:
                path = posixpath.join(folder, entry.name)
                if entry.regular and (name := self._wanted(entry.name)) is not None:
                    there.add(path)
                    if (file := self._ready(path, entry, folder, name, names)) is not None:
                        ready.append(file)
        self._sightings.keep(there)
        by_time = self._asked.order == "time"
        return sorted(ready, key=lambda file: (file.entry.modified if by_time else 0, file.origin))

    def _listed(self, folder: str, depth: int) -> Iterator[tuple[str, list[Entry]]]:
        """Names that can be trusted, folder by folder. Raises ``Rejected`` for more than one poll looks at."""
        listed = self._folders.entries(folder)
        self._names += len(listed)
        if self._names > _MOST_NAMES:
            raise Rejected(
                f"/{self._folder} on {self._folders.where} lists more than {_MOST_NAMES} names",
                next_action="have the peer clear the folder, or collect its subfolders one by one",
                code="too_many",
            )
        for entry in listed:
            if not trusted(entry.name):
                self._log.warning("file_name_refused", folder=folder, name=ascii(entry.name))
        plain = [entry for entry in listed if trusted(entry.name)]
        yield folder, plain
        for entry in plain if depth else ():
            inner = posixpath.join(folder, entry.name)
            if entry.folder and not entry.name.startswith(".") and inner not in (self._archive, self._errors):
                with self._told(inner), _collecting(self._folders, inner):
                    yield from self._listed(inner, depth - 1)

    def _wanted(self, name: str) -> str | None:
        """The name its sender gave it, where it is one to collect."""
        if name.startswith(TEMPORARY):
            claimed = _CLAIM.fullmatch(name) if self._asked.claim is not None else None
            return self._wanted(claimed[1]) if claimed else None
        if self._asked.done_file is not None:
            before, _, behind = _pattern(self._asked.done_file)
            if name.startswith(before) and name.endswith(behind):
                return None
        shown = self._asked.glob.startswith(".") or not name.startswith(".")
        return name if shown and fnmatchcase(name, self._asked.glob) else None

    def _ready(self, path: str, entry: Entry, folder: str, name: str, names: set[str]) -> _File | None:
        """A file that has come to rest; of a claimed one, that its claim is old."""
        unchanged, age = self._sightings.since(path, entry, self._now)
        origin = posixpath.join(folder, name)
        if name != entry.name:
            return _File(path, entry, origin) if self._asked.claim and unchanged >= self._asked.claim else None
        done = None
        if self._asked.done_file is not None:
            before, what, behind = _pattern(self._asked.done_file)
            done = before + (name if what == "{name}" else posixpath.splitext(name)[0]) + behind
        if done is not None and done not in names:
            self._overdue(origin, age, f"its done-file {done} is not there")
        elif unchanged < self._asked.stable:
            self._overdue(origin, age, "it keeps changing")
        else:
            return _File(path, entry, origin, done and posixpath.join(folder, done), age)
        return None

    def _overdue(self, path: str, age: timedelta, why: str) -> None:
        """What is not whole yet is let be; past ``patience`` a person hears of it."""
        if age <= self._asked.patience:
            return
        with self._told(path):
            raise Rejected(
                f"/{path} on {self._folders.where} is not taken: {why}, and it has been there for longer than "
                f"{self._asked.patience.total_seconds():g} s",
                next_action="ask the sender whether it was cut off; have it sent again, or taken away",
                code="incomplete",
            )

    def _hand_over(self, file: _File) -> bool:
        """Reads, hands over and puts away one file; False where it is not whole, or another system took it."""
        with _collecting(self._folders, file.origin):
            self._fits(file)
            taken = self._claimed(file)
        if taken is None:
            self._log.info("file_taken_by_another", path=file.origin)
            return False
        try:
            with _collecting(self._folders, file.origin):
                data = self._whole(taken)
            if data is None:
                self._log.info("file_not_whole_yet", path=file.origin)
                self._released(taken)
                return False
            digest = hashlib.sha256(data).hexdigest()
            receipt = self._accept(self._arrival(taken, data, digest))
        except ConnectorError:
            self._released(taken)
            raise
        self._log.info(
            "file_collected", path=file.origin, size=file.entry.size, state=receipt.state, run=receipt.run
        )
        with _collecting(self._folders, file.origin):
            self._put_away(taken, digest, excepted=receipt.state == "excepted")
        return True

    def _fits(self, file: _File) -> None:
        if file.entry.size > self._asked.largest:
            raise Rejected(
                f"/{file.origin} on {self._folders.where} has {file.entry.size} bytes; "
                f"at most {self._asked.largest} are taken",
                next_action="raise 'largest' of the trigger, or have the peer split the file",
                code="too_large",
            )

    def _claimed(self, file: _File) -> _File | None:
        """The file under a name that only we know; None where somebody was faster. The rename is the claim: it
        fails for all but one, because the source is gone."""
        if self._asked.claim is None:
            return file
        name = f"{TEMPORARY}claim-{secrets.token_hex(6)}-{file.name}"
        if len(name.encode()) > _LONGEST_NAME:
            raise Misconfigured(
                f"/{file.origin} on {self._folders.where} has too long a name to be claimed",
                next_action="have the sender use shorter names, or collect without 'claim'",
                field="claim",
            )
        path = posixpath.join(posixpath.dirname(file.path), name)
        try:
            self._folders.replace(file.path, path)
        except FileNotFoundError:
            return None
        found = self._folders.entry(path)
        if found is None:
            return None
        return _File(path, Entry(name, found.size, found.modified), file.origin, file.done, file.age)

    def _released(self, file: _File) -> None:
        """Gives a claimed file its name back, unless a new one has it; then its claim grows old."""
        if file.path != file.origin:
            with suppress(OSError):
                self._folders.place(file.path, file.origin)

    def _whole(self, file: _File) -> bytes | None:
        """The bytes of a file that is complete and did not change while it was read, else None."""
        self._fits(file)
        try:
            data = self._folders.read(file.path, file.entry.size + 1)
        except FileNotFoundError:
            return None
        if len(data) != file.entry.size or self._folders.entry(file.path) != file.entry:
            self._overdue(file.origin, file.age, "it changed while it was read")
            return None
        if self._asked.envelope and not closed(data):
            self._overdue(file.origin, file.age, "its last segment or end tag is not there")
            return None
        return data

    def _arrival(self, file: _File, data: bytes, digest: str) -> Arrival:
        modified = datetime.fromtimestamp(file.entry.modified // 1_000_000_000, UTC).isoformat()
        return Arrival(
            raw=data,
            content_type=self._asked.type or media_type(file.name),
            headers={
                "file_name": file.name,
                "path": "/" + file.origin,
                "size": str(file.entry.size),
                "modified": modified,
            },
            identity=f"{file.name}/{file.entry.size}/{file.entry.modified}/sha256:{digest}",
        )

    def _put_away(self, file: _File, digest: str, *, excepted: bool) -> None:
        """Archives or deletes, unless another file took the name meanwhile. Nothing in the archive is overwritten
        by other content. The done-file goes first: left behind it would vouch for the next of its name."""
        if self._folders.entry(file.path) != file.entry:
            return
        if file.done is not None:
            with suppress(FileNotFoundError):
                self._folders.remove(file.done)
        way = self._errors if excepted and self._errors is not None else self._archive
        if way is None:
            self._folders.remove(file.path)
            return
        folder = posixpath.join(way, posixpath.relpath(posixpath.dirname(file.origin) or ".", self._folder or "."))
        folder = posixpath.normpath(folder)
        self._make(folder)
        target = posixpath.join(folder, file.name)
        try:
            self._folders.place(file.path, target)
        except FileExistsError:
            self._folders.replace(file.path, posixpath.join(folder, _behind(file.name, digest[:16])))

    def _make(self, folder: str | None) -> None:
        """The folder of what is put away, with those above it; each once a poll."""
        if not folder or folder in self._made:
            return
        way = next((way for way in (self._archive, self._errors) if way and folder.startswith(way + "/")), None)
        if way is not None:
            self._make(posixpath.dirname(folder))
        self._folders.make_folder(folder)
        self._made.add(folder)


def _behind(name: str, digest: str) -> str:
    """The name with the digest behind it, cut where it would grow too long."""
    room = _LONGEST_NAME - len(digest) - 1
    return name.encode()[:room].decode(errors="ignore") + "." + digest


@contextmanager
def _collecting(folders: Folders, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        lost = NotSent(
            f"{folders.where} could not be read at /{path}: {error}",
            next_action="polled again by itself; what was not stored is still there",
        )
        if isinstance(error, ConnectionError):
            raise lost from error
        raise refusal(error, folders, path) or lost from error
