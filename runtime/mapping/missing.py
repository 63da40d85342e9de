"""JSONata's undefined, which is not JSON's null."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal


class Missing(Enum):
    """A class of one value, so that ``is MISSING`` narrows types."""

    MISSING = "undefined"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING
