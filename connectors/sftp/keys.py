"""Keys as people paste them: the pinned public key of a server, our own private key."""

from __future__ import annotations

import binascii
from base64 import b64decode
from io import StringIO

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)


def public_key(line: str) -> paramiko.PKey:
    """The key of a line like ``ssh-ed25519 AAAA… comment``, as ``ssh-keyscan`` prints it after the host.

    Raises ``ValueError`` that says how to get such a line.
    """
    parts = line.split()
    try:
        return paramiko.PKey.from_type_string(parts[0], b64decode(parts[1], validate=True))
    except (
        IndexError,
        binascii.Error,
        paramiko.pkey.UnknownKeyType,
        paramiko.SSHException,
        ValueError,
    ) as error:
        raise ValueError(
            "not a public host key: give one line like 'ssh-ed25519 AAAA...', as the server's owner tells it "
            "or as 'ssh-keyscan HOST' prints it after the host name"
        ) from error


def private_key(pem: str, passphrase: str | None) -> paramiko.PKey:
    """A key in OpenSSH, PKCS#1 or PKCS#8 armour. Raises ``ValueError`` without any part of the key in it."""
    data = pem.strip().encode() + b"\n"
    secret = passphrase.encode() if passphrase else None
    try:
        load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else load_pem_private_key
        key = load(data, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"the private key cannot be read ({type(error).__name__}): see its passphrase") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("the private key is of no supported kind: use Ed25519, ECDSA or RSA")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < 2048:
        raise ValueError(f"the RSA key has {key.key_size} bits: use 3072 or Ed25519")
    plain = StringIO(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return paramiko.Ed25519Key.from_private_key(plain)
    if isinstance(key, rsa.RSAPrivateKey):
        return paramiko.RSAKey.from_private_key(plain)
    return paramiko.ECDSAKey.from_private_key(plain)
