"""Our codes become the partner's and theirs become ours again; nothing else changes."""

from __future__ import annotations

import pytest

from connectors.sdk.partner import Characters, Terms
from connectors.sdk.translation import Translation

TERMS = Terms(units={"BX": "CT", "EA": "PCE"}, characters=Characters(outside="replace", replace={"€": "EUR"}))


def translation(codes: dict[str, dict[str, str]], terms: Terms = TERMS) -> Translation:
    """355 is the element of units, 93 one that people read."""
    return Translation.of(terms, codes, "355", frozenset({"93"}))


@pytest.mark.parametrize(
    ("element", "ours", "theirs"), [("355", "BX", "CT"), ("146", "01", "02"), ("146", "09", "09")]
)
def test_what_goes_out_comes_back_as_it_was(element: str, ours: str, theirs: str) -> None:
    between = translation({"146": {"01": "02"}})
    outward, inward = between.outward(str.isascii), between.inward()
    assert outward is not None and inward is not None

    assert outward(element, ours) == theirs
    assert inward(element, theirs) == ours


def test_a_table_for_the_element_of_units_goes_before_the_terms() -> None:
    outward = translation({"355": {"BX": "BOX"}}).outward(str.isascii)
    assert outward is not None

    assert (outward("355", "BX"), outward("355", "EA")) == ("BOX", "EA")


def test_only_what_people_read_loses_characters_that_cannot_be_sent() -> None:
    """An identifier that cannot be sent is a fault, and must still be there to be found."""
    outward = translation({}).outward(str.isascii)
    assert outward is not None

    assert outward("93", "Müller, 5 €") == "Muller, 5 EUR"
    assert outward("67", "Müller") == "Müller"


def test_where_both_say_the_same_nothing_has_to_be_looked_at() -> None:
    between = translation({"146": {}}, Terms())

    assert between.outward(str.isascii) is None
    assert between.inward() is None
