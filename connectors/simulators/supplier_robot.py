"""What a supplier's EDI system decides: pure, from the bytes of an interchange to the files that answer it.

X12 004010 and EDIFACT D.96A, told apart by how the file begins. Every group of an 850, every interchange of
ORDERS is answered functionally (997, CONTRL), every accepted order with an acknowledgement (855, ORDRSP) and,
where the rules say so, a despatch advice (856, DESADV) and an invoice (810, INVOIC), each in an interchange of
its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Protocol

from connectors.edifact.codec import EdifactError
from connectors.sdk import Journal
from connectors.simulators.gs1 import company_prefix
from connectors.simulators.supplier_damage import OF_TREE, Tree, other_content, truncated
from connectors.simulators.supplier_documents import Confirmation, Despatch, Fields, Invoice, Received
from connectors.simulators.supplier_edifact import Edifact
from connectors.simulators.supplier_rules import Clerk, Rules
from connectors.simulators.supplier_x12 import X12
from connectors.x12.codec import X12Error


@dataclass(frozen=True)
class Reply:
    """A file to be put out; an entry of ``kind`` goes to the journal for each of ``facts`` when it is."""

    name: str
    content: bytes
    kind: str
    facts: tuple[Fields, ...]


class Dialect(Protocol):
    """What a format must be able to do; ``types`` names its sets or messages by kind of reply."""

    types: dict[str, str]
    us: tuple[str, str]

    def read(self, raw: bytes) -> list[Received]: ...

    def tree(self, to: Received, number: int, at: datetime, type: str, documents: Sequence[Fields]) -> Tree: ...

    def write(self, tree: Tree) -> bytes: ...

    def confirmation(self, said: Confirmation) -> Fields: ...

    def despatch(self, going: Despatch) -> Fields: ...

    def invoice(self, bill: Invoice) -> Fields: ...


class Robot:
    """Remembers which interchanges it has answered and never answers one twice.

    ``x12`` and ``edifact`` are its (qualifier, id) there.
    """

    def __init__(
        self,
        x12: tuple[str, str],
        edifact: tuple[str, str],
        rules: Rules,
        journal: Journal,
        now: Callable[[], datetime],
    ) -> None:
        self.rules = rules
        self._x12, self._edifact = X12(x12), Edifact(edifact)
        self._clerk = Clerk(rules, now, company_prefix(edifact[1]))
        self._journal = journal
        self._now = now
        self._answered: set[tuple[str, str, str]] = set()
        self._numbers = count(1)
        self._lock = threading.Lock()

    def answer(self, raw: bytes, path: str) -> Iterator[Reply]:
        """The replies, in the order they are to be put out; what was taken is in the journal by then."""
        dialect: Dialect = self._edifact if raw.lstrip()[:3] in (b"UNA", b"UNB") else self._x12
        try:
            received = dialect.read(raw)
        except (X12Error, EdifactError) as error:
            self._journal.write("unreadable", path=path, problem=str(error))
            return
        for one in received:
            if one.receiver != dialect.us:
                self._journal.write("unreadable", path=path, problem=f"not for us but for {one.receiver[1]}")
            elif self._is_new(one, path):
                yield from self._replies(dialect, one)

    def _is_new(self, one: Received, path: str) -> bool:
        key = (*one.sender, one.number)
        with self._lock:
            if key not in self._answered:
                self._answered.add(key)
                return True
        self._journal.write("duplicate_interchange", interchange_control_number=one.number, path=path)
        return False

    def _replies(self, dialect: Dialect, to: Received) -> Iterator[Reply]:
        for order in to.orders:
            self._journal.write(
                "order",
                purchase_order=order.number,
                interchange_control_number=to.number,
                lines=[line.fields for line in order.lines],
            )
        for facts in to.acknowledged:
            self._journal.write("answered", interchange_control_number=to.number, **facts)
        if self.rules.silent:
            return
        is_refused = bool(to.orders) and self.rules.refuses()
        for one in to.refusals if is_refused else to.answers:
            yield from self._sent(dialect, to, "functional_acknowledgement", [(one.document, one.facts)])
        if not is_refused:
            for kind, drafts in self._drafts(dialect, to).items():
                yield from self._business(dialect, to, kind, drafts)

    def _drafts(self, dialect: Dialect, to: Received) -> dict[str, list[tuple[Fields, Fields]]]:
        """Documents with what the journal is told, by kind, for every accepted order."""
        drafts: dict[str, list[tuple[Fields, Fields]]] = {}
        for order in to.orders:
            if not order.is_accepted:
                continue
            said = self._clerk.confirm(order)
            facts: Fields = {"purchase_order": order.number, "statuses": said.statuses}
            drafts.setdefault("acknowledgement", []).append((dialect.confirmation(said), facts))
            going = self._clerk.despatch(said) if "despatch_advice" in self.rules.sends else None
            if going is not None:
                drafts.setdefault("despatch_advice", []).append((dialect.despatch(going), _of_despatch(going)))
            bill = self._clerk.invoice(said) if "invoice" in self.rules.sends else None
            if bill is not None:
                drafts.setdefault("invoice", []).append((dialect.invoice(bill), _of_invoice(bill)))
        return drafts

    def _business(
        self, dialect: Dialect, to: Received, kind: str, drafts: list[tuple[Fields, Fields]]
    ) -> Iterator[Reply]:
        """One interchange each; where a bad set is to stand among good ones, one for all."""
        together = self.rules.wrong.get(kind, [])[:1] == ["bad_set"]
        for draft in [drafts] if together else [[one] for one in drafts]:
            yield from self._sent(dialect, to, kind, draft)

    def _sent(
        self, dialect: Dialect, to: Received, kind: str, drafts: list[tuple[Fields, Fields]]
    ) -> Iterator[Reply]:
        type = dialect.types[kind]
        number = next(self._numbers)
        name = f"{type}_{number:09d}.edi"
        known = {"answers": to.number, "interchange_control_number": f"{number:09d}", "file": name}
        facts = tuple(each | known for _, each in drafts)
        if self.rules.withholds(kind):
            for each in facts:
                self._journal.write("withheld", of=kind, **each)
            return
        tree = dialect.tree(to, number, self._now(), type, [document for document, _ in drafts])
        whole = Reply(name, dialect.write(tree), kind, facts)
        yield from _damaged(whole, tree, dialect, self.rules.damage(kind))


def _damaged(whole: Reply, tree: Tree, dialect: Dialect, damage: str) -> Iterator[Reply]:
    """The file, or what is sent in its place, or also sent after it."""
    if not damage:
        yield whole
        return
    stem = whole.name.removesuffix(".edi")
    if damage in OF_TREE:
        yield _with(whole, damage, whole.name, dialect.write(OF_TREE[damage](tree)))
    elif damage == "truncated":
        yield _with(whole, damage, whole.name, truncated(whole.content))
    else:
        again = dialect.write(other_content(tree)) if damage == "other_content" else whole.content
        yield whole
        yield _with(whole, damage, f"{stem}_again.edi", again)


def _with(whole: Reply, damage: str, name: str, content: bytes) -> Reply:
    facts = tuple(each | {"file": name, "wrong": damage} for each in whole.facts)
    return replace(whole, name=name, content=content, facts=facts)


def _of_despatch(going: Despatch) -> Fields:
    lots = [
        {"line_number": line.line.number, "lot": lot.number, "quantity": lot.quantity, "expiry": lot.expiry}
        for line in going.lines
        for lot in line.lots
    ]
    return {"purchase_order": going.order.number, "shipment": going.number, "sscc": going.sscc, "lots": lots}


def _of_invoice(bill: Invoice) -> Fields:
    prices = [line.price for line in bill.lines]
    return {
        "purchase_order": bill.order.number,
        "invoice": bill.number,
        "total": f"{bill.total:f}",
        "prices": prices,
    }
