"""Local folders keep the contract of collecting and delivering, and never leave their root."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.file.connector import Collect, Deliver, FileSettings, connector
from connectors.sdk import Misconfigured, NotSent
from tests.connectors.file.contract import Door, FilesContract, Place
from tests.harness import MemoryContext


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "out").mkdir()
    made = Place(FileSettings(root=root), root, Collect(), Deliver())
    yield made
    made.close()


class TestFile(FilesContract):
    """The whole contract."""


def test_a_linked_folder_below_the_root_is_not_followed(place: Place, tmp_path: Path) -> None:
    """Neither to write nor to read: who may place a link must not reach other folders through us."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/1.edi").write_bytes(b"secret")
    (place.folder / "link").symlink_to(tmp_path / "elsewhere")
    door = Door()

    with pytest.raises(Misconfigured, match="link"):
        place.deliver("/link/2.edi")
    with pytest.raises(Misconfigured, match="link"):
        place.collect(door, folder="/link")

    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["1.edi"]
    assert door.arrivals == []


def test_a_link_under_the_final_name_is_replaced_not_followed(place: Place, tmp_path: Path) -> None:
    """The file it pointed to keeps its content."""
    (tmp_path / "other").write_bytes(b"other")
    (place.folder / "in/1.edi").symlink_to(tmp_path / "other")

    place.deliver("/in/1.edi", "new")

    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (place.folder / "in/1.edi").is_symlink()


def test_a_link_under_the_temporary_name_is_not_followed(place: Place, tmp_path: Path) -> None:
    """Its name can be guessed, so a link could be waiting there."""
    (tmp_path / "other").write_bytes(b"other")
    (place.folder / "in/.orderly-k1.part").symlink_to(tmp_path / "other")

    with pytest.raises(Misconfigured):
        place.deliver("/in/1.edi", "new", key="k1")

    assert (tmp_path / "other").read_bytes() == b"other"


def test_check_tells_whether_the_folder_can_be_listed(place: Place, tmp_path: Path) -> None:
    """One sentence, and what to do next where it is bad."""
    assert connector.check is not None

    good = connector.check(place.context)
    bad = connector.check(MemoryContext(FileSettings(root=tmp_path / "nowhere")))

    assert good.ok
    assert "2 names" in good.message
    assert not bad.ok
    assert "create it" in bad.next_action


def test_a_disk_that_takes_no_more_is_not_sent(place: Place) -> None:
    """The kernel refuses the write; nothing is under the final name, and a repeat succeeds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(NotSent, match="could not store"):
            place.deliver("/in/1.edi", "x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    visible = [name for name in place.names("in") if not name.startswith(".")]
    place.deliver("/in/1.edi", "x" * 10_000)

    assert visible == []
    assert place.names("in") == ["1.edi"]
