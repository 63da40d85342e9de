"""Signed, expiring tokens for one run: whoever sent the message may see that run's state, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from pathlib import Path

from runtime.store.private import write_once
from runtime.store.vault import key_path


class RunTokens:
    """``secret`` is the process's own; a token says run and expiry, and is worth nothing for another run."""

    def __init__(self, secret: bytes, seconds: int = 7 * 24 * 3600) -> None:
        self._secret = secret
        self._seconds = seconds

    def make(self, run: str, now: float) -> str:
        expires = int(now) + self._seconds
        return f"{expires}.{self._sign(run, expires)}"

    def holds(self, run: str, token: str, now: float) -> bool:
        expires, _, signature = token.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16):
            return False
        return hmac.compare_digest(self._sign(run, int(expires)), signature) and int(expires) > now

    def _sign(self, run: str, expires: int) -> str:
        digest = hmac.digest(self._secret, f"{run}.{expires}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:24]).decode()


def kept_secret(data: Path) -> bytes:
    """What tokens are signed with: ``token.key`` beside the vault's key where one lies there, so that machines that
    share their keys know each other's tokens, else in the data folder. Made there on first use, readable by this
    user only, whole or not at all; of two processes that make it the first wins."""
    beside = key_path(data).with_name("token.key")
    path = beside if beside.exists() else data / "token.key"
    if not path.exists():
        write_once(path, secrets.token_bytes(32))
    return path.read_bytes()
