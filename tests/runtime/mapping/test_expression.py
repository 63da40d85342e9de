"""What an expression promises, whichever engine evaluates it."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

import runtime.mapping as mapping
from runtime.mapping import ENGINES, MISSING, EvaluationError, ExpressionError, Functions, Limits, engines


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def value(source: str, document: Any, engine: str, **more: Any) -> Any:
    return mapping.compile(source, engine=engine, name="here").evaluate(document, **more)


def failure(source: str, document: Any, engine: str, **more: Any) -> EvaluationError:
    with pytest.raises(EvaluationError) as caught:
        value(source, document, engine, **more)
    return caught.value


@pytest.mark.parametrize(
    ("source", "document", "expected"),
    [
        ("absent", {"a": 1}, MISSING),
        ("a", {"a": None}, None),
        ("$", None, None),
        ('{"x": absent}', {}, {}),
        ('{"x": a}', {"a": None}, {"x": None}),
        ("$", [1], [1]),
        ("$", [[1]], [[1]]),
        ("a.b", {"a": [{"b": 1}]}, 1),
        ("[a.b]", {"a": [{"b": 1}]}, [1]),
        ("a.b[]", {"a": [{"b": 1}]}, [1]),
        ("a.b.%.c", {"a": {"b": 1, "c": 2}}, 2),
        ("a#$i.$i", {"a": [7, 8]}, [0, 1]),
        ("a", {"a": 12.0}, 12),
        ("a * 2", {"a": 1.5}, 3),
        ("function($x) { $x }", {}, None),
        ('$match("xAb", /a(b)/i).groups', {}, ["b"]),
    ],
)
def test_undefined_null_and_collapsed_lists_are_told_apart_alike_by_both_engines(
    source: str, document: Any, expected: Any, engine: str
) -> None:
    """What JSONata leaves out is MISSING, what is null is None, and a whole number is an int."""
    result = value(source, document, engine)

    assert result == expected
    assert type(result) is type(expected)


def test_bindings_are_variables(engine: str) -> None:
    bound = {"run": {"effect_key": "k1"}, "nodes": {"items": [{"code": "A"}]}, "nothing": None}

    assert value("$run.effect_key & $nodes.items.code", {}, engine, bindings=bound) == "k1A"
    assert value("$nothing", {}, engine, bindings=bound) is None


def test_input_is_left_as_it_was(engine: str) -> None:
    """Messages are immutable: an expression that transforms works on a copy."""
    document = {"lines": [{"q": 1, "n": None}]}

    changed = value('$ ~> | lines | {"q": 2} |', document, engine)

    assert changed == {"lines": [{"q": 2, "n": None}]}
    assert document == {"lines": [{"q": 1, "n": None}]}


@pytest.mark.parametrize(
    ("source", "position"), [("1 +", 3), ("{'a': ", 6), ("a[", 2)], ids=["operator", "object", "filter"]
)
def test_source_that_is_not_jsonata_is_refused_with_name_code_and_position(
    source: str, position: int, engine: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        mapping.compile(source, engine=engine, name="mappings/x")

    assert caught.value.name == "mappings/x"
    assert caught.value.code.startswith("S0")
    assert caught.value.position == position
    assert str(caught.value).startswith("mappings/x: ")


def test_two_expressions_in_one_source_are_refused(engine: str) -> None:
    """Balanced parentheses are not enough: each engine sees the source as it was written, too."""
    with pytest.raises(ExpressionError):
        mapping.compile("1); (2", engine=engine)


def test_an_engine_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ExpressionError, match=r"no engine called 'v8'.*jsonatapy or jsonata-python"):
        mapping.compile("1", engine="v8")


def test_a_type_error_in_the_data_names_code_and_mapping(engine: str) -> None:
    error = failure("a + 1", {"a": "x"}, engine)

    assert (error.code, error.name) == ("T2001", "here")


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**70, float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["input", "nested", "binding"])
def test_numbers_that_an_engine_would_alter_are_refused(number: Any, place: str, engine: str) -> None:
    document = {"a": number} if place == "input" else {"a": [{"b": number}]} if place == "nested" else {}
    bindings = {"b": {"c": number}} if place == "binding" else None

    error = failure("1", document, engine, bindings=bindings)

    assert str(number) in error.message
    assert error.next_action


def test_the_largest_exact_whole_numbers_pass(engine: str) -> None:
    assert value("[a, b]", {"a": 2**53, "b": -(2**53)}, engine) == [2**53, -(2**53)]


def test_a_literal_beyond_exactness_does_not_compile(engine: str) -> None:
    with pytest.raises(ExpressionError, match="9007199254740993 is beyond 2\\^53"):
        mapping.compile("a = 9007199254740993", engine=engine)


def test_a_division_by_zero_is_an_error_and_not_infinity(engine: str) -> None:
    failure("1 / 0", {}, engine)


@pytest.mark.parametrize("document", [{"a": (1, 2)}, {"a": {1}}, {"a": b"x"}], ids=["tuple", "set", "bytes"])
def test_input_that_is_not_json_is_refused(document: Any, engine: str) -> None:
    failure("$count(a)", document, engine)


@pytest.mark.parametrize(
    ("source", "limits", "code"),
    [
        ("($f := function($n) { $f($n) }; $f(0))", Limits(seconds=0.2), "D1012"),
        ("($f := function($n) { $f($n + 1) + 1 }; $f(0))", Limits(), "D1011"),
        ("[1..5000000]", Limits(sequence=1000), "D2015"),
    ],
    ids=["time", "depth", "sequence"],
)
def test_every_evaluation_is_bounded(source: str, limits: Limits, code: str, engine: str) -> None:
    assert failure(source, {}, engine, limits=limits).code == code


def test_what_ended_is_not_nested(engine: str) -> None:
    """The reference alone counts each of these lists as one level deeper than the one before it."""
    assert value("$count([[1..3000].(['a', 'b'])])", {}, engine) == 6000


@pytest.mark.parametrize("width", ["100000000000", "1e18", "-1e300"])
def test_a_huge_pad_is_refused_where_the_bare_engine_dies(width: str) -> None:
    """jsonatapy allocates what it is asked for, and an allocation that fails aborts the process."""
    program = (
        "import resource, sys, jsonatapy, runtime.mapping as m\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        f"source = '$pad(\"a\", {width})'\n"
        "if sys.argv[1] == 'bare': jsonatapy.compile(source).evaluate({})\n"
        "try: m.compile(source).evaluate({})\n"
        "except m.EvaluationError as error: print(error.code)\n"
    )

    bare, ours = (
        subprocess.run([sys.executable, "-c", program, way], capture_output=True, text=True, timeout=60)
        for way in ("bare", "ours")
    )

    assert bare.returncode < 0
    assert (ours.returncode, ours.stdout.strip()) == (0, "pad"), ours.stderr


def test_one_expression_serves_many_threads(engine: str) -> None:
    """Compiled objects belong to a thread; an Expression does not."""
    expression = mapping.compile('$dec_sum(lines.amount) & "/" & $uuid()', engine=engine)
    start, wrong = threading.Barrier(8), list[Any]()

    def work(number: int) -> None:
        start.wait()
        for _ in range(30):
            document = {"lines": [{"amount": str(number)}, {"amount": "0.50"}]}
            result = expression.evaluate(document, functions=Functions(uuid=lambda: f"u{number}"))
            if result != f"{number}.50/u{number}":
                wrong.append(result)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_panic_of_the_engine_is_an_error_like_any_other() -> None:
    """A compiled object used on a foreign thread is a panic that can be had at will."""
    foreign = engines.build("jsonatapy", "1", frozenset())
    seen = list[Any]()

    def work() -> None:
        try:
            foreign({}, None, Limits())
        except engines.Failure as failed:
            seen.append(failed.code)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == ["panic"]


def test_a_deeply_nested_document_is_refused_and_not_fatal(engine: str) -> None:
    document: Any = 1
    for _ in range(100_000):
        document = [document]

    assert "nests too deeply" in failure("$", document, engine).message
