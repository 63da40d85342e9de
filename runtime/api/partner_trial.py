"""A scenario with a partner's simulator: orders go out by its profile over SFTP, its answers come in, are judged.

Everything is real but the partner: the pack's mappings, the connectors, the engine on a temporary folder, the
simulator's server on loopback. Nothing leaves this machine, and nothing of it enters the pack's own store.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from connectors.sdk import Misconfigured
from connectors.sdk.gs1 import wrong
from connectors.sdk.trading import Told, standards
from runtime.api.partner_order import ANSWERS, sample_order
from runtime.api.partner_stage import KINDS, Stage, output_of, reason_of
from runtime.mapping import ExpressionError, MappingError
from runtime.model.pack import Pack
from runtime.model.run import RunState


@dataclass(frozen=True)
class Proof:
    """One thing that held, or did not, and why."""

    about: str
    what: str
    ok: bool
    why: str = ""


@dataclass
class Verdict:
    """``documents`` are what went over the wire, in its order: direction, kind, type and number."""

    partner: str
    standard: str
    environment: str
    held: list[Proof] = field(default_factory=list)
    documents: list[dict[str, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.held) and all(one.ok for one in self.held)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}


def try_partner(pack: Pack, name: str, standard: str = "") -> list[Verdict]:
    """One verdict for each standard that the profile has a part for, or for the one that is asked for.

    Raises ``Misconfigured`` where there is no such partner or part.
    """
    if name not in pack.partners:
        raise Misconfigured(
            f"client {pack.client} has no partner {name!r}",
            next_action=f"`orderly partner init {name}`, or one of: {', '.join(sorted(pack.partners)) or 'none'}",
            field="partner",
        )
    profile = pack.partners[name]
    wanted = [one for one in standards() if profile.get(one) and standard in ("", one)]
    if not wanted:
        raise Misconfigured(
            f"partner {name!r} has no part for {standard or 'any standard'} in {pack.file.environment}",
            next_action=f"add one of {', '.join(standards())} to partners/{name}.json",
            field="partner",
        )
    verdicts = []
    for one in wanted:
        verdict = Verdict(name, one, pack.file.environment)
        folder = Path(tempfile.mkdtemp(prefix="orderly-partner-"))
        try:
            stage = Stage(pack, profile, one, folder)
            try:
                _play(stage, verdict)
            finally:
                stage.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        verdicts.append(verdict)
    return verdicts


def _play(stage: Stage, verdict: Verdict) -> None:
    """A first order that is taken line by line, one that is refused, and what must not pass."""
    try:
        for part in (_order, _refused_order, _other_environment, _bad_document):
            verdict.held += part(stage)
    except TimeoutError as error:
        verdict.held.append(Proof("scenario", "the simulator answered", False, str(error)))
    except Misconfigured as error:
        verdict.held.append(Proof("scenario", "it could be played to its end", False, stage.said(error.message)))
    verdict.documents = stage.documents


def _order(stage: Stage) -> Iterator[Proof]:
    order = sample_order("TEST-1", stage.profile, stage.now())
    lines = order["lines"]
    for line, answer in zip(lines, ANSWERS, strict=True):
        stage.supplier.answer(line["supplier_item_number"], answer)
    written = yield from _sent(stage, order)
    if written is None:
        return
    told = stage.collect(KINDS)
    yield from _mapped(stage, told)
    yield from _functional(stage, told, written, refused=False)
    yield from _acknowledged(told, order)
    yield from _shipped(told, order)
    yield from _invoiced(told, order)


def _sent(stage: Stage, order: Mapping[str, Any]) -> Generator[Proof, None, Any]:
    """Yields what held; gives back what ``write`` put out."""
    number = order["order_number"]
    story = stage.send(order)
    written = output_of(story, "write")
    yield Proof(
        "order", f"{stage.trading.order} {number} is written by the profile", written is not None, reason_of(story)
    )
    if written is None:
        return None
    delivered = output_of(story, "deliver") is not None
    yield Proof("order", f"{number} is delivered", delivered, reason_of(story))
    taken = stage.journal("order", purchase_order=number)
    yield Proof("order", f"the partner took {number} with {len(order['lines'])} lines", bool(taken))
    return written


def _mapped(stage: Stage, told: Sequence[Told]) -> Iterator[Proof]:
    """What comes in can be made canonical, where there is a mapping for it."""
    given = stage.profile.get("mappings", {}).get("in", {})
    for one in told:
        name = given.get(one.type) or stage.trading.answer_mappings.get(one.type)
        if name is None:
            continue
        try:
            why, made = "it gives nothing", stage.mapped(name, one.entry)
        except (MappingError, ExpressionError) as error:
            why, made = str(error), None
        yield Proof("mapping", f"{one.type} is made canonical by {name}", isinstance(made, dict), why)


def _functional(
    stage: Stage, told: Sequence[Told], written: Mapping[str, Any], *, refused: bool
) -> Iterator[Proof]:
    one = _one(told, "functional_acknowledgement")
    yield _came("acknowledgement", one, "a functional acknowledgement", told)
    if one is None:
        return
    number = stage.trading.answers_to(written)
    same = one.answers.lstrip("0") == number.lstrip("0")
    yield Proof("acknowledgement", f"{one.type} answers {number}", same, f"it answers {one.answers}")
    good = one.code in stage.trading.good
    if refused:
        said = f"{one.type} says that it is refused, and where"
        yield Proof(
            "acknowledgement", said, not good and bool(one.errors), f"code {one.code}, {len(one.errors)} places"
        )
    else:
        why = f"code {one.code}; {'; '.join(one.errors)}".rstrip("; ")
        yield Proof("acknowledgement", f"{one.type} accepts it", good, why)


def _acknowledged(told: Sequence[Told], order: Mapping[str, Any]) -> Iterator[Proof]:
    one = _one(told, "acknowledgement")
    yield _came("confirmation", one, "an order acknowledgement", told)
    if one is None:
        return
    number = order["order_number"]
    yield Proof("confirmation", f"{one.type} answers {number}", one.answers == number, f"it answers {one.answers}")
    for line, answer in zip(order["lines"], ANSWERS, strict=True):
        found = next((each for each in one.lines if each.number == line["line_number"]), None)
        said = f"line {line['line_number']} ({line['supplier_item_number']}) is {answer}"
        why = "it is not in the answer" if found is None else f"the answer says {found.status or 'nothing'}"
        yield Proof("confirmation", said, found is not None and found.status == answer, why)
    yield from _units("confirmation", one, order)


def _shipped(told: Sequence[Told], order: Mapping[str, Any]) -> Iterator[Proof]:
    one = _one(told, "despatch_advice")
    yield _came("despatch", one, "a despatch advice", told)
    if one is None:
        return
    number = order["order_number"]
    yield Proof("despatch", f"{one.type} is for {number}", one.answers == number, f"it is for {one.answers}")
    going = {line["line_number"] for line, answer in zip(order["lines"], ANSWERS, strict=True) if _goes(answer)}
    shipped = {line.number for line in one.lines}
    yield Proof("despatch", f"lines {_listed(going)} are shipped", shipped == going, f"{_listed(shipped)} are")
    bad = [f"{each} {why}" for each in one.cartons if (why := wrong("SSCC", each))]
    said = "every carton has an SSCC with its check digit"
    yield Proof("despatch", said, bool(one.cartons) and not bad, "; ".join(bad) or "there is no SSCC")
    yield from _units("despatch", one, order)


def _invoiced(told: Sequence[Told], order: Mapping[str, Any]) -> Iterator[Proof]:
    one = _one(told, "invoice")
    yield _came("invoice", one, "an invoice", told)
    if one is None:
        return
    number = order["order_number"]
    yield Proof("invoice", f"{one.type} is for {number}", one.answers == number, f"it is for {one.answers}")
    ordered = {line["line_number"]: Decimal(line["unit_price"]) for line in order["lines"]}
    other = [line.number for line in one.lines if _decimal(line.price) != ordered.get(line.number)]
    yield Proof("invoice", "prices are as ordered", not other, f"not in line {_listed(set(other))}")
    whole = sum((_decimal(line.quantity) * _decimal(line.price) for line in one.lines), Decimal(0))
    total = _decimal(one.total)
    yield Proof("invoice", "the total is that of its lines", whole == total, f"{total} instead of {whole}")
    yield from _units("invoice", one, order)


def _refused_order(stage: Stage) -> Iterator[Proof]:
    """The partner refuses an interchange: that is told here."""
    stage.supplier.refuse_next()
    written = yield from _sent(stage, sample_order("TEST-2", stage.profile, stage.now(), lines=1))
    if written is not None:
        told = stage.collect(("functional_acknowledgement",))
        yield from _functional(stage, told, written, refused=True)


def _other_environment(stage: Stage) -> Iterator[Proof]:
    """A document with the other environment's indicator comes in: it is not taken."""
    stage.supplier.send_wrong("other_environment", "acknowledgement")
    written = yield from _sent(stage, sample_order("TEST-3", stage.profile, stage.now(), lines=1))
    if written is not None:
        told = stage.collect(KINDS)
        one = _one(told, "acknowledgement")
        refused = one is not None and not one.accepted
        other = {"test": "production", "production": "test"}[stage.pack.file.environment]
        yield Proof("environment", f"an answer that is marked as {other} is refused", refused, "it was taken")


