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
