"""OpenSSH's sshd on a free loopback port, with keys and configuration of its own."""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
import threading
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

SSHD = Path("/usr/sbin/sshd")

PrivateKey = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def armour(key: PrivateKey, passphrase: str = "", format: PrivateFormat = PrivateFormat.OpenSSH) -> str:
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, format, encryption).decode()


def line(key: PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@dataclass
class Sshd:
    port: int
    user: str
    host_key: str
    process: subprocess.Popen[str]
    authorized: Path
    log: StringIO

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def start(folder: Path, host_key: PrivateKey, *lines: str, authorized: str = "") -> Sshd:
    """``lines`` are further ones of sshd_config. Skips the test where there is no sshd."""
    if not SSHD.exists():
        pytest.skip("no /usr/sbin/sshd: apt-get install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "host_key").touch(mode=0o600)
    (folder / "host_key").write_text(armour(host_key))
    (folder / "authorized_keys").write_text(authorized + "\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = [
        *lines,
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host_key'}",
        "PidFile none",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        "StrictModes no",
        "UsePAM no",
        "PermitRootLogin yes",
        "PasswordAuthentication yes",
        "Subsystem sftp internal-sftp",
    ]
    (folder / "sshd_config").write_text("\n".join(config) + "\n")
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.PIPE, text=True)
    log = StringIO()
    _until_listening(process, log)
    return Sshd(port, getpass.getuser(), line(host_key), process, folder / "authorized_keys", log)


def _until_listening(process: subprocess.Popen[str], log: StringIO) -> None:
    assert process.stderr is not None
    for told in process.stderr:
        log.write(told)
        if re.search(r"Server listening", told):
            break
    else:
        raise AssertionError(f"sshd did not start:\n{log.getvalue()}")
    rest = process.stderr

    def drain() -> None:
        with rest:
            for told in rest:
                log.write(told)

    threading.Thread(target=drain, daemon=True).start()
