"""Reading keeps every byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.x12.codec import Limits, X12Error, faults, named, read, write
from connectors.x12.lossless import text_of
from tests.connectors.x12.samples import CORPUS, SAMPLES, sample

#: Files that cannot be read, and why: what the error says of them.
UNREADABLE = {
    "gozer__test_resources_x12.missing.ISA.txt": "should begin with ISA, found 'GS*SH*440519'",
    "gozer__test_resources_x12.wrong.ISA.txt": "should begin with ISA, found 'XXX*01*00000'",
}
HEADER = b"ISA*00*          *00*          *ZZ*ONE            *ZZ*TWO            *261120*0930*"


def corpus() -> list[Path]:
    if not CORPUS.is_dir():
        pytest.skip("no public X12 files beside the checkout: put them in ../shared/corpus/x12")
    return sorted(CORPUS.iterdir())


def interchange(body: str = "", *, version: str = "00401", eleven: str = "U", end: str = "~") -> bytes:
    head = HEADER + f"{eleven}*{version}*000000001*0*T*>{end}".encode()
    return head + body.replace("~", end).encode()


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.edi")), ids=lambda path: path.name)
def test_every_sample_is_written_back_byte_for_byte(path: Path) -> None:
    """Also through JSON text, as the command does it."""
    raw = path.read_bytes()

    assert write(json.loads(json.dumps(read(raw)))) == raw


def test_every_public_file_is_written_back_byte_for_byte_or_listed_with_its_reason() -> None:
    """The table above is exact: a file that can be read must not stand in it, nor one refused for another reason."""
    refused = {}
    for path in corpus():
        raw = path.read_bytes()
        try:
            document = read(raw)
        except X12Error as error:
            refused[path.name] = error.message
            continue
        assert write(json.loads(json.dumps(document))) == raw, path.name
        assert document["trailing"] == "", path.name
        faults(document)

    assert refused.keys() == UNREADABLE.keys()
    assert all(reason in refused[name] for name, reason in UNREADABLE.items()), refused


def test_two_interchanges_in_one_file_stay_two_and_may_use_other_delimiters() -> None:
    """Delimiters are found again at every ISA."""
    raw = interchange("IEA*0*000000001~\n") + interchange("IEA*0*000000001~", end="!").replace(b"*", b"|")

    document = read(raw)

    assert [one["delimiters"]["element"] for one in document["interchanges"]] == ["*", "|"]
    assert [one["delimiters"]["segment"] for one in document["interchanges"]] == ["~", "!"]
    assert write(document) == raw


def test_an_interchange_without_iea_ends_where_the_next_isa_begins() -> None:
    raw = interchange("GS*PO*A*B*20261120*0930*1*X*004010~") + interchange("IEA*0*000000001~")

    document = read(raw)

    assert len(document["interchanges"]) == 2
    assert document["interchanges"][0]["trailer"] is None
    assert write(document) == raw


def test_text_that_is_no_interchange_is_kept_and_reported() -> None:
    """Between two interchanges and after the last one."""
    raw = interchange("IEA*0*000000001~") + b"junk ISA no" + interchange("IEA*0*000000001~\n") + b"more"

    document = read(raw)

    assert write(document) == raw
    assert [one.code for one in faults(document)] == ["interchange_text_outside"] * 2


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" \r\n\t", b"\xef\xbb\xbf\r\n"])
@pytest.mark.parametrize("glue", ["", "\n", "\r\n", "\n\n  "])
def test_bom_leading_blanks_and_line_ends_are_kept(before: bytes, glue: str) -> None:
    raw = before + interchange(f"{glue}TA1*000000001*261120*0930*A*000~{glue}IEA*0*000000001~") + glue.encode()

    document = read(raw)

    assert document["interchanges"][0]["glue"] == glue
    assert "glue" not in document["interchanges"][0]["segments"][0]
    assert write(document) == raw


def test_isa11_is_a_repetition_separator_from_00402_on_only() -> None:
    body = "GS*PO*A*B*20261120*0930*1*X*005010~ST*999*0001~REF*A^B>C*D~SE*3*0001~GE*1*1~IEA*1*000000001~"

    old = read(interchange(body, eleven="^"))["interchanges"][0]
    new = read(interchange(body, eleven="^", version="00501"))["interchanges"][0]

    assert old["groups"][0]["sets"][0]["segments"][1]["elements"] == [["A^B", "C"], "D"]
    assert new["groups"][0]["sets"][0]["segments"][1]["elements"] == [{"repeat": ["A", ["B", "C"]]}, "D"]
    assert write(read(interchange(body, eleven="^", version="00501"))) == interchange(
        body, eleven="^", version="00501"
    )


def test_bytes_that_are_not_utf8_and_needless_empty_elements_survive() -> None:
    raw = interchange("GS*PO~ST*850*0001~N1*ST*M\xfcller***~SE*3~GE~IEA~").replace("ü".encode(), b"\xfc")

    document = read(raw)

    assert document["interchanges"][0]["encoding"] == "latin-1"
    assert document["interchanges"][0]["groups"][0]["sets"][0]["segments"][1]["elements"][-3:] == ["", "", ""]
    assert write(document) == raw


def test_binary_data_may_hold_delimiters() -> None:
    """BIN01 counts bytes, whatever they are."""
    raw = interchange("GS*PI~ST*275*0001~BIN*9*a~b*ü>~c~SE*3*0001~GE*1*1~IEA*1*1~")

    document = read(raw)

    binary = document["interchanges"][0]["groups"][0]["sets"][0]["segments"][1]
    assert binary == {"id": "BIN", "elements": ["9", "a~b*ü>~c"], "binary": True}
    assert write(document) == raw


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "found nothing"),
        (b"\x89PNG\r\n", "should begin with ISA"),
        (b"UNB+UNOA:1", "should begin with ISA"),
        (b"ISA*00*", "of its 16 elements"),
        (b"ISAX00X", "should begin with ISA"),
        (interchange().replace(b"*>~", b"*>"), "ends inside the ISA"),
        (interchange().replace(b"*>~", b"*P~"), "cannot be the component delimiter"),
        (interchange().replace(b"*>~", b"*~~"), "same character"),
        (interchange(eleven=">", version="00501"), "same character"),
        (interchange().replace(b"*ZZ*TWO", b"~ZZ*TWO*"), "ends before its 16 elements"),
    ],
)
def test_what_is_no_interchange_is_refused_with_what_was_found(raw: bytes, says: str) -> None:
    with pytest.raises(X12Error, match=says) as refused:
        read(raw)

    assert refused.value.next_action


def test_one_endless_segment_is_refused_at_the_limit() -> None:
    """The file may be large, a segment may not."""
    raw = interchange("GS*" + "x" * 100_000)

    with pytest.raises(X12Error, match="more than 65536 bytes") as refused:
        read(raw)

    assert refused.value.position == len(interchange())


def test_files_beyond_the_limits_are_refused() -> None:
    raw = sample("850.edi")

    with pytest.raises(X12Error, match="more than the 100 bytes"):
        read(raw, Limits(size=100))
    with pytest.raises(X12Error, match="more than 5 segments"):
        read(raw, Limits(segments=5))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"interchanges": "x"}, "a list is expected"),
        ({"interchanges": [1]}, "an object is expected"),
        ({"interchanges": [{"delimiters": {"element": "*"}}]}, "cannot be the component delimiter"),
        ({"trailing": 7}, "text is expected"),
        ([], "an object is expected"),
    ],
)
def test_json_that_is_no_lossless_view_is_refused_with_its_place(damage: object, says: str) -> None:
    with pytest.raises(X12Error, match=says):
        write(damage)  # type: ignore[arg-type]


def test_an_element_that_holds_a_delimiter_is_refused_when_written() -> None:
    """X12 has no way to escape it; writing it would make another message."""
    document = read(sample("850.edi"))
    document["interchanges"][0]["groups"][0]["sets"][0]["segments"][1]["elements"][2] = "PO*1"

    with pytest.raises(X12Error, match="holds a delimiter"):
        write(document)


def test_the_named_view_of_public_850_and_855_files_has_their_numbers() -> None:
    """Files of other makers, not only our own samples."""
    numbers = {}
    for path in corpus():
        if path.name not in UNREADABLE:
            for interchange in read(path.read_bytes())["interchanges"]:
                for group in interchange["groups"]:
                    for one in group["sets"]:
                        if text_of(one["segments"][0], 1) in ("850", "855"):
                            numbers[path.name] = named(one).get("beginning", {}).get("order_number")

    assert numbers["EDI.Net__indice.Edi.Tests_Samples_x12.850a.edi"] == "4600000406"
    assert numbers["stupidedi__fixtures_004010_PR855_pass_1.edi"] == "1D711419"
    assert len(numbers) == 10
