"""What partners say of what they were sent: ``written``, ``sent``, ``arrived``, ``accepted``, ``partly`` or
``rejected``, and ``acknowledged`` by the business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, bindparam, select, update

from connectors.sdk.exchange import Answer, Reconciled, SetVerdict
from runtime.store import tables
from runtime.store.exchange_followed import no_longer_due
from runtime.store.shapes import dump, load
from runtime.store.statements import Statement, Tx, word

_interchange, _set = tables.interchange, tables.interchange_set
_FOUND = [_interchange.c[name] for name in ("id", "number", "run", "state", "acknowledgements")]
_SENT = [
    *(_interchange.c[name] == bindparam(name) for name in ("client", "standard", "partner")),
    _interchange.c.direction == word("out"),
]
_BY_INTERCHANGE = Statement(
    select(*_FOUND)
    .where(
        *_SENT,
        (_interchange.c.number == bindparam("number"))
        | (_interchange.c.serial == bindparam("serial", type_=BigInteger)),
    )
    .order_by(_interchange.c.id.desc())
)
_BY_GROUP = Statement(
    select(*_FOUND)
    .join_from(_set, _interchange, _interchange.c.id == _set.c.interchange)
    .where(
        *_SENT, _set.c.client == bindparam("of_client"), _set.c.group_number == bindparam("number"),
    )
    .order_by(_interchange.c.id.desc())
)  # fmt: skip
_USAGE = Statement(select(_interchange.c.usage).where(_interchange.c.id == bindparam("id")))
_BY_KEY = Statement(
    select(_set.c.interchange, _set.c.place)
    .join_from(_set, _interchange, _interchange.c.id == _set.c.interchange)
    .where(
        *_SENT, _interchange.c.usage == bindparam("usage"), _set.c.client == bindparam("of_client"),
        _set.c.key == bindparam("key"), _set.c.type == bindparam("type"),
    )
)  # fmt: skip
_SETS = Statement(
    select(
        _set.c.place, _set.c.type, _set.c.number, _set.c.group_number, _set.c.key, _set.c.state, _set.c.code,
        _set.c.errors,
    )
    .where(_set.c.interchange == bindparam("id"))
    .order_by(_set.c.place)
)  # fmt: skip
_SAY = Statement(
    update(_set)
    .where(_set.c.interchange == bindparam("of"), _set.c.place == bindparam("of_place"))
    .values(state=bindparam("state"), code=bindparam("code"), errors=bindparam("errors"))
)
_SAY_BUSINESS = Statement(
    update(_set)
    .where(_set.c.interchange == bindparam("of"), _set.c.place == bindparam("of_place"))
    .values(state=word("acknowledged"))
)
_CHANGE = Statement(
    update(_interchange)
    .where(_interchange.c.id == bindparam("of"))
    .values(state=bindparam("state"), acknowledgements=bindparam("told"), changed_at=bindparam("now"))
)
_KNOWN = Statement(
    select(_interchange.c.state, _interchange.c.acknowledgements).where(_interchange.c.id == bindparam("id"))
)
_NAMES = ("place", "type", "number", "group_number", "key", "state", "code", "errors")


def reconcile(tx: Tx, client: str, answer: Answer, by: Mapping[str, str]) -> Reconciled | None:
    """``by`` is the execution that read the answer: said twice by the same one, it is noted once."""
    tx.lock(f"exchange {client} out {answer.standard} {answer.partner}")
    sent = _sent(tx, client, answer)
    if sent is None:
        return None
    id, number, run, state, told = sent
    sets = _sets(tx, id)
    for one in sets:
        said = _said(answer, one)
        if said is not None:
            _say(tx, id, one, said)
    state = _state(state, sets, answer)
    note = {"kind": answer.kind, "code": answer.code, "state": answer.verdict, "errors": list(answer.errors), **by}
    _note(tx, id, state, told, note)
    no_longer_due(tx, client, id, state)
    return Reconciled(id, number, run, state, [{name: one[name] for name in _NAMES[1:]} for one in sets])


def meet_business(tx: Tx, of: Mapping[str, str], answered: tuple[str, str], note: Mapping[str, Any]) -> None:
    """Documents of this type and key are acknowledged by the business; those that were rejected stay so."""
    tx.lock(f"exchange {of['client']} out {of['standard']} {of['partner']}")
    type, key = answered
    met = tx.all(_BY_KEY, {**of, "of_client": of["client"], "type": type, "key": key})
    for id, place in met:
        sets = _sets(tx, id)
        for one in sets:
            if one["place"] == place and one["state"] != "rejected":
                one["state"] = "acknowledged"
                tx.run(_SAY_BUSINESS, {"of": id, "of_place": place})
        row = tx.one(_KNOWN, {"id": id})
        if row is not None:
            state = _of_sets(sets) or str(row[0])
            _note(tx, id, state, row[1], {**note, "state": "acknowledged"})
            no_longer_due(tx, of["client"], id, state)


def _sent(tx: Tx, client: str, answer: Answer) -> tuple[str, str, str, str, str | None] | None:
    """The newest of that number."""
    of: dict[str, Any] = {"client": client, "standard": answer.standard, "partner": answer.partner}
    number = answer.number.lstrip("0")
    if answer.level == "group":
        rows = tx.all(_BY_GROUP, {**of, "of_client": client, "number": number})
    else:
        serial = int(number) if number.isdigit() and len(number) <= 18 else None
        rows = tx.all(_BY_INTERCHANGE, {**of, "number": answer.number, "serial": serial})
    for row in rows:
        usage = tx.one(_USAGE, {"id": row[0]})
        if not answer.usage or (usage is not None and usage[0] == answer.usage):
            return row[0], row[1], row[2], row[3], row[4]
    return None


def _sets(tx: Tx, id: str) -> list[dict[str, Any]]:
    rows = tx.all(_SETS, {"id": id})
    return [{**dict(zip(_NAMES, row, strict=True)), "errors": load(row[-1]) or []} for row in rows]


def _said(answer: Answer, one: Mapping[str, Any]) -> SetVerdict | None:
    if answer.level == "group" and one["group_number"] != answer.number.lstrip("0"):
        return None
    if answer.verdict == "arrived":
        return None
    named = answer.sets.get(one["number"]) or _of_group(answer, one)
    if named is not None:
        return named
    names = answer.sets or answer.groups
    verdict = answer.others or (None if names and answer.verdict == "partly" else answer.verdict)
    if verdict is None or verdict == "partly":
        return None
    return SetVerdict(verdict, answer.code, answer.errors if verdict == "rejected" else ())


def _of_group(answer: Answer, one: Mapping[str, Any]) -> SetVerdict | None:
    """Zeros before a group's number do not count, as everywhere in the ledger."""
    groups = {number.lstrip("0"): said for number, said in answer.groups.items()}
    return groups.get(one["group_number"]) if one["group_number"] else None


