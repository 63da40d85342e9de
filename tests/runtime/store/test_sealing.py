"""Bytes that may be about patients are stored encrypted, under a key of their client's."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.sdk import BlobRef
from runtime.store.blobs import FolderBlobs
from runtime.store.sealing import MARK, SealedBlobs, Sealer, personal
from runtime.store.vault import Keys, VaultError
from tests.connectors.hl7.corpus import sample
from tests.runtime.store.database import Database

HL7 = sample("oms_o05_with_patient.hl7")


def blobs(folder: Path, client: str = "mercy", key: str = "vault.key") -> SealedBlobs:
    return SealedBlobs(FolderBlobs(folder / "blobs", client), Sealer(Keys(folder / key), client))


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (folder / "blobs").rglob("*") if path.is_file())


@pytest.mark.parametrize("as_stream", [False, True])
def test_an_hl7_message_is_read_back_and_lies_nowhere_in_the_clear(tmp_path: Path, as_stream: bool) -> None:
    store = blobs(tmp_path)

    ref = store.put(iter([HL7[:3], HL7[3:]]) if as_stream else HL7, "application/hl7-v2")

    assert store.read(ref) == HL7
    assert (ref.size, ref.type) == (len(HL7), "application/hl7-v2")
    assert on_disk(tmp_path).startswith(MARK)
    assert b"Invented" not in on_disk(tmp_path)
    assert b"MSH" not in on_disk(tmp_path)
    assert store.personal(ref.blob)


def test_the_same_bytes_have_the_same_name_and_other_clients_another(tmp_path: Path) -> None:
    """What comes twice is stored once; nobody can tell that two clients have the same message."""
    first, again = blobs(tmp_path).put(HL7, "application/hl7-v2"), blobs(tmp_path).put(HL7, "application/hl7-v2")
    other = blobs(tmp_path, "south").put(HL7, "application/hl7-v2")

    assert first == again
    assert other.blob != first.blob


@pytest.mark.parametrize(
    ("type", "beginning", "held"),
    [
        ("application/hl7-v2", b"", True),
        ("application/hl7-v2; charset=utf-8", b"\xff\xfeM\x00", True),
        ("x-application/hl7-v2+er7", b"", True),
        ("application/octet-stream", b"MSH|^~\\&|", True),
        ("text/plain", b"\x0b\xef", False),
        ("text/plain", b"\xef\xbb\xbf\r\nBHS#:", True),
        ("application/json", b'{"MSH": 1}', False),
        ("text/plain", b"MSHA is a word", False),
    ],
)
def test_what_may_be_about_patients_is_told_by_type_or_beginning(type: str, beginning: bytes, held: bool) -> None:
    """A file of another name is no way around."""
    assert personal(type, beginning) is held


def test_other_bytes_are_stored_as_they_are(tmp_path: Path) -> None:
    """Orders and invoices need no key to be read from a backup."""
    store = blobs(tmp_path)

    ref = store.put(iter([b"ISA*00", b"*rest"]), "application/EDI-X12")

    assert on_disk(tmp_path) == b"ISA*00*rest"
    assert not store.personal(ref.blob)


def test_bytes_that_pretend_to_be_sealed_come_back_as_they_came(tmp_path: Path) -> None:
    """A stranger's file may begin with anything."""
    store, forged = blobs(tmp_path), MARK + b"\x04k123" + bytes(40)

    assert store.read(store.put(forged)) == forged
    assert store.read(store.put(iter([forged[:5], forged[5:]]))) == forged


def test_what_is_sealed_already_is_not_sealed_again(tmp_path: Path) -> None:
    """A large message is sealed at the door and put by the store."""
    store = blobs(tmp_path)
    sealed = store.as_stored(HL7, "application/hl7-v2")

    ref = store.put(sealed, "application/hl7-v2")

    assert store.read(ref) == HL7


def test_an_older_key_opens_what_it_sealed_and_the_new_one_seals(tmp_path: Path) -> None:
    """Rotation adds a line to the key file."""
    old = blobs(tmp_path).put(HL7, "application/hl7-v2")
    new_line = "k2 " + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=" + "\n"
    with (tmp_path / "vault.key").open("a") as file:
        file.write(new_line)

    rotated = blobs(tmp_path)
    new = rotated.put(HL7, "application/hl7-v2")

    assert rotated.read(old) == rotated.read(new) == HL7
    assert new.blob != old.blob


def test_changed_bytes_and_another_key_are_told_from_the_message(tmp_path: Path) -> None:
    """Nothing is given out that is not what was stored."""
    ref = blobs(tmp_path).put(HL7, "application/hl7-v2")
    Keys(tmp_path / "other.key")
    with pytest.raises(VaultError, match="does not hold"):
        blobs(tmp_path, key="other.key").read(ref)

    (path,) = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(VaultError, match="does not open with key"):
        blobs(tmp_path).read(BlobRef(blob=ref.blob, size=ref.size))


def test_a_large_message_in_a_shared_database_is_sealed_in_all_its_parts(
    database: Database, tmp_path: Path
) -> None:
    """Beyond what one part holds; read back whole, and piece by piece."""
    large = HL7 + b"OBX|1|TX|||" + b"Invented Sample " * 60_000 + b"\r"
    store = database.open(tmp_path)
    store.register_client("mercy", "Mercy General Hospital")
    sealed = SealedBlobs(store.blobs("mercy"), Sealer(Keys(tmp_path / "vault.key"), "mercy"))

    ref = sealed.put(large, "application/hl7-v2")
    with sealed.open(ref) as stream:
        beginning = stream.read(len(HL7))
    parts = database.sql("SELECT bytes FROM blob_part")
    whole = sealed.read(ref)
    store.close()

    assert (whole, beginning) == (large, HL7)
    assert len(parts) > 1
    assert not [part for (part,) in parts if b"Invented" in bytes(part)]
