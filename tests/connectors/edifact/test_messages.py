"""Messages of both directories as partners send them: by name, without a fault, and back as they were.

Each follows the message specification of its directory (EDMD D.96A or D.01B, branching diagram and segment
notes) and is filled in as EANCOM guides fill it in.
"""

from __future__ import annotations

import pytest

from connectors.edifact import schema
from connectors.edifact.codec import directory, examine, faults, from_named, message_type, named, read, write
from tests.connectors.edifact.samples import CORPUS, enclosed, first_message, message

PARTIES = "NAD+BY+5412345000013::9'NAD+SU+4012345000094::9'"
REMADV = (
    "BGM+481+RA-77+9'DTM+137:20261201:102'RFF+PQ:PAY-77'FII+OR+DE89370400440532013000:Mercy'PAI+::42'"
    "NAD+PR+5412345000013::9'NAD+PE+4012345000094::9'CTA+PD+:Receivables'COM+ar@acme.example:EM'CUX+2:EUR:11'"
    "DOC+380+INV-1'MOA+9:206.50'MOA+12:204.50'DTM+137:20261125:102'RFF+ON:PO-1'"
    "AJT+1'MOA+165:2.00'RFF+CD:CN-4'FTX+AAI+++Short delivery'DLI+1+1'MOA+12:142.00'PIA+1+AC-1001:SA'"
    "UNS+S'MOA+12:204.50'"
)
BODIES = {
    "REMADV:D:96A:UN:EAN003": REMADV,
    # What D.01B adds: references of a party, taxes on an adjustment, charges on the whole.
    "REMADV:D:01B:UN:EAN006": REMADV.replace("'CTA+PD", "'RFF+VA:DE123456789'CTA+PD")
    .replace("AAI+++Short delivery'", "AAI+++Short delivery'QTY+119:2'TAX+7+VAT+++:::19'MOA+124:0.38'", 1)
    .replace("'MOA+12:204.50'", "'MOA+12:204.50'ALC+C++++FC'MOA+8:1.00'")
    .replace("DOC+380+INV-1'MOA+9:206.50'MOA+12:204.50'ALC+C++++FC'MOA+8:1.00'", "DOC+380+INV-1'MOA+12:204.50'"),
    "ORDERS:D:01B:UN:EAN010": (
        f"BGM+220::9+PO-1:1:2+9'DTM+137:20261124:102'RFF+CT:CN-2291::1:2'{PARTIES}CTA+OC+:Desk'COM+1:TE'"
        "TAX+7+VAT+++:::19+S'CUX+2:EUR:9'LIN+1++4000862141404:SRV'PIA+1+AC-1001:SA'IMD+F++:::Syringe'"
        "QTY+21:10:PCE'PRI+AAA:7.20'UNS+S'CNT+2:1'"
    ),
    "ORDRSP:D:01B:UN:EAN009": (
        f"BGM+231+OR-1+29'DTM+137:20261124:102'RFF+ON:PO-1'DTM+171:20261120:102'{PARTIES}CUX+2:EUR:9'"
        "LIN+1+6+4000862141404:SRV'QTY+21:10:PCE'QTY+12:8:PCE'DTM+67:20261130:102'QVR+-2:21+CP'PRI+AAA:7.20'"
        "UNS+S'CNT+2:1'"
    ),
    "DESADV:D:01B:UN:EAN007": (
        f"BGM+351+DA-1+9'DTM+137:20261124:102'RFF+ON:PO-1'{PARTIES}TDT+20++30+31'LOC+7+5412345000020::9'"
        "CPS+1'PAC+1++201::9'CPS+2+1'PAC+1++CT'PCI+33E'GIN+BJ+350123450000000018'"
        "LIN+1++4000862141404:SRV'QTY+12:10:PCE'RFF+ON:PO-1:1'PCI+17'DTM+361:20281130:102'GIN+BX+LOT-9'CNT+2:1'"
    ),
    "INVOIC:D:01B:UN:EAN011": (
        f"BGM+380+INV-1+9'DTM+137:20261125:102'RFF+ON:PO-1'{PARTIES}RFF+VA:DE123456789'CUX+2:EUR:4'"
        "PAT+1'DTM+13:20261225:102'ALC+A++++FC'PCD+1:5'MOA+8:10.00'LIN+1++4000862141404:SRV'IMD+F++:::Syringe'"
        "QTY+47:10:PCE'MOA+203:72.00'PRI+AAA:7.20'TAX+7+VAT+++:::19+S'UNS+S'CNT+2:1'MOA+77:73.78'MOA+79:62.00'"
        "TAX+7+VAT+++:::19+S'MOA+124:11.78'"
    ),
}


@pytest.mark.parametrize("type", BODIES)
def test_a_message_as_partners_send_it_is_named_whole_and_written_back_as_it_was(type: str) -> None:
    raw = enclosed(message(BODIES[type], type=type))
    segments = first_message(raw)

    view = named({"segments": segments})

    assert faults(read(raw)) == []
    assert "unknown_segments" not in view
    name, _, release, *_ = type.split(":")
    assert from_named(name, view, f"D{release}") == segments[1:-1]
    assert write(read(raw)) == raw


def test_a_remittance_says_what_was_paid_and_what_was_taken_off_and_why() -> None:
    type = "REMADV:D:01B:UN:EAN006"

    view = named({"segments": first_message(enclosed(message(BODIES[type], type=type)))})

    [document] = view["documents"]
    [adjustment] = document["adjustments"]
    assert (document["number"], document["document_type"]) == ("INV-1", "380")
    assert adjustment["reason"] == "1"
    assert adjustment["monetary_amount"] == {"qualifier": "165", "amount": "2.00"}
    assert adjustment["taxes"][0]["amounts"] == [{"qualifier": "124", "amount": "0.38"}]
    assert document["document_lines"][0]["additional_items"][0]["ids"] == [{"item": "AC-1001", "type": "SA"}]
    assert view["total_amounts"] == [{"qualifier": "12", "amount": "204.50"}]


def test_a_directory_that_derives_keeps_what_it_does_not_change_and_has_only_its_own_messages() -> None:
    inherited, changed = schema.segment("GIN", "D01B"), schema.segment("RFF", "D01B")
    base = schema.segment("RFF", "D96A")

    assert inherited == schema.segment("GIN", "D96A")
    assert changed is not None and base is not None
    assert [slot.name for slot in changed.positions[0].slots] == [
        *(slot.name for slot in base.positions[0].slots),
        "revision",
    ]
    assert schema.message("CONTRL", "D01B") is None


def test_public_messages_of_d01b_have_a_place_for_every_segment() -> None:
    if not CORPUS.is_dir():
        pytest.skip("no public EDIFACT files beside the checkout: put them in ../shared/corpus/edifact")
    seen = []
    for path in sorted(CORPUS.iterdir()):
        raw = path.read_bytes()
        if b":D:01B" not in raw or b"IFCSUM" in raw:
            continue
        document = read(raw)
        assert write(document) == raw, path.name
        for interchange in examine(document):
            for group in interchange.groups:
                for one in group.messages:
                    view = named(one.message)
                    seen.append((message_type(one.message), directory(one.message)))
                    assert "unknown_segments" not in view, path.name
    assert {("ORDERS", "D01B"), ("INVOIC", "D01B"), ("RECADV", "D01B")} <= set(seen)
