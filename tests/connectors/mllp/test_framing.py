"""Frames come out whole and in order, however the bytes come in."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mllp.framing import Deframer, Event, Frame, Junk, Oversize, frame


def events(*chunks: bytes, limit: int = 1000) -> list[Event]:
    deframer = Deframer(limit)
    return [event for chunk in chunks for event in deframer.feed(chunk)]


def test_a_message_is_framed_by_vt_and_fs_cr() -> None:
    """The three bytes of the protocol."""
    assert frame(b"MSH|") == b"\x0bMSH|\x1c\r"


def test_two_messages_in_one_packet_come_in_order() -> None:
    """Pipelining."""
    assert events(frame(b"one") + frame(b"two")) == [Frame(b"one"), Frame(b"two")]


def test_a_message_comes_out_whole_from_single_bytes() -> None:
    """As slow links deliver it."""
    assert events(*(bytes([byte]) for byte in frame(b"one") + frame(b"two"))) == [Frame(b"one"), Frame(b"two")]


def test_a_missing_final_cr_and_blanks_before_the_start_are_tolerated() -> None:
    """Silently: CR, LF and NUL say nothing."""
    assert events(b"\r\n\x00\x0bone\x1c\x0btwo\x1c\r\n") == [Frame(b"one"), Frame(b"two")]


def test_other_bytes_between_messages_are_told_and_passed_over() -> None:
    """The message behind them is not lost."""
    assert events(b"hello\r\x0bone\x1c\rxy") == [Junk(5), Frame(b"one"), Junk(2)]


def test_a_message_broken_off_by_the_next_is_passed_over() -> None:
    """It was not acknowledged, so its sender has it still."""
    assert events(b"\x0bMSH|half\x0bMSH|whole\x1c\r") == [Junk(9), Frame(b"MSH|whole")]


def test_a_vertical_tab_in_a_text_does_not_begin_a_message() -> None:
    """Against the protocol, but it happens."""
    assert events(b"\x0bMSH|a\x0bb\x1c\r") == [Frame(b"MSH|a\x0bb")]


def test_half_a_message_is_none() -> None:
    """The connection knows that it is in the middle of one."""
    deframer = Deframer(100)

    assert list(deframer.feed(b"\x0bMSH")) == []
    assert deframer.inside


def test_a_message_over_the_limit_is_told_once_and_is_the_last() -> None:
    """Whether or not its end has come; the limit itself is allowed."""
    assert events(frame(b"x" * 10), limit=10) == [Frame(b"x" * 10)]
    assert events(frame(b"x" * 11) + frame(b"next"), limit=10) == [Oversize(b"x" * 11 + b"\x1c\r" + frame(b"next"))]
    assert events(b"\x0b" + b"x" * 9, b"xx", b"more\x1c\r", limit=10) == [Oversize(b"x" * 11)]


_content = st.binary(max_size=30).filter(lambda content: not set(content) & {0x0B, 0x1C})


@given(st.lists(_content, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=10))
@settings(max_examples=200, deadline=None)
def test_any_messages_survive_any_cutting(contents: list[bytes], sizes: list[int]) -> None:
    """Packets have nothing to do with messages."""
    stream, at = b"".join(map(frame, contents)), 0
    chunks: list[bytes] = []
    while at < len(stream):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(stream[at : at + size])
        at += size

    assert events(*chunks) == [Frame(content) for content in contents]


@given(st.lists(st.binary(max_size=50), max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_bytes_end_in_events(chunks: list[bytes]) -> None:
    """Never an error, never more than came in."""
    found = events(*chunks, limit=60)

    kept = sum(len(event.content) for event in found if isinstance(event, Frame))
    assert kept <= sum(map(len, chunks))
