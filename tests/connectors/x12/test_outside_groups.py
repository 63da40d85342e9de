"""What stands between ISA and IEA in no functional group is told, segment by segment: an order may be in it."""

from __future__ import annotations

import pytest

from connectors.x12 import codec as x12
from tests.mappings.test_mappings import ROOT

ORDER = (ROOT / "sample_payloads" / "x12" / "850.edi").read_text()
GROUP = ORDER.index("GS*")


def found(text: str) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in x12.faults(x12.read(text.encode())) if one.severity == "reject"]


@pytest.mark.parametrize("place", [GROUP, ORDER.index("IEA*")], ids=["before the group", "behind it"])
@pytest.mark.parametrize("segment", ["ZZZ*1*2~\n", "BEG*00*NE*PO-9**20261120~\n"])
def test_a_segment_in_no_group_rejects_the_interchange(segment: str, place: int) -> None:
    told = found(ORDER[:place] + segment + ORDER[place:])

    assert "group_header_missing" in {code for code, _ in told}
    assert any(f"'{segment[:3]}'" in message for _, message in told)


def test_an_acknowledgement_of_the_interchange_stands_there_rightly() -> None:
    assert found(ORDER[:GROUP] + "TA1*000000007*261120*1015*A*000~\n" + ORDER[GROUP:]) == []


def test_a_group_with_another_separator_is_told_so_and_not_lost() -> None:
    """Though its trailer counts no groups."""
    whole = ORDER[:GROUP] + ORDER[GROUP:].replace("*", "|").replace("IEA|1|", "IEA*0*")

    faults = found(whole)

    assert {code for code, _ in faults} == {"group_header_missing"}
    assert faults[0][1].endswith("its elements look separated by '|', while ISA says '*'")
    assert len(faults) == ORDER.count("~") - 2
