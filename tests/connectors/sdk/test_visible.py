"""What strangers write moves no cursor."""

from __future__ import annotations

import unicodedata

from connectors.sdk.visible import visible


def test_control_characters_are_shown_and_everything_else_stays() -> None:
    assert visible("a\tb\n\x1b[31mrot\x07\r\x7f\x9b0m é € 💊") == "a\tb\n␛[31mrot␇␍␡\\x9b0m é € 💊"


def test_no_control_character_but_tab_and_line_feed_is_left() -> None:
    left = {one for one in visible("".join(map(chr, range(0x300)))) if unicodedata.category(one) == "Cc"}

    assert left == {"\t", "\n"}
