"""Control numbers: what was given, sent and void of each series of ours; what is missing of what partners sent."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, bindparam, distinct, func, select

from runtime.store import tables
from runtime.store.shapes import instant
from runtime.store.statements import Statement, Tx, word

_number, _series, _came = tables.control_number, tables.control_series, tables.interchange
_MOST = bindparam("most", type_=Integer)
#: So many left out at once are a new beginning (numbers go round, or are times), not a gap.
_LEAP = 1_000_000
#: How many gaps are counted at most.
_GAPS = 10_000

_LAST = Statement(
    select(_series.c.series, _series.c.number)
    .where(_series.c.client == bindparam("client"))
    .order_by(_series.c.series)
)
_COUNTED = Statement(
    select(_number.c.series, _number.c.state, func.count())
    .where(_number.c.client == bindparam("client"))
    .group_by(_number.c.series, _number.c.state)
)
_VOID = Statement(
    select(_number.c.series, _number.c.number, _number.c.run, _number.c.node, _number.c.created_at)
    .where(_number.c.client == bindparam("client"), _number.c.state == word("void"))
    .order_by(_number.c.created_at.desc(), _number.c.series, _number.c.number.desc())
    .limit(_MOST)
)
_PARTNER = (_came.c.standard, _came.c.partner, _came.c.usage)
_COUNTABLE = (
    _came.c.client == bindparam("client"), _came.c.direction == word("in"), _came.c.serial.is_not(None),
    _came.c.state != word("quarantined"),
)  # fmt: skip
_RECEIVED = Statement(
    select(*_PARTNER, func.count(distinct(_came.c.serial)), func.min(_came.c.serial), func.max(_came.c.serial))
    .where(*_COUNTABLE)
    .group_by(*_PARTNER)
    .order_by(*_PARTNER)
)
_known = select(*_PARTNER, _came.c.serial).where(*_COUNTABLE).distinct().subquery("known")
_follows = select(
    _known.c.standard, _known.c.partner, _known.c.usage, _known.c.serial,
    func.lag(_known.c.serial)
    .over(partition_by=[_known.c.standard, _known.c.partner, _known.c.usage], order_by=_known.c.serial)
    .label("before"),
).subquery("follows")  # fmt: skip
_MISSING = Statement(
    select(_follows.c.standard, _follows.c.partner, _follows.c.usage, _follows.c.before, _follows.c.serial)
    .where(_follows.c.serial - _follows.c.before > 1, _follows.c.serial - _follows.c.before <= _LEAP)
    .order_by(_follows.c.serial.desc())
    .limit(_MOST)
)


def numbers(tx: Tx, client: str, most: int) -> dict[str, Any]:
    """``sent`` by series: its ``last`` number, how many were ``given`` (nothing is known of them yet), ``sent``,
    ``void``, and how many were given ``before_ledger``; ``void`` numbers, newest first. ``received`` by partner:
    ``first``, ``last``, how many came, how many are ``missing``, and the newest ``gaps`` with the numbers around
    them."""
    of = {"client": client}
    counted: dict[str, dict[str, int]] = {}
    for series, state, many in tx.all(_COUNTED, of):
        counted.setdefault(series, {})[state] = many
    states = ("given", "sent", "void", "before_ledger")
    sent = [
        {"series": series, "last": last, **{state: counted.get(series, {}).get(state, 0) for state in states}}
        for series, last in tx.all(_LAST, of)
    ]
    void = [
        {"series": series, "number": number, "run": run, "node": node, "at": instant(at)}
        for series, number, run, node, at in tx.all(_VOID, {**of, "most": most})
    ]
    return {"sent": sent, "void": void, "received": _received(tx, of, most)}


def _received(tx: Tx, of: dict[str, str], most: int) -> list[dict[str, Any]]:
    gaps: dict[tuple[str, ...], list[dict[str, int]]] = {}
    for standard, partner, usage, before, serial in tx.all(_MISSING, {**of, "most": _GAPS}):
        gap = {"after": before, "before": serial, "missing": serial - before - 1}
        gaps.setdefault((standard, partner, usage), []).append(gap)
    told = []
    for standard, partner, usage, many, first, last in tx.all(_RECEIVED, of):
        found = gaps.get((standard, partner, usage), [])
        told.append({
            "standard": standard, "partner": partner, "usage": usage, "received": many, "first": first,
            "last": last, "missing": sum(gap["missing"] for gap in found), "gaps": found[:most],
        })  # fmt: skip
    return told
