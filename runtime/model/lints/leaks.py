"""Hosts and secrets belong to connections: the same flow serves many clients."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runtime.mapping import is_expression
from runtime.model.lints.finding import Place, Report, entries
from runtime.model.lints.shape import strings
from runtime.model.lints.sites import Site

REFERENCE = re.compile(r"(env|file|vault|simulator):.+")

_SECRET = re.compile(r"(?i)(^|[_-])(password|passwd|passphrase|secret|token|api_?key|private_?key|authorization)$")
_HOST = re.compile(
    r"(?i)[a-z][a-z0-9+.-]*://.+|\d{1,3}(\.\d{1,3}){3}(:\d+)?|[a-z0-9-]+(\.[a-z0-9-]+)+:\d+|localhost(:\d+)?"
)


def is_secret_name(name: str) -> bool:
    """Whether a field of that name is expected to hold a secret."""
    return _SECRET.search(name) is not None


def lint_leaks(report: Report, site: Site) -> None:
    """Addresses as plain parameters, and secrets anywhere, of a node, its look-up and its undo. What nests in
    a parameter is data: an XML namespace or a FHIR system may look like an address there."""
    for key in ((), ("look_up",), ("undo",)):
        holder = entries(site.node.get(key[0])) if key else site.node
        lint_literals(report, (*site.place, *key, "parameters"), entries(holder.get("parameters")))


def lint_literals(report: Report, place: Place, parameters: Mapping[str, Any]) -> None:
    for inner, text in strings(dict(parameters)):
        where = (*place, *inner)
        if is_expression(text) or not text:
            continue
        if is_secret_name(str(inner[-1])) or re.fullmatch(r"(env|vault):\w+", text):
            report.error(
                "host-or-secret-in-flow",
                where,
                f"{inner[-1]!r} holds a secret, or a reference to one, inside a flow",
                "put it into the settings of a connection, as an env:, file: or vault: reference",
            )
        elif len(inner) == 1 and _HOST.fullmatch(text):
            report.error(
                "host-or-secret-in-flow",
                where,
                f"{inner[-1]!r} names a host: {text}",
                "put it into the settings of a connection and name that connection",
            )
