"""pydifact reads the same segments, wherever its segment-level service is sound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydifact.exceptions import EDISyntaxError
from pydifact.parser import Parser

from connectors.edifact.codec import Segment, events_of, read
from connectors.edifact.events import (
    GroupBegins,
    GroupEnds,
    InterchangeBegins,
    InterchangeEnds,
    LooseSegment,
    MessageRead,
)
from tests.connectors.edifact.samples import corpus

#: Where it does not agree, and why. The table is exact: a file that agrees must not stand in it.
BOM = "it takes a byte order mark for a part of the first tag"
TAG = "it refuses tags of other than three letters"
REPETITION = "it does not know the repetitions of syntax version 4"
TRAILING = "it drops an empty component at the end of an element"
UNTERMINATED = "it refuses a last segment without terminator"
DIFFERS = {
    "EDI.Net__indice.Edi.Tests_Samples_Apperak_edi_out_issue235.edi": "it fails on UNB without a syntax identifier",
    "EDI.Net__indice.Edi.Tests_Samples_edifact.01.multi-message.edi": BOM,
    "EDI.Net__indice.Edi.Tests_Samples_edifact.AutoEndSegmentGroups.edi": BOM,
    "EDI.Net__indice.Edi.Tests_Samples_edifact.D01B.IFCSUM.NewLines.EDI": "it needs UNA for other terminators",
    "EDI.Net__indice.Edi.Tests_Samples_edifact.Issue149.SegmentGroups.edi": BOM,
    "EDI.Net__indice.Edi.Tests_Samples_edifact.Issue188.edi": BOM,
    "pydifact__data_patient1.edi": TRAILING,
    "pydifact__data_patient2.edi": TRAILING,
    "pydifact__data_patient3.edi": UNTERMINATED,
    "smooks-edi-cartridge__edisax_unedifact_with_ung_unedifact-msg-04.edi": TAG,
    "smooks-edi-cartridge__edisax_unedifact_with_ung_unedifact-msg-05.edi": TAG,
    "smooks-edi-cartridge__test_resources_data_BAD_ORDERS_D.03B_Interchange.txt": REPETITION,
    "smooks-edi-cartridge__test_resources_data_ORDERS_D.03B_Interchange.txt": REPETITION,
    "staedi__test_resources_EDIFACT_issue128_wrapped_invoic_d97b.edi": "it takes the end of a line for data",
}


def ours(raw: bytes) -> list[tuple[str, Any]]:
    return [(one["id"], one["elements"]) for one in _segments(raw)]


def _segments(raw: bytes) -> Iterator[Segment]:
    for event in events_of(read(raw)):
        match event:
            case InterchangeBegins(interchange):
                if interchange["header"] is not None:
                    yield interchange["header"]
            case MessageRead(message):
                yield from message["segments"]
            case GroupBegins(one) | GroupEnds(one) | InterchangeEnds(one) | LooseSegment(one):
                if one is not None:
                    yield one


def theirs(raw: bytes) -> list[tuple[str, Any]] | None:
    """None where it raises something."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    try:
        return [(one.tag, one.elements) for one in Parser().parse(text) if one.tag != "UNA"]
    except (EDISyntaxError, ValueError, IndexError):
        return None


@pytest.mark.filterwarnings("ignore:Segment .* is empty:SyntaxWarning")
@pytest.mark.filterwarnings("ignore::pydifact.exceptions.MissingImplementationWarning")
def test_the_segments_of_every_public_file_agree_or_the_reason_is_listed() -> None:
    files = {path.name: path.read_bytes() for path in corpus()}

    different = {name for name, raw in files.items() if ours(raw) != theirs(raw)}

    assert different == set(DIFFERS)
    assert len(files) - len(different) >= 28
