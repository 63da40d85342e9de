"""A file of several interchanges whose first ones are cut off: each stays an interchange of its own."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.x12.codec import Document, X12Error, check, faults, read, stream, write
from connectors.x12.events import document_of
from connectors.x12.lossless import text_of
from tests.connectors.x12.made import interchange

LINES = "BEG*00*NE*PO-1**20261120~PO1*1*5*EA*7.20**VC*VISA~"
FIRST = interchange(f"850|{LINES}", f"850|{LINES}")
SECOND = interchange(f"850|{LINES}").replace(b"000000007", b"000000008")
ITS_OWN = str.maketrans("*~>", "|'<")
HEADER = 106


def portions(raw: bytes, size: int) -> list[bytes]:
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def numbers(document: Document) -> list[str]:
    return [text_of(one["header"], 13) for one in document["interchanges"]]


@pytest.mark.parametrize(
    "second", [SECOND, SECOND.decode().translate(ITS_OWN).encode()], ids=["same", "other signs"]
)
@pytest.mark.parametrize("between", [b"", b"\r\n"])
def test_wherever_the_first_is_cut_off_the_second_is_found_and_whole(second: bytes, between: bytes) -> None:
    """Cut at every byte behind its ISA; what is lost is told of the first and of nothing else."""
    alone = read(second)["interchanges"][0]["groups"]

    for cut in range(HEADER, len(FIRST)):
        raw = FIRST[:cut] + between + second
        document = read(raw)

        assert numbers(document) == ["000000007", "000000008"], raw[HEADER:cut]
        assert document["interchanges"][1]["groups"] == alone
        assert write(document) == raw
        assert {one.place.interchange for one in faults(document)} == {"000000007"}


@pytest.mark.parametrize("size", [1, 7, 300])
def test_a_cut_is_found_wherever_portions_end(size: int) -> None:
    raw = FIRST[:-61] + SECOND[:-40] + SECOND

    assert document_of(stream(portions(raw, size))) == read(raw)
    assert numbers(read(raw)) == ["000000007", "000000008", "000000008"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
    st.sampled_from([b"", b"\n", b"\r\n"]),
    st.integers(1, 70_000),
    st.integers(1, 600),
)
def test_long_interchanges_that_are_cut_off_are_as_many_as_were_sent(
    cuts: list[float], glue: bytes, size: int, many: int
) -> None:
    """Most of it is split a stretch at a time, and only the places of the cuts are looked at by themselves."""
    whole = interchange(*[f"850|{LINES}"] * many).replace(b"~", b"~" + glue)
    raw = b"".join(whole[: HEADER + int(share * (len(whole) - HEADER))] for share in cuts) + whole

    document = read(raw)

    assert len(document["interchanges"]) == len(cuts) + 1
    assert write(document) == raw
    assert document_of(stream(portions(raw, size))) == document


def test_a_cut_off_interchange_is_told_with_its_number_the_byte_and_what_to_do() -> None:
    cut = FIRST.index(b"PO1*1*5*EA") + 8

    found = {one.code: one for one in faults(read(FIRST[:cut] + SECOND))}

    missing = found["interchange_trailer_missing"]
    assert missing.message == (
        f"interchange 000000007 has no IEA: it breaks off at byte {cut}, or its end was lost; "
        "ask the sender to send it again, whole"
    )
    assert found["last_segment_unterminated"].message.startswith("segment PO1, where")
    assert found.keys() == {
        "interchange_trailer_missing",
        "group_trailer_missing",
        "set_trailer_missing",
        "last_segment_unterminated",
    }


def test_a_lost_last_terminator_is_a_warning_and_the_interchange_counts() -> None:
    for between in (b"", b"\n", b" \r\n"):
        raw = FIRST[:-1] + between + SECOND

        first, second = [one for one in check(stream(raw)) if hasattr(one, "groups")]

        assert (first.is_good, second.is_good) == (True, True)
        assert [one.code for one in first.faults] == ["last_segment_unterminated"]
        assert write(read(raw)) == raw


@pytest.mark.parametrize(
    "data",
    [
        "MSG*ISA*00*visa ISA|00|",
        "N1*ST*VISA*92*LISA*ISA*ISA",
        "MSG*as in ISA|00|          |00|          |ZZ|A              |ZZ|B              |261120|0930|U|00401|1|0|T|>'",
        "REF*ISA*00*          *00*          *ZZ*A*ZZ*B*261120*0930*U*00401*000000001*0*X*>",
        "REF*ISA*00*          *00*          *ZZ*A*ZZ*B*261120*0930*U*00401*000000001*0*T",
    ],
)
def test_data_that_holds_the_letters_of_a_header_stays_data(data: str) -> None:
    """A quoted header, one with other indicators, and one that is too short."""
    raw = interchange(f"850|BEG*00*NE*PO-1**20261120~{data}~PO1*1*5*EA~")

    for document in (read(raw), document_of(stream(portions(raw, 1)))):
        [one] = document["interchanges"]
        assert [segment["id"] for segment in one["groups"][0]["sets"][0]["segments"]] == [
            *("ST", "BEG", data[:3].rstrip("*"), "PO1", "SE")
        ]
        assert write(document) == raw


def test_the_bytes_of_a_file_are_those_of_its_interchanges_and_what_stands_between() -> None:
    """``ends_at`` is where an interchange ends, also when it is cut off."""
    raw = FIRST[:300] + SECOND + b"\n" + SECOND

    document = read(raw)
    ends = [one["ends_at"] for one in document["interchanges"]]

    assert ends == [300, 300 + len(SECOND) + 1, len(raw)]
    assert all(raw[before : before + 3] == b"ISA" for before, _ in pairwise(ends))


def test_a_segment_past_the_limit_is_no_place_to_look_for_a_header() -> None:
    raw = FIRST[:HEADER] + b"GS*" + b"x" * 70_000 + SECOND

    with pytest.raises(X12Error, match="more than 65536 bytes"):
        read(raw)
