"""The guard lets the client reach public addresses, and others only by name."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from connectors.sdk import Misconfigured
from connectors.sdk.http_guard import Guard
from tests.connectors.sdk.http_peer import Peer, always, client, reply


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_of_the_house_are_refused(address: str) -> None:
    """Also where an IPv6 address merely wraps one."""
    assert not Guard([]).lets_through("peer.example", address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_let_through(address: str) -> None:
    assert Guard([]).lets_through("peer.example", address)


def test_a_network_in_allow_lets_its_addresses_through_and_no_others() -> None:
    guard = Guard(["10.20.0.0/16", "fd00::/8"])

    assert guard.lets_through("erp", "10.20.3.4")
    assert guard.lets_through("erp", "::ffff:10.20.3.4")
    assert guard.lets_through("erp", "fd00::7")
    assert not guard.lets_through("erp", "10.21.0.1")


def test_a_host_in_allow_is_let_through_wherever_it_is() -> None:
    guard = Guard(["ERP.hospital.internal"])

    assert guard.lets_through("erp.hospital.internal", "10.0.0.5")
    assert not guard.lets_through("other.hospital.internal", "10.0.0.5")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f000001"])
def test_nobody_is_called_behind_a_refused_address_however_it_is_written(host: str) -> None:
    with Peer(always(reply())) as peer, pytest.raises(Misconfigured) as caught:
        client(f"http://{host}:{peer.port}", allow=[]).request("GET", "/")

    assert peer.connections == 0
    assert caught.value.field == "allow"
    assert "allow" in caught.value.next_action


def test_only_the_permitted_addresses_of_a_name_are_tried() -> None:
    """``localhost`` may have an IPv6 address too, which this connection does not allow."""
    with Peer(always(reply(200, b"ok"))) as peer:
        assert client(f"http://localhost:{peer.port}").request("GET", "/").content == b"ok"


def test_a_whole_url_is_guarded_like_the_base() -> None:
    with Peer(always(reply())) as peer, pytest.raises(Misconfigured):
        client("https://prices.example", allow=[]).request("GET", f"{peer.url}/x")

    assert peer.connections == 0


def test_a_name_that_changes_its_address_is_called_where_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is let through, each later one is inside. There is no later one: the address
    that was checked is the one that is called."""
    asked: list[str] = []

    def rebinding(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with Peer(always(reply(200, b"ok"))) as peer:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        caller = client(f"http://rebinds.example:{peer.port}", allow=["127.0.0.1/32"])

        assert caller.request("GET", "/").content == b"ok"
        assert asked == ["rebinds.example"]
        caller.close()
        with pytest.raises(Misconfigured, match=r"127\.0\.0\.2"):
            caller.request("GET", "/")

    assert peer.connections == 1
