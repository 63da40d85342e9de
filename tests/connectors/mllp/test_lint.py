"""Channels that cannot work are told by the lint, with file and pointer, before a port is opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.model.lint import lint_pack
from runtime.model.pack import Pack
from tests.workshop import flow

NEVER = {"look_up": "none: tested", "undo": "none: tested"}


def listening(name: str) -> dict[str, Any]:
    return flow(name, {"id": "end", "type": "end"}, trigger={"type": "mllp.listen", "connection": "ward"})


SENDING = flow(
    "sending",
    {"id": "send", "type": "mllp.send", "connection": "ward", "parameters": {"content": "MSH"}, **NEVER},
    trigger={"type": "call"},
)


def lint(folder: Path, settings: dict[str, Any], *flows: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Code, file and pointer of each finding."""
    files: dict[str, Any] = {
        "pack.json": {"client": "mercy", "name": "Mercy"},
        "connections/ward.json": {"type": "mllp", "settings": {"port": 2575, **settings}},
        **{f"flows/{one['flow']}/flow.json": one for one in flows},
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    findings = lint_pack(Pack.read(folder))
    return [(one.code, str(Path(one.file).relative_to(folder)), one.pointer) for one in findings]


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"tls": True}, "/settings/tls"),
        ({"certificate": "/etc/orderly/mllp.pem"}, "/settings/certificate"),
        ({"direction": "send", "authorities": "/etc/orderly/ca.pem"}, "/settings/authorities"),
        ({"direction": "send", "port": 0}, "/settings/port"),
        ({"direction": "send", "answer_within": "0s"}, "/settings/answer_within"),
        ({"allow": []}, "/settings/allow"),
        ({"charset": "UNICODE UTF-9"}, "/settings/charset"),
        ({"frame_timeout": "0s"}, "/settings/frame_timeout"),
        ({"first_within": "0s"}, "/settings/first_within"),
        ({"acknowledge": "delivered", "deliver_within": "0s"}, "/settings/deliver_within"),
    ],
)
def test_settings_that_cannot_work_are_a_finding(tmp_path: Path, settings: dict[str, Any], pointer: str) -> None:
    """Each by itself is well formed."""
    assert lint(tmp_path, settings) == [("bad-connection", "connections/ward.json", pointer)]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tls": True, "certificate": "/etc/orderly/mllp.pem", "charset": "8859/1"},
        {"tls": True, "certificate": "env:CERTIFICATE"},
        {"direction": "send", "tls": True},
    ],
)
def test_settings_that_can_work_are_none(tmp_path: Path, settings: dict[str, Any]) -> None:
    """What stands elsewhere is known only later."""
    assert lint(tmp_path, settings) == []


def test_a_flow_uses_a_connection_in_its_direction(tmp_path: Path) -> None:
    """Listening where it listens, sending where it sends."""
    assert lint(tmp_path / "a", {}, listening("feed")) == []
    assert lint(tmp_path / "b", {"direction": "send"}, SENDING) == []
    assert lint(tmp_path / "c", {"direction": "send"}, listening("feed")) == [
        ("connection-setting", "flows/feed/flow.json", "/trigger/connection")
    ]
    assert lint(tmp_path / "d", {}, SENDING) == [
        ("connection-setting", "flows/sending/flow.json", "/nodes/0/connection")
    ]


def test_two_flows_cannot_listen_on_one_connection(tmp_path: Path) -> None:
    """The second would find the port taken."""
    assert lint(tmp_path, {}, listening("feed"), listening("wards")) == [
        ("connection-taken", "flows/wards/flow.json", "/trigger/connection")
    ]
