"""What must come back after a node: an event with a key, and by when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from connectors.sdk import Misconfigured, seconds
from runtime.engine.scope import Frame
from runtime.engine.walk import Walk
from runtime.mapping import MISSING
from runtime.model.flow import Expect, OperationNode, PublishNode
from runtime.model.run import ExpectationRow


def expectations(walk: Walk, node: OperationNode | PublishNode, frame: Frame) -> tuple[ExpectationRow, ...]:
    """Raises ``Misconfigured`` for a ``within`` that is no duration, or an evaluation error."""

    def value(template: Any) -> Any:
        made = walk.scope.value(template, frame, node.id)
        return None if made is MISSING else made

    def within(expect: Expect) -> float | None:
        """In seconds; ``None`` where the expression gives nothing."""
        if isinstance(expect.within, timedelta):
            return expect.within.total_seconds()
        given = value(expect.within)
        if given in (None, ""):
            return None
        try:
            return seconds(str(given))
        except ValueError as error:
            raise Misconfigured(f"expect.within {expect.within}: {error}", field="expect") from None

    rows = []
    for expect in node.expect:
        length, moves = within(expect), value(expect.moves) is True
        if length is not None or moves:
            rows.append(
                ExpectationRow(
                    node.id, frame.iteration, str(value(expect.event)), str(value(expect.key)), length or 0.0,
                    state="moved" if length is None else "open", moves=moves,
                    earlier=expect.earlier.total_seconds() if expect.earlier else 0.0,
                )
            )  # fmt: skip
    return tuple(rows)
