"""TLS on both sides, over real sockets, with certificates made for the test."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from connectors.hl7.codec import answer, read
from connectors.mllp.connector import ListenForMessages, ListenParameters, connector
from connectors.mllp.framing import frame
from connectors.mllp.settings import MllpSettings
from connectors.mllp.tls import Tls
from connectors.mllp.transport import Sender, send
from connectors.sdk import CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown
from tests.connectors.mllp.certificates import Authority
from tests.connectors.mllp.peers import Door, listening, message
from tests.harness import MemoryContext


@pytest.fixture
def hospital(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "hospital")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "stranger")


def client(authorities: str, certificate: str | None = None) -> ssl.SSLContext:
    return Tls(MllpSettings(port=1, tls=True, authorities=authorities, certificate=certificate), "client").context()


def code(reply: bytes) -> str:
    return answer(read(reply)).code


def test_messages_go_through_tls(hospital: Authority) -> None:
    """Large and small, several on one connection, pipelined."""
    door = Door()
    large = message("C2", rest="ZZZ|" + "x" * 300_000 + "\r")

    with (
        listening(door, tls=True, certificate=hospital.certificate("orderly")) as (host, port),
        Sender(host, port, tls=client(hospital.path)) as sender,
    ):
        codes = [code(sender.exchange(one)) for one in (message("C1"), large)]
        sender.write(frame(message("C3")) + frame(message("C4")))
        codes += [code(sender.receive()) for _ in range(2)]

    assert codes == ["AA"] * 4
    assert [arrival.headers["control_id"] for arrival in door.arrivals] == ["C1", "C2", "C3", "C4"]
    assert door.arrivals[1].raw == large


def test_a_message_over_the_limit_is_answered_through_tls_too(hospital: Authority) -> None:
    """AR, then closed."""
    large = message("LARGE", rest="ZZZ|" + "x" * 200_000 + "\r")

    with (
        listening(Door(), tls=True, certificate=hospital.certificate("o"), max_message_bytes=10_000) as (
            host,
            port,
        ),
        Sender(host, port, tls=client(hospital.path)) as sender,
    ):
        assert code(sender.exchange(large)) == "AR"


def test_a_sender_does_not_talk_to_a_listener_it_does_not_trust(hospital: Authority, stranger: Authority) -> None:
    """Nothing is sent."""
    door = Door()

    with (
        listening(door, tls=True, certificate=stranger.certificate("orderly")) as (host, port),
        pytest.raises(CredentialsRefused) as refused,
    ):
        send(host, port, message(), tls=client(hospital.path))

    assert refused.value.next_action
    assert door.arrivals == []


def test_a_listener_with_authorities_hears_only_whom_they_vouch_for(
    hospital: Authority, stranger: Authority
) -> None:
    """Mutual TLS: no certificate, a stranger's, and one of the hospital's."""
    door = Door()
    ours = hospital.certificate("orderly")

    with listening(door, tls=True, certificate=ours, authorities=hospital.path) as (host, port):
        for wrong in (None, stranger.certificate("somebody")):
            with pytest.raises((CredentialsRefused, OutcomeUnknown)):
                send(host, port, message(), tls=client(hospital.path, wrong))
        accepted = send(host, port, message(), tls=client(hospital.path, hospital.certificate("ward")))

    assert code(accepted) == "AA"
    assert len(door.arrivals) == 1


def shown(host: str, port: int) -> bytes:
    """The certificate that the listener shows to a new connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), 30) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert(binary_form=True) or b""


def test_a_renewed_certificate_is_shown_to_the_next_connection(hospital: Authority) -> None:
    """Without a restart; connections that stand go on, and a broken file does not stop the listener."""
    path = hospital.certificate("orderly")

    with (
        listening(Door(), tls=True, certificate=path) as (host, port),
        Sender(host, port, tls=client(hospital.path)) as standing,
    ):
        before = shown(host, port)
        hospital.certificate("renewed", Path(path).name)
        renewed = shown(host, port)
        Path(path).write_text("no certificate")
        broken = shown(host, port)
        assert code(standing.exchange(message())) == "AA"

    assert before != renewed
    assert broken == renewed


