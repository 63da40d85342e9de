"""One small hospital for all pages of the console; every test brings its own messages and users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from runtime.console.app import create_app
from tests.runtime.console.house import House, open_house
from tests.runtime.console.program import Program


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture(scope="session")
def app(house: House) -> Flask:
    return create_app(house.services)


@pytest.fixture
def omar(app: Flask) -> Program:
    return Program.signed_in(app, "omar.said")


@pytest.fixture
def anna(app: Flask) -> Program:
    return Program.signed_in(app, "anna.berg")
