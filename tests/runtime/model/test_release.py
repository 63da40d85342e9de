"""The hash of a document, and what has none."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.model.release import NotCanonical, digest


def nested(levels: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(levels):
        made = [made]
    return made


def test_the_order_of_members_does_not_count() -> None:
    assert digest({"a": 1, "b": [True, None]}) == digest({"b": [True, None], "a": 1})


@pytest.mark.parametrize(
    ("document", "pointer", "why"),
    [
        ({"lines": [{"ok": 1}, {"n/x": 2**60}]}, "/lines/1/n~1x", "beyond 2^53"),
        ({"a": float("nan")}, "/a", "not finite"),
        ([float("inf")], "/0", "not finite"),
        ({"a": {"\ud800": 1}}, "/a", "key"),
        ({"a": "x\ud800"}, "/a", "surrogate"),
        ({1: 2}, "", "key"),
        ({"a": object()}, "/a", "object"),
        (nested(50_000), "", "deeply"),
    ],
)
def test_what_has_no_canonical_form_is_named_by_its_place_and_not_by_its_value(
    document: Any, pointer: str, why: str
) -> None:
    """One error of ours, for whoever stands at a door: rfc8785 raises several."""
    with pytest.raises(NotCanonical) as refused:
        digest(document)

    assert (refused.value.field, refused.value.kind) == (pointer, "invalid_document")
    assert why in refused.value.message
    assert str(2**60) not in refused.value.message
    refused.value.message.encode()
