"""Expressions: that they compile, and that what they name is there when they are evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from runtime.mapping import Expression, ExpressionError, is_expression
from runtime.mapping import compile as compile_expression
from runtime.mapping.names import fields, tokens
from runtime.model.lints.finding import Place, Report, elements, entries
from runtime.model.lints.members import declared_members, lint_members, set_members
from runtime.model.lints.scope import Scope
from runtime.model.lints.shape import strings
from runtime.model.lints.sites import Branch, Site, walk
from runtime.model.lints.variables import lint_variables
from runtime.model.run import LANES

#: Longer source is shown in part.
_SHORT = 100
_ALWAYS = frozenset({"headers", "nodes", "trigger", "run", "client", "env"})
_WHERE = {
    "parent": "for_each and parallel",
    "index": "for_each",
    "error": "on_error",
    "run": "nodes",
    "trigger": "nodes",
}

#: What is there when a message comes in and no run is made yet.
_AT_THE_DOOR = frozenset({"headers", "nodes", "client", "env"})

#: Containers that work on copies: what runs inside is seen inside only, with these names bound.
_COPIES = {"parallel": ("parent",), "for_each": ("parent", "index")}

#: Containers whose own output is there only after what nests in them.
_WITHOUT_OUTPUT = ("route", "group")


@dataclass(frozen=True)
class Known:
    """What an expression may read: nodes that have run on every way here, and on some way here; ``members`` are
    those that the body may have, as far as this is known; ``None`` where its input is no body."""

    certain: frozenset[str] = frozenset()
    possible: frozenset[str] = frozenset()
    bound: frozenset[str] = _ALWAYS
    members: frozenset[str] | None = frozenset()

    def after(self, node: str) -> Known:
        return replace(self, certain=self.certain | {node}, possible=self.possible | {node})

    def of(self, members: frozenset[str] | None) -> Known:
        return replace(self, members=members)

    def binding(self, *names: str) -> Known:
        return replace(self, bound=self.bound | set(names))

    def maybe(self, others: frozenset[str]) -> Known:
        return replace(self, possible=self.possible | others)


def lint_expressions(report: Report, raw: dict[str, Any], nodes: list[Site], scope: Scope) -> None:
    """All expressions of a flow, in the order in which they are evaluated."""
    _Reading(report, scope, {site.id for site in walk(nodes)}).flow(raw, nodes)


def compiled(report: Report, place: Place, text: str) -> Expression | None:
    """An expression without its leading ``=``, or ``None`` and a finding."""
    try:
        return compile_expression(text, name=report.file)
    except ExpressionError as error:
        what, where = _where_it_breaks(text, error.position, whole_file=not place)
        message = f"{what}: {error.message}"
        report.error("bad-expression", place, message, "try it with: orderly map", **where)
        return None


def _where_it_breaks(text: str, position: int | None, *, whole_file: bool) -> tuple[str, dict[str, Any]]:
    """What is said of source that does not compile; of one that is long, by line and column with an excerpt. Line
    and column are the file's where it is all of it. ``position`` counts what was read up to the mistake."""
    before = text[: max(0, (position or 0) - 1)]
    at = before.count("\n"), len(before.rpartition("\n")[2])
    known = position is not None
    where = {"line": at[0] + 1, "column": at[1] + 1} if known and whole_file else {}
    if len(text) <= _SHORT and "\n" not in text.strip("\n"):
        character = f" at character {position}" if known else ""
        return f"{text.strip(chr(10))!r} is not JSONata{character}", where
    if not known:
        return "this is not JSONata", where
    return f"this is not JSONata at line {at[0] + 1}, column {at[1] + 1}", {**where, "excerpt": _excerpt(text, *at)}