def _say(tx: Tx, id: str, one: dict[str, Any], said: SetVerdict) -> None:
    """What the business acknowledged stays so where the translator accepts it, whichever came first."""
    kept = one["state"] == "acknowledged" and said.verdict == "accepted"
    one |= {"state": one["state"] if kept else said.verdict, "code": said.code, "errors": list(said.errors)}
    tx.run(
        _SAY,
        {
            "of": id,
            "of_place": one["place"],
            "state": one["state"],
            "code": said.code,
            "errors": dump(one["errors"]),
        },
    )


def _state(before: str, sets: Sequence[Mapping[str, Any]], answer: Answer) -> str:
    if answer.verdict == "arrived":
        return "arrived" if before in ("written", "sent", "void") else before
    return _of_sets(sets) or (answer.verdict if not sets else "partly" if answer.verdict == "partly" else before)


def _of_sets(sets: Sequence[Mapping[str, Any]]) -> str:
    """What the sets come to together; empty where some were not answered yet and none was rejected."""
    states = {one["state"] for one in sets}
    if states == {"rejected"}:
        return "rejected"
    if "rejected" in states:
        return "partly"
    if states == {"acknowledged"}:
        return "acknowledged"
    return "accepted" if states and states <= {"accepted", "acknowledged"} else ""


def _note(tx: Tx, id: str, state: str, told: str | None, note: Mapping[str, Any]) -> None:
    known: list[Mapping[str, Any]] = load(told) or []
    said = known if note in known else [*known, note]
    tx.run(_CHANGE, {"of": id, "state": state, "told": dump(said), "now": tx.now})
