"""A new partner's profile from a few facts, and documents both ways as they would go to and fro."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.sdk import Misconfigured, load_simulator
from connectors.sdk.gs1 import wrong
from connectors.sdk.trading import load_trading, standards
from runtime.api.partner_order import ANSWERS, sample_order
from runtime.api.problem import ProblemError, problem
from runtime.governance.views import plain
from runtime.mapping import compile as compile_expression
from runtime.model.lints.finding import Report
from runtime.model.lints.packs import lint_partner_file
from runtime.model.lints.scope import Scope
from runtime.model.pack import Pack
from runtime.model.partner import for_environment

_KINDS = ("despatch_advice", "invoice")
_SHORTEST_ID = 2
#: Qualifiers that say that the id is a GLN (UNB 0007, ISA05), and those that say nothing of it.
_OF_GLN, _OF_ANYTHING = ("14", "UL"), ("", "ZZ", "ZZZ")


def draft(
    name: str, *, title: str, standard: str, ours: str, theirs: str, qualifier: str = "", version: str = "",
    supplier_number: str = "", delivery: Mapping[str, str] | None = None, schema: str = "",
) -> dict[str, Any]:  # fmt: skip
    """The content of ``partners/NAME.json``. Raises ``Misconfigured`` for a standard that is not installed."""
    found = load_trading(standard) if standard in standards() else None
    if found is None:
        raise Misconfigured(
            f"no standard called {standard!r} is installed", next_action=f"use one of: {', '.join(standards())}"
        )
    made = {"$schema": schema, "partner": name, "name": title or name, "supplier_number": supplier_number}
    return {
        **{key: value for key, value in made.items() if value},
        **({"delivery": dict(delivery)} if delivery else {}),
        standard: found.draft(ours, theirs, qualifier, version),
    }


def doubts(content: Mapping[str, Any]) -> list[str]:
    """What may well be a slip: an id that looks like a GLN and is none. Raises ``Misconfigured`` for an id of one
    character: GS02 and GS03 (X12 element 142) have two at least, and nobody is called so in an UNB either."""
    found = []
    for standard in (one for one in standards() if one in content):
        for side in ("ours", "theirs"):
            id, qualifier = content[standard][side]["id"], content[standard][side].get("qualifier", "")
            if len(id) < _SHORTEST_ID:
                raise Misconfigured(
                    f"--{side} {id}: an id has {_SHORTEST_ID} characters at least",
                    next_action="say the one that was agreed, such as a GLN or a name in capitals", field=side,
                )  # fmt: skip
            as_gln = qualifier in _OF_GLN or (qualifier in _OF_ANYTHING and len(id) == 13 and id.isdigit())
            if as_gln and (told := wrong("GLN", id)):
                found.append(f"--{side} {id} {told}")
    return found


def check(path: Path, pack: Pack, content: dict[str, Any]) -> None:
    """Raises ``ProblemError`` with every finding that lint would have: nothing else is written."""
    report = Report(str(path))
    lint_partner_file(report, path.stem, content, Scope.of(pack))
    if report.findings:
        detail = "; ".join(f"{one.pointer or '/'}: {one.message}" for one in report.findings)
        advice = "; ".join(one.suggestion for one in report.findings if one.suggestion)
        raise ProblemError(
            problem(
                422, f"{path} was not written", detail, report.findings[0].code, next_action=advice,
                findings=plain(report.findings),
            )
        )  # fmt: skip


def samples(pack: Pack, content: Mapping[str, Any], at: datetime) -> Iterator[tuple[str, bytes]]:
    """File names and bytes: the order we would send, and what a supplier would answer, one line each accepted,
    changed, backordered and rejected. Raises ``MappingError``, ``ConnectorError`` where no order can be made."""
    profile = for_environment(content, pack.file.environment)
    for standard in (one for one in standards() if profile.get(one)):
        trading = load_trading(standard)
        assert trading is not None, "standards have one"
        order = sample_order("SAMPLE-1", profile, at)
        mapping = profile.get("mappings", {}).get("out", {}).get(trading.order) or trading.order_mapping
        source = pack.mapping_file(mapping)
        if source is None:
            raise Misconfigured(
                f"there is no mapping {mapping!r}", next_action="see `orderly lint`", field="mappings"
            )
        document = compile_expression(source.read_text(encoding="utf-8"), name=mapping).evaluate(order)
        raw = trading.sent(str(profile["partner"]), profile, document, at)
        yield f"out_{trading.order}.edi", raw
        supplier: Any = load_simulator("supplier")(
            **trading.simulator(profile), sends=_KINDS, lots=2, now=lambda: at
        )
        for line, answer in zip(order["lines"], ANSWERS, strict=True):
            supplier.answer(line["supplier_item_number"], answer)
        for reply in supplier.robot.answer(raw, "order"):
            yield f"in_{reply.name.partition('_')[0]}.edi", reply.content


def written(folder: Path, files: Sequence[tuple[str, bytes]]) -> list[Path]:
    """Writes the files. Raises ``Misconfigured``, with nothing written, where one of them is there."""
    paths = [folder / name for name, _ in files]
    there = [str(path) for path in paths if path.exists()]
    if there:
        raise Misconfigured(f"{', '.join(there)} there already", next_action="say another folder with --samples")
    folder.mkdir(parents=True, exist_ok=True)
    for path, (_, content) in zip(paths, files, strict=True):
        path.write_bytes(content)
    return paths
