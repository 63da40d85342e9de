"""One JSON document that is written piece by piece, so that it may be longer than memory."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from types import TracebackType
from typing import Any, Literal, Self

_IN_MEMORY = 1024 * 1024
_CLOSING = {"{": "}", "[": "]"}


class Spool:
    """Printed only when it is complete, so that what goes wrong on the way leaves no half of it; a large one waits
    on disk. ``for_eyes`` is indented and not limited to ASCII.
    """

    def __init__(self, *, for_eyes: bool = False) -> None:
        spooled = tempfile.SpooledTemporaryFile
        self._file = spooled(_IN_MEMORY, mode="w+", encoding="utf-8", newline="")
        self._for_eyes = for_eyes
        self._open: list[str] = []
        self._is_first = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def begin(self, bracket: Literal["{", "["], key: str | None = None) -> None:
        """An object or a list; ``key`` where it stands in an object."""
        self._lead(key)
        self._file.write(bracket)
        self._open.append(bracket)
        self._is_first = True

    def put(self, value: Any, key: str | None = None) -> None:
        """A value that is in memory."""
        self._lead(key)
        text = json.dumps(value, indent=2 if self._for_eyes else None, ensure_ascii=not self._for_eyes)
        self._file.write(text.replace("\n", self._line()) if self._for_eyes else text)

    def end(self) -> None:
        """Of what was begun last."""
        bracket = self._open.pop()
        if self._for_eyes and not self._is_first:
            self._file.write(self._line())
        self._file.write(_CLOSING[bracket])
        self._is_first = False

    def print(self) -> None:
        """On standard output, what is still open closed."""
        while self._open:
            self.end()
        self._file.write("\n")
        self._file.seek(0)
        shutil.copyfileobj(self._file, sys.stdout)

    def _lead(self, key: str | None) -> None:
        if not self._is_first:
            self._file.write("," if self._for_eyes else ", ")
        if self._for_eyes and self._open:
            self._file.write(self._line())
        if key is not None:
            self._file.write(f"{json.dumps(key)}: ")
        self._is_first = False

    def _line(self) -> str:
        return "\n" + "  " * len(self._open)
