"""SFTP keeps the contract of collecting and delivering, with the simulator's server and with OpenSSH's."""

from __future__ import annotations

import pytest

from tests.connectors.file.contract import FilesContract, Place


class TestSimulator(FilesContract):
    """The whole contract against the server of the supplier simulator."""

    @pytest.fixture
    def place(self, simulated: Place) -> Place:
        return simulated


@pytest.mark.sshd
class TestOpenSsh(FilesContract):
    """The whole contract against a real sshd."""

    @pytest.fixture
    def place(self, real: Place) -> Place:
        return real
