"""The two servers of these tests: the shipped simulator's and OpenSSH's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.sftp.connector import Collect, Deliver
from connectors.sftp.settings import SftpSettings
from connectors.simulators.sftp_endpoint import SftpEndpoint
from tests.connectors.file.contract import Place
from tests.connectors.sftp import sshd

PASSWORD = "s3cret-of-the-test"


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[SftpEndpoint]:
    """The simulator's server, not yet opened by a test; ``port`` is its bound port."""
    root = tmp_path / "endpoint"
    (root / "in").mkdir(parents=True)
    (root / "out").mkdir()
    made = SftpEndpoint(root, "orderly", PASSWORD, lambda path: None)
    made.open()
    yield made
    made.close()


SettingsOf = Callable[..., SftpSettings]


@pytest.fixture
def settings(endpoint: SftpEndpoint) -> SettingsOf:
    """Settings that sign in to ``endpoint``, with changes."""

    def make(**changes: object) -> SftpSettings:
        right = {
            "host": "127.0.0.1",
            "port": endpoint.port,
            "user": "orderly",
            "password": PASSWORD,
            "host_key": endpoint.host_key,
        }
        return SftpSettings.model_validate(right | changes)

    return make


@pytest.fixture
def simulated(endpoint: SftpEndpoint, settings: SettingsOf) -> Iterator[Place]:
    place = Place(settings(), endpoint.root, Collect(), Deliver())
    yield place
    place.close()


@pytest.fixture(scope="module")
def client_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def openssh(tmp_path_factory: pytest.TempPathFactory, client_key: Ed25519PrivateKey) -> Iterator[sshd.Sshd]:
    """One sshd for a module's tests; each test has its own root folder."""
    folder = tmp_path_factory.mktemp("sshd")
    server = sshd.start(folder, Ed25519PrivateKey.generate(), authorized=sshd.line(client_key))
    yield server
    server.stop()


@pytest.fixture
def real(openssh: sshd.Sshd, client_key: Ed25519PrivateKey, tmp_path: Path) -> Iterator[Place]:
    root = tmp_path / "sshd"
    (root / "in").mkdir(parents=True)
    (root / "out").mkdir()
    settings = SftpSettings.model_validate(
        {
            "host": "127.0.0.1",
            "port": openssh.port,
            "user": openssh.user,
            "key": sshd.armour(client_key),
            "host_key": openssh.host_key,
            "root": str(root),
        }
    )
    place = Place(settings, root, Collect(), Deliver())
    yield place
    place.close()
