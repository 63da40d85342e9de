"""The HTTP client: bounded in time and size, careful with credentials, plain about what was sent."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import socket
import ssl
import time
import tracemalloc
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests.structures import CaseInsensitiveDict

from connectors.sdk import CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.sdk.http import HttpReply, HttpSettings, retry_after, status_error
from connectors.sdk.http_settings import doubts
from tests.connectors.sdk.http_peer import Line, Peer, always, client, reply


def test_a_request_carries_query_headers_and_json_and_brings_back_the_whole_reply() -> None:
    with Peer(always(reply(201, b'{"a":1}', X_Trace="7"))) as peer:
        answer = client(f"{peer.url}/api/").request(
            "post",
            "/orders",
            query={"dry": True, "tag": ["a", "b"], "none": None},
            headers={"X-A": "1"},
            json={"n": "5"},
        )

    assert (answer.status, answer.content, answer.headers["x-trace"]) == (201, b'{"a":1}', "7")
    assert answer.url == f"{peer.url}/api/orders?dry=true&tag=a&tag=b"
    sent = peer.requests[0]
    assert sent.line == "POST /api/orders?dry=true&tag=a&tag=b HTTP/1.1"
    assert sent.body == b'{"n":"5"}'
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["x-a"] == "1"


def test_a_port_where_nobody_listens_means_not_sent() -> None:
    """Nothing left this machine, so the engine may retry even an order."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        with pytest.raises(NotSent) as caught:
            client(f"http://127.0.0.1:{bound.getsockname()[1]}").request("POST", "/", json={})

    assert "refused" in caught.value.message
    assert caught.value.next_action


def test_a_name_that_does_not_resolve_means_not_sent() -> None:
    with pytest.raises(NotSent, match="did not resolve"):
        client("http://no-such-host.invalid").request("POST", "/")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_peer_that_hangs_up_after_reading_leaves_the_outcome_unknown(method: str) -> None:
    """It may have acted, and the client must not send the request again by itself."""
    with Peer(lambda line: next(iter(line))) as peer, pytest.raises(OutcomeUnknown, match="was sent"):
        client(peer.url).request(method, "/")

    assert (peer.connections, len(peer.requests)) == (1, 1)


def test_a_reply_cut_off_in_its_body_leaves_the_outcome_unknown() -> None:
    def half(line: Line) -> None:
        next(iter(line))
        line.send(reply(200, b"0123456789", Content_Length="100"))

    with Peer(half) as peer, pytest.raises(OutcomeUnknown):
        client(peer.url).request("POST", "/")


def test_a_kept_alive_connection_that_the_peer_closed_meanwhile_is_replaced_before_sending() -> None:
    def one_reply_each(line: Line) -> None:
        next(iter(line))
        line.send(reply())

    with Peer(one_reply_each) as peer:
        caller = client(peer.url)
        caller.request("POST", "/")
        peer.wait_until_closed()

        assert caller.request("POST", "/").status == 200

    assert peer.connections == 2


def test_connections_are_kept_alive_between_requests() -> None:
    with Peer(always(reply())) as peer:
        caller = client(peer.url)
        for _ in range(3):
            caller.request("GET", "/")

        assert peer.connections == 1


@pytest.mark.parametrize("place", ["head", "body"])
def test_the_total_time_ends_a_reply_that_drips(place: str) -> None:
    """A byte now and then keeps every single read short; only the total deadline ends this."""

    def script(line: Line) -> None:
        next(iter(line))
        head, body = reply(200, b"x" * 10_000).split(b"\r\n\r\n")
        if place == "body":
            line.send(head + b"\r\n\r\n")
            line.drip(body)
        else:
            line.drip(head)

    with Peer(script) as peer:
        start = time.monotonic()

        with pytest.raises(OutcomeUnknown, match="time ran out"):
            client(peer.url).request("POST", "/", timeout=0.4)

        assert 0.35 < time.monotonic() - start < 3


