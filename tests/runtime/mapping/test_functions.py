"""Registered functions: exact decimals, what a run hands in, and what is switched off."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime.mapping as mapping
from connectors.sdk import BusinessError
from runtime.mapping import ENGINES, EvaluationError, Functions, decimals
from runtime.mapping.functions import gtin_check


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('$dec_add("0.1", "0.2")', "0.3"),
        ('$dec_add(1, "0.20")', "1.20"),
        ('$dec_sub("1.00", "0.01")', "0.99"),
        ('$dec_sub("0.00", "0.00")', "0.00"),
        ('$dec_mul("12", "3.50")', "42.00"),
        ('$dec_mul("-0.00", "3")', "0.00"),
        ('$dec_mul("99999999999999999999", "99999999999999999999")', "9999999999999999999800000000000000000001"),
        ('$dec_div("10", "3", 2)', "3.33"),
        ('$dec_div("20", "3", 2)', "6.67"),
        ('$dec_div("-5", "2", 0)', "-3"),
        ('$dec_div("5", "2", 0, "half_even")', "2"),
        ('$dec_div("5.0000000000000000000000000001", "2", 0, "half_even")', "3"),
        ('$dec_div("1", "3", 2, "up")', "0.34"),
        ('$dec_div("-1", "3", 2, "floor")', "-0.34"),
        ('$dec_div("-1", "3", 2, "ceiling")', "-0.33"),
        ('$dec_div("1", "-3", 2, "down")', "-0.33"),
        ('$dec_sum(["0.10", "0.20", 1])', "1.30"),
        ("$dec_sum(lines.p)", "3.30"),
        ("$dec_sum(one.p)", "1.10"),
        ("$dec_sum(absent)", "0"),
        ('$dec_round("2.345", 2)', "2.35"),
        ('$dec_round("-2.345", 2)', "-2.35"),
        ('$dec_round("2.345", 2, "half_even")', "2.34"),
        ('$dec_round("7", 2)', "7.00"),
        ('$dec_compare("9", "10.00")', -1),
        ('$dec_compare("10", "10.00")', 0),
        ("$dec(2.5)", "2.5"),
        ("$dec(0.00001)", "0.00001"),
        ("$dec(12)", "12"),
        ('$dec("1.50")', "1.50"),
        ('$pad("a", 3, "-") & $pad("a", -3, "-")', "a----a"),
        ('$pad("foo", 5.7, "-")', "foo--"),
        ("$gtin_check('4006381333931')", True),
        ("$gtin_check('4006381333932')", False),
        ('$hash({"b": 1, "a": [1.5]})', "be0f99d229adbed6fd3e3206be946511ff4ff13f0a68d5611e41781abe3175b1"),
        ('$hash({"b": 1, "a": 2}) = $hash({"a": 2, "b": 1})', True),
    ],
)
def test_functions_answer_exactly(source: str, expected: Any, engine: str) -> None:
    document = {"lines": [{"p": "1.10"}, {"p": "2.20"}], "one": [{"p": "1.10"}]}

    assert mapping.compile(source, engine=engine).evaluate(document) == expected


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('$dec_add(0.1, "1")', "0.1 is a binary number"),
        ('$dec_add(absent, "1")', "missing or null"),
        ('$dec_add("1,50", "1")', "'1,50' is not a decimal"),
        ('$dec_add("NaN", "1")', "'NaN' is not a decimal"),
        ('$dec_add("1e5", "1")', "'1e5' is not a decimal"),
        ('$dec_add(" 1", "1")', "' 1' is not a decimal"),
        ('$dec_add(true, "1")', "True is not a decimal"),
        ('$dec_add("1")', r"cannot be called with 1 arguments.*it is \$dec_add\(a, b\)"),
        ('$map(["1.23"], $dec_round)', "is not a way of rounding"),
        ('$dec_div("1", "0.00", 2)', "is zero"),
        ('$dec_div("1", "3", 2.5)', "is not a number of places"),
        ('$dec_round("1", 2, "nearest")', "use one of half_up, half_even"),
        ("$dec(0.1234567890123456)", "more than 15 digits"),
        ("$random()", "switched off"),
        ("$shuffle([1, 2])", "switched off"),
        ('$eval("1 + 1")', "switched off: data never becomes code"),
        ("$pad('a', 10001)", "from -10000 to 10000"),
        ("$pad(absent, 3)", "stands where a string is due"),
        ("$now('[Y]')", "write \\$fromMillis"),
        ("$uuid()", "inside a run only"),
    ],
)
def test_a_refusal_says_what_and_why(source: str, said: str, engine: str) -> None:
    with pytest.raises(EvaluationError, match=said) as caught:
        mapping.compile(source, engine=engine, name="flow/x").evaluate({})

    assert caught.value.name == "flow/x"


amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=4)


@given(amounts, amounts.filter(bool), st.integers(0, 6), st.sampled_from(sorted(decimals.MODES)))
def test_a_quotient_is_rounded_once_from_the_exact_value(a: Decimal, b: Decimal, places: int, mode: str) -> None:
    """Compared with a quotient of 200 digits, which is far from any tie that it does not stand on."""
    import decimal

    exact = decimal.Context(prec=200).divide(a, b)
    wanted = exact.quantize(Decimal(1).scaleb(-places), decimals.MODES[mode], decimal.Context(prec=200))

    assert Decimal(decimals.dec_div(str(a), str(b), places, mode)) == wanted


def test_the_sum_of_ten_thousand_lines_is_exact_to_the_cent(engine: str) -> None:
    lines = [{"amount": "0.10"} for _ in range(10_000)]

    assert mapping.compile("$dec_sum(lines.amount)", engine=engine).evaluate({"lines": lines}) == "1000.00"


def test_a_run_hands_in_time_ids_mappings_and_master_data(engine: str) -> None:
    functions = Functions(
        now=lambda: "2026-11-21T08:00:00.000Z",
        millis=lambda: 5,
        uuid=lambda: "u",
        map_with=lambda name, document: {"by": name, "of": document},
        resolve=lambda kind, code, scheme: {"name": kind + code + scheme},
    )
    source = (
        "[$now(), $millis(), $uuid(), $map_with('m', $), $resolve('item', 'A').name, $resolve('i', 'B', 's').name]"
    )

    result = mapping.compile(source, engine=engine).evaluate({"q": [1]}, functions=functions)

    assert result == ["2026-11-21T08:00:00.000Z", 5, "u", {"by": "m", "of": {"q": [1]}}, "itemA", "iBs"]


def test_a_code_that_is_not_resolved_is_null(engine: str) -> None:
    functions = Functions(resolve=lambda *_: None)

    assert mapping.compile("[$resolve('item', 'A')]", engine=engine).evaluate({}, functions=functions) == [None]


@pytest.mark.parametrize("error", [BusinessError("no", kind="unknown_item"), KeyError("k"), KeyboardInterrupt()])
def test_an_exception_of_a_function_reaches_the_caller_unchanged(error: BaseException, engine: str) -> None:
    """Engines deliver it as text; what the runtime does next depends on its type."""

    def refuse(*_: Any) -> Any:
        raise error

    with pytest.raises(type(error)) as caught:
        mapping.compile("$resolve('item', 'A')", engine=engine).evaluate({}, functions=Functions(resolve=refuse))

    assert caught.value is error


def test_a_mapping_may_call_another_and_itself(engine: str) -> None:
    """The functions and failures of an inner evaluation stay its own."""
    inner = mapping.compile("n = 0 ? $uuid() : $map_with('again', {'n': n - 1}) & $uuid()", engine=engine)

    def again(_: str, document: Any) -> Any:
        return inner.evaluate(document, functions=Functions(uuid=lambda: str(document["n"]), map_with=again))

    assert again("", {"n": 3}) == "0123"


def test_a_failure_that_was_handled_does_not_fail_the_next_evaluation(engine: str) -> None:
    expression = mapping.compile('$dec_add(a, "1")', engine=engine)

    with pytest.raises(EvaluationError):
        expression.evaluate({"a": "x"})

    assert expression.evaluate({"a": "1"}) == "2"


def test_a_local_name_hides_a_registered_function(engine: str) -> None:
    assert mapping.compile("($hash := function($x) { 'own' }; $hash(1))", engine=engine).evaluate({}) == "own"


@pytest.mark.parametrize("text", ["", "1", "40063813339", "400638133393a", "٤٠٠٦٣٨١٣٣٣٩٣١", None, 4006381333931])
def test_what_is_no_gtin_fails_its_check(text: Any) -> None:
    assert gtin_check(text) is False


@pytest.mark.parametrize("text", ["96385074", "036000291452", "4006381333931", "10614141000415"])
def test_gtins_of_every_length_pass(text: str) -> None:
    """GS1 General Specifications, section 7.9."""
    assert gtin_check(text) is True


def test_a_mapping_called_by_another_finds_its_functions_each_time(engine: str) -> None:
    """Also when it was compiled and evaluated inside the other one."""
    inner = mapping.compile("$gtin_check(code)", engine=engine)
    outer = mapping.compile("$map_with('inner', $)", engine=engine)
    functions = Functions(map_with=lambda _, document: inner.evaluate(document))

    assert [outer.evaluate({"code": "4006381333931"}, functions=functions) for _ in range(3)] == [True] * 3
