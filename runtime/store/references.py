"""Which blobs a row needs: claim checks (``{"$blob": "sha256:…"}``) in its JSON, as rows of ``blob_reference``.

They are written in the commit that stores the JSON, so that a blob is removed only after the last run, message,
event and exception that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select

from runtime.store import tables
from runtime.store.statements import Statement, Tx, insert, word

#: As ``shapes.dump`` writes it.
_CLAIM = re.compile(r'"\$blob":"(sha256:[0-9a-f]{64})"')
_MARK = '"$blob"'
_reference, _small = tables.blob_reference, tables.small_blob
REFERENCE = insert(_reference, otherwise="ignore")
_LET_GO = Statement(
    delete(_reference)
    .where(
        _reference.c.owner == bindparam("owner"), _reference.c.kind != word("message"),
        _reference.c.client == bindparam("client"),
    )
    .returning(_reference.c.blob)
)  # fmt: skip
NEEDED = Statement(
    select(_reference.c.blob)
    .where(_reference.c.client == bindparam("client"), _reference.c.blob == bindparam("blob"))
    .limit(1)
)
_HOLD_SMALL = Statement(
    select(_small.c.blob)
    .where(_small.c.client == bindparam("client"), _small.c.blob == bindparam("blob"))
    .with_for_update()
)
_FORGET_SMALL = Statement(
    delete(_small).where(_small.c.client == bindparam("client"), _small.c.blob == bindparam("blob"))
)


def claims(texts: Iterable[str | None]) -> list[str]:
    """Blobs named in compact JSON, each once."""
    return list(dict.fromkeys(blob for text in texts if text and _MARK in text for blob in _CLAIM.findall(text)))


def references(client: str, kind: str, owner: str, texts: Iterable[str | None]) -> Sequence[dict[str, Any]]:
    """Rows of ``blob_reference`` that keep alive what the texts name, as long as the owner is there."""
    return [{"client": client, "blob": blob, "kind": kind, "owner": owner} for blob in claims(texts)]


def let_go(tx: Tx, client: str, owner: str) -> list[str]:
    """Blobs that this owner, who is no message, needs no more."""
    return [row[0] for row in tx.all(_LET_GO, {"client": client, "owner": owner})]


def forget_small(tx: Tx, client: str, blobs: Sequence[str]) -> None:
    """Those that nobody needs. Whoever stores the same bytes at this moment has the row, or waits for it: then
    there is a reference, or the row is made anew."""
    for blob in blobs:
        of = {"client": client, "blob": blob}
        if tx.one(_HOLD_SMALL, of) is not None and tx.one(NEEDED, of) is None:
            tx.run(_FORGET_SMALL, of)
