"""A scanned device identification is understood whichever agency issued it, and never guessed at."""

from __future__ import annotations

from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.mapping import ENGINES, compile
from runtime.mapping.udi import parts


def checked(text: str) -> str:
    """With its check character, by another way than the code's: values by position in table."""
    values = {sign: value for value, sign in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%")}
    rest = sum(values[sign] for sign in text) % 43
    return text + next(sign for sign, value in values.items() if value == rest)


#: The examples of the FDA's "UDI Formats by FDA-Accredited Issuing Agency", with right check digits.
GS1 = "(01)51022222233336(11)141231(17)150707(10)A213B1(21)1234"
HIBCC = checked("+H123PARTNO1234567890120/$$420020216LOT123456789012345/SXYZ456789012345678/16D20130202")
ICCBBA = "=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032&,1000000000000XYZ123"

GS1_PARTS = {
    "agency": "GS1", "device_identifier": "51022222233336", "lot": "A213B1", "serial": "1234",
    "expires": "2015-07-07", "manufactured": "2014-12-31",
}  # fmt: skip


@pytest.mark.parametrize(
    "carrier",
    [
        GS1,
        "0151022222233336111412311715070710A213B1\x1d211234",
        "]d20151022222233336111412311715070710A213B1\x1d211234",
        "\x1d0151022222233336211234\x1d10A213B1\x1d1715070711141231",
        "0151022222233336\x1d11141231\x1d17150707\x1d10A213B1\x1d211234\x1d",
        "0151022222233336240REF7\x1d1114123131030001251715070710A213B1\x1d211234",
    ],
)
def test_gs1_is_read_with_brackets_and_with_fnc1(carrier: str) -> None:
    """In any order, with the scanner's symbology identifier or without, past other elements."""
    assert parts(carrier) == GS1_PARTS


def test_day_00_of_gs1_is_the_last_of_the_month() -> None:
    """GS1 General Specifications, section 3.4.7."""
    assert parts("(01)51022222233336(17)280200")["expires"] == "2028-02-29"


def test_hibcc_is_read_with_its_secondary_parts() -> None:
    """The check character at the end is nobody's."""
    assert parts(HIBCC) == parts(f"*{HIBCC}*") == {
        "agency": "HIBCC", "device_identifier": "H123PARTNO1234567890120", "lot": "LOT123456789012345",
        "serial": "XYZ456789012345678", "expires": "2020-02-02", "manufactured": "2013-02-02",
    }  # fmt: skip


def test_the_check_character_is_that_of_the_standard() -> None:
    """The example of ANSI/HIBC 2.6."""
    assert parts("+A123BJC5D6E71G") == {"agency": "HIBCC", "device_identifier": "A123BJC5D6E71"}


@pytest.mark.parametrize(
    ("secondary", "said"),
    [
        ("$L7", {"lot": "L7"}),
        ("$+S7", {"serial": "S7"}),
        ("$$0928L7", {"expires": "2028-09-30", "lot": "L7"}),
        ("$$2093028L7", {"expires": "2028-09-30", "lot": "L7"}),
        ("$$+3280930S7", {"expires": "2028-09-30", "serial": "S7"}),
        ("$$528274L7", {"expires": "2028-09-30", "lot": "L7"}),
        ("$$62827412L7", {"expires": "2028-09-30", "lot": "L7"}),
        ("$$7L7", {"lot": "L7"}),
        ("$$8103280930L7", {"expires": "2028-09-30", "lot": "L7"}),
        ("$$9001003280930L7", {"expires": "2028-09-30", "lot": "L7"}),
        ("28274L7", {"expires": "2028-09-30", "lot": "L7"}),
        ("14D20280930/Q5", {"expires": "2028-09-30"}),
    ],
)
def test_every_form_of_a_date_of_hibcc_is_read(secondary: str, said: dict[str, str]) -> None:
    """ANSI/HIBC 2.6, section 2.3: by the digit that stands before it, past a quantity."""
    assert parts(checked(f"+A123ITM70/{secondary}")) == {
        "agency": "HIBCC", "device_identifier": "A123ITM70", **said,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("carrier", "said"),
    [
        ("+X999123ABC0/$$05191234AB/S5678EDFG/16D20151001A", "2019-05-31"),
        ("+X999123ABC0/$$20515191234AB/S5678EDFG/16D20151001I", "2019-05-15"),
        ("+X999123ABC0/$$31905151234AB/S5678EDFG/16D20151001J", "2019-05-15"),
        ("+X999123ABC0/$$4190515211234AB/S5678EDFG/16D20151001N", "2019-05-15"),
        ("+X999123ABC0/$$5191351234AB/S5678EDFG/16D20151001J", "2019-05-15"),
        ("+X999123ABC0/$$619135211234AB/S5678EDFG/16D20151001N", "2019-05-15"),
        ("+X999123ABC0/$1234AB/S5678EDFG/16D20151001/14D20190515.", "2019-05-15"),
    ],
)
def test_published_examples_of_hibcc_are_read_with_their_own_check_characters(carrier: str, said: str) -> None:
    """Examples of the device grammar in the documentation of OpenText IDOL Eduction 25.4."""
    assert parts(carrier) == {
        "agency": "HIBCC", "device_identifier": "X999123ABC0", "expires": said, "lot": "1234AB",
        "serial": "5678EDFG", "manufactured": "2015-10-01",
    }  # fmt: skip


SPACED = next(
    text for sign in "0AIQZ" + ascii_uppercase for text in [checked(f"+A123ITM{sign}70/$L7")] if text[-1] == " "
)


@pytest.mark.parametrize("carrier", [SPACED, f"*{SPACED[:-1]}_*", f"{SPACED}\r\n", SPACED.strip(), f" {SPACED} "])
def test_a_check_character_may_be_a_space(carrier: str) -> None:
    """In the symbol; below it it is an underscore; and a space at the end is easily lost on the way."""
    assert parts(carrier)["lot"] == "L7"


@pytest.mark.parametrize(
    ("digits", "date"), [("014032", "2014-02-01"), ("114032", "2114-02-01"), ("999365", "1999-12-31")]
)
def test_years_of_iccbba_have_three_digits(digits: str, date: str) -> None:
    """YYYJJJ in the FDA's table."""
    assert parts(f"=/A9999XYZ100T0944=}}{digits}")["manufactured"] == date


def test_a_compound_message_of_iccbba_says_first_how_many_structures_follow() -> None:
    """ISBT 128, data structure 023: two-dimensional symbols hold all in one."""
    assert parts(f"=+06000{ICCBBA}") == parts(ICCBBA) != {}


def test_iccbba_is_read() -> None:
    """Devices of human tissue; a blood container has structures of its own."""
    assert parts(ICCBBA) == {
        "agency": "ICCBBA", "device_identifier": "A9999XYZ100T0944", "lot": "000000000000XYZ123", "serial": "000025",
        "expires": "2014-02-01", "manufactured": "2013-02-01",
    }  # fmt: skip
    assert parts("=)1TE123456A&)RZ12345678") == {
        "agency": "ICCBBA", "device_identifier": "1TE123456A", "lot": "RZ12345678",
    }  # fmt: skip


@pytest.mark.parametrize(
    "carrier",
    [
        "", "nonsense", "+", "=/", "(01)",
        GS1.replace("33336", "33337"),
        GS1.replace("150707", "151307"),
        "(01)51022222233336 and more (10)L1)"[:-1].replace("(10)", "(x)"),
        "0151022222233336171507",
        HIBCC[:-1] + "D",
        "+A123BJC5D6E71H",
        HIBCC.replace("LOT1", "LOT2"),
        ICCBBA.replace("=>014032", "=>014400"),
        ICCBBA + "?",
    ],
)  # fmt: skip
def test_what_does_not_hold_is_not_guessed_at(carrier: str) -> None:
    """A wrong check digit, a date that is none, something cut short."""
    assert parts(carrier) == {}


@given(st.text(alphabet="()+=/$&,>}0123456789ABCSDQ\x1d]", max_size=60))
def test_any_text_is_read_or_not(text: str) -> None:
    """Never an error: it came from a scanner."""
    assert all(isinstance(value, str) for value in parts(text).values())


@pytest.mark.parametrize("engine", ENGINES)
def test_mappings_call_it(engine: str) -> None:
    """In both engines."""
    found = compile("$udi(carrier).lot & ' ' & $string($exists($udi('x').lot))", engine=engine)

    assert found.evaluate({"carrier": GS1}) == "A213B1 false"
