"""Reading keeps every byte, and says what is meant where it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.hl7.codec import NULL, Hl7Error, read, strictly, view, write
from tests.connectors.hl7.corpus import NOT_ONE_MESSAGE, SAMPLES, public_files, sample

MSH = "MSH|^~\\&|WARD|MERCY|ORDERLY|MERCY|20261124||OMS^O05|C1|P|2.5.1\r"


def text(rest: str) -> bytes:
    return (MSH + rest).encode()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_written_back_byte_by_byte(path: Path) -> None:
    """Reading changes nothing."""
    raw = path.read_bytes()

    assert write(read(raw)) == raw


def test_every_public_file_is_written_back_byte_by_byte() -> None:
    """Real messages of three projects, batches too; what is not one message is in the table, with the reason."""
    refused = set()
    for path in public_files():
        raw = path.read_bytes()
        message = read(raw)
        assert write(message) == raw, path.name
        try:
            view(message)
        except Hl7Error:
            refused.add(path.name)

    assert refused == set(NOT_ONE_MESSAGE)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_makes_segments(end: str) -> None:
    """CR is the standard; LF and CRLF are what files have."""
    raw = text("ORC|NW|R1\rZZZ|x\r").replace(b"\r", end.encode())

    message = read(raw)

    assert [segment.id for segment in message.segments] == ["MSH", "ORC", "ZZZ"]
    assert message.get("ORC-2") == "R1"
    assert write(message) == raw


def test_mixed_ends_blank_lines_and_no_last_end_are_kept() -> None:
    """Each line keeps its own end."""
    raw = text("ORC|NW\n\r\nRQD|1\r\n\r\rNTE|1")

    message = read(raw)

    assert [segment.id for segment in message.segments] == ["MSH", "ORC", "RQD", "NTE"]
    assert write(message) == raw


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("PID-3", "a"),
        ("PID-3.2", "b&"),
        ("PID-3[1].1", "d"),
        ("PID-3[1].2.2", "f"),
        ("PID[0]-3[1].2", "e"),
        ("PID-4", None),
        ("PID-5", NULL),
        ("PID-9", None),
        ("PID[1]-3", None),
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-9.2", "O05"),
    ],
)
def test_a_path_gives_the_decoded_leaf(path: str, value: str | None) -> None:
    """What is left out of a path is the first; absent is None, the null of HL7 is itself."""
    message = read(text('PID|1||a^b\\T\\~d^e&f||""\r'))

    assert message.get(path) == value


@pytest.mark.parametrize("path", ["RQD", "RQD-0", "rqd-1", "RQD-1.0", "RQD-1.2.3.4"])
def test_what_is_not_a_path_is_refused(path: str) -> None:
    """Never a silent None for a mistyped path."""
    with pytest.raises(ValueError, match="is not a path"):
        read(text("")).get(path)


def test_a_message_declares_its_own_delimiters() -> None:
    """MSH-1 and MSH-2, not the usual ones."""
    message = read(sample("oms_o05_other_delimiters.hl7"))

    assert message.type == "OMS^O05"
    assert message.get("RQD-4.2") == "Syringes 10 ml"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
        (r"x\X0D0A\y", "x\r\ny"),
        (r"caf\XC3A9\ ", "café "),
        (r"one\.br\two", "one\ntwo"),
        (r"\H\bold\N\ ", r"\H\bold\N\ "),
        (r"\H\F\N\ ", r"\H\F\N\ "),
        (r"\Zlocal\ \C2842\ \.sp2\ ", r"\Zlocal\ \C2842\ \.sp2\ "),
        (r"C:\temp\new", r"C:\temp\new"),
        (r"\XFF\ ", r"\XFF\ "),
        ("\\", "\\"),
    ],
)
def test_escapes_are_decoded_per_leaf_and_unknown_ones_kept(written: str, meant: str) -> None:
    """Formatting, local and broken sequences are text; nothing is dropped."""
    raw = text(f"NTE|1||{written}\r")

    message = read(raw)

    assert message.get("NTE-3") == meant
    assert write(message) == raw


def test_the_truncation_character_is_a_delimiter_of_version_2_7() -> None:
    """The fifth character of MSH-2."""
    message = read(b"MSH|^~\\&#|W|M|||2026||OMS^O05|1|P|2.7\rNTE|1||cut\\P\\off#\r")

    assert message.get("MSH-2") == "^~\\&#"
    assert message.get("NTE-3") == "cut#off#"


@pytest.mark.parametrize(
    ("raw", "setting", "charset", "source", "value"),
    [
        (text("NTE|1||café\r"), None, "utf-8", "UTF-8", "café"),
        (b"\xef\xbb\xbf" + text("NTE|1||café\r"), None, "utf-8", "BOM", "café"),
        ((MSH + "NTE|1||café\r").encode("cp1252"), None, "cp1252", "fallback", "café"),
        ((MSH + "NTE|1||Łódź\r").encode("iso8859-2"), "8859/2", "iso8859-2", "setting", "Łódź"),
        (b"\xff\xfe" + (MSH + "NTE|1||café\r").encode("utf-16-le"), None, "utf-16-le", "BOM", "café"),
        (MSH.encode() + b"NTE|1||a\x81\x8d\x99\r", None, "cp1252", "fallback", "a\x81\x8d™"),
        (sample("oms_o05_latin1.hl7") + b"NTE|1||\xe9\r", None, "iso8859-1", "MSH-18", "é"),
    ],
    ids=["utf-8", "bom", "cp1252", "setting", "utf-16", "undefined bytes", "MSH-18"],
)
def test_the_character_set_is_chosen_and_recorded(
    raw: bytes, setting: str | None, charset: str, source: str, value: str
) -> None:
    """Setting, MSH-18, byte order mark, UTF-8, Windows-1252; even undefined bytes survive."""
    message = read(raw, setting)

    assert (message.charset, message.charset_source) == (charset, source)
    assert message.get("NTE-3") == value
    assert message.warnings == ()
    assert write(message) == raw


@pytest.mark.parametrize("named", ["UNICODE UTF-8", "ASCII", "KLINGON"])
def test_a_character_set_that_does_not_fit_is_a_warning(named: str) -> None:
    """The next choice is taken, the bytes are kept."""
    raw = MSH.rstrip("\r").encode() + f"||||||{named}\r".encode() + b"NTE|1||caf\xe9\r"

    message = read(raw)

    assert message.charset == "cp1252"
    assert message.get("NTE-3") == "café"
    assert named in message.warnings[0]
    assert write(message) == raw


def test_a_setting_goes_before_msh_18() -> None:
    """The channel knows better than the sender."""
    raw = sample("oms_o05_latin1.hl7").replace(b"N\xe4hset, gro\xdf", "Nähset".encode())

    assert read(raw, "utf-8").get("RQD-4.2") == "Nähset"


@pytest.mark.parametrize("setting", ["UTF-16", "UNICODE UTF-16"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_setting_of_utf_16_is_of_either_order(setting: str, encoding: str) -> None:
    """The mark decides, and without one the first letter."""
    raw = (MSH + "NTE|1||café\r").encode(encoding)

    message = read(raw, setting)

    assert message.charset_source == "setting"
    assert message.get("NTE-3") == "café"
    assert message.warnings == ()
    assert write(message) == raw


def test_mllp_bytes_around_utf_16_are_kept() -> None:
    """Each is two bytes there."""
    raw = ("\ufeff\x0b" + MSH + "NTE|1||café\r\x1c\r").encode("utf-16-le")

    message = read(raw)

    assert message.get("NTE-3") == "café"
    assert [segment.id for segment in message.segments] == ["MSH", "NTE"]
    assert write(message) == raw


def test_a_line_that_is_no_segment_is_a_remark_without_its_text() -> None:
    """It may be the rest of a patient's name."""
    message = read(text("NTE|1||broken\nin two\rRQD|1\r"))

    assert message.remarks == ("segment 3 does not begin with a segment name",)
    assert view(message)["warnings"] == list(message.remarks)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (text("NTE|1||broken\nin two\r"), "line 3"),
        (text("").replace(b"|C1|", b"||"), "MSH[0]-10"),
        (text("NTE|1||caf\xe9\r").replace(b"\r", b"||||||KLINGON\r", 1), "MSH"),
    ],
)
def test_a_strict_channel_refuses_what_others_read_with_a_warning(raw: bytes, field: str) -> None:
    """With the place of the first."""
    with pytest.raises(Hl7Error) as refused:
        strictly(read(raw))

    assert refused.value.field == field
    assert "two" not in refused.value.message


def test_a_strict_channel_takes_every_sound_sample() -> None:
    """Also with a byte order mark and other delimiters."""
    for path in SAMPLES:
        message = read(path.read_bytes())
        assert strictly(message) is message


def test_mllp_bytes_in_a_file_are_kept_around_the_message() -> None:
    """A dump of a line has start and end blocks."""
    raw = b"\x0b" + text("ORC|NW|R1\r") + b"\x1c\r"

    message = read(raw)

    assert message.get("ORC-2") == "R1"
    assert write(message) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"MSH",
        b"MSH|",
        b"MSH|^^~&|x\r",
        b"MSHX^~\\&|x\r",
        b"\xff\xfe",
        b"PID|1\r",
        b"{}",
        sample("without_msh.hl7"),
    ],
)
def test_what_has_no_header_is_refused_and_the_error_says_what_to_do(raw: bytes) -> None:
    """There is nothing to read it by."""
    with pytest.raises(Hl7Error) as refused:
        read(raw)

    assert refused.value.next_action
    assert refused.value.field
