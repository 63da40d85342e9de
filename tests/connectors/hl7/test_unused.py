"""What of a message no mapping makes use of; a mapping is run, not guessed at."""

from __future__ import annotations

import pytest

from connectors.hl7.codec import Hl7Error, read
from connectors.hl7.unused import unused
from tests.connectors.hl7.corpus import ROOT, sample

SHIPPED = (ROOT / "mappings/hl7_oms_o05_to_requisition/mapping.jsonata").read_text(encoding="utf-8")
MESSAGE = read(b"MSH|^~\\&|W|M|||2026||OMS^O05|1|P|2.5.1\rORC|NW|R1\rRQD|1|A^Tape|||4|BX\rNTE|1||cold\rZST|9\r")


def test_what_is_read_by_place_is_used_and_the_rest_is_listed() -> None:
    """Segments of which nothing is used stand by themselves."""
    found = unused(MESSAGE, ["segments[id='RQD'].fields.`5.1`"])

    assert found.segments == ("MSH[0]", "ORC[0]", "NTE[0]", "ZST[0]")
    assert found.fields == ("RQD[0]-1.1", "RQD[0]-2.1", "RQD[0]-2.2", "RQD[0]-6.1")
    assert found.used == 1


@pytest.mark.parametrize(
    "source",
    [
        "segments[id='NTE'].fields.$each(function($v) { $v })",
        "segments[id='NTE'].fields.*",
        "$lookup(segments[3].fields, '3' & '.1')",
    ],
)
def test_what_is_used_without_being_named_is_found_too(source: str) -> None:
    """The result would be another without it."""
    assert "NTE[0]" not in unused(MESSAGE, [source]).segments


def test_a_value_that_is_looked_at_counts_as_used_even_if_nothing_comes_of_it() -> None:
    """A default that is the same as the value."""
    found = unused(MESSAGE, ["segments[id='RQD'].fields.`6.1` = 'BX' ? 'BX' : 'BX'"])

    assert "RQD[0]-6.1" not in found.fields
    assert "RQD[0]" not in found.segments


def test_the_head_of_the_view_is_msh_again() -> None:
    """Who reads ``control_id`` uses MSH-10."""
    assert "MSH[0]-10.1" not in unused(MESSAGE, ["{'id': control_id}"]).fields
    assert "MSH[0]" not in unused(MESSAGE, ["control_id"]).segments


def test_several_mappings_together_leave_less() -> None:
    """A message may be read by more than one."""
    one, both = unused(MESSAGE, ["control_id"]), unused(MESSAGE, ["control_id", "segments[id='ZST'].fields.`1.1`"])

    assert "ZST[0]" in one.segments
    assert "ZST[0]" not in both.segments


def test_the_shipped_mapping_leaves_the_z_segment_and_the_wards_own_codes() -> None:
    """What the README of the mapping does not speak of."""
    found = unused(read(sample("oms_o05_many_lines.hl7")), [SHIPPED])

    assert found.segments == ("ZST[0]",)
    assert {"RQD[0]-4.3", "RQD[0]-9.1", "ORC[0]-14.2"} <= set(found.fields)
    assert not {"RQD[0]-5.1", "RQD[2]-4.2", "ORC[0]-4.1", "TQ1[0]-9.1", "NTE[1]-3.1", "MSH[0]-10.1"} & set(
        found.fields
    )
    assert (found.stopped, found.stand_ins) == ((), ("dec_mul", "dec_sum"))


def test_a_mapping_that_stops_is_told_of() -> None:
    """What it would have read later is listed, so the reader must know."""
    found = unused(read(sample("oms_o05_cancel.hl7")), [SHIPPED])

    assert found.stopped == ("D3137",)


def test_a_function_of_the_running_system_is_stood_in_for() -> None:
    """Master data are not there; what the function is given counts as used."""
    found = unused(MESSAGE, ["$resolve('item', segments[id='RQD'].fields.`2.1`, 'ward')"])

    assert found.stand_ins == ("resolve",)
    assert "RQD[0]-2.1" not in found.fields


def test_what_is_no_jsonata_is_refused() -> None:
    """With what to do."""
    with pytest.raises(Hl7Error) as refused:
        unused(MESSAGE, ["segments[id="])

    assert refused.value.next_action
