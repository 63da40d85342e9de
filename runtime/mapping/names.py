"""What an expression mentions, read from its tokens: enough to bind only what is needed, and for lints.

Tokens follow the JSONata 2.1 grammar (https://docs.jsonata.org): strings in either quote with JSON escapes,
names in backticks, ``/* */`` comments, and a slash that begins a regular expression where an operand is due.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple

_STOP = r"\s.\[\]{}(),@#;:?+\-*/%|=<>^!~&\"'`"
_TOKEN = re.compile(
    rf"""(?P<space>\s+|/\*.*?\*/)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<quoted>`[^`]*`)
    |(?P<variable>\$[^{_STOP}]*)
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)
    |(?P<name>[^{_STOP}]+)
    |(?P<operator>\*\*|\.\.|:=|!=|<=|>=|~>|\?:|\?\?|.)""",
    re.DOTALL | re.VERBOSE,
)
_REGEX = re.compile(r"/(?:[^/\\]|\\.)+/[a-z]*", re.DOTALL)
_OPERAND = {"string", "quoted", "variable", "number", "name"}
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_WORDS = {"and", "or", "in", "true", "false", "null", "function", "\u03bb"}


class Token(NamedTuple):
    kind: str
    text: str
    position: int

    @property
    def value(self) -> str:
        """The name or string that it stands for."""
        if self.kind == "quoted":
            return self.text[1:-1]
        if self.kind == "variable":
            return self.text[1:]
        return _unescape(self.text) if self.kind == "string" else self.text


@dataclass(frozen=True)
class Names:
    """``variables`` are mentioned as values, ``calls`` as ``$name(``, both without the dollar sign.

    ``node_ids`` are the ids in ``$nodes.<id>``; ``all_nodes`` where ``$nodes`` stands in any other way, so that
    every node has to be bound. ``mappings`` are the literal names in ``$map_with('name', ...)``.
    """

    variables: frozenset[str]
    calls: frozenset[str]
    node_ids: frozenset[str]
    all_nodes: bool
    mappings: frozenset[str]
    non_literal_map_with: bool


def tokens(source: str) -> list[Token]:
    """All tokens but white space and comments. Source that does not compile gives tokens too."""
    found: list[Token] = []
    at = 0
    while at < len(source):
        kind, match = "regex", _REGEX.match(source, at) if _regex_due(source, at, found) else None
        if match is None:
            match = _TOKEN.match(source, at)
            assert match is not None and match.lastgroup is not None
            kind = match.lastgroup
        if kind != "space":
            found.append(Token(kind, match[0], at))
        at = match.end()
    return found


def names(source: list[Token]) -> Names:
    """Sorts the variables of an expression by what is done with them."""
    variables, calls, node_ids, mappings = set[str](), set[str](), set[str](), set[str]()
    all_nodes = non_literal = False
    padded = [*source, *[Token("end", "", 0)] * 3]
    for token, following, operand, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        if token.kind != "variable" or token.value in ("", "$"):
            continue
        if following.text == "(" and following.kind == "operator":
            calls.add(token.value)
        else:
            variables.add(token.value)
        if token.value == "nodes":
            by_name = following.text == "." and operand.kind in ("name", "quoted", "string")
            all_nodes = all_nodes or not by_name
            node_ids.update([operand.value] if by_name else [])
        if token.value == "map_with":
            literal = following.text == "(" and operand.kind == "string" and after.text in (",", ")")
            non_literal = non_literal or not literal
            mappings.update([operand.value] if literal else [])
    return Names(
        frozenset(variables), frozenset(calls), frozenset(node_ids), all_nodes, frozenset(mappings), non_literal
    )


def fields(source: list[Token]) -> frozenset[str]:
    """Members of the input itself that the expression reads: ``x``, ``$.x``, ``$$.x``. What is read of something
    else is none of them, as behind a dot, in a filter, a sort, a group or a transform."""
    if any(token.text == "|" for token in source):
        return frozenset()
    found = set[str]()
    of_input, function = [True], False
    end = Token("end", "", 0)
    for first, before, token in zip([end, end, *source], [end, *source], source, strict=False):
        if token.text in _OPENING and token.kind == "operator":
            of_input.append(of_input[-1] and (function or not _elsewhere(token.text, before, first)))
        elif token.text in _CLOSING and token.kind == "operator":
            of_input = of_input[:-1] or [True]
        elif token.kind in ("name", "quoted") and of_input[-1] and _is_head(token, before, first):
            found.add(token.value)
        function = _heads_function(token, function)
    return frozenset(found)


def _is_head(token: Token, before: Token, first: Token) -> bool:
    return token.text not in _WORDS and (before.text != "." or first.text in ("$", "$$"))


def _elsewhere(bracket: str, before: Token, first: Token) -> bool:
    """Whether what stands in the bracket is read of a value before it: ``lines[x]``, ``lines.(x)``,
    ``lines.$f(x)``."""
    if before.text in (".", "^") and before.kind == "operator":
        return True
    if bracket == "(":
        return before.kind == "variable" and first.text == "."
    return before.text in _CLOSING or (before.kind in _OPERAND and before.text not in _WORDS)


def _heads_function(token: Token, already: bool) -> bool:
    """Whether the next brace opens the body of a function: after ``function($a, $b)``."""
    if token.kind == "name":
        return token.text in ("function", "\u03bb")
    return already and (token.kind == "variable" or token.text in ("(", ",", ")"))


def _regex_due(source: str, at: int, before: list[Token]) -> bool:
    if source[at] != "/" or source.startswith("/*", at):
        return False
    if not before:
        return True
    last = before[-1]
    if last.kind == "name" and last.text in ("and", "or", "in"):
        return True
    return last.kind not in _OPERAND and last.text not in (")", "]", "}")


def _unescape(text: str) -> str:
    body = text[1:-1]
    if "\\" not in body:
        return body
    quoted = body.replace('"', '\\"') if text[0] == "'" else body
    try:
        return str(json.loads(f'"{quoted}"', strict=False))
    except ValueError:
        return body