def test_the_total_time_ends_a_request_that_the_peer_does_not_read() -> None:
    with Peer(lambda line: line.wait()) as peer, pytest.raises(OutcomeUnknown, match="time ran out"):
        client(peer.url, timeout="300ms").request("POST", "/", content=b"x" * 50_000_000)


def test_a_tls_handshake_that_never_comes_means_not_sent() -> None:
    with Peer(lambda line: line.wait()) as peer:
        url = peer.url.replace("http:", "https:")

        with pytest.raises(NotSent, match="time ran out"):
            client(url, connect_timeout="300ms").request("POST", "/")


def test_a_compressed_reply_is_cut_at_the_limit_without_being_unpacked_whole() -> None:
    """100 MB of zeros are 100 kB on the wire: memory must follow the limit, not the bomb."""
    bomb = gzip.compress(b"\0" * 100_000_000)
    with Peer(always(reply(200, bomb, Content_Encoding="gzip"))) as peer:
        caller = client(peer.url, max_reply_bytes=1_000_000)
        tracemalloc.start()
        try:
            with pytest.raises(Misconfigured) as caught:
                caller.request("GET", "/")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert caught.value.field == "max_reply_bytes"
    assert peak < 10_000_000


def test_a_reply_that_is_too_large_leaves_the_outcome_of_a_post_unknown() -> None:
    with Peer(always(reply(200, b"x" * 2000))) as peer, pytest.raises(OutcomeUnknown, match="larger than 1000"):
        client(peer.url, max_reply_bytes=1000).request("POST", "/")


def test_a_compressed_reply_is_unpacked() -> None:
    with Peer(always(reply(200, gzip.compress(b"hello"), Content_Encoding="gzip"))) as peer:
        assert client(peer.url).request("GET", "/").content == b"hello"


def test_a_redirect_to_another_origin_goes_without_credentials_or_custom_headers() -> None:
    with Peer(always(reply(200, b'"there"'))) as other:
        onward = reply(302, b"", Location=f"{other.url}/x")
        with Peer(always(onward)) as peer:
            caller = client(peer.url, auth={"type": "bearer", "token": "secret-token"})
            answer = caller.request(
                "GET", "/", headers={"Accept": "application/json", "X-Session": "s", "Cookie": "c"}
            )

    assert answer.content == b'"there"'
    assert peer.requests[0].headers["authorization"] == "Bearer secret-token"
    assert other.requests[0].headers["accept"] == "application/json"
    assert {"authorization", "x-session", "cookie"}.isdisjoint(other.requests[0].headers)


def test_a_redirect_within_the_origin_keeps_credentials() -> None:
    def script(line: Line) -> None:
        for request in line:
            line.send(reply(301, b"", Location="/new?q=1") if "/old" in request.line else reply(200, b"1"))

    with Peer(script) as peer:
        answer = client(peer.url, auth={"type": "bearer", "token": "t"}).request("GET", "/old")

    assert answer.url == f"{peer.url}/new?q=1"
    assert peer.requests[1].headers["authorization"] == "Bearer t"


def test_a_redirect_to_an_address_that_is_not_public_is_refused() -> None:
    """The guard looks at each hop: a public API must not be able to send us to the cloud's metadata."""
    with (
        Peer(always(reply(302, b"", Location="http://169.254.169.254/latest/meta-data"))) as peer,
        pytest.raises(Misconfigured) as caught,
    ):
        client(peer.url).request("GET", "/")

    assert caught.value.field == "allow"


def test_redirects_that_do_not_end_are_rejected() -> None:
    with (
        Peer(always(reply(302, b"", Location="/again"))) as peer,
        pytest.raises(Rejected, match="after 3 redirects") as caught,
    ):
        client(peer.url).request("GET", "/")

    assert caught.value.code == "302"
    assert len(peer.requests) == 4


def test_a_post_is_not_repeated_at_another_address() -> None:
    with Peer(always(reply(302, b"", Location="/elsewhere"))) as peer:
        answer = client(peer.url).request("POST", "/")

    assert answer.status == 302
    assert len(peer.requests) == 1


