"""What an expression mentions, and expressions inside templates."""

from __future__ import annotations

from typing import Any

import pytest

import runtime.mapping as mapping
from runtime.mapping import MISSING, is_expression, literal, render
from runtime.mapping.names import fields, tokens


def test_only_what_is_mentioned_is_named() -> None:
    """Strings, comments, quoted names and regular expressions mention nothing."""
    expression = mapping.compile(
        """$nodes.items.x & $nodes.`q r` & $join([/* $no.$nodes.no */ "$str", '$chr', `$b`]) & $run.effect_key
        & $replace(a, /$nodes.x$/, "") & $string(4 / $half / 2)"""
    )

    assert expression.node_ids == {"items", "q r"}
    assert expression.variables == {"nodes", "run", "half"}
    assert expression.calls == {"join", "replace", "string"}
    assert not expression.all_nodes


@pytest.mark.parametrize("source", ["$nodes", "$lookup($nodes, 'a')", "$nodes[0]", "$nodes.*", "$keys($nodes)"])
def test_a_node_that_is_not_named_literally_asks_for_all(source: str) -> None:
    assert mapping.compile(source).all_nodes


def test_names_of_mappings_are_literal_or_reported() -> None:
    literal_one = mapping.compile("""$map_with('canonical_to_erp_order', $) & $map_with("b\\u0041", 1)""")
    computed = mapping.compile("$map_with(name, $)")
    joined = mapping.compile("$map_with('a' & 'b', $)")

    assert literal_one.mappings == {"canonical_to_erp_order", "bA"}
    assert not literal_one.non_literal_map_with
    assert computed.mappings == set() and computed.non_literal_map_with
    assert joined.mappings == set() and joined.non_literal_map_with


def test_a_function_handed_on_is_a_variable() -> None:
    assert mapping.compile("a ~> $uuid").variables == {"uuid"}


@pytest.mark.parametrize(
    ("text", "expression"), [("=a", True), ("==a", False), ("a=b", False), ("", False), (5, False), ("=", True)]
)
def test_one_equals_sign_makes_an_expression(text: Any, expression: bool) -> None:
    assert is_expression(text) is expression


def test_a_doubled_equals_sign_stands_for_one() -> None:
    assert (literal("==x"), literal("x"), literal("")) == ("=x", "x", "")


def test_a_template_is_filled_and_what_is_undefined_left_out() -> None:
    values = {"a": 1, "none": None, "gone": MISSING, "list": [1, 2]}
    template = {
        "x": "=a",
        "n": "=none",
        "g": "=gone",
        "text": "==a",
        "deep": [{"y": "=list"}, "=gone", "=a", 7, True, None],
    }

    assert render(template, values.__getitem__) == {
        "x": 1,
        "n": None,
        "text": "=a",
        "deep": [{"y": [1, 2]}, 1, 7, True, None],
    }
    assert render("=gone", values.__getitem__) is MISSING


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a.b & $.c & $$.d", "a c d"),
        ("lines[x = y].z", "lines"),
        ("lines.(a & b)", "lines"),
        ("lines.$f(a)[b]", "lines"),
        ("lines.{'a': b}", "lines"),
        ("lines{code: price}", "lines"),
        ("lines^(>price).n", "lines"),
        ("{'a': b, 'c': [d, e.f]}", "b d e"),
        ("$map(lines, function($l, $i) { $l.x & number })", "lines number"),
        ("($t := total; $t > 3 and x in [y, z])", "total x y z"),
        ("x ~> |lines|{'a': b}|", ""),
        ("`odd name` = 'text' ? true : null", "odd name"),
        ("$nodes.order.Number & $run.id", ""),
    ],
)
def test_members_of_the_input_are_told_from_those_of_other_values(source: str, found: str) -> None:
    wanted = {found} if " name" in found else set(found.split())

    assert fields(tokens(source)) == wanted
