"""Documents tell by themselves whether they are all there."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.sdk.closed import closed

SAMPLES = Path(__file__).parents[3] / "sample_payloads"
WHOLE = [
    path
    for path in sorted(SAMPLES.rglob("*"))
    if path.suffix in (".edi", ".x12", ".edifact") and path.read_bytes()[:3] in (b"ISA", b"UNA", b"UNB")
]
XML = b'<?xml version="1.0"?><!-- x --><!DOCTYPE a [<!ENTITY b "c">]><o:order xmlns:o="u"><line/></o:order>'


def test_samples_are_there() -> None:
    """The tests below would pass without any."""
    assert {path.read_bytes()[:3] for path in WHOLE} >= {b"ISA", b"UNA"}


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_an_interchange_is_whole_only_with_its_last_segment(path: Path) -> None:
    """Cut off anywhere before its last terminator it is not, whatever its delimiters."""
    data = path.read_bytes().rstrip()

    assert closed(data) and closed(data + b"\r\n\x1a")
    for left in (3, 50, len(data) // 2, data.rfind(data[-20:-19]), len(data) - 2):
        assert not closed(data[:left]), data[:left][-40:]


@pytest.mark.parametrize(
    "data", [XML, XML + b"\n<!-- end -->\n", b"<a/>", b'<a b="c" />\n', b"\xef\xbb\xbf<a>b</a>\r\n"]
)
def test_xml_is_whole_with_the_end_tag_of_its_root(data: bytes) -> None:
    """Comments may follow it."""
    assert closed(data)


@pytest.mark.parametrize(
    "data", [XML[:-1], XML[:-9], XML[:60], b"<a>", b"<a><a></a", b"<a><b/>", b"<order><x/></orders>"]
)
def test_xml_without_it_is_not(data: bytes) -> None:
    """Not even where an inner element was closed last."""
    assert not closed(data)


@pytest.mark.parametrize("data", [b"", b"a;b\n1;2", b"MSH|^~\\&|", b"\x00\x01"])
def test_of_other_bytes_nobody_can_tell(data: bytes) -> None:
    """They are taken as they are."""
    assert closed(data)
