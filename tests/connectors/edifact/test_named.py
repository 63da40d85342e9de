"""Messages by readable names, from one declaration for reading, checking and writing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.edifact import schema
from connectors.edifact.codec import Delimiters, DocumentError, Message, faults, from_named, named, read
from connectors.edifact.element import Slot
from connectors.edifact.schema import Contents, MessageSchema, SegmentSchema
from connectors.edifact.values import Repertoire, wrong_date
from connectors.sdk import Misconfigured
from tests.connectors.edifact.samples import DOCUMENT, INTERCHANGE, enclosed, first_message, message

DECLARED = [(type, directory) for directory in schema.directories() for type in schema.message_types(directory)]
PROCUREMENT = ["DESADV", "INVOIC", "INVRPT", "ORDCHG", "ORDERS", "ORDRSP", "PRICAT", "RECADV", "REMADV"]

each_message = pytest.mark.parametrize(("type", "directory"), DECLARED, ids=[f"{d}-{t}" for t, d in DECLARED])


def view_of(raw: bytes | str) -> dict[str, Any]:
    return named({"segments": first_message(raw)})


def declaration(type: str, directory: str) -> MessageSchema:
    found = schema.message(type, directory)
    assert found is not None
    return found


def value_of(slot: Slot) -> str:
    """Something this element may hold."""
    if slot.codes:
        return sorted(slot.codes)[0]
    return "7" * max(slot.shortest, 1) if slot.type == "n" else "X" * max(slot.shortest, 1)


def full_segment(shape: SegmentSchema) -> dict[str, Any]:
    """Every element given, each repetition too."""
    fields: dict[str, Any] = {}
    for position in shape.positions:
        for slots in position.repetitions or (position.slots,):
            for slot in slots:
                _put(fields, slot.path, value_of(slot))
    if shape.date:
        fields |= {shape.date[0]: "20261124", shape.date[1]: "102"}
    return fields


def _put(fields: dict[str, Any], path: tuple[str | int, ...], value: str) -> None:
    if len(path) == 1:
        fields[str(path[0])] = value
    elif len(path) == 2:
        fields.setdefault(str(path[0]), []).append(value)
    else:
        many = fields.setdefault(str(path[0]), [])
        if len(many) == path[1]:
            many.append({})
        many[-1][path[2]] = value


def full_document(contents: Contents) -> dict[str, Any]:
    """Every segment and group once, all of its elements given."""
    document: dict[str, Any] = {}
    for use in contents.uses:
        value = full_segment(use.segment)
        if use.contents:
            value |= full_document(use.contents)
        document[use.name] = [value] if use.repeats else value
    return document


def all_uses(contents: Contents) -> Iterator[tuple[SegmentSchema, Contents | None]]:
    for use in contents.uses:
        yield use.segment, use.contents
        yield from all_uses(use.contents) if use.contents else ()


def test_the_messages_of_procurement_are_declared() -> None:
    assert list(schema.message_types("D96A")) == PROCUREMENT
    assert list(schema.message_types("D01B")) == PROCUREMENT
    assert schema.message_types("D3") == schema.message_types("41") == ("CONTRL",)


@each_message
def test_no_two_things_of_a_message_have_the_same_name(type: str, directory: str) -> None:
    """The fields of a group's first segment stand beside what follows in it."""
    contents = declaration(type, directory).contents

    assert len({use.name for use in contents.uses}) == len(contents.uses)
    for segment, inner in all_uses(contents):
        names = [use.name for use in inner.uses] if inner else []
        assert len({*names, *segment.names}) == len(names) + len(segment.names), segment.id


@each_message
def test_everything_that_is_declared_can_be_written_and_read_back(type: str, directory: str) -> None:
    document = full_document(declaration(type, directory).contents)
    signs = Delimiters(repetition="*")

    segments = from_named(type, document, directory, signs)

    version = {"D3": "D:3", "41": "4:1"}.get(directory, f"D:{directory[1:]}").split(":")
    whole: Message = {
        "segments": [{"id": "UNH", "elements": ["1", [type, *version, "UN"]]}, *segments],
    }
    assert named(whole) == document


