"""The part of a partner's profile that each EDI standard has: where it is not as it should, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from connectors.sdk.errors import Misconfigured

P = TypeVar("P")


def part_of(name: str, partner: Mapping[str, Any], standard: str, environment: str | None) -> Any:
    """A standard's part of a profile, be it as it should or not. Raises ``Misconfigured`` where it has none for the
    environment that the runtime took it for."""
    part = partner.get(standard)
    if part is None and environment is not None:
        raise Misconfigured(
            f"partner {name!r} has no {standard.upper()} part for the environment {environment}",
            next_action=f"add {standard}, or environments.{environment}.{standard}, to partners/{name}.json",
            field=standard,
        )
    return part


def invalid(name: str, error: ValidationError, standard: str = "") -> Misconfigured:
    """The error for a profile, or a standard's part of it, whose shape is wrong; names the first field that is."""
    first = error.errors()[0]
    field = ".".join(map(str, (standard, *first["loc"]) if standard else first["loc"]))
    return unusable(name, f"{field}: {first['msg'].removeprefix('Value error, ')}", field, standard)


def unusable(name: str, why: str, field: str, standard: str = "", advice: str = "") -> Misconfigured:
    """The error for a profile that cannot be used, or not for this standard."""
    return Misconfigured(
        f"the profile of partner {name!r} cannot be used{f' for {standard.upper()}' if standard else ''}: {why}",
        next_action=f"correct {field} in partners/{name}.json{f'; {advice}' if advice else ''}",
        field=field,
    )


def whose(
    partners: Mapping[str, Mapping[str, Any]],
    standard: str,
    profile: Callable[[str, Mapping[str, Any]], P],
    is_theirs: Callable[[P], bool],
    misfit: Callable[[P], tuple[bool, bool]],
) -> str | None:
    """The partner who sent an interchange: of those whose it may be, the one with the least ``misfit``.

    A profile that cannot be used is passed over. Raises its ``Misconfigured`` where no other is found.
    """
    profiles: dict[str, P] = {}
    refused: list[Misconfigured] = []
    for name, partner in partners.items():
        if partner.get(standard):
            try:
                profiles[name] = profile(name, partner)
            except Misconfigured as error:
                refused.append(error)
    found = sorted((name for name in profiles if is_theirs(profiles[name])), key=lambda one: misfit(profiles[one]))
    if not found and refused:
        raise refused[0]
    return found[0] if found else None
