"""The exchange ledger: rows of what was sent to partners and came from them, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, bindparam, delete, select, update

from connectors.sdk.exchange import Answer, Earlier, Exchanged, Known, Reception, Reconciled, Rules
from connectors.sdk.model import BlobRef
from runtime.model.ids import new_id
from runtime.store import tables
from runtime.store.bound import Bound, listed
from runtime.store.exchange_answers import meet_business, reconcile
from runtime.store.exchange_followed import alerts, due_at, is_overdue
from runtime.store.exchange_known import Holder, held, known_documents, known_keys, missing, same_work
from runtime.store.exchange_numbers import numbers
from runtime.store.references import REFERENCE
from runtime.store.shapes import dump, instant, load, micros
from runtime.store.statements import Backend, Statement, Tx, insert, word
from runtime.store.store import NotFound, Page

_interchange, _set = tables.interchange, tables.interchange_set
_ENTER, _ENTER_SET = insert(_interchange), insert(_set)
_SUMMARY = (
    "id", "direction", "standard", "partner", "usage", "number", "state", "digest", "blob", "size", "media", "flow",
    "run", "node", "iteration", "acknowledgements", "answer", "at", "changed_at", "within", "sent_at",
)  # fmt: skip
_SHOWN = [*(_interchange.c[name] for name in _SUMMARY), due_at.label("due_at"), is_overdue.label("overdue")]
_TIMES = ("at", "changed_at", "sent_at", "due_at")
_SAME = (
    "client", "direction", "standard", "partner", "usage", "number", "run", "node", "iteration", "ordinal",
    "digest",
)  # fmt: skip
_MINE = Statement(
    select(_interchange.c.id, _interchange.c.state).where(
        *(_interchange.c[name] == bindparam(name) for name in _SAME)
    )
)
_TAKE_OVER = Statement(
    update(_interchange)
    .where(_interchange.c.id == bindparam("of"))
    .values({name: bindparam(name) for name in ("run", "node", "iteration", "ordinal")})
)
_FORGET = Statement(delete(_interchange).where(_interchange.c.id == bindparam("of")))
_FORGET_SETS = Statement(delete(_set).where(_set.c.interchange == bindparam("of")))
_ANSWERED = Statement(
    update(_interchange)
    .where(_interchange.c.id == bindparam("of"))
    .values(answer=bindparam("answer"), changed_at=bindparam("now"))
)
_TO_ANSWER = Statement(
    select(_interchange.c.id, _interchange.c.answer)
    .where(
        *(_interchange.c[name] == bindparam(name) for name in ("client", "standard", "partner", "usage", "number")),
        _interchange.c.direction == word("in"),
        _interchange.c.state.in_([word("received"), word("rejected")]),
    )
    .order_by(_interchange.c.id.desc())
    .limit(1)
)
_ONE = Statement(
    select(*_SHOWN).where(_interchange.c.client == bindparam("client"), _interchange.c.id == bindparam("id"))
)
_SETS = Statement(
    select(_set.c.type, _set.c.number, _set.c.group_number, _set.c.key, _set.c.state, _set.c.code, _set.c.errors)
    .where(_set.c.interchange == bindparam("id"))
    .order_by(_set.c.place)
    .limit(bindparam("most", type_=Integer))
)
_DIGITS = re.compile(r"[0-9]{1,18}")


class Interchanges(Bound):
    """One client's ledger. What enters it is entered once for (run, node, iteration), however often it is tried."""

    def at(self, flow: str, run: str, node: str, iteration: str) -> AtNode:
        """As one execution of one node sees it."""
        return AtNode(self._backend, self.client, flow, run, node, iteration)

    def listed(
        self, *, direction: str = "", state: str = "", partner: str = "", standard: str = "", number: str = "",
        key: str = "", run: str = "", overdue: bool = False, since: datetime | None = None,
        until: datetime | None = None, limit: int = 50, before: str | None = None,
    ) -> Page:  # fmt: skip
        """Newest first; ``number`` is a control number with or without zeros before it, ``key`` a business key.
        Each with ``sent_at``, with ``due_at`` where an acknowledgement is or was waited for, and ``overdue``."""
        query = select(*_SHOWN)
        wanted = {"direction": direction, "state": state, "partner": partner, "standard": standard, "run": run}
        for name, value in wanted.items():
            if value:
                query = query.where(_interchange.c[name] == value)
        if overdue:
            query = query.where(is_overdue)
        if since is not None:
            query = query.where(_interchange.c.at >= micros(since))
        if until is not None:
            query = query.where(_interchange.c.at < micros(until))
        if number:
            serial = serial_of(number)
            same = _interchange.c.number == number
            query = query.where(same if serial is None else same | (_interchange.c.serial == serial))
        if key:
            keyed = select(_set.c.interchange).where(_set.c.client == self.client, _set.c.key == key)
            query = query.where(_interchange.c.id.in_(keyed))
        rows = self._backend.read(lambda tx: tx.all(listed(query, _interchange, self.client, before, limit)))
        shown = [_told(row) for row in rows[:limit]]
        return Page(shown, shown[-1]["id"] if len(rows) > limit else None)

    def one(self, id: str, most_sets: int = 10_000) -> dict[str, Any]:
        """With its ``sets``, and ``alerts``: exceptions that say it is, or was, overdue. Raises ``NotFound``."""

        def query(tx: Tx) -> dict[str, Any]:
            row = tx.one(_ONE, {"client": self.client, "id": id})
            if row is None:
                raise NotFound(f"client {self.client} has no interchange {id}")
            return {**_told(row), "sets": sets_of(tx, id, most_sets), "alerts": alerts(tx, self.client, id)}

        return self._backend.read(query)

    def numbers(self, most: int = 100) -> dict[str, Any]:
        """As ``exchange_numbers.numbers``; at most so many void numbers, and gaps of each partner."""
        return self._backend.read(lambda tx: numbers(tx, self.client, most))


