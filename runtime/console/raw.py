"""Raw bytes of messages: looked at as text, or taken away as they are."""

from __future__ import annotations

import os
from dataclasses import dataclass

from flask import Response

from connectors.sdk import BlobRef, Blobs, Misconfigured
from runtime.console.words import LONGEST
from runtime.store.store import NotFound


@dataclass(frozen=True)
class Look:
    """``text`` is the beginning, as UTF-8, with what is not UTF-8 marked; ``missing`` says why there is none."""

    size: int = 0
    text: str = ""
    missing: str = ""


def look(blobs: Blobs, blob: str | None) -> Look | None:
    """``None`` where there never was one."""
    if blob is None:
        return None
    try:
        with blobs.open(BlobRef(blob=blob, size=0)) as stream:
            beginning = stream.read(LONGEST)
            size = stream.seek(0, os.SEEK_END)
    except Misconfigured as error:
        return Look(missing=f"{error.message}: {error.next_action}")
    text = beginning.decode("utf-8", errors="replace")
    return Look(size, text if size <= LONGEST else f"{text}\n… {size - LONGEST} more bytes")


def download(blobs: Blobs, blob: str | None, name: str) -> Response:
    """Never shown by a browser, whatever it holds. Raises ``NotFound``."""
    if blob is None:
        raise NotFound("no raw bytes are kept for this one: it was made by another run or a schedule")
    try:
        stream = blobs.open(BlobRef(blob=blob, size=0))
    except Misconfigured as error:
        raise NotFound(f"{error.message}: {error.next_action}") from error
    answer = Response(stream, mimetype="application/octet-stream", direct_passthrough=True)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.call_on_close(stream.close)
    return answer
