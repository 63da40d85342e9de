"""Who we talk to, and who we say we are: nothing is sent to a server that is not the pinned one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import PrivateFormat
from pydantic import ValidationError

from connectors.sdk import CredentialsRefused, Misconfigured, NotSent
from connectors.sftp.connector import connector
from connectors.sftp.keys import public_key
from connectors.sftp.settings import SftpSettings
from connectors.sftp.transport import sign_in
from connectors.simulators.sftp_endpoint import SftpEndpoint, new_key
from tests.connectors.file.contract import Place
from tests.connectors.sftp import sshd
from tests.connectors.sftp.conftest import PASSWORD, SettingsOf
from tests.harness import MemoryContext


def test_another_host_key_is_refused_naming_both_fingerprints(endpoint: SftpEndpoint, settings: SettingsOf) -> None:
    """The connection is paused for a person; the password was not given away."""
    pinned = new_key()

    with pytest.raises(CredentialsRefused) as refused:
        sign_in(settings(host_key=f"ssh-ed25519 {pinned.get_base64()}"))

    assert pinned.fingerprint in refused.value.message
    assert endpoint.key.fingerprint in refused.value.message
    assert refused.value.details == {"pinned": pinned.fingerprint, "shown": endpoint.key.fingerprint}


@pytest.mark.sshd
def test_a_host_key_of_another_kind_is_refused_naming_both_fingerprints(openssh: sshd.Sshd, real: Place) -> None:
    """A server that lost its pinned kind of key still gets as far as showing the one it has."""
    pinned = sshd.line(ec.generate_private_key(ec.SECP256R1()))
    settings = real.settings.model_copy(update={"host_key": pinned})

    with pytest.raises(CredentialsRefused) as refused:
        sign_in(settings)

    assert public_key(pinned).fingerprint in refused.value.message
    assert public_key(openssh.host_key).fingerprint in refused.value.message


@pytest.mark.sshd
@pytest.mark.parametrize(
    "make", [lambda: rsa.generate_private_key(65537, 3072), lambda: ec.generate_private_key(ec.SECP384R1())]
)
def test_rsa_and_ecdsa_host_keys_can_be_pinned(
    tmp_path: Path, client_key: Ed25519PrivateKey, make: Callable[[], sshd.PrivateKey]
) -> None:
    """RSA with SHA-2 signatures only."""
    host_key = make()
    server = sshd.start(tmp_path, host_key, authorized=sshd.line(client_key))
    try:
        session = sign_in(_settings(server, sshd.armour(client_key)))
        names = {entry.name for entry in session.entries("etc")}
        session.close()
    finally:
        server.stop()

    assert "passwd" in names


def test_a_wrong_password_is_refused(settings: SettingsOf) -> None:
    """``CredentialsRefused``, and the password is nowhere in it."""
    with pytest.raises(CredentialsRefused) as refused:
        sign_in(settings(password="wr0ng-one"))

    assert "refused to sign us in" in refused.value.message
    assert "wr0ng-one" not in f"{refused.value.message} {refused.value.details} {refused.value.next_action}"


@pytest.mark.sshd
def test_sshd_refuses_a_wrong_password_and_an_unknown_key(openssh: sshd.Sshd, real: Place) -> None:
    """The same outcome with a real server."""
    unknown = sshd.armour(Ed25519PrivateKey.generate())

    with pytest.raises(CredentialsRefused):
        sign_in(_settings(openssh, None, password="wrong"))
    with pytest.raises(CredentialsRefused):
        sign_in(_settings(openssh, unknown))


@pytest.mark.sshd
@pytest.mark.parametrize(
    ("key", "passphrase", "format"),
    [
        (Ed25519PrivateKey.generate(), "open sesame", PrivateFormat.OpenSSH),
        (Ed25519PrivateKey.generate(), "", PrivateFormat.PKCS8),
        (ec.generate_private_key(ec.SECP256R1()), "", PrivateFormat.TraditionalOpenSSL),
        (rsa.generate_private_key(65537, 2048), "open sesame", PrivateFormat.TraditionalOpenSSL),
        (rsa.generate_private_key(65537, 2048), "open sesame", PrivateFormat.PKCS8),
    ],
)
def test_private_keys_of_every_usual_kind_and_armour_sign_in(
    openssh: sshd.Sshd, key: sshd.PrivateKey, passphrase: str, format: PrivateFormat
) -> None:
    """OpenSSH, PKCS#1 / SEC1 and PKCS#8, with and without passphrase."""
    before = openssh.authorized.read_text()
    openssh.authorized.write_text(before + sshd.line(key) + "\n")

    session = sign_in(_settings(openssh, sshd.armour(key, passphrase, format), passphrase=passphrase or None))

    assert session.alive
    session.close()
    openssh.authorized.write_text(before)