def test_an_order_reads_as_people_speak_of_it() -> None:
    view = view_of(INTERCHANGE)

    assert view["beginning"] == {"document_type": "220", "document_number": "PO-1001", "function": "9"}
    buyer, supplier = view["parties"]
    assert (buyer["qualifier"], buyer["name"], buyer["city"]) == ("BY", ["Mercy Hospital"], "Dublin")
    assert buyer["contacts"][0]["communications"] == [{"number": "orders@mercy.example", "channel": "EM"}]
    assert "contacts" not in supplier
    assert view["references"] == [
        {
            "qualifier": "CT",
            "number": "CN-2291",
            "dates": [{"qualifier": "171", "value": "20260101", "format": "102"}],
        }
    ]
    first, second = view["lines"]
    assert first["additional_items"] == [{"function": "1", "ids": [{"item": "AC-1001", "type": "SA"}]}]
    assert first["quantities"] == [{"qualifier": "21", "quantity": "10", "unit": "PCE"}]
    assert second["quantities"] == [{"qualifier": "21", "quantity": "5", "unit": "PCE"}]
    assert view["control_totals"] == [{"qualifier": "2", "value": "2"}]


def test_a_segment_belongs_to_the_innermost_group_that_takes_it() -> None:
    body = (
        "BGM+351+D1+9'DTM+137:20261124:102'NAD+SU+1::9'CPS+1'PAC+2++CT'PCI+33E'GIN+BJ+340123450000000018'"
        "LIN+1++4000862141404:EN'QTY+12:10'PCI+10'DTM+361:20280131:102'GIN+BX+LOT-77'"
    )
    view = view_of(enclosed(message(body, type="DESADV:D:96A:UN")))

    [packing] = view["packings"]
    assert packing["packages"][0]["markings"][0]["identities"][0]["ids"] == [{"first": "340123450000000018"}]
    [line] = packing["lines"]
    assert line["markings"][0]["identities"][0]["ids"] == [{"first": "LOT-77"}]
    assert line["markings"][0]["dates"][0]["value"] == "20280131"


def test_what_stands_behind_uns_is_not_reached_before_it() -> None:
    """A misplaced MOA of a line is no total of the order."""
    body = "BGM+220+1+9'DTM+137:20261124:102'LIN+1'PRI+AAA:1'MOA+203:1'LIN+2'UNS+S'MOA+86:1'"
    view = view_of(enclosed(message(body)))

    assert [one["line_number"] for one in view["lines"]] == ["1", "2"]
    assert view["total_amounts"] == [{"qualifier": "86", "amount": "1"}]
    assert [one["segment"]["id"] for one in view["unknown_segments"]] == ["MOA"]


def test_unknown_segments_are_kept_and_written_back_where_they_were() -> None:
    body = "BGM+220+1+9'ZZZ+own:data'DTM+137:20261124:102'LIN+1'YYY+2'UNS+S'"
    segments = first_message(enclosed(message(body)))

    view = named({"segments": segments})

    assert [one["position"] for one in view["unknown_segments"]] == [3, 6]
    assert from_named("ORDERS", view) == segments[1:-1]


def test_a_qualifier_that_was_read_is_written_back_as_it_was() -> None:
    segments = first_message(INTERCHANGE.replace("NAD+SU", "NAD+ZZ7").replace("AAA:7.20", "own:7,20"))

    assert from_named("ORDERS", named({"segments": segments})) == segments[1:-1]


def test_gaps_in_lists_are_kept() -> None:
    segments = first_message(
        enclosed(message("BGM+220+1+9'DTM+137:20261124:102'NAD+BY+++x::z'LIN+1'PIA+1+a++c:SA'UNS+S'"))
    )
    view = named({"segments": segments})

    assert view["parties"][0]["name"] == ["x", "", "z"]
    assert view["lines"][0]["additional_items"][0]["ids"] == [{"item": "a"}, {}, {"item": "c", "type": "SA"}]
    assert from_named("ORDERS", view) == segments[1:-1]


def test_repetitions_of_syntax_version_4_are_a_list() -> None:
    body = "BGM+220+1+9'DTM+137:20261124:102'NAD+BY+1::9'CTA+PD'COM+a:TE*b:EM'UNS+S'"
    head = "UNB+UNOC:4+A+B+20261124:0930+REF1'"
    segments = first_message(enclosed(message(body, type="ORDERS:D:01B:UN"), head=head))

    view = named({"segments": segments})

    numbers = view["parties"][0]["contacts"][0]["communications"][0]["numbers"]
    assert numbers == [{"number": "a", "channel": "TE"}, {"number": "b", "channel": "EM"}]
    assert from_named("ORDERS", view, "D01B", Delimiters(repetition="*")) == segments[1:-1]
    with pytest.raises(DocumentError, match="no repetition separator"):
        from_named("ORDERS", view, "D01B")