def _excerpt(text: str, row: int, column: int) -> str:
    """The line, the one before it, and a mark below the place."""
    lines = text.split("\n")
    cut = max(0, column - _SHORT // 2)
    shown = [f"{number + 1:>5} | {lines[number][cut : cut + _SHORT]}" for number in range(max(0, row - 1), row + 1)]
    return "\n".join([*shown, f"      | {' ' * (column - cut)}^"])


def lint_mapping_source(report: Report, source: str, scope: Scope) -> None:
    """A whole mapping: it may be used anywhere, so all that is bound anywhere is known."""
    expression = compiled(report, (), source)
    if expression is not None:
        lint_mapping_names(report, (), expression, scope)
        lint_variables(report, (), source, expression, _ALWAYS | _WHERE.keys())


def lint_mapping_names(report: Report, place: Place, expression: Expression, scope: Scope) -> None:
    """``$map_with`` takes the literal name of a mapping that exists, so that a release can hold it."""
    for name in sorted(expression.mappings):
        if scope.mappings is not None and name not in scope.mappings:
            report.unknown("unknown-mapping", place, "mapping", name, scope.mappings, "add mappings/NAME")
    if expression.non_literal_map_with:
        report.error(
            "map-with-not-literal",
            place,
            "$map_with is given a name that is computed, so no release can hold the mapping",
            "write the name in quotes; choose between mappings with ?: around whole $map_with calls",
        )


class _Reading:
    """One walk over a flow in the order of evaluation."""

    def __init__(self, report: Report, scope: Scope, ids: set[str]) -> None:
        self.report = report
        self.scope = scope
        self.ids = ids
        self.declared = self.given = frozenset[str]()

    def flow(self, raw: dict[str, Any], nodes: list[Site]) -> None:
        self.declared, self.given = declared_members(raw, self.scope), set_members(nodes)
        door = Known(bound=_AT_THE_DOOR, members=self.declared)
        for name in ("identity", "order_by", "lane"):
            if name in raw and not (name == "lane" and raw[name] in LANES):
                self.whole((name,), raw[name], door)
        self.values(("keys",), raw.get("keys"), door)
        for name, source in entries(entries(raw.get("trigger")).get("batch")).items():
            self.whole(("trigger", "batch", name), source, door.of(None))
        self.nodes(nodes, Known(members=self.declared | self.given))

    def nodes(self, nodes: list[Site], known: Known) -> Known | None:
        """What is known after the list, or ``None`` where it never goes on."""
        for index, site in enumerate(nodes):
            after = self.node(site, known)
            if after is None:
                self.unreachable(nodes[index + 1 :], known)
                return None
            known = after
        return known

    def unreachable(self, nodes: list[Site], known: Known) -> None:
        if nodes:
            self.report.warning(
                "unreachable-node",
                nodes[0].place,
                f"node {nodes[0].id!r} never runs: what stands before it always ends or raises",
                "remove it, or let a branch before it go on",
            )
            self.nodes(nodes, known.maybe(frozenset(self.ids)))

    def node(self, site: Site, known: Known) -> Known | None:
        for key in ("parameters", "expect", "connection"):
            self.values((*site.place, key), site.node.get(key), known)
        self.conditions(site, known)
        self.look_up(site, known)
        undo = entries(site.node.get("undo")).get("parameters")
        self.values((*site.place, "undo", "parameters"), undo, known.of(None))
        self.values((*site.place, "keys"), site.node.get("keys"), self.after(site, known))
        if site.type == "for_each":
            self.whole((*site.place, "parameters", "items"), site.parameters.get("items"), known)
        return self.branches(site, known)

    def after(self, site: Site, known: Known) -> Known:
        """Behind the node; one that replaces the body leaves only what is set from there on."""
        left = known.after(site.id)
        return left.of(self.given) if site.node.get("into") == "$" else left

    def conditions(self, site: Site, known: Known) -> None:
        for index, case in enumerate(elements(site.node.get("cases"))):
            if isinstance(case, dict) and "when" in case:
                self.whole((*site.place, "cases", index, "when"), case["when"], known)

    def look_up(self, site: Site, known: Known) -> None:
        asked = entries(site.node.get("look_up"))
        self.values((*site.place, "look_up", "parameters"), asked.get("parameters"), known)
        self.values((*site.place, "look_up", "output"), asked.get("output"), known.of(None))
        if "found" in asked:
            self.whole((*site.place, "look_up", "found"), asked["found"], known.of(None))

    def branches(self, site: Site, known: Known) -> Known | None:
        """What is known after the node and all that nests in it."""
        ways: list[Known] = []
        inside = known
        if site.type in _COPIES:
            for branch in site.branches:
                if branch.kind != "on_error":
                    item = known.of(set_members(branch.nodes)) if site.type == "for_each" else known
                    self.nodes(branch.nodes, item.binding(*_COPIES[site.type]))
            ways.append(self.after(site, known))
        else:
            ways, inside = self.ways(site, known)
        for branch in site.branches:
            if branch.kind == "on_error":
                caught = known.maybe(inside.possible).binding("error")
                self.go(branch, caught, known, ways)
        return _meet(ways, known.bound) if ways else None

    def ways(self, site: Site, known: Known) -> tuple[list[Known], Known]:
        """What is known at the end of each way through the node, and what may have run inside."""
        ways: list[Known] = []
        if site.type in ("end", "raise"):
            return ways, known
        entered = known if site.type in _WITHOUT_OUTPUT else self.after(site, known)
        inner = [branch for branch in site.branches if branch.kind != "on_error"]
        for branch in inner:
            self.go(branch, entered, known, ways)
        first = site.outcomes[:1]
        if site.type in _WITHOUT_OUTPUT:
            ways = [way.after(site.id) for way in ways]
        if not inner or (site.type not in _WITHOUT_OUTPUT and not any((b.name,) == first for b in inner)):
            ways.append(entered.after(site.id))
        ran = frozenset(below.id for branch in inner for below in walk(branch.nodes))
        return ways, known.maybe(ran)

    def go(self, branch: Branch, entered: Known, outer: Known, ways: list[Known]) -> None:
        left = self.nodes(branch.nodes, entered)
        if left is not None:
            ways.append(replace(left, bound=outer.bound))

    def whole(self, place: Place, value: Any, known: Known) -> None:
        """A value that only makes sense as an expression."""
        if isinstance(value, str) and not is_expression(value):
            self.report.error(
                "not-an-expression",
                place,
                f"{value!r} is a fixed text: nothing of the message is in it",
                f"write an expression, with = in front: {'=' + value!r}",
            )
        elif isinstance(value, str):
            self.expression(place, value, known)

    def values(self, place: Place, value: Any, known: Known) -> None:
        for inner, text in strings(value, place):
            if is_expression(text):
                self.expression(inner, text, known)

    def expression(self, place: Place, text: str, known: Known) -> None:
        expression = compiled(self.report, place, text[1:])
        if expression is None:
            return
        lint_mapping_names(self.report, place, expression, self.scope)
        self.variables(place, text[1:], expression, known)
        self.members(place, fields(tokens(text[1:])), known)
        for node in sorted(expression.node_ids):
            self.reads(place, node, known, guarded="exists" in expression.calls)

    def variables(self, place: Place, source: str, expression: Expression, known: Known) -> None:
        for name in sorted(expression.variables & _WHERE.keys() - known.bound):
            message = f"${name} is bound inside {_WHERE[name]} only"
            self.report.error("unbound-variable", place, message, f"move the node into {_WHERE[name]}")
        if expression.all_nodes:
            message = "$nodes is read as a whole: only the nodes named as $nodes.<id> are bound"
            self.report.error("unbound-variable", place, message, "name the nodes, as in $nodes.order.Number")
        lint_variables(self.report, place, source, expression, known.bound | _WHERE.keys())

    def members(self, place: Place, read: frozenset[str], known: Known) -> None:
        if known.members is not None:
            unknown = read - self.declared - self.given - self.ids
            lint_members(self.report, place, unknown, known.members, self.declared, known.possible)

    def reads(self, place: Place, node: str, known: Known, guarded: bool) -> None:
        if node not in self.ids:
            self.report.unknown("unknown-node", place, "node", node, self.ids)
        elif node not in known.possible:
            self.report.error(
                "node-before-it-runs",
                place,
                f"$nodes.{node} is read here, where node {node!r} has never run",
                "read it after it ran, on the same way; what runs in for_each and parallel is not seen outside",
            )
        elif node not in known.certain and not guarded:
            self.report.warning(
                "node-before-it-runs",
                place,
                f"$nodes.{node} is read here, but {node!r} stands in a branch that need not have run",
                f"say what holds then: $exists($nodes.{node}) ? $nodes.{node} : ...",
            )


def _meet(ways: list[Known], bound: frozenset[str]) -> Known:
    certain = frozenset.intersection(*(way.certain for way in ways))
    possible = frozenset.union(*(way.possible for way in ways))
    members = frozenset.intersection(*(way.members or frozenset() for way in ways))
    return Known(certain, possible, bound, members)
