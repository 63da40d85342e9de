"""XML from outside, parsed with everything off that makes XML dangerous.

A document type declaration is refused before libxml2 reads a single entity of it: no external subset, no
entity expansion, no network, and libxml2's own bounds on depth (256) and on the length of one text stay on.
"""

from __future__ import annotations

from lxml import etree

MEGABYTE = 1024 * 1024
LIMIT = 16 * MEGABYTE


class XmlRefused(Exception):
    """The bytes are not XML we accept. What that means for the run depends on where they came from, so the
    caller turns it into an error of ``connectors.sdk.errors``; ``line`` and ``column`` count from 1, 0 is
    unknown."""

    def __init__(self, message: str, *, line: int = 0, column: int = 0, next_action: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.next_action = next_action


def parse(data: bytes, *, what: str = "the document", limit: int = LIMIT) -> etree._Element:
    """The root element, without comments and processing instructions. ``what`` names the document in errors.

    Raises ``XmlRefused`` for more than ``limit`` bytes, a document type declaration, or bytes that are not
    well-formed (XML 1.0, section 2.1).
    """
    if len(data) > limit:
        raise XmlRefused(
            f"{what} has {len(data)} bytes, more than the {limit} accepted",
            next_action="ask the sender for smaller documents, or raise the connection's size limit",
        )
    try:
        _refuse_doctype(data, what)
        return etree.fromstring(data, _parser(remove_comments=True, remove_pis=True))
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise XmlRefused(
            f"{what} is not well-formed XML: {error.msg}",
            line=line or 0,
            column=column or 0,
            next_action="look at the bytes: it may be an HTML error page, a cut-off answer or a wrong encoding",
        ) from error


class _RootReached(Exception):
    pass


class _Prolog:
    """Parser target that stops at the root element, so that only the prolog is read."""

    def __init__(self, what: str) -> None:
        self._what = what

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise XmlRefused(
            f"{self._what} carries a document type declaration (<!DOCTYPE {name}>), which may hold entities",
            next_action="ask the sender for the same document without <!DOCTYPE …>",
        )

    def start(self, tag: str, attributes: object, namespaces: object = None) -> None:
        raise _RootReached

    def close(self) -> None:
        return None


def _refuse_doctype(data: bytes, what: str) -> None:
    try:
        etree.fromstring(data, _parser(target=_Prolog(what)))
    except _RootReached:
        return


def _parser(**options: object) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        **options,  # type: ignore[arg-type]
    )
