"""What collecting and delivering promise, whatever carries the files: inherited by every carrier's tests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import Arrival, Call, Misconfigured, NotSent, Poll, Receipt, Rejected, Settings
from connectors.sdk.collecting import CollectParameters
from connectors.sdk.delivering import DeliverParameters
from tests.harness import MemoryContext


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Door:
    """An ``accept`` that remembers; ``full`` refuses, ``state`` is what its receipts say, ``meanwhile``
    happens before it answers."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.full = False
        self.state: Any = "accepted"
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, arrival: Arrival) -> Receipt:
        if self.full:
            raise NotSent("the disk is full")
        self.arrivals.append(arrival)
        self.meanwhile()
        return Receipt(self.state, run="run1")

    @property
    def names(self) -> list[str]:
        return [arrival.headers["file_name"] for arrival in self.arrivals]


@dataclass
class Place:
    """A carrier's operations, and the folder they reach as this machine sees it."""

    settings: Settings
    folder: Path
    collecting: Poll[CollectParameters]
    delivering: Call[DeliverParameters]

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.context = MemoryContext(self.settings, clock=self.clock)

    def deliver(self, path: str, content: str = "ISA*00~", key: str = "k1", **more: Any) -> Any:
        self.context.effect_key = key
        parameters = DeliverParameters(path=path, content=content, **more)
        return self.delivering.run(parameters, self.context)

    def collect(self, door: Door, **more: Any) -> int:
        parameters = {"folder": "/out", "archive": "/out/archive", "stable": "0s"} | more
        return self.collecting.poll(CollectParameters.model_validate(parameters), self.context, door)

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.folder / folder).iterdir() if not path.is_dir())

    def close(self) -> None:
        self.context.close()


