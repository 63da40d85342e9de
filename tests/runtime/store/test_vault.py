"""A secret opens only with its key, under its client and name, unchanged."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from runtime.store import tables
from runtime.store.sqlite import SqliteStore
from runtime.store.statements import Statement
from runtime.store.vault import Keys, Vault, VaultError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "orderly.db")
    yield store
    store.close()


@pytest.fixture
def vault(store: SqliteStore, tmp_path: Path) -> Vault:
    return Vault(store, tmp_path, {})


def test_a_secret_comes_back_until_it_is_replaced_or_deleted(vault: Vault) -> None:
    mercy = vault.for_client("mercy")

    mercy.put("erp", "first ünïcødé")
    assert mercy.get("erp") == "first ünïcødé"
    mercy.put("erp", "second")
    mercy.put("acme", "x")
    assert (mercy.get("erp"), mercy.names()) == ("second", ["acme", "erp"])

    assert mercy.delete("erp")
    assert not mercy.delete("erp")
    assert mercy.get("erp") is None


def test_secrets_of_one_client_are_not_those_of_another(vault: Vault) -> None:
    vault.for_client("mercy").put("erp", "mine")

    assert vault.for_client("other").get("erp") is None
    assert vault.for_client("other").names() == []


def test_no_secret_stands_readable_in_the_data_folder(vault: Vault, store: SqliteStore, tmp_path: Path) -> None:
    vault.for_client("mercy").put("erp", "correct-horse-battery")
    store.close()

    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"correct-horse" not in path.read_bytes()
    assert "correct" not in repr(vault) + repr(vault.for_client("mercy")) + repr(Keys(tmp_path / "vault.key"))


def test_the_key_file_is_made_once_and_only_for_its_owner(store: SqliteStore, tmp_path: Path) -> None:
    Vault(store, tmp_path, {}).for_client("mercy").put("erp", "x")
    written = (tmp_path / "vault.key").read_text()

    assert Vault(store, tmp_path, {}).for_client("mercy").get("erp") == "x"

    assert stat.S_IMODE((tmp_path / "vault.key").stat().st_mode) == 0o600
    assert (tmp_path / "vault.key").read_text() == written
    assert key_of(written) not in repr(Keys(tmp_path / "vault.key"))


def key_of(line: str) -> str:
    return line.split()[1]


def test_the_environment_names_another_key_file(store: SqliteStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mounted" / "key"

    Vault(store, tmp_path, {"ORDERLY_KEY_FILE": str(elsewhere)}).for_client("mercy").put("erp", "x")

    assert elsewhere.exists()
    assert not (tmp_path / "vault.key").exists()


def test_another_key_is_named_as_the_cause(vault: Vault, store: SqliteStore, tmp_path: Path) -> None:
    vault.for_client("mercy").put("erp", "x")
    (tmp_path / "vault.key").unlink()

    with pytest.raises(VaultError, match="does not hold: add that key"):
        Vault(store, tmp_path, {}).for_client("mercy").get("erp")


def test_an_older_key_still_opens_and_the_last_one_seals(vault: Vault, store: SqliteStore, tmp_path: Path) -> None:
    vault.for_client("mercy").put("old", "x")
    file = tmp_path / "vault.key"
    file.write_text(file.read_text() + f"k2 {base64.b64encode(bytes(32)).decode()}\n")
    rotated = Vault(store, tmp_path, {}).for_client("mercy")

    rotated.put("new", "y")

    assert (rotated.get("old"), rotated.get("new")) == ("x", "y")
    rows = store.read(lambda tx: tx.all(Statement(select(tables.secret.c.name, tables.secret.c.key_id))))
    assert [name for name, key in rows if key == "k2"] == ["new"]


@pytest.mark.parametrize(
    "change", [{"sealed": b"x" * 20}, {"nonce": b"n" * 12}, {"name": "acme"}, {"client": "other"}]
)
def test_a_changed_or_moved_row_does_not_open(vault: Vault, store: SqliteStore, change: dict[str, object]) -> None:
    vault.for_client("mercy").put("erp", "x")
    store.transact(lambda tx: tx.run(Statement(update(tables.secret).values(**change))))
    client, name = str(change.get("client", "mercy")), str(change.get("name", "erp"))

    with pytest.raises(VaultError, match="does not open"):
        vault.for_client(client).get(name)


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [("", 0o600, "no whole"), ("k1 AAAA\n", 0o600, "no whole"), ("k1\n", 0o600, "cannot be used"),
     ("k1 ***\n", 0o600, "cannot be used"), (f"k1 {'A' * 43}=\n", 0o640, "chmod 600")],
)  # fmt: skip
def test_a_key_file_that_cannot_be_used_says_why(tmp_path: Path, content: str, mode: int, why: str) -> None:
    (tmp_path / "vault.key").write_text(content)
    (tmp_path / "vault.key").chmod(mode)

    with pytest.raises(VaultError, match=why):
        Keys(tmp_path / "vault.key")