def test_cookies_of_one_request_do_not_reach_the_next() -> None:
    with Peer(always(reply(200, b"", Set_Cookie="session=1; Path=/"))) as peer:
        caller = client(peer.url)
        caller.request("GET", "/")
        caller.request("GET", "/")

    assert "cookie" not in peer.requests[1].headers
    assert not list(caller._session.cookies)


def test_the_proxy_of_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    with Peer(always(reply())) as peer:
        assert client(peer.url).request("GET", "/").status == 200


def test_the_proxy_of_the_connection_is_used_and_needs_no_entry_in_allow() -> None:
    with Peer(always(reply(200, b"by proxy"))) as proxy:
        answer = client("http://prices.example/a", proxy=proxy.url, allow=[]).request("GET", "/b")

    assert answer.content == b"by proxy"
    assert proxy.requests[0].line == "GET http://prices.example/a/b HTTP/1.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "2130706433", "[::1]"])
def test_a_proxy_is_not_asked_for_an_address_that_the_guard_refuses(host: str) -> None:
    with Peer(always(reply())) as proxy, pytest.raises(Misconfigured):
        client(f"http://{host}/", proxy=proxy.url, allow=[]).request("GET", "/")

    assert proxy.connections == 0


def test_a_proxy_that_refuses_to_connect_means_not_sent() -> None:
    """Only the CONNECT went out, nothing of the request itself."""
    with Peer(always(reply(403, b""))) as proxy, pytest.raises(NotSent):
        client("https://prices.example/", proxy=proxy.url).request("POST", "/", json={})

    assert proxy.requests[0].line.startswith("CONNECT prices.example:443")


def _certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


def test_a_certificate_is_checked_and_a_private_authority_can_be_named(tmp_path: Path) -> None:
    with Peer(always(reply(200, b"safe")), tls=_certificate(tmp_path)) as peer:
        with pytest.raises(Misconfigured, match="not trusted") as caught:
            client(peer.url).request("POST", "/", json={})
        assert caught.value.field == "ca"
        assert peer.requests == []

        answer = client(peer.url, ca=str(tmp_path / "ca.pem")).request("POST", "/", json={"a": "b" * 200_000})

    assert answer.content == b"safe"
    assert len(peer.requests[0].body) == 200_008


def test_a_redirect_from_tls_to_plain_http_is_rejected(tmp_path: Path) -> None:
    context = _certificate(tmp_path)
    with (
        Peer(always(reply(301, b"", Location="http://127.0.0.1:9/")), tls=context) as peer,
        pytest.raises(Rejected, match="not encrypted"),
    ):
        client(peer.url, ca=str(tmp_path / "ca.pem")).request("GET", "/")


def test_a_file_of_authorities_that_cannot_be_read_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")

    for ca in (tmp_path / "ca.pem", tmp_path / "absent.pem"):
        with pytest.raises(Misconfigured) as caught:
            client("https://prices.example", ca=str(ca))
        assert caught.value.field == "ca"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://prices.example/",
        "prices.example",
        "http://",
        "http://user:hunter2@prices.example/",
        "http://user:hunter2@prices.example:99999/",
        "http://prices.example/a b",
        "http://prices.example\\@evil.example/",
    ],
)
def test_an_address_that_cannot_work_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        client(url)

    assert caught.value.field == "url"
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("path", ["/items/../admin", "/items/%2e%2e/admin", "..", "/a\\..\\b", "/a\r\nHost: x"])
def test_a_path_that_climbs_or_breaks_out_is_refused(path: str) -> None:
    """A code from a document that is put into a path must not choose another resource."""
    with Peer(always(reply())) as peer, pytest.raises(Misconfigured):
        client(peer.url).request("GET", path)

    assert peer.requests == []


def test_a_path_that_looks_like_a_host_stays_below_the_base() -> None:
    with Peer(always(reply())) as peer:
        client(f"{peer.url}/api").request("GET", "//evil.example/x")

    assert peer.requests[0].line.startswith("GET /api/evil.example/x ")


