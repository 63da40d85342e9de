"""A connector that is somebody else's and full of mistakes, installed for one test as real ones are: by entry point."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.sdk import connector

#: Stands in the message of every mistake; it must be seen nowhere.
CANARY = "Zebrowskaya^Quintessa"

_SOURCE = f'''
from connectors.sdk import Call, Connector, Content, Listen, Parameters, Read, Settings

class Given(Parameters):
    content: Content = ""

class BrittleRead(Read[Given]):
    """Read badly."""
    name = "read"
    Parameters = Given
    def run(self, parameters, context):
        raise ValueError("{CANARY} has no number")

class BrittleCall(Call[Given]):
    """Call badly."""
    name = "call"
    Parameters = Given
    def run(self, parameters, context):
        try:
            raise KeyError("{CANARY}")
        except KeyError as error:
            raise ValueError("{CANARY} has no number") from error

class Listening:
    address = "127.0.0.1:1"
    def close(self):
        raise RuntimeError("{CANARY}")

class BrittleListen(Listen[Parameters]):
    """Listen badly, the first time."""
    name = "listen"
    Parameters = Parameters
    tries = []
    def listen(self, parameters, context, accept):
        self.tries.append(1)
        if len(self.tries) == 1:
            raise RuntimeError("{CANARY}")
        return Listening()

connector = Connector(name="brittle", title="Brittle", operations=(BrittleRead, BrittleCall, BrittleListen))
'''


@contextmanager
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    files = {
        "orderly_brittle.py": _SOURCE,
        "brittle-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: brittle\nVersion: 1.0\n",
        "brittle-1.0.dist-info/entry_points.txt": f"[{connector.CONNECTORS}]\nbrittle = orderly_brittle:connector\n",
    }
    for name, content in files.items():
        path = folder / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder / "site")
        _forget()
        yield
    _forget()


def _forget() -> None:
    connector._entries.cache_clear()
    connector.load.cache_clear()