def test_a_wrong_passphrase_is_misconfigured_and_shows_nothing_of_the_key(settings: SettingsOf) -> None:
    """Found before anything is sent."""
    pem = sshd.armour(Ed25519PrivateKey.generate(), "right")

    with pytest.raises(Misconfigured) as wrong:
        sign_in(settings(key=pem, passphrase="wr0ng-one"))

    assert "wr0ng-one" not in str(wrong.value)
    assert wrong.value.field == "key"


def test_a_port_where_nothing_listens_is_not_sent() -> None:
    """Safe to retry, with the address and what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(NotSent, match=f"127.0.0.1:{port}") as refused:
        sign_in(_anywhere(port))

    assert "firewall" in refused.value.next_action


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_server_that_says_nothing_is_given_up_in_time(mute: socket.socket) -> None:
    """``connect_timeout`` ends the wait for the handshake."""
    with pytest.raises(NotSent, match="handshake"):
        sign_in(_anywhere(mute.getsockname()[1], connect_timeout="300ms"))


def test_a_server_that_only_says_hello_is_given_up_in_time(mute: socket.socket) -> None:
    """A banner is not a handshake."""

    def greet() -> None:
        peer, _ = mute.accept()
        with peer:
            peer.sendall(b"SSH-2.0-Slow\r\n")
            while peer.recv(4096):
                pass

    greeting = threading.Thread(target=greet)
    greeting.start()
    with pytest.raises(NotSent, match="handshake"):
        sign_in(_anywhere(mute.getsockname()[1], connect_timeout="300ms"))
    greeting.join(10)

    assert not greeting.is_alive()


@pytest.mark.sshd
def test_a_server_with_weak_algorithms_only_is_refused(tmp_path: Path) -> None:
    """No CBC, no SHA-1 MACs: the error says what the server's owner should enable."""
    weak = sshd.start(tmp_path, Ed25519PrivateKey.generate(), "Ciphers aes256-cbc", "MACs hmac-sha1")
    try:
        with pytest.raises(Misconfigured, match="no cipher") as refused:
            sign_in(_settings(weak, None, password="x"))
    finally:
        weak.stop()

    assert "AES-GCM" in refused.value.next_action


@pytest.mark.sshd
def test_a_waiver_lets_one_old_server_in_and_every_sign_in_is_logged(
    tmp_path: Path, client_key: Ed25519PrivateKey
) -> None:
    """The reason stands beside the algorithms; ``check`` tells them too."""
    weak = sshd.start(
        tmp_path,
        Ed25519PrivateKey.generate(),
        "Ciphers aes256-cbc",
        "MACs hmac-sha1",
        authorized=sshd.line(client_key),
    )
    reason = "their server is replaced in March"
    waiver = {"algorithms": ["aes256-cbc", "hmac-sha1"], "reason": reason}
    context = MemoryContext(_settings(weak, sshd.armour(client_key), waiver=waiver, root=str(tmp_path)))
    assert connector.check is not None

    with structlog.testing.capture_logs() as logged:
        told = connector.check(context)
    context.close()
    weak.stop()

    assert told.ok and told.message.endswith("weak and waived: aes256-cbc, hmac-sha1")
    [entry] = [entry for entry in logged if entry["event"] == "sftp_weak_algorithms"]
    assert (entry["log_level"], entry["algorithms"], entry["waived_because"]) == (
        "warning",
        "aes256-cbc, hmac-sha1",
        reason,
    )