def _bad_document(stage: Stage) -> Iterator[Proof]:
    """A GTIN with a wrong check digit: an exception here, nothing over there."""
    order = sample_order("TEST-4", stage.profile, stage.now(), lines=1)
    gtin = order["lines"][0]["gtin"]
    order["lines"][0]["gtin"] = gtin[:-1] + str((int(gtin[-1]) + 1) % 10)
    story = stage.send(order)
    sent = stage.supplier.journal.entries("order", purchase_order="TEST-4")
    stopped = story.run.state is RunState.EXCEPTION and not sent
    yield Proof(
        "pre-flight", "a GTIN with a wrong check digit ends here, and is not sent", stopped, story.run.state
    )


def _came(about: str, one: Told | None, what: str, told: Sequence[Told]) -> Proof:
    if one is None:
        return Proof(
            about, f"{what} came", False, f"there came {', '.join(each.type for each in told) or 'nothing'}"
        )
    return Proof(about, f"{one.type}, {what}, is read without a fault", one.accepted, "; ".join(one.faults))


def _units(about: str, one: Told, order: Mapping[str, Any]) -> Iterator[Proof]:
    ordered = {line["line_number"]: line["unit"] for line in order["lines"]}
    other = [f"{line.number}: {line.unit}" for line in one.lines if line.unit != ordered.get(line.number)]
    yield Proof(about, "units are as ordered", not other, f"not in line {', '.join(other)}")


def _goes(answer: str) -> bool:
    return answer in ("accepted", "changed")


def _one(told: Sequence[Told], kind: str) -> Told | None:
    return next((one for one in told if one.kind == kind), None)


def _listed(numbers: set[str]) -> str:
    return ", ".join(sorted(numbers)) or "none"


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text or "0")
    except InvalidOperation:
        return Decimal("NaN")