class FilesContract:
    """Subclasses bring the fixture ``place`` with empty folders ``in`` and ``out``."""

    def test_a_file_is_delivered_under_its_final_name_and_described(self, place: Place) -> None:
        """The output tells path, size and SHA-256 of what is there; no temporary file is left."""
        delivered = place.deliver("/in/1.edi", "hello")

        assert (place.folder / "in/1.edi").read_bytes() == b"hello"
        assert place.names("in") == ["1.edi"]
        assert delivered.model_dump() == {
            "path": "/in/1.edi",
            "size": 5,
            "sha256": hashlib.sha256(b"hello").hexdigest(),
        }

    @pytest.mark.parametrize("size", [0, 1, 32_768, 32_769, 1_000_000])
    def test_every_size_arrives_and_comes_back_whole(self, place: Place, size: int) -> None:
        """Empty files, files of one block and of many."""
        content = "".join(chr(97 + number % 26) for number in range(size))
        door = Door()

        place.deliver("/out/1.txt", content)
        place.collect(door)

        assert [arrival.raw for arrival in door.arrivals] == [content.encode()]

    def test_a_stored_blob_is_delivered_by_its_bytes(self, place: Place) -> None:
        """Content may be a claim check."""
        ref = place.context.blobs.put(b"\x00\xff", "application/octet-stream")
        parameters = DeliverParameters(path="/in/1.bin", content=ref)

        place.delivering.run(parameters, place.context)

        assert (place.folder / "in/1.bin").read_bytes() == b"\x00\xff"

    def test_delivering_twice_ends_in_one_file(self, place: Place) -> None:
        """The effect is idempotent: a retry after a lost commit does nothing more."""
        place.deliver("/in/1.edi")
        place.deliver("/in/1.edi")

        assert place.names("in") == ["1.edi"]

    @pytest.mark.parametrize("collision", ["replace", "refuse", "same"])
    def test_a_repeat_after_a_crash_before_the_rename_ends_in_one_file(self, place: Place, collision: str) -> None:
        """What the dead attempt left under the temporary name is used up."""
        (place.folder / "in/.orderly-k1.part").write_bytes(b"half of something much longer")

        place.deliver("/in/1.edi", "whole", key="k1", collision=collision)

        assert place.names("in") == ["1.edi"]
        assert (place.folder / "in/1.edi").read_bytes() == b"whole"

    def test_replace_takes_the_place_of_other_content(self, place: Place) -> None:
        """The default collision policy."""
        (place.folder / "in/1.edi").write_bytes(b"old")

        place.deliver("/in/1.edi", "new")

        assert (place.folder / "in/1.edi").read_bytes() == b"new"

    def test_refuse_keeps_other_content_and_says_so(self, place: Place) -> None:
        """``Rejected``: the same delivery would be refused again."""
        (place.folder / "in/1.edi").write_bytes(b"old")

        with pytest.raises(Rejected, match="exists"):
            place.deliver("/in/1.edi", "new", collision="refuse")

        assert place.names("in") == ["1.edi"]
        assert (place.folder / "in/1.edi").read_bytes() == b"old"

    @pytest.mark.parametrize("collision", ["refuse", "same"])
    def test_the_same_bytes_under_the_final_name_count_as_delivered(self, place: Place, collision: str) -> None:
        """A repeat after the rename leaves the file alone, so nobody takes it up again."""
        place.deliver("/in/1.edi", "new", collision=collision)
        before = (place.folder / "in/1.edi").stat()

        place.deliver("/in/1.edi", "new", collision=collision)

        assert (place.folder / "in/1.edi").stat().st_ino == before.st_ino

    def test_same_replaces_other_content(self, place: Place) -> None:
        """``same`` spares equal bytes only."""
        (place.folder / "in/1.edi").write_bytes(b"old")

        place.deliver("/in/1.edi", "new", collision="same")

        assert (place.folder / "in/1.edi").read_bytes() == b"new"

    @pytest.mark.parametrize("path", ["/../1.edi", "in/../../1.edi", "/in/a\0b", "/in/a\nb", "/", ""])
    def test_a_path_that_leaves_the_root_or_is_no_name_is_refused(self, place: Place, path: str) -> None:
        """Nothing is written anywhere."""
        with pytest.raises(Misconfigured) as refused:
            place.deliver(path)

        assert refused.value.field == "path"
        assert place.names("in") == []

    def test_a_missing_folder_is_named(self, place: Place) -> None:
        """It is not created silently: a typing error would hide orders."""
        with pytest.raises(Misconfigured, match=r"/nowhere/1\.edi") as missing:
            place.deliver("/nowhere/1.edi")

        assert "create the folder" in missing.value.next_action

    def test_a_final_name_that_is_a_folder_is_left_alone(self, place: Place) -> None:
        """And no temporary file is left beside it."""
        (place.folder / "in/1.edi").mkdir()

        with pytest.raises((Misconfigured, NotSent)):
            place.deliver("/in/1.edi")

        assert (place.folder / "in/1.edi").is_dir()
        assert place.names("in") == []

    def test_a_file_is_archived_once_it_is_stored(self, place: Place) -> None:
        """Headers tell the transport's facts; identity is name, size, time and content."""
        (place.folder / "out/997.edi").write_bytes(b"ISA*00~")
        os.utime(place.folder / "out/997.edi", (1_764_000_000, 1_764_000_000))
        door = Door()
        door.meanwhile = lambda: seen.extend(place.names("out"))
        seen: list[str] = []

        count = place.collect(door)

        assert count == 1
        assert seen == ["997.edi"]
        assert place.names("out") == []
        assert place.names("out/archive") == ["997.edi"]
        [arrival] = door.arrivals
        assert arrival.raw == b"ISA*00~"
        assert arrival.content_type == "application/EDI-X12"
        assert arrival.headers == {
            "file_name": "997.edi",
            "path": "/out/997.edi",
            "size": "7",
            "modified": "2025-11-24T16:00:00+00:00",
        }
        digest = hashlib.sha256(b"ISA*00~").hexdigest()
        assert arrival.identity == f"997.edi/7/1764000000000000000/sha256:{digest}"

    def test_a_file_may_be_deleted_instead(self, place: Place) -> None:
        """``delete: true`` leaves nothing behind."""
        (place.folder / "out/1.csv").write_bytes(b"a,b")
        door = Door()

        place.collect(door, archive=None, delete=True)

        assert door.names == ["1.csv"]
        assert list((place.folder / "out").iterdir()) == []

    def test_neither_archive_nor_delete_is_refused(self) -> None:
        """A file must go somewhere, or it would be collected for ever."""
        with pytest.raises(ValueError, match="either archive"):
            CollectParameters.model_validate({"folder": "/out"})

    @pytest.mark.parametrize("state", ["duplicate", "excepted"])
    def test_a_duplicate_and_an_excepted_file_are_archived_too(self, place: Place, state: str) -> None:
        """Their bytes are stored; left in place they would come again with every poll."""
        (place.folder / "out/1.edi").write_bytes(b"bad")
        door = Door()
        door.state = state

        assert place.collect(door) == 1

        assert place.names("out/archive") == ["1.edi"]

    def test_a_file_that_could_not_be_stored_stays_and_comes_again(self, place: Place) -> None:
        """``accept`` raising ``NotSent`` means nothing was stored."""
        (place.folder / "out/1.edi").write_bytes(b"ISA*00~")
        door = Door()
        door.full = True

        with pytest.raises(NotSent, match="disk is full"):
            place.collect(door)
        left = place.names("out")
        door.full = False
        again = place.collect(door)

        assert left == ["1.edi"]
        assert again == 1
        assert door.names == ["1.edi"]

    def test_a_growing_file_is_not_collected_until_it_is_stable(self, place: Place) -> None:
        """Its size must have stayed the same for ``stable``, by our own clock."""
        file = place.folder / "out/1.edi"
        door = Door()

        file.write_bytes(b"ISA")
        first = place.collect(door, stable="2s")
        place.clock.now += timedelta(seconds=3)
        file.write_bytes(b"ISA*00~")
        grown = place.collect(door, stable="2s")
        place.clock.now += timedelta(seconds=1)
        early = place.collect(door, stable="2s")
        place.clock.now += timedelta(seconds=1)
        stable = place.collect(door, stable="2s")

        assert [first, grown, early, stable] == [0, 0, 0, 1]
        assert door.arrivals[0].raw == b"ISA*00~"

    def test_a_file_replaced_while_it_is_accepted_is_collected_next(self, place: Place) -> None:
        """The newcomer under the same name is not archived unread."""
        file = place.folder / "out/1.edi"
        file.write_bytes(b"first")
        door = Door()
        door.meanwhile = lambda: file.write_bytes(b"second one")

        place.collect(door)
        left = file.read_bytes()
        door.meanwhile = lambda: None
        place.collect(door)

        assert left == b"second one"
        assert [arrival.raw for arrival in door.arrivals] == [b"first", b"second one"]

    def test_an_archive_never_loses_a_file_to_one_of_the_same_name(self, place: Place) -> None:
        """The later one gets its content's hash behind its name; a repeat of it changes nothing."""
        door = Door()
        for content in (b"one", b"two", b"two"):
            (place.folder / "out/1.edi").write_bytes(content)
            place.collect(door)

        digest = hashlib.sha256(b"two").hexdigest()[:16]
        assert place.names("out") == []
        assert place.names("out/archive") == ["1.edi", f"1.edi.{digest}"]
        assert (place.folder / "out/archive/1.edi").read_bytes() == b"one"

    def test_only_matching_names_are_taken_in_order_up_to_the_maximum(self, place: Place) -> None:
        """Glob, order by time, maximum per poll; hidden and temporary names never match a plain glob."""
        for age, name in enumerate(["a.edi", "b.edi", "c.edi", "d.txt", ".e.edi", ".orderly-k.part"]):
            (place.folder / "out" / name).write_bytes(b"x")
            os.utime(place.folder / "out" / name, (2_000_000_000 - age, 2_000_000_000 - age))
        (place.folder / "out/f.edi").mkdir()
        by_time, by_name = Door(), Door()

        place.collect(by_time, glob="*.edi", order="time", maximum=2)
        place.collect(by_name, glob="*")

        assert by_time.names == ["c.edi", "b.edi"]
        assert by_name.names == ["a.edi", "d.txt"]

    def test_a_symbolic_link_is_not_collected(self, place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
        """It could lead to any file of the peer, or of this machine."""
        secret = tmp_path_factory.mktemp("elsewhere") / "secret"
        secret.write_bytes(b"secret")
        (place.folder / "out/1.edi").symlink_to(secret)
        door = Door()

        assert place.collect(door) == 0

        assert door.arrivals == []

    def test_a_name_that_is_not_utf_8_does_not_stop_the_others(self, place: Place) -> None:
        """It is refused and stays."""
        (place.folder / "out/1.edi").write_bytes(b"x")
        odd = os.fsencode(place.folder / "out") + b"/\xff.edi"
        with open(odd, "wb"):
            pass
        door = Door()

        place.collect(door)

        assert door.names == ["1.edi"]
        assert os.path.exists(odd)

    def test_a_file_over_the_limit_is_told_and_does_not_hold_up_the_others(self, place: Place) -> None:
        """The error is raised after the others were collected."""
        (place.folder / "out/1.edi").write_bytes(b"x" * 11)
        (place.folder / "out/2.edi").write_bytes(b"x" * 10)
        door = Door()

        with pytest.raises(Rejected, match="11 bytes"):
            place.collect(door, largest=10)

        assert door.names == ["2.edi"]
        assert place.names("out") == ["1.edi"]

    def test_a_missing_folder_to_collect_from_is_named(self, place: Place) -> None:
        """``Misconfigured`` with the way out."""
        with pytest.raises(Misconfigured, match="/nowhere"):
            place.collect(Door(), folder="/nowhere", archive="/out/archive")

    def test_archiving_into_the_collected_folder_is_refused(self, place: Place) -> None:
        """The same files would be collected for ever."""
        with pytest.raises(Misconfigured, match="archived where they are collected"):
            place.collect(Door(), archive="out/")

    @pytest.mark.parametrize("again", ["whole", "started", "other"])
    def test_a_large_file_goes_on_where_it_was_cut_off(self, place: Place, again: str) -> None:
        """What is there is compared in samples; bytes of something else are written anew."""
        content = "".join(f"{number:015d}\n" for number in range(6 * 1024 * 1024 // 16))
        part = place.folder / "in/.orderly-k1.part"
        left = {"whole": content, "started": content[: 3 * 1024 * 1024 + 7], "other": "x" * (2 * 1024 * 1024)}[
            again
        ]
        part.write_text(left)
        kept = part.stat().st_ino

        place.deliver("/in/1.edi", content)

        assert (place.folder / "in/1.edi").read_text() == content
        assert (place.folder / "in/1.edi").stat().st_ino == kept
        assert place.names("in") == ["1.edi"]

    def test_what_is_there_of_a_large_file_is_not_sent_again(self, place: Place) -> None:
        """A byte between two samples shows it: it is the one that was there."""
        content = "a" * (5 * 1024 * 1024)
        part = place.folder / "in/.orderly-k1.part"
        part.write_text("a" * 500_000 + "b" + "a" * 2_000_000)

        place.deliver("/in/1.edi", content)

        assert (place.folder / "in/1.edi").read_text().count("b") == 1

    @pytest.mark.parametrize("collision", ["replace", "same"])
    def test_a_checksum_file_follows_the_file(self, place: Place, collision: str) -> None:
        """As coreutils check it; a repeat writes it too, where a crash left it out."""
        place.deliver("/in/1.edi", "hello", collision=collision)
        place.deliver("/in/1.edi", "hello", collision=collision, checksum="sha256")

        digest = hashlib.sha256(b"hello").hexdigest()
        assert (place.folder / "in/1.edi.sha256").read_text() == f"{digest}  1.edi\n"
        assert place.names("in") == ["1.edi", "1.edi.sha256"]

    def test_subfolders_are_looked_into_as_deep_as_asked(self, place: Place) -> None:
        """The archive mirrors them, and is not collected itself; hidden folders are left alone."""
        for folder in ("a/b", "a/b/c", ".hidden"):
            (place.folder / "out" / folder).mkdir(parents=True)
            (place.folder / "out" / folder / "1.edi").write_text(folder)
        doors = [Door(), Door(), Door()]

        for door, depth in zip(doors, (1, 2, 8), strict=True):
            place.collect(door, depth=depth)

        assert [[arrival.headers["path"] for arrival in door.arrivals] for door in doors] == [
            [],
            ["/out/a/b/1.edi"],
            ["/out/a/b/c/1.edi"],
        ]
        assert place.names("out/archive/a/b") == ["1.edi"]

    def test_a_file_waits_for_its_done_file(self, place: Place) -> None:
        """Which is no file to collect itself, and goes away with it: it would vouch for the next of that name."""
        (place.folder / "out/1.edi").write_text("one")
        (place.folder / "out/2.edi").write_text("two")
        (place.folder / "out/2.ok").touch()
        door = Door()

        place.collect(door, done_file="{stem}.ok")

        assert door.names == ["2.edi"]
        assert place.names("out") == ["1.edi"]
        assert place.names("out/archive") == ["2.edi"]

    @pytest.mark.parametrize("done_file", ["done", "{name}", "../{name}.ok", "{name}{stem}", "{other}.ok"])
    def test_a_done_file_that_cannot_be_one_is_refused(self, done_file: str) -> None:
        """It needs one placeholder, and something beside it."""
        with pytest.raises(ValueError, match="done_file"):
            CollectParameters.model_validate({"folder": "/out", "delete": True, "done_file": done_file})

    def test_a_file_without_its_end_waits(self, place: Place) -> None:
        """A partner who stopped writing for longer than ``stable`` has not finished."""
        file = place.folder / "out/1.edi"
        header = f"ISA*00*{' ' * 10}*00*{' ' * 10}*ZZ*{'A' * 15}*ZZ*{'B' * 15}*261124*0800*U*00401*000000001*0*T*>~"
        file.write_text(header + "GS*PO*A*B*20261124*0800*1*X*004010~")
        door = Door()

        early = place.collect(door, envelope=True)
        file.write_text(file.read_text() + "GE*0*1~IEA*1*000000001~\n")
        whole = place.collect(door, envelope=True)

        assert (early, whole) == (0, 1)
        assert door.arrivals[0].raw.endswith(b"IEA*1*000000001~\n")

    @pytest.mark.parametrize("missing", [{"done_file": "{name}.ok"}, {"envelope": True}])
    def test_a_file_that_does_not_become_whole_is_told(self, place: Place, missing: dict[str, Any]) -> None:
        """Past ``patience`` the poll fails with its name; the others are collected."""
        (place.folder / "out/1.edi").write_text("ISA*00*")
        (place.folder / "out/2.txt").write_text("two")
        (place.folder / "out/2.txt.ok").touch()
        door = Door()

        place.collect(door, patience="1h", **missing)
        place.clock.now += timedelta(hours=1, seconds=1)
        (place.folder / "out/2.txt").write_text("two more")
        (place.folder / "out/2.txt.ok").touch()
        with pytest.raises(Rejected, match=r"/out/1\.edi .* is not taken: its .* is not there"):
            place.collect(door, patience="1h", **missing)

        assert "2.txt" in door.names
        assert (place.folder / "out/1.edi").exists()

    def test_a_claimed_file_is_taken_by_one_of_two(self, place: Place) -> None:
        """While one system has it, another that polls the same folder does not see it."""
        (place.folder / "out/1.edi").write_bytes(b"ISA*00~")
        other, door = Door(), Door()
        counts: list[int] = []
        seen: list[list[str]] = []

        def meanwhile() -> None:
            seen.append(place.names("out"))
            counts.append(place.collect(other, claim="15m"))

        door.meanwhile = meanwhile
        counts.append(place.collect(door, claim="15m"))

        assert counts == [0, 1]
        assert [name.partition("claim-")[0] for name in seen[0]] == [".orderly-"]
        assert door.names == ["1.edi"] and other.names == []
        assert door.arrivals[0].headers["path"] == "/out/1.edi"
        assert place.names("out/archive") == ["1.edi"]

    def test_a_claimed_file_that_could_not_be_stored_gets_its_name_back(self, place: Place) -> None:
        """Nothing was stored, so nothing happened."""
        (place.folder / "out/1.edi").write_bytes(b"ISA*00~")
        door = Door()
        door.full = True

        with pytest.raises(NotSent, match="disk is full"):
            place.collect(door, claim="15m")

        assert place.names("out") == ["1.edi"]

    def test_a_claim_that_a_crash_left_is_taken_over_when_it_is_old(self, place: Place) -> None:
        """It comes with the sender's name, so that the door knows it for the same file."""
        file = place.folder / "out/.orderly-claim-0123456789ab-1.edi"
        file.write_bytes(b"ISA*00~")
        os.utime(file, (1_764_000_000, 1_764_000_000))
        door = Door()

        fresh = place.collect(door, claim="15m", glob="*.edi")
        place.clock.now += timedelta(minutes=15)
        old = place.collect(door, claim="15m", glob="*.edi")

        assert (fresh, old) == (0, 1)
        digest = hashlib.sha256(b"ISA*00~").hexdigest()
        assert door.arrivals[0].identity == f"1.edi/7/1764000000000000000/sha256:{digest}"
        assert place.names("out/archive") == ["1.edi"]

    def test_a_file_stored_as_an_exception_goes_to_the_folder_for_errors(self, place: Place) -> None:
        """Others go to the archive."""
        door = Door()
        for state in ("excepted", "accepted"):
            (place.folder / f"out/{state}.edi").write_text(state)
            door.state = state
            place.collect(door, errors="/out/errors")

        assert place.names("out/errors") == ["excepted.edi"]
        assert place.names("out/archive") == ["accepted.edi"]

    def test_names_as_long_as_they_may_be_are_archived_beside_one_another(self, place: Place) -> None:
        """The hash behind the name takes the place of its end."""
        name = "n" * 251 + ".edi"
        door = Door()
        for content in (b"one", b"two"):
            (place.folder / "out" / name).write_bytes(content)
            place.collect(door)

        assert door.names == [name, name]
        assert {(place.folder / "out/archive" / kept).read_bytes() for kept in place.names("out/archive")} == {
            b"one",
            b"two",
        }

    def test_files_that_cannot_be_taken_do_not_use_up_the_maximum(self, place: Place) -> None:
        """They are told, and the others have their turn."""
        (place.folder / "out/1.edi").write_bytes(b"x" * 11)
        (place.folder / "out/2.edi").write_bytes(b"x")
        door = Door()

        with pytest.raises(Rejected, match="11 bytes"):
            place.collect(door, largest=10, maximum=1)

        assert door.names == ["2.edi"]
