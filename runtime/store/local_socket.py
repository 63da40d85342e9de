"""The Unix socket in a data folder, wherever that folder lies."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Bytes of a path that every kernel takes; ``sun_path`` has 108 on Linux, 104 on others (unix(7)).
_LONGEST = 100


@contextmanager
def address(path: Path) -> Iterator[str]:
    """The name by which to bind or reach the socket at ``path``, as long as this lasts: its own, or one over
    a short link to its folder where its own is too long for the kernel. Raises ``OSError``."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="orderly-") as short:
        link = Path(short) / "data"
        link.symlink_to(path.parent.absolute(), target_is_directory=True)
        yield str(link / path.name)
