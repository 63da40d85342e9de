"""Versions of the standard as data, under ``sets/<version>/``: what a version derives from and what differs in it
(see ``connectors.sdk.tables``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from connectors.sdk.tables import Data, Tables, folders

SETS = Path(__file__).with_name("sets")


@cache
def _tables() -> Tables:
    return Tables(folders("x12", SETS), "[0-9]*.json", inherits=True)


@cache
def version_names() -> list[str]:
    """Versions that have a folder, oldest first."""
    return _tables().versions()


@cache
def set_names(version: str) -> list[str]:
    """Types of the sets that are declared for a version, or for one that it derives from."""
    return _tables().documents(version)


def derives_from(version: str) -> str | None:
    """The version that this one says only the differences to."""
    return _tables().derives_from(version)


def load(version: str, name: str) -> Data:
    """A whole ``elements``, ``segments`` or set of a version. Not to be changed."""
    return _tables().load(version, name)
