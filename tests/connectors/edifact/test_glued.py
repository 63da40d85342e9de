"""A file of several interchanges whose first ones are cut off: each stays an interchange of its own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.edifact.codec import Document, faults, gathered, read, stream, write
from connectors.edifact.lossless import text_of
from tests.connectors.edifact.samples import HEAD, ORDER, TAIL, enclosed, many_orders, message

FIRST = (HEAD + ORDER.replace("Mercy", "M?'ercy") + TAIL).encode()
PLAIN = (HEAD + ORDER.replace("?, ", " ") + TAIL).replace("REF1", "REF2").encode()
SECONDS = {
    "without UNA": PLAIN,
    "with UNA": b"UNA:+.? '" + PLAIN,
    "with other signs": b"UNA|*,! ~" + PLAIN.translate(bytes.maketrans(b":+'", b"|*~")),
}


def portions(raw: bytes, size: int) -> list[bytes]:
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def references(document: Document) -> list[str]:
    return [text_of(one["header"], 5) for one in document["interchanges"]]


@pytest.mark.parametrize("second", SECONDS.values(), ids=SECONDS)
@pytest.mark.parametrize("between", [b"", b"\r\n"])
def test_wherever_the_first_is_cut_off_the_second_is_found_and_whole(second: bytes, between: bytes) -> None:
    """Cut at every byte behind its UNB; what is lost is told of the first and of nothing else."""
    alone = read(second)["interchanges"][0]

    for cut in range(len(HEAD), len(FIRST)):
        raw = FIRST[:cut] + between + second
        document = read(raw)

        assert references(document) == ["REF1", "REF2"], raw[:cut]
        one = document["interchanges"][1]
        assert (one["una"], one["groups"]) == (alone["una"], alone["groups"])
        assert write(document) == raw
        lost = FIRST[cut:] != b"'"  # only the last terminator: nothing is
        assert {found.place.interchange for found in faults(document)} == ({"REF1"} if lost else set())


@pytest.mark.parametrize("size", [1, 7, 300])
@pytest.mark.parametrize("second", SECONDS.values(), ids=SECONDS)
def test_a_cut_is_found_wherever_portions_end(size: int, second: bytes) -> None:
    raw = FIRST[:-61] + PLAIN[:-40] + second

    assert gathered(stream(portions(raw, size))) == read(raw)
    assert references(read(raw)) == ["REF1", "REF2", "REF2"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
    st.sampled_from([b"", b"\n", b"\r\n"]),
    st.integers(1, 70_000),
    st.integers(1, 300),
)
def test_long_interchanges_that_are_cut_off_are_as_many_as_were_sent(
    cuts: list[float], glue: bytes, size: int, many: int
) -> None:
    whole = many_orders(many).replace(b"'", b"'" + glue)
    raw = b"".join(whole[: len(HEAD) + int(share * (len(whole) - len(HEAD)))] for share in cuts) + whole

    document = read(raw)

    assert len(document["interchanges"]) == len(cuts) + 1
    assert write(document) == raw
    assert gathered(stream(portions(raw, size))) == document


def test_a_cut_off_interchange_is_told_with_its_number_the_byte_and_what_to_do() -> None:
    cut = FIRST.index(b"QTY+21") + 5

    found = {one.code: one for one in faults(read(FIRST[:cut] + PLAIN))}

    assert found["interchange_trailer_missing"].message == (
        f"interchange REF1 has no UNZ: it breaks off at byte {cut}, or its end was lost; "
        "ask the sender to send it again, whole"
    )
    assert found["segment_unterminated"].segment_id == "QTY"


def test_a_first_file_of_other_signs_may_be_followed_by_more_than_a_segment_may_hold() -> None:
    """The terminator of the first never comes again."""
    second = SECONDS["with other signs"] + SECONDS["with other signs"] * 200

    document = read(FIRST[:-9] + second)

    assert len(document["interchanges"]) == 202
    assert write(document) == FIRST[:-9] + second


@pytest.mark.parametrize(
    "data",
    [
        "FTX+AAI+++UNB and UNA?:?+.'",
        "FTX+AAI+++UNB?+UNOC?:3?+A?+B?+261124?:0930?+1?''",
        "FTX+AAI+++UNB*UNOC|3*A*B*261124|0930*1~'",
        "FTX+AAI+++UNA|*.! ~UNB*UNOC|3*A*B*261124|0930*1~'",
        "FTX+UNB+UNOC:3+A+B+noon'",
        "FTX+UNB+UNOC+A+B+261124:0930+1'",
    ],
)
def test_data_that_holds_the_letters_of_a_header_stays_data(data: str) -> None:
    raw = enclosed(message(f"BGM+220+PO-1+9'{data}UNS+S'"))

    for document in (read(raw), gathered(stream(portions(raw, 1)))):
        [one] = document["interchanges"]
        assert [segment["id"] for segment in one["groups"][0]["messages"][0]["segments"]] == [
            *("UNH", "BGM", "FTX", "UNS", "UNT")
        ]
        assert write(document) == raw


def test_the_bytes_of_a_file_are_those_of_its_interchanges_and_what_stands_between() -> None:
    """``ends_at`` is where an interchange ends, also when it is cut off."""
    raw = FIRST[:300] + PLAIN + b"\n" + SECONDS["with UNA"]

    ends = [one["ends_at"] for one in read(raw)["interchanges"]]

    assert ends == [300, 300 + len(PLAIN), len(raw)]
