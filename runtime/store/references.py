"""Which blobs a row needs: claim checks (``{"$blob": "sha256:…"}``) in its JSON, as rows of ``blob_reference``.

They are written in the commit that stores the JSON, so that a blob is removed only after the last run, message,
event and exception that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from runtime.store import tables
from runtime.store.statements import insert

#: As ``shapes.dump`` writes it.
_CLAIM = re.compile(r'"\$blob":"(sha256:[0-9a-f]{64})"')
_MARK = '"$blob"'
REFERENCE = insert(tables.blob_reference, otherwise="ignore")


def claims(texts: Iterable[str | None]) -> list[str]:
    """Blobs named in compact JSON, each once."""
    return list(dict.fromkeys(blob for text in texts if text and _MARK in text for blob in _CLAIM.findall(text)))


def references(client: str, kind: str, owner: str, texts: Iterable[str | None]) -> Sequence[dict[str, Any]]:
    """Rows of ``blob_reference`` that keep alive what the texts name, as long as the owner is there."""
    return [{"client": client, "blob": blob, "kind": kind, "owner": owner} for blob in claims(texts)]
