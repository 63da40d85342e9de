"""Mutual TLS against a real nginx: who has the right certificate is let in, and it is shown to nobody else."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sdk import CredentialsRefused, Misconfigured
from tests.connectors.sdk.http_peer import client
from tests.connectors.sdk.nginx import Authority, nginx


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority.make(tmp_path)
    made.issue("server")
    return made


@pytest.fixture
def server(authority: Authority) -> Iterator[str]:
    with nginx(authority.folder) as url:
        yield url


def test_our_certificate_lets_us_in(server: str, authority: Authority) -> None:
    ours = authority.issue("orderly")

    answer = client(server, ca=str(authority.folder / "ca.pem"), certificate=str(ours)).request("GET", "/")

    assert json.loads(answer.content) == {"who": "CN=orderly"}


@pytest.mark.parametrize("shown", ["none", "of another authority"])
def test_without_a_certificate_that_the_peer_trusts_the_credentials_are_refused(
    server: str, authority: Authority, shown: str
) -> None:
    """nginx answers 400 and HTML, which as it stands would look like a bad order."""
    stranger = Authority.make(authority.folder, "other-ca").issue("stranger")
    certificate = None if shown == "none" else str(stranger)

    with pytest.raises(CredentialsRefused, match="does not accept our certificate") as refused:
        client(server, ca=str(authority.folder / "ca.pem"), certificate=certificate).request("POST", "/", json={})

    assert "resume" in refused.value.next_action


def test_a_renewed_certificate_is_taken_up_by_the_next_connection(server: str, authority: Authority) -> None:
    ours = authority.issue("orderly")
    first = client(server, ca=str(authority.folder / "ca.pem"), certificate=str(ours))
    first.request("GET", "/")
    renewed = authority.issue("renewed")
    ours.write_bytes(renewed.read_bytes())

    answer = client(server, ca=str(authority.folder / "ca.pem"), certificate=str(ours)).request("GET", "/")

    assert json.loads(answer.content) == {"who": "CN=renewed"}


def test_another_origin_is_not_shown_our_certificate(authority: Authority, tmp_path: Path) -> None:
    """A redirect there would tell a stranger who calls, and on whose behalf."""
    other = tmp_path / "other"
    other.mkdir()
    for name in ("ca.pem", "server.pem"):
        (other / name).write_bytes((authority.folder / name).read_bytes())
    ours = authority.issue("orderly")

    with nginx(other) as there, nginx(authority.folder, elsewhere=f"{there}/") as url:
        caller = client(url, ca=str(authority.folder / "ca.pem"), certificate=str(ours))
        with pytest.raises(CredentialsRefused, match=there):
            caller.request("GET", "/elsewhere")


def test_an_alert_about_our_certificate_means_that_it_was_refused(authority: Authority) -> None:
    """In TLS 1.3 it comes after our first bytes, and yet the peer took nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "server.pem")
    context.load_verify_locations(authority.folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listening = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        """Tells the alert, and closes only after the client did, so that the alert is not lost."""
        line, _ = listening.accept()
        taken, told = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(taken, told, server_side=True)
        with line:
            while data := line.recv(65536):
                taken.write(data)
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    line.sendall(told.read())
                except ssl.SSLError:
                    line.sendall(told.read())

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    caller = client(url, ca=str(authority.folder / "ca.pem"))

    with pytest.raises(CredentialsRefused, match="CERTIFICATE_REQUIRED"):
        caller.request("POST", "/", json={})

    caller.close()
    thread.join(30)
    listening.close()


def test_a_certificate_that_cannot_be_used_is_refused_at_once(authority: Authority, tmp_path: Path) -> None:
    """Also one whose key needs a passphrase: nobody sits at the terminal to type it."""
    locked = authority.issue("locked", passphrase=b"hospital")

    for path in (locked, tmp_path / "absent.pem", authority.folder / "ca.pem"):
        with pytest.raises(Misconfigured) as caught:
            client("https://erp.example", certificate=str(path))
        assert caught.value.field == "certificate"
