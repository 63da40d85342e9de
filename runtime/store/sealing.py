"""Bytes that may be about patients, encrypted under their client's key before anything is stored.

What is sealed says so in its first bytes. The same bytes of the same client are sealed to the same bytes (the nonce
is a keyed hash of them, the idea of RFC 8452): a blob is still named by the SHA-256 of what is stored, a backup can
be checked without a key, and what comes twice is stored once. AES-256-GCM; the client's key is derived (HKDF, RFC
5869) from a key of the key file, whose id stands before the nonce: an older key still opens what it sealed.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.sdk import BlobRef, Blobs
from runtime.store.vault import Keys, VaultError

MARK = b"\x00orderly-sealed-1\x00"
_NONCE = 12
_TYPES = frozenset({"application/hl7-v2", "x-application/hl7-v2+er7"})
#: How an HL7 v2 message or batch begins, whatever its sender calls it.
_HL7 = re.compile(rb"(?:\xef\xbb\xbf)?[\x0b\r\n\x00 \t]{0,16}(?:MSH|FHS|BHS)[^A-Za-z0-9\s]")


def personal(type: str, beginning: bytes) -> bool:
    """Whether such bytes may be about patients: HL7 v2, by media type or by how they begin."""
    return type.partition(";")[0].strip().lower() in _TYPES or _HL7.match(beginning) is not None


class Sealer:
    """Seals and opens for one client. Raises ``VaultError`` where a key is gone or the bytes were changed."""

    def __init__(self, keys: Keys, client: str) -> None:
        self._keys, self._client = keys, client
        self._derived = lru_cache(maxsize=16)(self._derive)

    def _derive(self, id: str) -> tuple[AESGCM, bytes]:
        material = self._keys.derived(id, f"blobs of client {self._client}", 64)
        return AESGCM(material[:32]), material[32:]

    def seal(self, data: bytes) -> bytes:
        """Sealed bytes are given back as they are; others that begin as if they were are sealed."""
        if data.startswith(MARK) and self._opens(data):
            return data
        id = self._keys.current
        cipher, hashing = self._derived(id)
        nonce = hmac.digest(hashing, data, "sha256")[:_NONCE]
        head = MARK + bytes([len(id)]) + id.encode() + nonce
        return head + cipher.encrypt(nonce, data, head)

    def open(self, sealed: bytes) -> bytes:
        """``sealed`` begins with ``MARK``."""
        start = len(MARK) + 1
        end = start + sealed[len(MARK)] if len(sealed) > len(MARK) else start
        id, nonce = sealed[start:end].decode("ascii", "replace"), sealed[end : end + _NONCE]
        try:
            return self._derived(id)[0].decrypt(nonce, sealed[end + _NONCE :], sealed[: end + _NONCE])
        except (InvalidTag, ValueError) as error:
            raise VaultError(
                f"a message of client {self._client} does not open with key {id}: the key file is another one, or "
                "the stored bytes were changed; restore the key file or the blob from the backup they belong to"
            ) from error

    def _opens(self, data: bytes) -> bool:
        try:
            self.open(data)
        except VaultError:
            return False
        return True


class SealedBlobs:
    """A client's blobs, of which those that may be about patients are sealed; whoever reads sees none of it."""

    def __init__(self, stored: Blobs, sealer: Sealer) -> None:
        self._stored, self._sealer = stored, sealer

    def as_stored(self, data: bytes, type: str) -> bytes:
        """The bytes that ``put`` would store."""
        beginning = data[:64]
        return self._sealer.seal(data) if personal(type, beginning) or beginning.startswith(MARK) else data

    def put(self, data: bytes | Iterable[bytes], type: str = "application/octet-stream") -> BlobRef:
        """What is sealed is in memory as a whole. Raises ``Unavailable`` where there is no room for it."""
        if not isinstance(data, bytes):
            parts = iter(data)
            beginning = _beginning(parts)
            if not personal(type, beginning) and not beginning.startswith(MARK):
                return self._stored.put(chain([beginning], parts), type)
            data = beginning + b"".join(parts)
        stored = self.as_stored(data, type)
        ref = self._stored.put(stored, type)
        return BlobRef(blob=ref.blob, size=len(data), type=type)

    def open(self, ref: BlobRef) -> BinaryIO:
        """Raises ``Misconfigured`` where it is not stored, ``VaultError`` where it does not open."""
        stream = self._stored.open(ref)
        if stream.read(len(MARK)) != MARK:
            stream.seek(0)
            return stream
        with stream:
            return io.BytesIO(self._sealer.open(MARK + stream.read()))

    def read(self, ref: BlobRef) -> bytes:
        with self.open(ref) as stream:
            return stream.read()

    def personal(self, blob: str) -> bool:
        """Whether it is sealed. Raises ``Misconfigured`` where it is not stored."""
        with self._stored.open(BlobRef(blob=blob, size=0)) as stream:
            return stream.read(len(MARK)) == MARK


def _beginning(parts: Iterator[bytes]) -> bytes:
    found = b""
    for part in parts:
        found += part
        if len(found) >= 64:
            break
    return found


def name_of(stored: bytes) -> str:
    """What a blob with these stored bytes is called."""
    return f"sha256:{hashlib.sha256(stored).hexdigest()}"
