"""Secrets at rest: AES-256-GCM, bound to the client and name they were stored under."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import bindparam, delete, select

from runtime.model.sought import Said
from runtime.store import tables
from runtime.store.audit import keep
from runtime.store.bound import Bound
from runtime.store.private import write_once
from runtime.store.statements import Backend, Statement, Tx, insert
from runtime.store.store import StoreError

_secret = tables.secret
_PUT = insert(_secret, otherwise="replace")
_ONE = [_secret.c.client == bindparam("client"), _secret.c.name == bindparam("name")]
_GET = Statement(select(_secret.c.key_id, _secret.c.nonce, _secret.c.sealed).where(*_ONE))
_DELETE = Statement(delete(_secret).where(*_ONE))
_NAMES = Statement(select(_secret.c.name).where(_secret.c.client == bindparam("client")).order_by(_secret.c.name))
_NONCE = 12


class VaultError(StoreError):
    """A secret or the key file cannot be used as it is; the message says what to do."""


def key_path(data: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """``ORDERLY_KEY_FILE``, or ``vault.key`` in the data folder."""
    return Path(environment.get("ORDERLY_KEY_FILE") or data / "vault.key")


class Keys:
    """A file of lines ``<key id> <base64 of 32 bytes>``, mode 0600. The last one seals, every one opens.

    Made with one new key where there is none. Raises ``VaultError`` where it cannot be read or others may read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not path.exists():
                _make(path)
            if path.stat().st_mode & 0o077:
                raise VaultError(f"key file {path} can be read by others: run `chmod 600 {path}`")
            lines = [line.split() for line in path.read_text("ascii").splitlines() if line.strip()]
            self._keys = {id: base64.b64decode(key, validate=True) for id, key in lines}
        except (OSError, ValueError, binascii.Error) as error:
            raise VaultError(f"key file {path} cannot be used ({error}): restore it from its backup") from error
        if not self._keys or any(len(key) != 32 for key in self._keys.values()):
            raise VaultError(f"key file {path} holds no whole 256-bit key: restore it from its backup")
        self.current = list(self._keys)[-1]

    def cipher(self, id: str) -> AESGCM:
        """Raises ``VaultError`` for a key that the file does not hold."""
        if id not in self._keys:
            raise VaultError(f"this secret was sealed with key {id}, which {self.path} does not hold: add that key")
        return AESGCM(self._keys[id])

    def derived(self, id: str, purpose: str, length: int) -> bytes:
        """Key material of its own for a purpose (HKDF-SHA256, RFC 5869). Raises ``VaultError`` for a key that the
        file does not hold."""
        if id not in self._keys:
            raise VaultError(f"this was sealed with key {id}, which {self.path} does not hold: add that key")
        return HKDF(hashes.SHA256(), length, None, purpose.encode()).derive(self._keys[id])

    def __repr__(self) -> str:
        return f"Keys({str(self.path)!r})"


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    write_once(path, f"k{secrets.token_hex(4)} {key}\n".encode("ascii"))


class Vault:
    """The secrets of all clients. The key file is ``ORDERLY_KEY_FILE``, or ``vault.key`` in the data folder, and is
    made there on first use. Raises ``VaultError`` where it cannot be used."""

    def __init__(self, backend: Backend, data: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._backend = backend
        self._keys = Keys(key_path(data, environment))

    @property
    def keys(self) -> Keys:
        return self._keys

    def for_client(self, client: str) -> ClientVault:
        return ClientVault(self._backend, client, self._keys)


class ClientVault(Bound):
    """One client's secrets, in its store."""

    def __init__(self, backend: Backend, client: str, keys: Keys) -> None:
        super().__init__(backend, client)
        self._keys = keys

    def put(self, name: str, value: str, said: Said | None = None) -> None:
        """Stores or replaces; what was ``said`` is in the audit by the same commit, without the value."""
        id, nonce = self._keys.current, secrets.token_bytes(_NONCE)
        sealed = self._keys.cipher(id).encrypt(nonce, value.encode(), self._bound(name, id))
        row: dict[str, Any] = {"client": self.client, "name": name, "key_id": id, "nonce": nonce, "sealed": sealed}

        def unit(tx: Tx) -> None:
            tx.run(_PUT, {**row, "changed_at": tx.now})
            keep(tx, self.client, said, "secret.set", name)

        self._backend.transact(unit)

    def get(self, name: str) -> str | None:
        """``None`` where there is none. Raises ``VaultError`` for another key and for a row that was changed."""
        row = self._backend.read(lambda tx: tx.one(_GET, self._at(name)))
        if row is None:
            return None
        id, nonce, sealed = row
        try:
            return self._keys.cipher(id).decrypt(nonce, sealed, self._bound(name, id)).decode()
        except InvalidTag as error:
            raise VaultError(
                f"secret {name!r} of client {self.client} does not open with key {id} of {self._keys.path}: "
                "the key file is another one or the row was changed; restore the key file or store the secret again"
            ) from error

    def delete(self, name: str, said: Said | None = None) -> bool:
        """Whether there was one; then what was ``said`` is in the audit by the same commit."""

        def unit(tx: Tx) -> bool:
            there = tx.run(_DELETE, self._at(name)) > 0
            keep(tx, self.client, said if there else None, "secret.deleted", name)
            return there

        return self._backend.transact(unit)

    def names(self) -> list[str]:
        return [row[0] for row in self._backend.read(lambda tx: tx.all(_NAMES, {"client": self.client}))]

    def _at(self, name: str) -> dict[str, str]:
        return {"client": self.client, "name": name}

    def _bound(self, name: str, key: str) -> bytes:
        """Lengths first, so that no other pair of client and name gives the same bytes."""
        return f"{len(self.client)}:{self.client}{len(name)}:{name}{key}".encode()
