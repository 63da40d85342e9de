"""What a check of the doctor found: what, why that matters, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """``check`` is the name of the check, ``what`` it found, ``why`` that matters, ``next_action`` what to do."""

    check: str
    status: Status
    what: str
    why: str = ""
    next_action: str = ""
    client: str = ""


Findings = Iterator[Finding]


def ok(check: str, what: str, client: str = "") -> Finding:
    return Finding(check, Status.OK, what, client=client)


def warning(check: str, what: str, why: str, next_action: str, client: str = "") -> Finding:
    return Finding(check, Status.WARNING, what, why, next_action, client)


def error(check: str, what: str, why: str, next_action: str, client: str = "") -> Finding:
    return Finding(check, Status.ERROR, what, why, next_action, client)
