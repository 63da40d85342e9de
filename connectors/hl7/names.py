"""Names and cardinalities of standard segments and fields, as hl7apy has them (imported on first use)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

#: Read by these tables where MSH-12 names a version that hl7apy does not know.
USUAL = "2.5.1"

#: Names of the segments of every version that hl7apy knows (2.1 to 2.8.2), for whoever cannot wait for its tables.
STANDARD = frozenset(
    """
    ABS ACC ADD ADJ AFF AIG AIL AIP AIS AL1 APR ARQ ARV AUT BHS BLC BLG BPO BPX BTS BTX BUI CDM CDO CER CM0 CM1
    CM2 CNS CON CSP CSR CSS CTD CTI DB1 DG1 DMI DON DPS DRG DSC DSP ECD ECR EDU EQL EQP EQU ERQ ERR EVN FAC FHS
    FT1 FTS GOL GP1 GP2 GT1 IAM IAR IIM ILT IN1 IN2 IN3 INV IPC IPR ISD ITM IVC IVT LAN LCC LCH LDP LOC LRL MCP
    MFA MFE MFI MRG MSA MSH NCK NDS NK1 NPU NSC NST NTE OBR OBX ODS ODT OM1 OM2 OM3 OM4 OM5 OM6 OM7 OMC ORC ORG
    ORO OVR PAC PCE PCR PD1 PDA PDC PEO PES PID PKG PM1 PMT PR1 PRA PRB PRC PRD PRT PSG PSH PSL PSS PTH PV1 PV2
    PYE QAK QID QPD QRD QRF QRI RCP RDF RDT REL RF1 RFI RGS RMI ROL RQ1 RQD RX1 RXA RXC RXD RXE RXG RXO RXR RXV
    SAC SCD SCH SCP SDD SFT SGH SGT SHP SID SLT SPM SPR STF STZ TCC TCD TQ1 TQ2 TXA UAC UB1 UB2 URD URS VAR VND
    VTQ
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class FieldName:
    """``name`` reads like ``Requisition quantity``; ``repeats`` is true for any number of repetitions."""

    number: int
    name: str
    data_type: str
    required: bool
    repeats: bool


@cache
def known_version(version: str) -> str:
    """The version whose tables are used for a message of ``version``."""
    from hl7apy import SUPPORTED_LIBRARIES

    return version if version in SUPPORTED_LIBRARIES else USUAL


@cache
def fields(version: str, segment: str) -> tuple[FieldName, ...] | None:
    """Fields of a segment in order; ``None`` for a Z segment and one the version does not have."""
    from hl7apy import load_library

    reference = load_library(known_version(version)).SEGMENTS.get(segment)
    if reference is None:
        return None
    found = []
    for name, definition, (least, most), *_ in reference[1]:
        title = str(definition[3] or "").replace("_", " ").capitalize()
        found.append(
            FieldName(int(name.rpartition("_")[2]), title, str(definition[2] or ""), least > 0, most == -1)
        )
    return tuple(found)


def field_name(version: str, segment: str, number: int) -> str:
    """``""`` where there is none."""
    return next((field.name for field in fields(version, segment) or () if field.number == number), "")