def test_a_repetition_the_message_does_not_foresee_is_kept_aside() -> None:
    body = message("BGM+220+1*2+9'DTM+137:20261124:102'UNS+S'")
    raw = enclosed(body, head="UNB+UNOC:4+A+B+20261124:0930+REF1'")

    assert [one.code for one in faults(read(raw))] == ["element_repeated", "segment_missing"]
    assert view_of(raw)["unknown_segments"][0]["segment"]["id"] == "BGM"


@pytest.mark.parametrize(
    ("given", "by"),
    [("D96A", "D96A"), ("D96B", "D96A"), ("D93A", "D96A"), ("D01B", "D01B"), ("D03B", "D01B"), ("D24A", "D01B")],
)
def test_a_directory_that_is_not_declared_is_read_by_the_nearest_before_it(given: str, by: str) -> None:
    assert schema.nearest(given, "ORDERS") == by


def test_contrl_has_a_version_of_its_own() -> None:
    assert [schema.nearest(given, "CONTRL") for given in ("D3", "41", "D96A")] == ["D3", "41", ""]
    assert schema.nearest("D01B", "NOSUCH") == ""


def test_a_message_that_is_not_declared_cannot_be_named_or_written() -> None:
    with pytest.raises(Misconfigured, match="NOSUCH"):
        view_of(enclosed(message("BGM+1'", type="NOSUCH:D:96A:UN")))
    with pytest.raises(Misconfigured, match="D99Z") as refused:
        from_named("ORDERS", DOCUMENT, "D99Z")

    assert "ORDERS D96A" in refused.value.next_action


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        ({"begining": {}}, "name_unknown", "begining"),
        ({"dates": []}, "segment_missing", "dates"),
        ({"beginning": {"document_number": 7}}, "value_shape", "beginning/document_number"),
        ({"beginning": "PO"}, "value_shape", "beginning"),
        ({"beginning": {"document_number": "9" * 36}}, "element_too_long", "beginning/document_number"),
        ({"beginning": {"document_number": "a\nb"}}, "element_character", "beginning/document_number"),
        ({"parties": [{"qualifier": "BY", "name": ["x"] * 6}]}, "elements_too_many", "parties/0/name"),
        ({"parties": [{"qualifier": "BY", "nmae": "x"}]}, "name_unknown", "parties/0/nmae"),
        (
            {"lines": [{"line_number": "1", "additional_items": [{"function": "1", "ids": [{"itm": "x"}]}]}]},
            "name_unknown",
            "lines/0/additional_items/0/ids/0/itm",
        ),
        ({"control_totals": [{"qualifier": "2", "value": "3"}]}, "count_of_lines", None),
        ({"unknown_segments": [{"position": 2}]}, "value_shape", "unknown_segments"),
        ({"unknown_segments": [{"position": 2, "segment": {"id": 3}}]}, "value_shape", "unknown_segments"),
    ],
)
def test_a_document_that_breaks_its_schema_is_refused_by_place(
    change: dict[str, Any], code: str, name: str | None
) -> None:
    with pytest.raises(DocumentError) as refused:
        from_named("ORDERS", DOCUMENT | change)

    assert (code, name) in [(one.code, one.name) for one in refused.value.faults]
    assert refused.value.next_action


def test_a_character_outside_the_character_set_is_refused() -> None:
    document = DOCUMENT | {"texts": [{"qualifier": "AAI", "text": ["€"]}]}

    kept = DOCUMENT | {"unknown_segments": [{"position": 4, "segment": {"id": "ZZZ", "elements": ["€"]}}]}

    for one in (document, kept):
        with pytest.raises(DocumentError, match="'€'"):
            from_named("ORDERS", one, repertoire=Repertoire("latin-1"))


def test_the_only_item_of_a_list_may_stand_alone() -> None:
    """JSONata collapses a list of one."""
    collapsed = DOCUMENT | {"dates": DOCUMENT["dates"][0], "lines": DOCUMENT["lines"][0]}

    assert from_named("ORDERS", collapsed) == from_named("ORDERS", DOCUMENT)


@pytest.mark.parametrize(
    ("value", "format", "is_right"),
    [
        ("20240229", "102", True),
        ("20230229", "102", False),
        ("202611242400", "203", True),
        ("202611242401", "203", False),
        ("2026112420261130", "718", True),
        ("20261124-20261130", "718", True),
        ("20261124-20261330", "718", False),
        ("261124", "101", True),
        ("1230", "401", True),
        ("anything", "805", True),
        ("2026\u06611124", "102", False),
    ],
)
def test_dates_are_checked_by_their_format(value: str, format: str, is_right: bool) -> None:
    assert (wrong_date(value, format) is None) == is_right
