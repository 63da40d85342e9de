"""Values of a named view have places, whatever the standard."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sdk.drafting import value_at

FIELDS = {"number": "1", "items": [{"code": "a"}, {"code": "b"}], "texts": ["x", "y"], "one": {"code": "c"}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("number",), "1"), (("missing",), None), (("texts", 1), "y"), (("texts", 2), None),
        (("items", 1, "code"), "b"), (("items", 0, "missing"), None), (("items", 5, "code"), None),
        (("one", 0, "code"), "c"), (("one", 1, "code"), None), (("texts", 0, "code"), None),
        (("missing", 0, "code"), None),
    ],
)  # fmt: skip
def test_a_value_is_found_by_its_place_or_is_not_there(path: tuple[str | int, ...], value: Any) -> None:
    """A list of one may be given as its only item."""
    assert value_at(FIELDS, path) == value