def test_a_header_with_a_line_end_is_refused_without_showing_it() -> None:
    with Peer(always(reply())) as peer:
        caller = client(peer.url, auth={"type": "bearer", "token": "s3cret\nX-Evil: 1"})

        with pytest.raises(Misconfigured) as caught:
            caller.request("POST", "/")

    assert "s3cret" not in caught.value.message
    assert peer.requests == []


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection"])
def test_a_header_that_would_say_where_the_message_ends_is_refused(name: str) -> None:
    with Peer(always(reply())) as peer, pytest.raises(Misconfigured, match=name):
        client(peer.url).request("POST", "/", headers={name: "0"}, content=b"x")

    assert peer.connections == 0


def test_a_body_that_json_cannot_express_is_refused() -> None:
    with pytest.raises(Misconfigured) as caught:
        client("http://127.0.0.1:9").request("POST", "/", json={"price": float("nan")})

    assert caught.value.field == "body"


def test_too_many_requests_means_not_sent_with_the_peers_wish() -> None:
    with Peer(always(reply(429, b"", Retry_After="7"))) as peer, pytest.raises(NotSent) as caught:
        client(peer.url).request("POST", "/")

    assert caught.value.retry_after == 7.0


def test_a_401_means_that_the_credentials_were_refused() -> None:
    with Peer(always(reply(401))) as peer, pytest.raises(CredentialsRefused) as caught:
        client(peer.url, auth={"type": "basic", "user": "u", "password": "p"}).request("GET", "/")

    assert caught.value.code == "401"
    assert len(peer.requests) == 1


def _answered(status: int, **headers: str) -> HttpReply:
    return HttpReply(status, CaseInsensitiveDict(headers), b"no\n such thing", "http://peer.example/a?key=secret")


@pytest.mark.parametrize("status", [200, 204, 299, 304])
def test_a_good_status_is_no_error(status: int) -> None:
    assert status_error(_answered(status)) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, OutcomeUnknown),
        (307, Rejected),
        (400, Rejected),
        (403, Rejected),
        (404, Rejected),
        (408, OutcomeUnknown),
        (409, Rejected),
        (422, Rejected),
        (429, NotSent),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (503, OutcomeUnknown),
    ],
)
def test_a_bad_status_says_what_became_of_the_effect(status: int, kind: type[Exception]) -> None:
    """Only a 429 proves that nothing happened; a 5xx proves nothing at all."""
    error = status_error(_answered(status))

    assert type(error) is kind
    assert error is not None
    assert error.code == str(status)
    assert error.next_action
    assert "secret" not in str(error)


def test_a_rejection_carries_an_excerpt_of_at_most_300_characters() -> None:
    error = status_error(HttpReply(422, {}, b"x" * 5000, "http://peer.example/"))

    assert error is not None
    assert error.details["excerpt"] == "x" * 300


def test_the_wish_of_an_unavailable_peer_is_kept_in_the_details() -> None:
    error = status_error(_answered(503, **{"Retry-After": "120"}))

    assert error is not None
    assert error.details["retry_after"] == 120.0


def test_a_wish_may_be_a_date() -> None:
    in_an_hour = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)

    wait = retry_after(_answered(503, **{"Retry-After": format_datetime(in_an_hour, usegmt=True)}))

    assert wait == pytest.approx(3600, abs=5)
    assert retry_after(_answered(503, **{"Retry-After": "soon"})) is None


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"url": "http://erp.example", "certificate": "/etc/orderly/erp.pem"}, ("certificate",)),
        ({"timeout": "0s"}, ("timeout",)),
        ({"connect_timeout": "0s"}, ("connect_timeout",)),
        ({"allow": ["erp.example", "10.0.0.0/33"]}, ("allow", 1)),
        ({"allow": ["https://erp.example"]}, ("allow", 0)),
    ],
)
def test_settings_that_cannot_work_are_found_without_reaching_anything(
    settings: dict[str, Any], place: tuple[str | int, ...]
) -> None:
    given = HttpSettings(**{"url": "https://erp.example", **settings})

    assert [problem.place for problem in doubts(given)] == [place]
    assert list(doubts(HttpSettings(url="https://erp.example", allow=["10.0.0.0/8", "erp"]))) == []
