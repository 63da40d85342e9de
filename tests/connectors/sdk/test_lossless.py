"""JSON that is no lossless view is refused by the standard's own error, which says where and what to give instead."""

from __future__ import annotations

import pytest

from connectors.sdk.edi_errors import Unreadable
from connectors.sdk.lossless import LosslessView


class OwnError(Unreadable):
    """Of a standard."""


VIEW = LosslessView("own", OwnError)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"hello", "json_invalid"), (b"\xff", "json_invalid"), (b"[" * 100_000, "json_invalid"),
        (b"[]", "no_interchanges"), (b"{}", "no_interchanges"), (b'{"interchanges": []}', "no_interchanges"),
    ],
)  # fmt: skip
def test_what_holds_no_interchanges_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(OwnError) as refused:
        VIEW.parsed(raw)

    assert refused.value.code == code
    assert "`orderly own read --json`" in refused.value.next_action


def test_the_place_of_what_is_wrong_is_told_as_a_pointer() -> None:
    holder = {"elements": "x", "id": 1}

    for look, pointer in (
        (lambda: VIEW.list_at(holder, "elements", "/header"), "/header/elements"),
        (lambda: VIEW.text_at(holder, "id", "/header"), "/header/id"),
        (lambda: VIEW.object_at([], "/header"), "/header"),
    ):
        with pytest.raises(OwnError, match=f"{pointer}: ") as refused:
            look()
        assert refused.value.details == {"pointer": pointer}


def test_what_is_absent_is_empty() -> None:
    assert (VIEW.list_at({}, "elements", ""), VIEW.text_at({}, "id", "")) == ([], "")
