"""Raw bytes of messages: looked at as text, or taken away as they are. What may be about patients is on no page;
who takes it away is recorded."""

from __future__ import annotations

import os
from dataclasses import dataclass

from flask import Response

from connectors.sdk import BlobRef, Blobs, Misconfigured
from runtime.console.words import LONGEST
from runtime.store.sealing import SealedBlobs
from runtime.store.store import ClientStore, NotFound
from runtime.store.vault import VaultError


@dataclass(frozen=True)
class Look:
    """``text`` is the beginning, as UTF-8, with what is not UTF-8 marked; ``missing`` says why there is none.
    Of what is ``personal`` no text is shown."""

    size: int = 0
    text: str = ""
    missing: str = ""
    personal: bool = False


def look(blobs: Blobs, blob: str | None) -> Look | None:
    """``None`` where there never was one."""
    if blob is None:
        return None
    try:
        with blobs.open(BlobRef(blob=blob, size=0)) as stream:
            beginning = stream.read(LONGEST)
            size = stream.seek(0, os.SEEK_END)
        if isinstance(blobs, SealedBlobs) and blobs.personal(blob):
            return Look(size, personal=True)
    except Misconfigured as error:
        return Look(missing=f"{error.message}: {error.next_action}")
    except VaultError as error:
        return Look(missing=str(error))
    text = beginning.decode("utf-8", errors="replace")
    return Look(size, text if size <= LONGEST else f"{text}\n… {size - LONGEST} more bytes")


def download(store: ClientStore, blob: str | None, subject: str, actor: str) -> Response:
    """Never shown by a browser, whatever it holds; of what may be about patients it is audited before a byte of it
    goes out. ``subject`` is the run or exception whose bytes they are. Raises ``NotFound``."""
    blobs = store.blobs
    if blob is None:
        raise NotFound("no raw bytes are kept for this one: it was made by another run or a schedule")
    try:
        stream = blobs.open(BlobRef(blob=blob, size=0))
        if isinstance(blobs, SealedBlobs) and blobs.personal(blob):
            store.audit(actor, "raw.viewed", subject)
    except Misconfigured as error:
        raise NotFound(f"{error.message}: {error.next_action}") from error
    except VaultError as error:
        raise NotFound(str(error)) from error
    answer = Response(stream, mimetype="application/octet-stream", direct_passthrough=True)
    answer.headers["Content-Disposition"] = f'attachment; filename="{subject}.bin"'
    answer.call_on_close(stream.close)
    return answer
