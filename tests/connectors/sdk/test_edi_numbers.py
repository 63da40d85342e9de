"""Numbers that were seen: exact as a set, small as a counter."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.edi_numbers import Numbers


@given(st.lists(st.integers(0, 30).map(str) | st.sampled_from(["", "01", "001", "A1", "²", "9" * 30]), max_size=60))
def test_what_was_seen_is_told_as_a_set_would(numbers: list[str]) -> None:
    seen, known = Numbers(), set[str]()

    for one in numbers:
        assert seen.add(one) is (one not in known)
        known.add(one)


def test_numbers_that_count_up_take_no_memory() -> None:
    seen = Numbers()
    tracemalloc.start()

    assert all(seen.add(str(number)) for number in range(1, 100_000))

    assert tracemalloc.get_traced_memory()[0] < 100_000
    tracemalloc.stop()
    assert not any(seen.add(str(number)) for number in range(1, 100_000, 997))
