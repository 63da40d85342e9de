"""Reading keeps every byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.edifact.codec import Document, EdifactError, faults, gathered, read, stream, write
from tests.connectors.edifact.samples import HEAD, INTERCHANGE, corpus, enclosed, first_message, message

#: Files that cannot be read, and why: what the error says of them. All can be: what is broken in them are faults.
UNREADABLE: dict[str, str] = {}


def again(document: Document) -> bytes:
    return write(json.loads(json.dumps(document)))


def test_every_public_file_is_written_back_byte_for_byte_or_listed_with_its_reason() -> None:
    """The table above is exact: a file that can be read must not stand in it, nor one refused for another reason."""
    refused = {}
    for path in corpus():
        raw = path.read_bytes()
        try:
            document = read(raw)
        except EdifactError as error:
            refused[path.name] = error.message
            continue
        assert again(document) == raw, path.name
        assert document["trailing"].strip() == "", path.name
        assert all(one.message for one in faults(document)), path.name

    assert refused.keys() == UNREADABLE.keys()
    assert all(reason in refused[name] for name, reason in UNREADABLE.items()), refused


@pytest.mark.parametrize("size", [1, 7, 64])
def test_where_the_stream_is_cut_makes_no_difference(size: int) -> None:
    """Also between a release character and what it releases."""
    for path in corpus():
        raw = path.read_bytes()

        chunks = (raw[start : start + size] for start in range(0, len(raw), size))

        assert gathered(stream(chunks)) == read(raw), path.name


def test_segments_elements_and_components_are_lists_of_text() -> None:
    [interchange] = read(INTERCHANGE.encode())["interchanges"]

    segments = interchange["groups"][0]["messages"][0]["segments"]
    assert interchange["una"] is None
    assert interchange["encoding"] == "latin-1"
    assert segments[0] == {"id": "UNH", "elements": ["1", ["ORDERS", "D", "96A", "UN", "EAN008"]]}
    assert segments[10] == {"id": "LIN", "elements": ["1", "", ["4000862141404", "EN"]]}


def test_released_characters_are_data_and_written_back_released() -> None:
    raw = enclosed(message("FTX+AAI+++it?'s 3 ?+ 4?: what??:?'??'"))

    segment = first_message(raw)[1]

    assert segment == {"id": "FTX", "elements": ["AAI", "", "", ["it's 3 + 4: what?", "'?"]]}
    assert again(read(raw)) == raw


def test_needless_release_characters_are_kept_until_the_element_is_changed() -> None:
    raw = enclosed(message("FTX+AAI+++Dr?. No'"))
    document = read(raw)
    segment = document["interchanges"][0]["groups"][0]["messages"][0]["segments"][1]

    assert segment["elements"][3] == "Dr. No"
    assert segment["raw"] == "FTX+AAI+++Dr?. No"
    assert again(document) == raw
    segment["elements"][3] = "Dr. Yes"
    assert b"FTX+AAI+++Dr. Yes'" in write(document)


def test_raw_that_would_break_out_of_its_segment_is_not_written() -> None:
    document = read(enclosed(message("FTX+AAI'")))
    segment = document["interchanges"][0]["groups"][0]["messages"][0]["segments"][1]
    segment["elements"], segment["raw"] = ["A'B"], "FTX+A'B"

    assert b"FTX+A?'B'" in write(document)


@pytest.mark.parametrize("before", ["", "\ufeff", " \r\n\t", "\ufeff\r\n"])
@pytest.mark.parametrize("glue", ["", "\n", "\r\n", "\n\n  "])
def test_bom_leading_blanks_and_line_ends_are_kept(before: str, glue: str) -> None:
    raw = (before + INTERCHANGE.replace("'", f"'{glue}")).encode()

    document = read(raw)

    [interchange] = document["interchanges"]
    assert interchange["glue"] == glue
    assert not any("glue" in one for one in interchange["groups"][0]["messages"][0]["segments"])
    assert document["trailing"] == glue
    assert again(document) == raw


def test_two_interchanges_glued_together_stay_two_with_their_own_signs_and_character_sets() -> None:
    one = enclosed(message("FTX+AAI+++Müller'"), head="UNA:+.? '" + HEAD.replace("UNOC", "UNOW"))
    other = enclosed(message("FTX+AAI+++Kov\xe1cs'")).decode().encode("iso8859-2").replace(b"UNOC", b"UNOD")
    other = b"UNA|*,! ~" + other.replace(b":", b"|").replace(b"+", b"*").replace(b"'", b"~")

    document = read(one + other)

    first, second = document["interchanges"]
    assert (first["encoding"], second["encoding"]) == ("utf-8", "iso8859-2")
    assert (first["una"], second["una"]) == (":+.? '", "|*,! ~")
    assert second["delimiters"]["release"] == "!"
    assert second["groups"][0]["messages"][0]["segments"][1]["elements"][3] == "Kovács"
    assert again(document) == one + other


def test_an_interchange_without_unz_ends_where_the_next_one_begins() -> None:
    document = read((HEAD + message("BGM+220'") + "\n" + INTERCHANGE).encode())

    first, second = document["interchanges"]
    assert first["trailer"] is None
    assert second["before"] == "\n"
    assert second["trailer"] is not None


def test_una_in_the_midst_of_data_is_no_service_string() -> None:
    raw = enclosed(message("UNA+what'FTX+UNB'UNAX+1'"))

    [interchange] = read(raw)["interchanges"]

    assert [one["id"] for one in interchange["groups"][0]["messages"][0]["segments"]][1:4] == ["UNA", "FTX", "UNAX"]
    assert again(read(raw)) == raw


def test_text_between_interchanges_is_kept_and_reported() -> None:
    raw = INTERCHANGE.encode() + b"junk UNB, UNA\xff" + INTERCHANGE.encode() + b"more"

    document = read(raw)

    assert again(document) == raw
    assert [one.code for one in faults(document)] == ["interchange_text_outside"] * 2


def test_syntax_version_4_has_repetitions() -> None:
    body = message("COM+a:TE*b:EM+x*y'")
    old, new = enclosed(body), enclosed(body, head=HEAD.replace("UNOC:3", "UNOC:4"))

    assert first_message(old)[1]["elements"] == [["a", "TE*b", "EM"], "x*y"]
    assert first_message(new)[1]["elements"] == [{"repeat": [["a", "TE"], ["b", "EM"]]}, {"repeat": ["x", "y"]}]
    assert again(read(new)) == new


def test_the_separators_of_level_b_are_known() -> None:
    signs = str.maketrans({"+": "\x1d", ":": "\x1f", "'": "\x1c"})
    raw = INTERCHANGE.replace("UNOC", "UNOB").translate(signs).encode()

    assert first_message(raw)[1]["elements"] == ["220", "PO-1001", "9"]
    assert again(read(raw)) == raw


def test_segments_that_end_in_line_ends_are_read_and_reported() -> None:
    raw = INTERCHANGE.replace("'", "\r\n").encode()

    document = read(raw)

    assert again(document) == raw
    assert [one.code for one in faults(document)] == ["terminator_unannounced"]


def test_lines_wrapped_at_a_fixed_width_are_read_without_their_ends() -> None:
    text = INTERCHANGE.replace("Mercy", "M\xe9rcy").replace("UNOC", "UNOW")
    encoded = text.encode()
    raw = b"\n".join(encoded[start : start + 30] for start in range(0, len(encoded), 30))

    document = read(raw)

    assert again(document) == raw
    assert "lines_wrapped" in [one.code for one in faults(document)]
    assert first_message(raw)[1]["elements"] == ["220", "PO-1001", "9"]


def test_groups_hold_their_messages_and_others_stand_beside_them() -> None:
    group = "UNG+ORDERS+A+B+261124:0930+7+UN+D:96A'" + message("BGM+220'") + "UNE+1+7'"
    raw = (HEAD + message("BGM+220'", reference="9") + group + "UNZ+2+REF1'").encode()

    [interchange] = read(raw)["interchanges"]

    assert [one["header"] is None for one in interchange["groups"]] == [True, False]
    assert [len(one["messages"]) for one in interchange["groups"]] == [1, 1]
    assert again(read(raw)) == raw


def test_bytes_beyond_the_character_set_are_kept_and_the_segment_says_how_they_were_read() -> None:
    raw = enclosed(message("FTX+AAI+++M\xfcller'FTX+AAI+++plain'"), head=HEAD.replace("UNOC", "UNOA"))
    raw = raw.replace("ü".encode(), b"\xfc")

    strange, plain = first_message(raw)[1:3]

    assert (strange["encoding"], strange["elements"][3]) == ("latin-1", "Müller")
    assert "encoding" not in plain
    assert again(read(raw)) == raw


def test_a_partner_may_mean_another_character_set_than_unb_says() -> None:
    raw = enclosed(message("FTX+AAI+++\u20ac'")).replace("\u20ac".encode(), b"\x80")

    document = read(raw, encoding="windows-1252")

    assert document["interchanges"][0]["groups"][0]["messages"][0]["segments"][1]["elements"][3] == "€"
    assert again(document) == raw


@pytest.mark.parametrize("encoding", ["utf-16", "no-such-set", "hex", "cp037"])
def test_a_character_set_that_does_not_extend_ascii_is_refused(encoding: str) -> None:
    with pytest.raises(EdifactError, match="no character set"):
        read(INTERCHANGE.encode(), encoding=encoding)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "header_missing"),
        (b"hello", "header_missing"),
        (b"ISA*00*", "header_missing"),
        (b"\x00\xff\xfe\x01" * 50, "header_missing"),
        (b"UNA:+.? ", "header_missing"),
        (b"UNA++.? 'UNB+UNOC:3'", "delimiters_clash"),
        (b"UNAA+.? 'UNBAUNOC'", "delimiter_unfit"),
        (b"UNB*UNOC*3", "header_missing"),
    ],
)
def test_what_is_no_interchange_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(EdifactError) as refused:
        read(raw)

    assert refused.value.code == code
    assert refused.value.next_action


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"interchanges": {}}, "/interchanges"),
        ({"interchanges": [3]}, "/interchanges/0"),
        ({"interchanges": [{"delimiters": None}]}, "/interchanges/0/delimiters"),
        ({"interchanges": [{"delimiters": {}, "una": ":+"}]}, "/interchanges/0/una"),
    ],
)
def test_json_that_is_no_lossless_view_is_refused_by_pointer(change: object, pointer: str) -> None:
    with pytest.raises(EdifactError) as refused:
        write(change)  # type: ignore[arg-type]

    assert refused.value.details["pointer"] == pointer


def test_una_that_contradicts_the_delimiters_is_refused() -> None:
    document = read(b"UNA:+.? '" + INTERCHANGE.encode())
    document["interchanges"][0]["una"] = ":*.? '"

    with pytest.raises(EdifactError, match="una is"):
        write(document)


def test_a_delimiter_in_the_data_is_refused_where_nothing_can_release_it() -> None:
    document = read(enclosed(message("FTX+AAI'"), head="UNA:+.  '" + HEAD))
    document["interchanges"][0]["groups"][0]["messages"][0]["segments"][1]["elements"] = ["1+1"]

    with pytest.raises(EdifactError, match="no release character"):
        write(document)


def test_the_corpus_is_where_the_checkout_expects_it() -> None:
    """So that a skip elsewhere is told apart from an empty folder."""
    assert all(isinstance(path, Path) and path.is_file() for path in corpus())
