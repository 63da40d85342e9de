"""Documents of patients and prices lie in the data folder: other users of the machine see nothing of it."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.intake.tokens import kept_secret
from runtime.services import Services, Settings
from runtime.store.private import private_folder, write_once
from runtime.store.vault import Keys
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[str]:
    """Files and folders that others may read, were the folder itself open."""
    kept = [folder, *folder.iterdir(), *(folder / "blobs").glob("*"), *(folder / "blobs").rglob("??/*")]
    return [str(path.relative_to(folder)) for path in kept if mode(path) & 0o077]


def fill(shop: Workshop) -> None:
    """A document that is too large for the database, so that it lies in a file."""
    shop.run("notes", {"number": "1", "note": "x" * 100_000})


NOTES = flow("notes", {"id": "end", "type": "end"})


def test_what_is_kept_is_closed_to_others_from_the_beginning(workshop: Open) -> None:
    shop = workshop(NOTES)
    fill(shop)

    data = shop.settings.data
    assert mode(data) == 0o700
    assert open_to_others(data) in ([], ["blobs"])
    assert {"orderly.db", "orderly.db-wal", "vault.key", "token.key"} <= {path.name for path in data.iterdir()}


def test_a_data_folder_of_before_is_closed_and_that_is_logged(
    workshop: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = workshop(NOTES)
    fill(shop)
    data = shop.settings.data
    shop.close()
    for path, was in ((data, 0o755), (data / "orderly.db", 0o644), (data / "blobs", 0o755)):
        path.chmod(was)
    capsys.readouterr()

    shop.services = Services(shop.settings)

    assert mode(data) == 0o700
    assert open_to_others(data) == []
    assert capsys.readouterr().out.count("data.closed_to_others") == 3


def test_a_folder_that_others_keep_things_in_stays_theirs_and_our_files_are_closed(
    tmp_path: Path, workshop: Open
) -> None:
    """Who says ``--data /srv`` does not want ``/srv`` to be locked."""
    shop = workshop(NOTES)
    shared = tmp_path / "srv"
    shared.mkdir()
    (shared / "theirs.txt").write_text("theirs")
    shared.chmod(0o755)

    services = Services(Settings(shared, (shop.pack,)))
    services.stop()

    assert mode(shared) == 0o755
    assert mode(shared / "orderly.db") == 0o600


def test_a_folder_is_made_closed(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")

    assert mode(tmp_path / "a" / "b") == 0o700


def test_a_secret_file_is_whole_or_absent_and_the_first_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "key"

    write_once(path, b"first")
    write_once(path, b"second")

    assert path.read_bytes() == b"first"
    assert mode(path) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("make", [kept_secret, lambda data: Keys(data / "vault.key").path.read_bytes()])
def test_a_process_that_died_while_it_made_a_key_leaves_none(tmp_path: Path, make: Callable[[Path], bytes]) -> None:
    """What it had written aside is not taken for the key."""
    for name in ("token", "vault"):
        (tmp_path / f".{name}.key.0123456789abcdef").touch()

    made = make(tmp_path)

    assert len(made) >= 32
    assert make(tmp_path) == made
