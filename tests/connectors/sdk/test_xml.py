"""What the guarded parser takes and what it refuses."""

import pytest

from connectors.sdk.xml import XmlRefused, parse

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [
  <!ENTITY a "ha">
  <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
  <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
]>
<lolz at="&c;">&c;</lolz>"""


def test_a_plain_document_is_parsed_without_its_comments() -> None:
    """Readers never stumble over comments and processing instructions between elements."""
    root = parse(b"<?xml version='1.0'?><!-- a --><order><!-- b --><?c d?><line/></order>")

    assert [child.tag for child in root] == ["line"]


@pytest.mark.parametrize(
    "document",
    [
        LAUGHS,
        LAUGHS.decode().replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"),
        b'<!DOCTYPE order SYSTEM "file:///etc/passwd"><order/>',
        b'<!DOCTYPE order [<!ENTITY x SYSTEM "file:///etc/passwd">]><order>&x;</order>',
        b"\xef\xbb\xbf<!-- late --> <!DOCTYPE order><order/>",
    ],
    ids=["laughs", "laughs in UTF-16", "external subset", "external entity", "bare"],
)
def test_a_document_type_declaration_is_refused_in_every_disguise(document: bytes) -> None:
    """Entities are where XML attacks live, so the declaration that could hold them is refused unread."""
    with pytest.raises(XmlRefused, match="document type declaration"):
        parse(document)


def test_what_is_not_well_formed_is_refused_with_its_place() -> None:
    """A person can find the spot."""
    with pytest.raises(XmlRefused) as refused:
        parse(b"<order>\n  <line></order>", what="order.xml")

    assert refused.value.message.startswith("order.xml is not well-formed")
    assert refused.value.line == 2


@pytest.mark.parametrize("document", [b"", b"   ", b"hello", b"<a>&undefined;</a>", b"\x00\x01", b"<a/><b/>"])
def test_what_is_no_document_is_refused(document: bytes) -> None:
    """Nothing but ``XmlRefused`` comes out, whatever goes in."""
    with pytest.raises(XmlRefused):
        parse(document)


def test_more_bytes_than_the_limit_are_refused_unparsed() -> None:
    """The size is bounded before any work is done."""
    with pytest.raises(XmlRefused, match="7 bytes, more than the 6 accepted"):
        parse(b"<order>", limit=6)


def test_depth_is_bounded() -> None:
    """Nesting cannot exhaust the stack of whoever walks the tree."""
    with pytest.raises(XmlRefused):
        parse(b"<a>" * 5000 + b"</a>" * 5000)
