"""The control functions of the server that has the data; where none runs, the same functions on the spot."""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runtime.api.problem import ProblemError, problem
from runtime.cli import served
from runtime.store.local_socket import address

if TYPE_CHECKING:
    from runtime.services import Settings

#: Longer than the longest wait that a function may be asked for beside its own time-out.
_PATIENCE = 60.0


class Desk(Protocol):
    """``served`` tells whether a server goes on with what is set in motion."""

    served: bool

    def call(self, function: str, /, **arguments: Any) -> Any:
        """The JSON result. Raises ``ProblemError``, or what ``problem_of`` makes one of."""


class Without(Enum):
    """What becomes of a verb where there is no data folder yet."""

    REFUSED = "there is nothing to look at or to put right"
    MADE = "something is to be kept: the folder is made"
    BORROWED = "the pack is all it needs: a folder is lent for the time being"


class Remote:
    """Over the Unix socket."""

    served = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def answers(self) -> bool:
        """Whether a server listens; a socket that a killed server left behind does not."""
        try:
            _connected(self._path, 5.0).close()
        except OSError:
            return False
        return True

    def call(self, function: str, /, **arguments: Any) -> Any:
        wire = _Wire(self._path, _PATIENCE + float(arguments.get("timeout", 0)))
        try:
            wire.request(
                "POST", f"/control/{function}", json.dumps(arguments), {"Content-Type": "application/json"}
            )
            answer = wire.getresponse()
            body = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _cut_off(function, error) from error
        finally:
            wire.close()
        if answer.status != 200:
            raise ProblemError(body)
        return body


def _cut_off(name: str, error: Exception) -> Exception:
    return ProblemError(
        problem(
            503, "The server did not answer", f"{name}: {error or type(error).__name__}", "server_gone",
            next_action="look whether `orderly serve` still runs, and at what it says; then look before you repeat",
        )
    )  # fmt: skip


class _Wire(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._patience = timeout

    def connect(self) -> None:
        self.sock = _connected(self._path, self._patience)


def _connected(path: Path, timeout: float) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(timeout)
    try:
        with address(path) as name:
            made.connect(name)
    except OSError:
        made.close()
        raise
    return made


def is_served(data: Path) -> bool:
    """Whether a server runs on these data."""
    return Remote(data / "orderly.sock").answers()


class _OnTheSpot:
    served = False

    def __init__(self, control: Any) -> None:
        self._control = control

    def call(self, function: str, /, **arguments: Any) -> Any:
        return getattr(self._control, function)(**arguments)


@contextmanager
def desk(
    data: Path, packs: tuple[Path, ...], *, peers: bool = False, without: Without = Without.REFUSED
) -> Iterator[Desk]:
    """``peers``: simulators of the pack are started too, where no server runs. Raises ``Unavailable`` where a
    process holds the data and does not answer, ``NotFound`` for a data folder that must be there and is not,
    ``UsageError`` where nothing says which pack is meant."""
    remote = Remote(data / "orderly.sock")
    if remote.answers():
        yield remote
        return
    import click

    from runtime.api.control import Control
    from runtime.observe.logs import set_up
    from runtime.services import Services

    debug = click.get_current_context().find_root().params.get("debug", False)
    set_up("info" if debug else "critical", pretty=True)
    with ExitStack() as lent:
        services = Services(_settings(data, packs, peers, without, lent))
        try:
            yield _OnTheSpot(Control(services))
        finally:
            services.stop()


def _settings(data: Path, packs: tuple[Path, ...], peers: bool, without: Without, lent: ExitStack) -> Settings:
    from runtime.services import Settings
    from runtime.store.store import NotFound

    settings = Settings(data=data, simulators=peers)
    missing = not data.is_dir() and not settings.store
    if missing and without is Without.REFUSED:
        raise NotFound(f"there is no data folder {data}: say --data (ORDERLY_DATA), or start with `orderly serve`")
    chosen = served.chosen(data, packs)
    if missing and without is Without.BORROWED:
        data = Path(lent.enter_context(tempfile.TemporaryDirectory(prefix="orderly-")))
    return replace(settings, data=data, packs=chosen)
