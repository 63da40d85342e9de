"""``rest.download``: a document of any size into the blob store, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import Field

from connectors.rest.transport import judge
from connectors.sdk import BlobRef, Context, Duration, Output, Parameters, Rejected
from connectors.sdk.http import HttpClient
from connectors.sdk.http_url import shown


class DownloadParameters(Parameters):
    """Which document, and how large it may be."""

    path: str = Field(
        default="", description="path below the connection's url, or a whole URL", examples=["/invoices/7.pdf"]
    )
    query: dict[str, str | int | float | bool | list[str] | None] = Field(
        default={}, description="query fields; null leaves one out, a list repeats it", examples=[{"format": "pdf"}]
    )
    headers: dict[str, str] = Field(default={}, description="headers besides those of auth", examples=[{}])
    media_type: str = Field(
        default="",
        description="type that the document must have; empty takes any but HTML, which is a log-in page",
        examples=["application/pdf"],
    )
    max_bytes: int = Field(
        default=1_000_000_000, gt=0, description="largest document, after decompression", examples=[1_000_000_000]
    )
    timeout: Duration = Field(
        default=timedelta(minutes=10), description="time for the whole download", examples=["10m"]
    )


class DownloadOutput(Output):
    """Where the document is now."""

    content: BlobRef = Field(description="the stored document")
    etag: str = Field(default="", description="what the peer knows this version by; empty where it does not say")


def download(parameters: DownloadParameters, context: Context, client: HttpClient) -> DownloadOutput:
    """Stores nothing of a document that is cut off, too large, empty or of another type.

    Raises what the status means; ``Rejected`` for another type, or for nothing at all.
    """
    wanted = parameters.media_type.lower()

    def keep(pieces: Iterator[bytes], content_type: str) -> BlobRef:
        found = content_type.partition(";")[0].strip().lower()
        if (wanted and found != wanted) or (not wanted and found in ("text/html", "application/xhtml+xml")):
            raise _refused(f"a document of type {found or 'none'}, not {wanted or 'the document'}", found)
        return context.blobs.put(_not_empty(pieces), found or "application/octet-stream")

    def _not_empty(pieces: Iterator[bytes]) -> Iterator[bytes]:
        first = next(pieces, b"")
        if not first:
            raise _refused("nothing", "")
        yield first
        yield from pieces

    def _refused(what: str, found: str) -> Rejected:
        return Rejected(
            f"{shown(client.address(parameters.path))} answered with {what}",
            next_action="check path and auth, and that we are logged in; say in media_type what is to be taken",
            details={"content_type": found},
        )

    headers = {"Accept": parameters.media_type or "*/*"} | parameters.headers
    reply = client.request(
        "GET", parameters.path, headers=headers, query=parameters.query, sink=keep, max_bytes=parameters.max_bytes,
        timeout=parameters.timeout.total_seconds(),
    )  # fmt: skip
    judge(reply, ())
    stored: Any = reply.stored
    assert isinstance(stored, BlobRef)
    return DownloadOutput(content=stored, etag=reply.headers.get("ETag", ""))
