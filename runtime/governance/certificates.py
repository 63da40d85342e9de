"""Certificates that a connection depends on, and when they expire: the peer's own, and the files it names."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from pydantic import BaseModel, SecretStr

_PEM = "-----BEGIN CERTIFICATE-----"
_LARGEST = 1_000_000


@dataclass(frozen=True)
class Certificate:
    """``where`` it was found: an address or a file."""

    where: str
    subject: str
    expires_at: datetime


@dataclass(frozen=True)
class Unreadable:
    """``where`` there should be one, and why it could not be read."""

    where: str
    why: str


Found = Iterator[Certificate | Unreadable]


def of_settings(settings: BaseModel, seconds: float = 5.0) -> Found:
    """The certificates of ``https`` peers that the settings name, each once, and those in files or settings. A peer
    has so many seconds to answer."""
    asked = set()
    for name, text in _texts("", settings):
        if text.startswith("https://"):
            parts = urlsplit(text)
            peer = (parts.hostname or "", parts.port or 443)
            if peer not in asked:
                asked.add(peer)
                yield from _of_peer(*peer, seconds)
        elif _PEM in text:
            yield from _of_pem(f"setting {name}", text)
        elif text.startswith("/") and (path := Path(text)).is_file() and path.stat().st_size < _LARGEST:
            yield from _of_pem(text, path.read_text(encoding="utf-8", errors="replace"))


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text in the settings, with its place."""
    if isinstance(value, BaseModel):
        value = {field: getattr(value, field) for field in type(value).model_fields}
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(f"{name}/{key}" if name else str(key), inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(f"{name}/{index}", inner)
    elif isinstance(value, str | Path):
        yield name, str(value)


def _of_peer(host: str, port: int, seconds: float) -> Found:
    """Whoever it is: what is wrong with it otherwise is found by the connection's own check."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            shown = wrapped.getpeercert(binary_form=True)
    except OSError as error:
        yield Unreadable(f"{host}:{port}", str(error))
        return
    if shown is not None:
        yield _certificate(f"{host}:{port}", x509.load_der_x509_certificate(shown))


def _of_pem(where: str, text: str) -> Found:
    if _PEM not in text:
        return
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        yield Unreadable(where, str(error))
        return
    for certificate in found:
        yield _certificate(where, certificate)


def _certificate(where: str, certificate: x509.Certificate) -> Certificate:
    return Certificate(where, certificate.subject.rfc4514_string(), certificate.not_valid_after_utc)