@pytest.mark.sshd
def test_a_waiver_that_a_server_does_not_need_is_not_used(real: Place) -> None:
    """Weak algorithms are offered last."""
    waiver = {"algorithms": ["3des-cbc", "hmac-md5"], "reason": "nobody remembers why"}
    settings = SftpSettings.model_validate({**real.settings.model_dump(), "waiver": waiver})
    session = sign_in(settings)
    session.close()

    assert session.weak == ()


def test_a_waiver_needs_a_reason(settings: SettingsOf) -> None:
    """Whoever finds it later has to know what it waits for."""
    with pytest.raises(ValidationError, match="reason"):
        settings(waiver={"algorithms": ["aes256-cbc"], "reason": ""})


@pytest.mark.parametrize("password", [PASSWORD, "wr0ng-one"])
def test_a_password_is_also_given_to_a_server_that_asks_for_it(
    endpoint: SftpEndpoint, settings: SettingsOf, password: str
) -> None:
    """keyboard-interactive (RFC 4256), as sshd has it with PAM. A wrong one is refused credentials, not a failure."""
    endpoint.wrong.asks_interactively = True

    if password == PASSWORD:
        sign_in(settings()).close()
    else:
        with pytest.raises(CredentialsRefused, match="user, password or key is wrong"):
            sign_in(settings(password=password))


def test_settings_without_anything_to_sign_in_with_are_refused(settings: SettingsOf) -> None:
    """Nothing to sign in with is told before the first connection."""
    with pytest.raises(ValidationError, match="give password, key or both"):
        settings(password=None)


@pytest.mark.parametrize("host_key", ["", "ssh-ed25519", "ssh-ed25519 AAAA", "SHA256:abc", "ssh-foo AAAA"])
def test_a_host_key_that_is_none_is_refused_saying_how_to_get_one(settings: SettingsOf, host_key: str) -> None:
    """And the password beside it is not in the message."""
    with pytest.raises(ValidationError, match="ssh-keyscan") as refused:
        settings(host_key=host_key)

    assert PASSWORD not in str(refused.value)


def test_check_tells_that_all_is_well(simulated: Place) -> None:
    """Reachable, host key, signed in, root listable."""
    assert connector.check is not None

    told = connector.check(simulated.context)

    assert told.ok
    assert "SHA256:" in told.message
    assert "2 names" in told.message


@pytest.mark.sshd
def test_check_counts_names_but_not_the_folder_itself(real: Place) -> None:
    """sshd lists ``.`` and ``..``, which are no names of files."""
    assert connector.check is not None

    assert "2 names" in connector.check(real.context).message


def test_check_tells_what_is_wrong(settings: SettingsOf) -> None:
    """One ``Check`` for each way it can fail, never an exception."""
    assert connector.check is not None
    other = f"ssh-ed25519 {new_key().get_base64()}"
    wrong = [{"host_key": other}, {"password": "wrong"}, {"root": "/nowhere"}, {"port": 1}]

    told = [connector.check(MemoryContext(settings(**change))) for change in wrong]

    assert [one.ok for one in told] == [False] * 4
    assert "another host key" in told[0].message
    assert "refused" in told[1].message
    assert "/nowhere cannot be listed" in told[2].message
    assert "no connection" in told[3].message
    assert all(one.next_action for one in told)


@pytest.mark.sshd
def test_signing_in_and_off_leaves_no_thread(real: Place) -> None:
    """Sessions end with their connection."""
    before = threading.active_count()

    for _ in range(10):
        sign_in(real.settings).close()  # type: ignore[arg-type]

    assert threading.active_count() <= before


def _settings(server: sshd.Sshd, key: str | None, **more: object) -> SftpSettings:
    return SftpSettings.model_validate(
        {
            "host": "127.0.0.1",
            "port": server.port,
            "user": server.user,
            "key": key,
            "host_key": server.host_key,
            **more,
        }
    )


def _anywhere(port: int, **more: object) -> SftpSettings:
    key = f"ssh-ed25519 {new_key().get_base64()}"
    return SftpSettings.model_validate(
        {"host": "127.0.0.1", "port": port, "user": "u", "password": "p", "host_key": key, **more}
    )