class AtNode(Bound):
    """The sdk's ``Exchange``."""

    def __init__(self, backend: Backend, client: str, flow: str, run: str, node: str, iteration: str) -> None:
        super().__init__(backend, client)
        self._position = {"client": client, "run": run, "node": node, "iteration": iteration}
        self._flow = flow

    def written(self, sent: Exchanged) -> None:
        self._backend.transact(lambda tx: self._written(tx, sent))

    def _written(self, tx: Tx, sent: Exchanged) -> None:
        tx.lock(f"exchange {self.client} out {sent.standard} {sent.partner}")
        if tx.one(_MINE, self._mine("out", sent)) is None:
            self._enter(tx, "out", sent, "written")

    def known(
        self, standard: str, partner: str, usage: str, type: str, key: str, window: timedelta
    ) -> Sequence[Known]:
        of = {"client": self.client, "standard": standard, "partner": partner, "usage": usage}
        return self._backend.read(lambda tx: known_documents(tx, of, (type, key), window, self._position))

    def received(self, came: Exchanged, rules: Rules) -> Reception:
        return self._backend.transact(lambda tx: self._received(tx, came, rules))

    def _received(self, tx: Tx, came: Exchanged, rules: Rules) -> Reception:
        tx.lock(f"exchange {self.client} in {came.standard} {came.partner}")
        mine = tx.one(_MINE, self._mine("in", came))
        before = str(mine[0]) if mine is not None else ""
        of = {"client": self.client, **_sameness(came)}
        for holder in held(tx, of, before):
            if holder.run == self._position["run"] or not same_work(tx, self._position["run"], holder.run):
                continue
            if holder.digest == came.digest and mine is None:
                tx.run(_TAKE_OVER, {"of": holder.id, **self._own(came)})
                mine, before = (holder.id, holder.state), holder.id
        found = self._judged(tx, came, rules, before)
        state = _state(came, rules, found)
        if mine is not None and (state == mine[1] or mine[1] != "quarantined"):
            return found
        if mine is not None:
            tx.run(_FORGET, {"of": mine[0]})
            tx.run(_FORGET_SETS, {"of": mine[0]})
        id = self._enter(tx, "in", came, state, rules.refuse_known.intersection(found.known))
        if state not in ("duplicate", "quarantined"):
            self._answers(tx, came, id)
        return found

    def _judged(self, tx: Tx, came: Exchanged, rules: Rules, before: str) -> Reception:
        of = {"client": self.client, **_sameness(came)}
        holders = [one for one in held(tx, of, before) if not self._is_ours(tx, one)]
        same = [one for one in holders if one.digest == came.digest]
        if same:
            first = same[0]
            answer = next((one.answer for one in reversed(same) if one.answer), None)
            return Reception(
                duplicate_of=Earlier(came.number, instant(first.at), first.run),
                answer=None if answer is None else BlobRef.model_validate(load(answer)),
            )
        reused = next((one for one in reversed(holders) if one.state == "received"), None)
        gap, after = missing(tx, of, serial_of(came.number), before, rules.last)
        return Reception(
            reused=None if reused is None else Earlier(came.number, instant(reused.at), reused.run),
            missing=gap,
            after=after,
            known=known_keys(tx, of, came, rules.window, before, self._position["run"]),
        )

    def _is_ours(self, tx: Tx, holder: Holder) -> bool:
        """Read by another node of this run, or by a run whose work this one does again."""
        run = self._position["run"]
        if holder.run == run:
            return holder.node != self._position["node"]
        return same_work(tx, run, holder.run)

    def _answers(self, tx: Tx, came: Exchanged, id: str) -> None:
        """What is answered by documents that came is acknowledged by the business."""
        of = {"client": self.client, "standard": came.standard, "partner": came.partner, "usage": came.usage}
        for one in came.sets:
            if one.answers is not None and one.accepted and one.answers[1]:
                meet_business(tx, of, one.answers, {"kind": one.type, "interchange": id})

    def answered(self, standard: str, partner: str, usage: str, numbers: Sequence[str], answer: BlobRef) -> None:
        of = {"client": self.client, "standard": standard, "partner": partner, "usage": usage}
        told = dump(answer.model_dump(by_alias=True))

        def unit(tx: Tx) -> None:
            for number in numbers:
                row = tx.one(_TO_ANSWER, {**of, "number": number})
                if row is not None:
                    tx.run(_ANSWERED, {"of": row[0], "answer": told, "now": tx.now})
                    tx.run(REFERENCE, _reference(self.client, answer.blob, row[0]))

        self._backend.transact(unit)

    def answer_to(self, standard: str, partner: str, usage: str, number: str) -> BlobRef | None:
        of = {"client": self.client, "standard": standard, "partner": partner, "usage": usage, "number": number}
        row = self._backend.read(lambda tx: tx.one(_TO_ANSWER, of))
        return None if row is None or row[1] is None else BlobRef.model_validate(load(row[1]))

    def reconcile(self, answer: Answer) -> Reconciled | None:
        by = {name: self._position[name] for name in ("run", "node", "iteration")}
        return self._backend.transact(lambda tx: reconcile(tx, self.client, answer, by))

    def _mine(self, direction: str, one: Exchanged) -> dict[str, Any]:
        return {
            **self._position,
            "direction": direction,
            **_sameness(one),
            "digest": one.digest,
            "ordinal": one.ordinal,
        }

    def _own(self, one: Exchanged) -> dict[str, Any]:
        return {**{name: self._position[name] for name in ("run", "node", "iteration")}, "ordinal": one.ordinal}

    def _enter(
        self, tx: Tx, direction: str, one: Exchanged, state: str, refused: Collection[int] = frozenset()
    ) -> str:
        id = new_id()
        row = {
            **self._mine(direction, one), "id": id, "flow": self._flow, "serial": serial_of(one.number),
            "blob": one.content.blob, "size": one.content.size, "media": one.content.type, "state": state,
            "acknowledgements": None, "answer": None, "at": tx.now, "changed_at": tx.now,
            "within": None if one.within is None else one.within // timedelta(microseconds=1),
            "sent_at": None, "due_at": None, "overdue_at": None,
        }  # fmt: skip
        tx.run(_ENTER, row)
        tx.run(REFERENCE, _reference(self.client, one.content.blob, id))
        tx.many(_ENTER_SET, self._sets(id, one, state, refused))
        return id

    def _sets(self, id: str, one: Exchanged, state: str, refused: Collection[int]) -> Iterable[dict[str, Any]]:
        for place, each in enumerate(one.sets):
            accepted = each.accepted and place not in refused
            yield {
                "client": self.client, "interchange": id, "place": place, "type": each.type,
                "number": each.number, "group_number": each.group.lstrip("0"), "key": each.key,
                "state": state if accepted or state != "received" else "rejected", "code": "", "errors": None,
            }  # fmt: skip


