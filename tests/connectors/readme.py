"""The examples of a README, so that tests can run them."""

from __future__ import annotations

import re
from pathlib import Path

import connectors

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples(connector: str) -> list[tuple[str, str]]:
    """Language and text of every block, in order, of the part that people write."""
    page = (Path(connectors.__file__).parent / connector / "README.md").read_text()
    return _BLOCK.findall(page.partition("<!-- reference -->")[0])
