"""Each declared set: by name, back as it was, and what must balance in it."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.x12 import schema
from connectors.x12.codec import DocumentError, Fault, Policy, examine, faults, from_named, named, read, write
from connectors.x12.ledger import key_of
from tests.connectors.x12.made import interchange, only_set
from tests.connectors.x12.samples import CORPUS

SHIP_NOTICE = (
    "BSN*00*SH-1*20261121*0800*0001~DTM*011*20261121~"
    "HL*1**S*1~TD5*B*2*UPSN~REF*BM*BL-7~N1*ST*Mercy*92*MAIN~"
    "HL*2*1*O*1~PRF*PO-1001***20261120~"
    "HL*3*2*P*1~MAN*GM*00350123450000000018~"
    "HL*4*3*I*0~LIN*1*VN*AC-GLV-M*LT*LOT-9~SN1*1*20*BX~DTM*036*20281130~"
    "HL*5*2*P*1~MAN*GM*00350123450000000025~"
    "HL*6*5*I*0~LIN*2*VN*AC-SYR-10~SN1*2*5*BX~"
    "CTT*6*25~"
)
BODIES = {
    "810": (
        "IN",
        "BIG*20261125*INV-1*20261120*PO-1001~CUR*SE*USD~N1*SU*Acme*92*4010~ITD*01*3*2**10**30~"
        "IT1*1*20*BX*7.20**VN*AC-GLV-M~PID*F****Gloves~IT1*2*5*BX*11.50**VN*AC-SYR-10~SAC*C*D240***500~"
        "TDS*20650~CTT*2*25~",
    ),
    # The 820 of a trade payment by ACH (CCD+ or CTX): BPR, TRN, the parties, ENT and an RMR for each invoice with its
    # ADX, in the order of the set's table (X12 004010, 820), as in the public files of the corpus.
    "820": (
        "RA",
        "BPR*C*2063.50*C*ACH*CTX*01*121000358*DA*1234567*1512345678**01*021000021*DA*7654321*20261201~"
        "TRN*1*PAY-77*1512345678~CUR*PR*USD~REF*VV*BATCH-3~DTM*097*20261130~N1*PR*Mercy*92*MAIN~N3*1 Main St~"
        "N4*Springfield*IL*62701~N1*PE*Acme*92*4010~ENT*1~RMR*IV*INV-1*AI*2063.50*2065.00*1.50~REF*PO*PO-1~"
        "DTM*003*20261125~ADX*-1.50*01~",
    ),
    "832": (
        "SC",
        "BCT*RC*CAT-2027*1~DTM*007*20270101~N1*SU*Acme*92*4010~"
        "LIN**VN*AC-GLV-M*UK*09506000134352~PID*F****Gloves~CTP**CON*7.20*1*BX~CTT*1~",
    ),
    # The price authorization family, as its tables stand in X12 004010 and as the guides of health care trade use
    # it: a distributor claims chargebacks (844) under the contracts of a manufacturer, who tells their state (845) and
    # answers the claim line by line (849).
    "844": (
        "CF",
        "BAA*00*01*20261121*CT*CB-77~CUR*DB*USD~DTM*090*20261101~N1*DB*Acme*92*4010~N1*SU*Gloveco*92*77~"
        "CON*CT*C-9*AC~N1*BY*Mercy*92*MAIN~N4*Springfield*IL*62701~SII*VN*AC-GLV-M*20*BX*7.20*8.00*16.00~N9*IV*INV-1~"
        "PAD*1*SS~LIN*1*VN*AC-GLV-M~PID*F****Gloves~UIT*BX*0.80~QTY*32*20~AMT*NB*16.00~REF*IV*INV-1~"
        "DTM*011*20261121~CTT*1~AMT*TT*16.00~",
    ),
    "845": (
        "PA",
        "BPA*00*20261121*CT*PA-5~REF*CT*C-9~DTM*092*20270101~N1*SU*Gloveco*92*77~CON*CT*C-9*AC~ITD*01*3*2**10**30~"
        "N1*BY*Mercy*92*MAIN~CTB*OR*Minimum order*57*10~PAD*1*SS~PID*F****Gloves~UIT*BX*7.20~LIN*1*VN*AC-GLV-M~"
        "G53*001~CTP*DI*CON*7.20~DTM*092*20270101~CTT*1~",
    ),
    "849": (
        "CF",
        "BRC*00*20261125*CT*RC-5~AAA*Y~REF*CT*CB-77~N1*SU*Gloveco*92*77~CON*CT*C-9*AC~PAD*1*SS~LIN*1*VN*AC-GLV-M~"
        "AAA*N**DE*R~UIT*BX*0.80~QTY*32*20~AMT*NB*16.00~REF*IV*INV-1~CTT*1~AMT*TT*16.00~",
    ),
    # Sales and stock of a store chain, in the order of the set's table and with SDQ by store as retail guides ask it.
    "852": (
        "PD",
        "XQ*H*20261115*20261121~N9*DP*031~N1*RL*Chain*92*100~LIN*1*UP*012345678905~CTP**RTL*9.99~"
        "ZA*QS~SDQ*EA*92*0101*5*0102*3~ZA*QA*40*EA*007*20261121~LIN*2*UP*012345678912~ZA*QS*8*EA~CTT*2~",
    ),
    # Resale out of a distributor's stock, as pharmaceutical and electronics guides use the set's table.
    "867": (
        "PT",
        "BPT*00*PT-7*20261121*SM~DTM*193*20261101~DTM*194*20261121~REF*IA*4010~N1*DS*Acme*92*4010~"
        "PTD*SS***IV*INV-1~DTM*003*20261120~PRF*PO-1~N1*BY*Mercy*92*MAIN~N3*1 Main St~N4*Springfield*IL*62701~"
        "SII*VN*AC-GLV-M*20*BX*7.20~QTY*32*20*BX~LIN*1*VN*AC-GLV-M*LT*LOT-9~UIT*BX*7.20~AMT*LI*144.00~"
        "REF*CT*C-9~DTM*036*20281130~CTT*1~",
    ),
    "846": (
        "IB",
        "BIA*00*DD*INV-1*20261121~N1*SU*Acme*92*4010~LIN**VN*AC-GLV-M~QTY*33*1200*BX~DTM*018*20261124~CTT*1~",
    ),
    "850": ("PO", "BEG*00*NE*PO-1**20261120~N1*ST*Dock*92*MAIN~PO1*1*5*EA*2.00**VN*A~CTT*1*5~AMT*TT*10~"),
    "855": ("PR", "BAK*00*AD*PO-1*20261120~PO1*1*5*EA~ACK*IA*5*EA*067*20261124~CTT*1~"),
    "856": ("SH", SHIP_NOTICE),
    "860": ("PC", "BCH*04*NE*PO-1**1*20261120~POC*1*QD*4*1*EA*2.00**VN*A~CTT*1*4~"),
    "861": ("RC", "BRA*RA-1*20261122*00*1~DTM*050*20261122~PRF*PO-1~RCD*1*19*BX*1*BX~LIN**VN*AC-GLV-M~CTT*1*19~"),
    "865": ("CA", "BCA*00*AC*PO-1**1*20261120~POC*1*QD*4*1*EA*2.00**VN*A~ACK*IQ*4*EA~CTT*1~"),
    "997": ("FA", "AK1*PO*1~AK2*850*0001~AK3*PO1*3**8~AK4*2*330*6*many~AK5*R*5~AK9*R*1*1*0*5~"),
}


def plain(set_type: str) -> bytes:
    identifier, body = BODIES[set_type]
    return interchange(f"{set_type}|{body}", identifier=identifier)


def test_every_declared_set_has_an_example_here() -> None:
    assert schema.set_types() == sorted(BODIES)


@pytest.mark.parametrize("set_type", BODIES)
def test_an_example_of_each_set_has_no_fault_and_is_written_back_as_it_was(set_type: str) -> None:
    one = only_set(plain(set_type))
    declared = schema.transaction_set(set_type)
    assert declared is not None

    assert declared.functional_identifier == BODIES[set_type][0]
    assert faults(read(plain(set_type)), strict=True) == []
    assert from_named(set_type, named(one)) == one["segments"][1:-1]


def test_a_ship_notice_is_a_tree_of_shipment_order_pack_and_item() -> None:
    document = named(only_set(plain("856")))

    [shipment] = document["shipments"]
    [order] = shipment["orders"]
    assert shipment["references"] == [{"qualifier": "BM", "value": "BL-7"}]
    assert order["order"]["order_number"] == "PO-1001"
    assert [pack["marks"][0]["value"] for pack in order["packs"]] == [
        "00350123450000000018",
        "00350123450000000025",
    ]
    [item] = order["packs"][0]["items"]
    assert item["item"]["product_ids"] == [{"qualifier": "LT", "id": "LOT-9"}]
    assert item["shipped"] == {"line_number": "1", "quantity": "20", "unit": "BX"}


def test_a_tree_without_numbers_is_numbered_when_written() -> None:
    item = {"item": {"product_qualifier": "VN", "product": "A"}, "shipped": {"quantity": "1", "unit": "EA"}}
    document = {
        "beginning": {"purpose": "00", "shipment_number": "SH-1", "date": "20261121", "time": "0800"},
        "shipments": {"orders": [{"order": {"order_number": "PO-1"}, "items": [item, item]}]},
    }

    segments = from_named("856", document)

    assert [one["elements"] for one in segments if one["id"] == "HL"] == [
        ["1", "", "S", "1"],
        ["2", "1", "O", "1"],
        ["3", "2", "I", "0"],
        ["4", "2", "I", "0"],
    ]


def test_levels_that_are_not_in_the_order_of_the_tree_are_written_back_in_theirs() -> None:
    body = (
        "BSN*00*SH-1*20261121*0800~HL*1**S~HL*2*1*O~PRF*PO-1~HL*3*1*O~PRF*PO-2~"
        "HL*4*2*I~SN1**1*EA~HL*5*3*I~SN1**2*EA~HL*6*2*ZZ~SN1**3*EA~"
    )
    one = only_set(interchange(f"856|{body}", identifier="SH"))

    document = named(one)

    assert [len(order["items"]) for order in document["shipments"][0]["orders"]] == [1, 1]
    assert document["shipments"][0]["orders"][0]["other_levels"][0]["shipped"]["quantity"] == "3"
    assert from_named("856", document) == one["segments"][1:-1]


def test_levels_without_ascending_numbers_stay_a_list() -> None:
    body = "BSN*00*SH-1*20261121*0800~HL*2**S~HL*1*2*O~PRF*PO-1~"
    one = only_set(interchange(f"856|{body}", identifier="SH"))

    document = named(one)

    assert [level["number"] for level in document["levels"]] == ["2", "1"]
    assert from_named("856", document) == one["segments"][1:-1]


@pytest.mark.parametrize(
    ("old", "new", "code", "element", "name"),
    [
        ("HL*4*3*I*0", "HL*4*9*I*0", "hl_parent_unknown", 2, None),
        ("HL*4*3*I*0", "HL*3*3*I*0", "hl_number_repeated", 1, None),
        ("HL*4*3*I*0", "HL*4*3*I*1", "hl_child_code_wrong", 4, None),
        (
            "SN1*1*20*BX",
            "SN1*1*many*BX",
            "element_character",
            2,
            "shipments/0/orders/0/packs/0/items/0/shipped/quantity",
        ),
    ],
)
def test_a_broken_hierarchy_is_told_with_its_level(
    old: str, new: str, code: str, element: int, name: str | None
) -> None:
    raw = interchange(f"856|{SHIP_NOTICE.replace(old, new)}", identifier="SH")

    [found] = [one for one in faults(read(raw)) if one.code == code]

    assert (found.element, found.segment_id) == (element, new.split("*")[0])
    assert name is None or found.name == name


def test_a_wrong_value_in_a_written_tree_is_named_where_it_stands_in_the_tree() -> None:
    document = named(only_set(plain("856")))
    document["shipments"][0]["orders"][0]["packs"][1]["items"][0]["shipped"]["unit"] = "BOXES"

    with pytest.raises(DocumentError) as refused:
        from_named("856", document)

    assert refused.value.field == "shipments/0/orders/0/packs/1/items/0/shipped/unit"


@pytest.mark.parametrize(
    ("set_type", "old", "new", "expected"),
    [
        (
            "850",
            "CTT*1*5",
            "CTT*2*5",
            ("line_count_unbalanced", "reject", "CTT01 says 2, the segments add up to 1"),
        ),
        ("850", "CTT*1*5", "CTT*1*6", ("hash_total_unbalanced", "warn", "CTT02 says 6, the segments add up to 5")),
        ("856", "CTT*6*25", "CTT*2*25", None),
        (
            "856",
            "CTT*6*25",
            "CTT*7*25",
            ("line_count_unbalanced", "reject", "CTT01 says 7, the segments add up to 6"),
        ),
        (
            "810",
            "TDS*20650",
            "TDS*20550",
            ("invoice_total_unbalanced", "warn", "TDS01 says 205.5, the segments add up to 206.5"),
        ),
        ("810", "SAC*C*D240***500", "SAC*A*D240***-500", None),
        ("810", "SAC*C*D240***500", "SAC*N*D240***500", ("invoice_total_unbalanced", "warn", None)),
        ("810", "7.20**VN", "7.20*HP*VN", None),
    ],
)
def test_totals_must_balance(
    set_type: str, old: str, new: str, expected: tuple[str, str, str | None] | None
) -> None:
    """An 856 may count its levels or its items. Prices per hundred cannot be added up here."""
    raw = plain(set_type)
    assert old.encode() in raw

    found: list[Fault] = faults(read(raw.replace(old.encode(), new.encode())))

    if expected is None:
        assert found == []
    else:
        [one] = found
        assert (one.code, one.severity) == expected[:2]
        assert expected[2] is None or one.message == expected[2]


def test_version_005010_says_only_what_differs_from_004010() -> None:
    longer = "R" * 50
    body = (
        f"BEG*00*NE*PO-1**20261120~REF*DP*{longer}~N1*ST*Dock*92*MAIN~MSG*ring the bell~PO1*1*5*EA~LIN**VN*A~CTT*1~"
    )
    new = interchange(f"850|{body}", version="005010", isa11="^")
    old = interchange(f"850|{body}")

    assert faults(read(new), strict=True) == []
    assert {one.code for one in faults(read(old))} == {
        "element_too_long",
        "segment_out_of_sequence",
        "segment_not_in_set",
    }
    one = only_set(new)
    document = named(one, "005010")
    assert document["lines"][0]["identifications"] == [{"product_qualifier": "VN", "product": "A"}]
    assert from_named("850", document, "005010") == one["segments"][1:-1]
    assert schema.set_types("005010") == schema.set_types("004010")


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        ("004010VICS", "004010"),
        ("005010X231", "005010"),
        ("006020", "005010"),
        ("003040", "004010"),
        ("", "004010"),
    ],
)
def test_a_version_that_is_not_declared_is_read_as_the_next_older(given: str, read_as: str) -> None:
    assert schema.nearest(given) == read_as


@pytest.mark.parametrize("version", schema.versions())
@pytest.mark.parametrize("set_type", BODIES)
def test_the_key_of_a_set_is_a_text_of_its_named_view(set_type: str, version: str) -> None:
    declared = schema.transaction_set(set_type, version)
    assert declared is not None

    has_no_key = set_type in ("832", "846", "852", "997")
    assert (key_of(set_type, named(only_set(plain(set_type))), version) == "") is has_no_key
    assert declared.key or not (declared.once or declared.answers)


def test_public_remittances_are_named_whole_have_no_fault_and_come_back_as_they_were() -> None:
    if not CORPUS.is_dir():
        pytest.skip("no public X12 files beside the checkout: put them in ../shared/corpus/x12")
    files = sorted(CORPUS.glob("*820*"))
    for path in files:
        raw = path.read_bytes()
        document = read(raw)
        assert write(document) == raw, path.name
        found = examine(document, policy=Policy())
        sets = [one for interchange in found for group in interchange.groups for one in group.sets]
        for one in sets:
            assert one.document is not None and "unknown_segments" not in str(one.document), path.name
            assert from_named(one.type, one.document) == one.segments["segments"][1:-1], path.name
        assert [fault for interchange in found for fault in interchange.all_faults()] == [], path.name
    assert len(files) >= 10


def test_isa11_that_separates_nothing_is_told_from_00402_on() -> None:
    assert [one.code for one in faults(read(interchange(version="005010", isa11="U")))] == [
        "repetition_separator_invalid"
    ]
    assert faults(read(interchange(isa11="U"))) == []


@pytest.mark.parametrize(
    ("old", "new", "element"),
    [
        ("*261120*", "*261320*", 9),
        ("*0930*U", "*0960*U", 10),
        ("*000000007*0*", "*00000000A*0*", 13),
        ("*0*T*", "*0*X*", 15),
    ],
)
def test_elements_of_isa_are_checked_with_their_ta1_code(old: str, new: str, element: int) -> None:
    raw = interchange().replace(old.encode(), new.encode(), 1)

    found = [one for one in faults(read(raw)) if one.code == "interchange_header_element"]

    assert [one.element for one in found] == [element]


def test_public_ship_notices_invoices_and_catalogs_of_declared_versions_are_understood() -> None:
    """Files of other makers: nothing in them is out of place."""
    if not CORPUS.is_dir():
        pytest.skip("no public X12 files beside the checkout: put them in ../shared/corpus/x12")
    names = (
        "EdiEngine__TestData_856.Crossdock.OK.edi",
        "gozer__test_resources_asn856_asn856.txt",
        "EDI.Net__indice.Edi.Tests_Samples_x12.810c.edi",
        "EDI.Net__indice.Edi.Tests_Samples_x12.810d.edi",
        "node-x12__test-data_850_3.edi",
    )
    for name in names:
        for one in examine(read((CORPUS / name).read_bytes()), policy=Policy()):
            documents: list[Any] = [of.document for group in one.groups for of in group.sets]
            assert all(document is not None and "unknown_segments" not in document for document in documents), name
