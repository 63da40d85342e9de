"""Documents that are no JSON: sent from the blob store, and downloaded into it."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from email.message import Message
from email.parser import BytesParser
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.rest.connector import Download, DownloadParameters, Request, RequestParameters
from connectors.sdk import BlobRef, Misconfigured, NotSent, OutcomeUnknown, Rejected
from tests.connectors.sdk.http_peer import Line, Peer, Script, always, client, reply
from tests.harness import MemoryContext

Contexts = Callable[..., MemoryContext]


def test_a_stored_document_is_sent_as_it_is(contexts: Contexts) -> None:
    with Peer(always(reply())) as peer:
        context = contexts(peer)
        blob = context.blobs.put(b"ISA*00~\xff", "application/edi-x12")
        Request().run(RequestParameters(method="POST", content=blob), context)
        Request().run(
            RequestParameters(method="POST", content="<a>é</a>", headers={"content-type": "text/xml"}), context
        )

    first, second = peer.requests
    assert (first.body, first.headers["content-type"]) == (b"ISA*00~\xff", "application/edi-x12")
    assert (second.body, second.headers["content-type"]) == ("<a>é</a>".encode(), "text/xml")


def parsed(headers: dict[str, str], body: bytes) -> list[Message]:
    whole = BytesParser().parsebytes(f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body)
    assert whole.is_multipart()
    return whole.get_payload()  # type: ignore[return-value]


def test_parts_are_sent_as_a_form_and_again_the_same(contexts: Contexts) -> None:
    """RFC 7578. A peer that knows an attempt by its bytes sees one."""
    with Peer(always(reply())) as peer:
        context = contexts(peer)
        pdf = context.blobs.put(b"%PDF\r\n--orderly", "application/pdf")
        parts = [
            {"name": "note", "content": "größer"},
            {"name": "file", "content": pdf, "file_name": 'a"b\r\n.pdf'},
        ]
        for _ in range(2):
            Request().run(RequestParameters.model_validate({"method": "POST", "parts": parts}), context)

    note, file = parsed(peer.requests[0].headers, peer.requests[0].body)
    assert (note.get_payload(decode=True), note.get_filename()) == ("größer".encode(), None)
    assert file.get_payload(decode=True) == b"%PDF\r\n--orderly"
    assert file.get_content_type() == "application/pdf"
    assert "\r" not in (file.get_filename() or "")
    assert peer.requests[0].body == peer.requests[1].body


def test_there_is_one_body() -> None:
    with pytest.raises(ValidationError, match="body and content are given"):
        RequestParameters(method="POST", body={}, content="a")


def fetch(context: MemoryContext, **parameters: Any) -> tuple[Any, bytes]:
    output = Download().run(DownloadParameters(path="/invoices/7", **parameters), context)
    return output, context.blobs.read(output.content)


def test_a_document_goes_into_the_blob_store(contexts: Contexts) -> None:
    answer = reply(200, gzip.compress(b"%PDF"), Content_Encoding="gzip", Content_Type="Application/PDF", ETag='"1"')
    with Peer(always(answer)) as peer:
        output, stored = fetch(contexts(peer), media_type="application/pdf")

    assert stored == b"%PDF"
    assert (output.content.type, output.content.size, output.etag) == ("application/pdf", 4, '"1"')


def test_a_large_document_is_never_whole_in_memory() -> None:
    size = 30_000_000

    def large(line: Line) -> None:
        for _ in line:
            line.send(reply(200, b"", Content_Length=str(size)))
            for _ in range(size // 1_000_000):
                line.send(bytes(1_000_000))

    with Peer(large) as peer:
        caller = client(peer.url)
        tracemalloc.start()
        taken = caller.request("GET", "/", sink=lambda pieces, _: sum(map(len, pieces)), max_bytes=size).stored
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert taken == size
    assert most < 5_000_000


def cut_off(line: Line) -> None:
    next(iter(line))
    line.send(reply(200, b"%PDF", Content_Type="application/pdf", Content_Length="100"))


LOGIN = reply(200, b"<html>Please log in", Content_Type="text/html; charset=utf-8")
BOMB = reply(200, gzip.compress(bytes(1_000_000)), Content_Encoding="gzip", Content_Type="application/pdf")


@pytest.mark.parametrize(
    ("script", "parameters", "kind"),
    [
        (always(LOGIN), {}, Rejected),
        (always(LOGIN), {"media_type": "application/pdf"}, Rejected),
        (always(reply(200, b"", Content_Type="application/pdf")), {}, Rejected),
        (always(reply(404)), {}, Rejected),
        (always(reply(503)), {}, OutcomeUnknown),
        (always(BOMB), {"max_bytes": 10_000}, Misconfigured),
        (cut_off, {}, OutcomeUnknown),
    ],
)
def test_nothing_is_stored_of_what_is_not_the_whole_document(
    contexts: Contexts, script: Script, parameters: dict[str, Any], kind: type[Exception]
) -> None:
    with Peer(script) as peer:
        context = contexts(peer)
        with pytest.raises(kind) as refused:
            fetch(context, **parameters)

    assert context.blobs.empty
    assert getattr(refused.value, "next_action", "")


def test_a_store_that_cannot_keep_it_is_not_mistaken_for_the_peer(contexts: Contexts) -> None:
    class Full:
        def put(self, data: Any, type: str = "") -> BlobRef:
            raise NotSent("not stored: the disk is full")

    with Peer(always(reply(200, b"%PDF", Content_Type="application/pdf"))) as peer:
        context = contexts(peer)
        context.blobs = Full()  # type: ignore[assignment]

        with pytest.raises(NotSent, match="disk is full"):
            fetch(context)
