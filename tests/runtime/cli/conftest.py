from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.cli.command import Desk, write_pack


@pytest.fixture
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="orderly-") as place:
        folder = Path(place)
        pack = write_pack(folder / "mercy", folder / "outbox")
        desk = Desk(pack, folder / "data", folder / "outbox")
        desk.data.mkdir()
        (desk.data / "packs.json").write_text(f'["{pack}"]', encoding="utf-8")
        yield desk


@pytest.fixture
def served(desk: Desk) -> Iterator[Desk]:
    """With a server on the data, so that each verb takes a tenth of a second."""
    with desk.serving():
        yield desk


@pytest.fixture(params=["alone", "served"])
def either(request: pytest.FixtureRequest, desk: Desk) -> Desk:
    """The same verbs with a server on the data, and without."""
    if request.param == "served":
        request.getfixturevalue("served")
    return desk