def serial_of(number: str) -> int | None:
    """A control number as a number, where it is one."""
    return int(number) if _DIGITS.fullmatch(number) else None


def sets_of(tx: Tx, id: str, most: int) -> list[dict[str, Any]]:
    names = ("type", "number", "group_number", "key", "state", "code", "errors")
    rows = tx.all(_SETS, {"id": id, "most": most})
    return [{**dict(zip(names, row, strict=True)), "errors": load(row[-1]) or []} for row in rows]


def _sameness(one: Exchanged) -> dict[str, str]:
    return {"standard": one.standard, "partner": one.partner, "usage": one.usage, "number": one.number}


def _state(came: Exchanged, rules: Rules, found: Reception) -> str:
    if found.duplicate_of is not None:
        return "duplicate"
    if found.reused is not None and rules.refuse_reused:
        return "quarantined"
    return "received" if came.accepted else "rejected"


def _reference(client: str, blob: str, id: str) -> dict[str, str]:
    return {"client": client, "blob": blob, "kind": "interchange", "owner": id}


def _told(row: Sequence[Any]) -> dict[str, Any]:
    told: dict[str, Any] = dict(zip((*_SUMMARY, "due_at", "overdue"), row, strict=True))
    content = {"$blob": told.pop("blob"), "size": told.pop("size"), "type": told.pop("media")}
    parsed: Mapping[str, Any] = {
        "acknowledgements": load(told["acknowledgements"]) or [], "answer": load(told["answer"]),
        "content": content, "overdue": bool(told["overdue"]),
        "within": None if told["within"] is None else told["within"] / 1_000_000,
        **{name: None if told[name] is None else instant(told[name]) for name in _TIMES},
    }  # fmt: skip
    return {**told, **parsed}