def test_a_peer_that_speaks_no_tls_is_hung_up_on_and_others_are_served(hospital: Authority) -> None:
    """Junk instead of a handshake."""
    with listening(Door(), tls=True, certificate=hospital.certificate("orderly")) as (host, port):
        with pytest.raises((OutcomeUnknown, OSError)):
            send(host, port, message())
        assert code(send(host, port, message(), tls=client(hospital.path))) == "AA"


def test_a_peer_that_never_ends_its_handshake_is_hung_up_on(hospital: Authority) -> None:
    """After the time a message may take."""
    ours = hospital.certificate("orderly")

    with (
        listening(Door(), tls=True, certificate=ours, frame_timeout="200ms") as (host, port),
        socket.create_connection((host, port), 30) as silent,
    ):
        assert silent.recv(1) == b""


def hanging_up(server: socket.socket, context: ssl.SSLContext | None) -> threading.Thread:
    """Takes one connection and closes it: after the handshake by ``context``, or as soon as its peer begins one."""

    def serve() -> None:
        connected, _ = server.accept()
        with connected:
            if context is None:
                connected.recv(65536)
            else:
                with context.wrap_socket(connected, server_side=True) as wrapped:
                    wrapped.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_hang_up_during_the_handshake_is_not_sent_and_says_what_to_ask() -> None:
    """Not a byte of the message had gone."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = hanging_up(server, None)
        with pytest.raises(NotSent, match="during the TLS handshake, nothing was sent") as raised:
            send("127.0.0.1", server.getsockname()[1], message(), tls=ssl.create_default_context())
        thread.join()

    assert "speaks TLS" in raised.value.next_action
    assert "client certificate" in raised.value.next_action


def test_a_hang_up_just_after_the_handshake_asks_for_certificates_and_stays_unknown(hospital: Authority) -> None:
    """TLS 1.3 refuses a client only then; or it had read the message and died."""
    context = Tls(MllpSettings(port=1, tls=True, certificate=hospital.certificate("lab")), "server").context()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = hanging_up(server, context)
        with pytest.raises(OutcomeUnknown, match="just after the TLS handshake") as raised:
            send("127.0.0.1", server.getsockname()[1], message(), tls=client(hospital.path))
        thread.join()

    assert "wants a client certificate" in raised.value.next_action


def test_a_certificate_refused_after_the_handshake_is_credentials_refused(
    hospital: Authority, stranger: Authority
) -> None:
    """The alert of TLS 1.3 says that the peer has read nothing."""
    ours = MllpSettings(port=1, tls=True, certificate=hospital.certificate("lab"), authorities=hospital.path)

    def refuse() -> None:
        connected, _ = server.accept()
        context = Tls(ours, "server").context()
        with context.wrap_socket(connected, server_side=True, do_handshake_on_connect=False) as wrapped:
            with suppress(ssl.SSLError):
                wrapped.do_handshake()
            while socket.socket.recv(wrapped, 65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(CredentialsRefused, match="UNKNOWN_CA"):
            send(
                "127.0.0.1", server.getsockname()[1], message(), 30,
                client(hospital.path, stranger.certificate("somebody")),
            )  # fmt: skip
        thread.join()


def _listen(settings: MllpSettings) -> object:
    return ListenForMessages().listen(ListenParameters(), MemoryContext(settings), Door())


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda path: MllpSettings(port=0, tls=True), "certificate"),
        (lambda path: MllpSettings(port=0, tls=True, certificate=f"{path}/none.pem"), "certificate"),
        (lambda path: MllpSettings(port=0, tls=True, authorities=f"{path}/none.pem"), "authorities"),
    ],
)
def test_files_that_cannot_be_used_are_misconfigured_and_check_says_so(
    make: Callable[[Path], MllpSettings], field: str, tmp_path: Path
) -> None:
    """Before anything listens."""
    assert connector.check is not None
    settings = make(tmp_path)

    with pytest.raises(Misconfigured) as refused:
        _listen(settings)

    assert refused.value.field == field
    assert refused.value.next_action
    assert not connector.check(MemoryContext(settings)).ok
