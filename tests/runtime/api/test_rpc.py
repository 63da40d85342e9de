"""The control API over its Unix socket: public functions only, and every refusal is a problem document."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from runtime.api.control import Control
from runtime.api.problem import ProblemError
from runtime.api.rpc import control_app
from runtime.cli.remote import Remote, desk
from runtime.services import Services, Settings
from tests.runtime.cli.command import write_pack


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    pack = write_pack(tmp_path / "mercy", tmp_path / "outbox")
    made = Services(Settings(data=tmp_path / "data", packs=(pack,), port=0, threads=2, web_threads=4))
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def caller(services: Services) -> FlaskClient:
    return control_app(Control(services)).test_client()


def _call(caller: FlaskClient, name: str, body: Any) -> tuple[int, Any]:
    raw = body if isinstance(body, str) else json.dumps(body)
    answer = caller.post(f"/control/{name}", data=raw)
    return answer.status_code, json.loads(answer.data)


def test_a_function_answers_what_it_answers_on_the_spot(caller: FlaskClient, services: Services) -> None:
    status, told = _call(caller, "flows", {})

    assert (status, told) == (200, Control(services).flows())
    assert [flow["flow"] for flow in told["flows"]] == ["decide", "deliver", "hand_on", "pause", "refuse"]


@pytest.mark.parametrize("name", ["_client", "__init__", "nosuch", "_services"])
def test_what_is_not_public_is_not_there(caller: FlaskClient, name: str) -> None:
    status, problem = _call(caller, name, {})

    assert (status, problem["kind"]) == (404, "unknown_function")


@pytest.mark.parametrize("body", ["{", "[]", '{"a": NaN}', '{"nosuch": 1}', "7"])
def test_arguments_that_do_not_fit_are_refused(caller: FlaskClient, body: str) -> None:
    status, problem = _call(caller, "runs_list", body)

    assert (status, problem["kind"]) == (400, "bad_arguments")


def test_errors_carry_their_status_kind_and_what_to_do_next(caller: FlaskClient) -> None:
    status, problem = _call(caller, "runs_show", {"run": "nosuch"})
    assert (status, problem["kind"], problem["type"]) == (404, "not_found", "urn:orderly:problem:not_found")

    status, problem = _call(caller, "connections_test", {"name": "nosuch"})
    assert (status, problem["kind"]) == (422, "misconfigured")
    assert problem["next_action"]


def test_the_control_functions_are_not_served_over_http(services: Services) -> None:
    """Only the Unix socket has them: the web application knows no such address."""
    from runtime.console.app import create_app

    answer = create_app(services).test_client().post("/control/flows", data="{}")

    assert answer.status_code in (401, 404)


def test_a_socket_that_a_killed_server_left_is_no_server(tmp_path: Path) -> None:
    assert not Remote(tmp_path / "orderly.sock").answers()
    (tmp_path / "orderly.sock").touch()
    assert not Remote(tmp_path / "orderly.sock").answers()


def test_a_server_that_hangs_up_is_told_as_a_problem(services: Services, tmp_path: Path) -> None:
    """The answer is lost, so the person is told to look before repeating."""
    import socket

    path = tmp_path / "s.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def hang_up() -> None:
        accepted, _ = listener.accept()
        accepted.recv(65_536)
        accepted.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(ProblemError) as raised:
        Remote(path).call("flows")
    thread.join(10)
    listener.close()

    assert raised.value.problem["kind"] == "server_gone"
    assert "look" in raised.value.problem["next_action"]


def test_with_a_server_the_same_call_goes_through_the_socket(services: Services, tmp_path: Path) -> None:
    services.listen_locally(control_app(Control(services)))

    with desk(tmp_path / "data", ()) as door:
        told = door.call("flows")

    assert door.served
    assert told == Control(services).flows()
